//! The life of a connection: a line comes, a line goes.
//!
//! A client that reads too slowly is sent away when [`PATIENCE`] has passed since its answer was ready. The program does not
//! notice: only the client's own thread waits for it.

use std::{
    io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use super::{
    answer,
    request::{MOST, Request},
    socket,
};

/// How long a client may take to read an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is left of a deadline; not 0, which no timeout may be.
fn left(end: Instant) -> Duration {
    let left = end.saturating_duration_since(Instant::now());
    left.max(Duration::from_micros(1))
}

/// Serves a client until it leaves.
pub(super) fn attend(stream: &UnixStream) {
    // The client has left, or does not read: there is no other to tell.
    let _ = converse(stream);
    let _ = stream.shutdown(Shutdown::Both);
}

/// Tells a client why it is not served. It need not read that.
pub(super) fn refuse(stream: &UnixStream, why: &str) {
    let _ = stream.set_nonblocking(true);
    let _ = (&*stream).write_all(&answer::error(why));
    let _ = stream.shutdown(Shutdown::Both);
}

/// What comes next.
enum Next {
    Line(String),
    /// It is time for the next numbers.
    Due,
    Closed,
    TooLong,
}

/// Numbers that are sent again and again.
struct Stream {
    every: Duration,
    due: Instant,
}

fn converse(stream: &UnixStream) -> io::Result<()> {
    let mut lines = Lines {
        reader: BufReader::new(stream),
        begun: Vec::new(),
    };
    let mut numbers: Option<Stream> = None;
    loop {
        let line = match lines.next(numbers.as_ref().map(|numbers| numbers.due))? {
            Next::Closed => return Ok(()),
            Next::TooLong => {
                let why = format!("a line has more than {MOST} bytes");
                return send(stream, &answer::error(&why));
            }
            Next::Due => {
                send(stream, &answer::stats())?;
                if let Some(numbers) = &mut numbers {
                    // Where that was late, numbers are left out and not sent in a row.
                    numbers.due = (numbers.due + numbers.every).max(Instant::now());
                }
                continue;
            }
            Next::Line(line) => line,
        };
        numbers = None;
        match Request::of(&line) {
            Err(why) => send(stream, &answer::error(&why))?,
            Ok(request) => {
                let wait = |time| !socket::ends_within(stream, time);
                let Some(answer) = answer::to(&request, wait) else {
                    return Ok(());
                };
                send(stream, &answer)?;
                match request {
                    Request::Bye => return Ok(()),
                    Request::Stats(Some(every)) => {
                        let due = Instant::now() + every;
                        numbers = Some(Stream { every, due });
                    }
                    _ => {}
                }
            }
        }
    }
}

/// What the client writes, line by line.
struct Lines<'a> {
    reader: BufReader<&'a UnixStream>,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
}

impl Lines<'_> {
    /// Waits for the next line, until `due` at most.
    fn next(&mut self, due: Option<Instant>) -> io::Result<Next> {
        loop {
            self.reader.get_ref().set_read_timeout(due.map(left))?;
            // One byte more than a line may have, and its end.
            let room = (MOST + 2).saturating_sub(self.begun.len()) as u64;
            let mut reader = self.reader.by_ref().take(room);
            match reader.read_until(b'\n', &mut self.begun) {
                Ok(_) if self.begun.ends_with(b"\n") => {
                    let line = String::from_utf8_lossy(&self.begun).trim().to_owned();
                    self.begun.clear();
                    return Ok(Next::Line(line));
                }
                Ok(_) if self.begun.len() > MOST => return Ok(Next::TooLong),
                Ok(_) => return Ok(Next::Closed),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if due.is_some_and(|due| due <= Instant::now()) {
                        return Ok(Next::Due);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Writes all of `bytes`, within [`PATIENCE`].
fn send(mut stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(left(end)))?;
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if !bytes.is_empty() && end <= Instant::now() {
            return Err(ErrorKind::TimedOut.into());
        }
    }
    Ok(())
}
