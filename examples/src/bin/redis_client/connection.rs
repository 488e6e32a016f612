//! A connection of the crate `redis` on a stream of ours.

use std::{
    io::{ErrorKind, Write},
    time::{Duration, Instant},
};

use goroutines::net::unix::UnixStream;
use redis::{ConnectionLike, Parser, RedisError, RedisResult, Value};

/// How long a server may take to answer a command that does not wait for others.
const TIME: Duration = Duration::from_secs(10);

pub(crate) struct Connection {
    stream: UnixStream,
    parser: Parser,
    is_open: bool,
    time: Option<Duration>,
}

impl Connection {
    pub(crate) fn open(path: &str) -> RedisResult<Connection> {
        Ok(Connection {
            stream: UnixStream::connect(path)?,
            parser: Parser::new(),
            is_open: true,
            time: Some(TIME),
        })
    }

    /// Within what time each command has to be answered. Default: 10 s.
    pub(crate) fn answers_within(mut self, time: Option<Duration>) -> Connection {
        self.time = time;
        self
    }

    fn send(&mut self, commands: &[u8]) -> RedisResult<()> {
        if !self.is_open {
            let text = "the connection was ended by an earlier error";
            return Err(std::io::Error::new(ErrorKind::NotConnected, text).into());
        }
        // For all the answers together, and moved by nothing in between.
        let deadline = self.time.and_then(|time| Instant::now().checked_add(time));
        self.stream.set_deadline(deadline)?;
        let sent = self.stream.write_all(commands);
        self.is_open = sent.is_ok();
        Ok(sent?)
    }

    /// The next answer; an error of the server is one.
    fn receive(&mut self) -> RedisResult<Value> {
        let value = self.parser.parse_value(&mut self.stream);
        // After an error of the protocol or the stream, where an answer begins is not known.
        self.is_open &= value.is_ok();
        value
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command(&mut self, command: &[u8]) -> RedisResult<Value> {
        self.send(command)?;
        self.receive()?.extract_error()
    }

    fn req_packed_commands(
        &mut self,
        commands: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        self.send(commands)?;
        for _ in 0..offset {
            // "QUEUED", or an error because of which the transaction is refused as a whole.
            self.receive()?;
        }
        (0..count).map(|_| self.receive()).collect()
    }

    fn get_db(&self) -> i64 {
        0
    }

    fn check_connection(&mut self) -> bool {
        redis::cmd("PING").query::<String>(self).is_ok()
    }

    fn is_open(&self) -> bool {
        self.is_open
    }
}

/// Whether the connection has ended, or a time was up on it; the next one may do.
pub(crate) fn is_over(error: &RedisError) -> bool {
    error.is_io_error()
}
