//! A connection to a program: a line there, a line back.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::model::Hello;

/// The version of the lines that this program understands.
const PROTOCOL: u64 = 1;

/// An open connection, to a program that has said hello.
pub(crate) struct Connection {
    lines: BufReader<UnixStream>,
    path: PathBuf,
    pub(crate) hello: Hello,
}

impl Connection {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    ///
    /// Says why there is no such connection, in words for the user.
    pub(crate) fn open(path: &Path) -> Result<Connection, String> {
        let stream = UnixStream::connect(path).map_err(|error| {
            let remedy = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    ": the program has not called `debug::serve` with it"
                }
                std::io::ErrorKind::ConnectionRefused => ": the program that opened it has ended",
                _ => "",
            };
            format!("{}: {error}{remedy}", path.display())
        })?;
        let mut connection = Connection {
            lines: BufReader::new(stream),
            path: path.to_owned(),
            hello: Hello::default(),
        };
        let hello = connection.ask("hello")?;
        if hello["protocol"] != PROTOCOL {
            return Err(format!(
                "{}: the program speaks version {} of the lines, and this goroutines-top {PROTOCOL}: use that of the \
                 program's version",
                path.display(),
                hello["protocol"]
            ));
        }
        connection.hello = serde_json::from_value(hello).unwrap_or_default();
        Ok(connection)
    }

    /// The answer to a request.
    ///
    /// # Errors
    ///
    /// The reason of the program why it does not answer; or that it is gone.
    pub(crate) fn ask(&mut self, request: &str) -> Result<Value, String> {
        // One that has refused the connection is read to its end: it says why.
        let asked = writeln!(self.lines.get_mut(), "{request}");
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            // A line that is cut short ends with the program.
            Ok(_) if line.ends_with('\n') => {}
            heard => {
                let why = asked.err().or(heard.err());
                let why = why.map(|error| format!(" ({error})")).unwrap_or_default();
                return Err(format!(
                    "{}: the program has gone away{why}",
                    self.path.display()
                ));
            }
        }
        let answer: Value = serde_json::from_str(&line).map_err(|error| {
            format!("{}: no answer of goroutines ({error})", self.path.display())
        })?;
        match answer["error"].as_str() {
            Some(why) => Err(format!("{}: {why}", self.path.display())),
            None => Ok(answer),
        }
    }
}
