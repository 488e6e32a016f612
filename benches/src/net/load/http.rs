//! Clients of HTTP/1.1: each sends its next requests when it has the answers to the last ones.
//!
//! The first answer is parsed. The others must have its length, its first line and its body: what is measured is the server,
//! not a parser here.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Barrier;

use httparse::{EMPTY_HEADER, Response, Status};

use super::closed::{Client, run};
use super::{Counted, GONE, Phase};
use crate::net::service::{BODY, REQUEST};

/// Connects so many clients, each of which sends `pipeline` requests at a time.
pub(in crate::net) fn http(
    pipeline: usize,
    address: SocketAddr,
    connections: usize,
    phase: &Phase,
    barrier: &Barrier,
) -> io::Result<Counted> {
    let connect = || Http::connect(address, pipeline);
    run(connections, pipeline as u64, phase, barrier, connect)
}

struct Http {
    stream: TcpStream,
    pipeline: usize,
    requests: Vec<u8>,
    answers: Answers,
}

impl Http {
    fn connect(address: SocketAddr, pipeline: usize) -> io::Result<Http> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Http {
            stream,
            pipeline,
            requests: REQUEST.repeat(pipeline).into_bytes(),
            answers: Answers::default(),
        })
    }
}

impl AsFd for Http {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Client for Http {
    fn send(&mut self) -> io::Result<()> {
        self.answers.bytes.clear();
        self.stream.write_all(&self.requests)
    }

    fn receive(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 8192];
        let count = self.stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::Error::other(GONE));
        }
        self.answers.bytes.extend_from_slice(&buffer[..count]);
        self.answers.are(self.pipeline)
    }
}

#[derive(Default)]
struct Answers {
    bytes: Vec<u8>,
    /// Of one answer, once that is known.
    length: Option<usize>,
}

impl Answers {
    /// Returns whether so many have come.
    ///
    /// # Errors
    ///
    /// When there is something else, or more.
    fn are(&mut self, count: usize) -> io::Result<bool> {
        if self.length.is_none() {
            self.length = measure(&self.bytes)?;
        }
        let Some(length) = self.length else {
            return Ok(false);
        };
        if self.bytes.len() < length * count {
            return Ok(false);
        }
        let is_right = |answer: &[u8]| answer.starts_with(OK) && answer.ends_with(BODY.as_bytes());
        match self.bytes.len() == length * count && self.bytes.chunks(length).all(is_right) {
            true => Ok(true),
            false => Err(io::Error::other(WRONG)),
        }
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";
const WRONG: &str = "the answer is not what was asked for";

/// The length of the answer at the start of these bytes, with its body; none if its head has not come.
fn measure(bytes: &[u8]) -> io::Result<Option<usize>> {
    let mut headers = [EMPTY_HEADER; 16];
    let mut answer = Response::new(&mut headers);
    let Status::Complete(head) = answer.parse(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let value = |name: &str| {
        let is_it = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
        let found = answer.headers.iter().find(is_it);
        found.map(|header| header.value).unwrap_or_default()
    };
    let length = BODY.len().to_string();
    let is_right = answer.code == Some(200)
        && value("content-length") == length.as_bytes()
        && value("content-type").starts_with(b"text/plain")
        && value("date").is_empty();
    match is_right {
        true => Ok(Some(head + BODY.len())),
        false => Err(io::Error::other(WRONG)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\
                       Content-Length: 13\r\n\r\nHello, World!";

    fn of(bytes: &str) -> Answers {
        Answers {
            bytes: bytes.as_bytes().to_vec(),
            length: None,
        }
    }

    #[test]
    fn answers_are_there_when_the_last_byte_of_the_last_one_is() {
        let two = ONE.repeat(2);
        for cut in 0..two.len() {
            assert!(!of(&two[..cut]).are(2).unwrap(), "{cut}");
        }
        assert!(of(&two).are(2).unwrap());
    }

    #[test]
    fn what_is_no_such_answer_is_an_error() {
        let moved = ONE.replace("200", "301");
        let dated = ONE.replace("\r\n\r\n", "\r\nDate: today\r\n\r\n");
        let longer = ONE.replace("13", "14");
        let second = format!("{ONE}{}", ONE.replace("200", "500"));
        for (wrong, count) in [(moved, 1), (dated, 1), (longer, 1), (second, 2)] {
            assert!(of(&wrong).are(count).is_err(), "{wrong}");
        }
        assert!(of(&ONE.repeat(2)).are(1).is_err());
    }
}
