//! A client of the socket that `debug::serve` opens.

use std::{
    io::{BufRead, BufReader, ErrorKind, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use serde_json::Value;

/// A connection, on which lines are asked and answered.
pub(crate) struct Client(pub(crate) BufReader<UnixStream>);

impl Client {
    /// Connects to the socket at `path`.
    pub(crate) fn of(path: &Path) -> Client {
        let stream = UnixStream::connect(path).expect("it listens");
        // Longer than anything takes.
        let long = Duration::from_secs(120);
        stream.set_read_timeout(Some(long)).expect("a socket");
        Client(BufReader::new(stream))
    }

    /// Writes a line.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.0.get_mut(), "{line}").expect("it reads");
    }

    /// The next line; `None` at the end, also where the server has not read all that was said.
    pub(crate) fn hear(&mut self) -> Option<Value> {
        let mut line = String::new();
        let length = match self.0.read_line(&mut line) {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            heard => heard.expect("a line or the end"),
        };
        let read = || serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        (length > 0).then(read)
    }

    /// The answer to a line.
    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str) -> Value {
        self.say(line);
        self.hear().expect("an answer")
    }

    /// The error that answers a line.
    #[track_caller]
    pub(crate) fn refused(&mut self, line: &str) -> String {
        let answer = self.ask(line);
        let why = answer["error"].as_str();
        why.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}
