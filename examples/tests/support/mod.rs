//! Programs of this package as child processes.
#![allow(dead_code, unreachable_pub)]

pub mod server;
pub mod trust;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// A program that runs, and is killed at the latest when this is dropped.
pub struct Program {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Program {
    pub fn start(path: &str, args: &[&str]) -> Program {
        let mut child = Command::new(path)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let out = BufReader::new(child.stdout.take().unwrap());
        Program { child, out }
    }

    /// One that says where it listens.
    pub fn server(path: &str) -> (Program, SocketAddr) {
        let mut program = Program::start(path, &[]);
        let line = program.line();
        let address = line.strip_prefix("listening on ").expect(&line);
        let address = address.parse().expect(&line);
        (program, address)
    }

    /// The next line of its output.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.truncate(line.trim_end().len());
        line
    }

    /// The rest of its output.
    pub fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        rest
    }

    pub fn terminate(&self) {
        // SAFETY: the child has not been waited for, so its number is no other's.
        let sent = unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
        assert_eq!(sent, 0);
    }

    /// Waits for its end.
    pub fn end(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // An error: it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection that fails rather than hangs.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    let long = Some(Duration::from_secs(30));
    stream.set_read_timeout(long).unwrap();
    stream.set_write_timeout(long).unwrap();
    stream
}

/// Sends `request`, and reads until the other side ends.
pub fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    stream.write_all(request).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}
