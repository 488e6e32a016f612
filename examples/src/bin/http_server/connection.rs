//! One connection after the other, each on its goroutine, and all of them at the end.

use std::{
    collections::HashMap,
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use goroutines::{go, net::TcpStream, sync::WaitGroup};

use crate::{
    request::{Chunks, Parsed, Refusal, Request, parse},
    routes::{answer, respond},
};

/// How long a request may take to come in.
pub(crate) const REQUEST_TIME: Duration = Duration::from_secs(2);
/// How long a connection may be silent between two requests.
pub(crate) const IDLE_TIME: Duration = Duration::from_secs(10);
/// How long a client may take to read an answer.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// How long a client that is done with may go on sending.
const LINGER_TIME: Duration = Duration::from_secs(1);
/// Answers are sent when so much of them is there, or no whole request is left.
const MUCH: usize = 64 << 10;

/// What the connections share.
#[derive(Default)]
pub(crate) struct Server {
    stopping: AtomicBool,
    requests: AtomicU64,
    open: Mutex<HashMap<u64, Arc<TcpStream>>>,
    names: AtomicU64,
}

impl Server {
    /// Serves `stream` on a goroutine of its own, which is one of `group`.
    pub(crate) fn admit(self: &Arc<Server>, stream: TcpStream, group: WaitGroup) {
        let name = self.names.fetch_add(1, Ordering::Relaxed);
        let stream = Arc::new(stream);
        self.open().insert(name, stream.clone());
        let server = self.clone();
        go(move || {
            let result = catch_unwind(AssertUnwindSafe(|| server.serve(&stream)));
            server.open().remove(&name);
            if let Ok(Err(error)) = result {
                // Clients that go away are no news.
                if !matches!(
                    error.kind(),
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected
                ) {
                    eprintln!("connection {name}: {error}");
                }
            }
            drop(group);
        });
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<TcpStream>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on each connection ends after the request that it is in.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for stream in self.open().values() {
            // Those that wait for a request wake up.
            let _ = stream.set_read_deadline(Some(Instant::now()));
        }
    }

    fn stops(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// How many requests were answered.
    pub(crate) fn served(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_TIME))?;
        let (mut input, mut out) = (Vec::new(), Vec::new());
        loop {
            let refusal = match self.next(stream, &mut input, &mut out)? {
                Next::Request(request) => match self.answer(&request, &mut out) {
                    true => continue,
                    false => None,
                },
                Next::Refused(refusal) => Some(refusal),
                Next::End => None,
            };
            if let Some(Refusal(status, why)) = refusal {
                respond(
                    &mut out,
                    status,
                    format!("{why}\n").as_bytes(),
                    false,
                    false,
                );
            }
            send(stream, &mut out)?;
            return linger(stream);
        }
    }

    /// Answers, into `out`; whether the connection stays.
    fn answer(&self, request: &Request, out: &mut Vec<u8>) -> bool {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let keeps = request.keeps && !self.stops();
        let is_head = request.method == "HEAD";
        match catch_unwind(AssertUnwindSafe(|| answer(request))) {
            Ok(Ok(body)) => respond(out, 200, &body, keeps, is_head),
            Ok(Err(Refusal(status, why))) => {
                respond(out, status, format!("{why}\n").as_bytes(), keeps, is_head);
            }
            Err(_) => respond(out, 500, b"the handler panicked\n", keeps, is_head),
        }
        keeps
    }

    /// The next request. What was answered is sent before anything is waited for.
    fn next(&self, stream: &TcpStream, input: &mut Vec<u8>, out: &mut Vec<u8>) -> io::Result<Next> {
        let mut begun = None;
        let mut told = false;
        let mut chunks = Chunks::default();
        loop {
            match parse(input, &mut chunks) {
                Parsed::Whole(request) => {
                    input.drain(..request.length);
                    if out.len() >= MUCH {
                        send(stream, out)?;
                    }
                    return Ok(Next::Request(request));
                }
                Parsed::Refused(refusal) => return Ok(Next::Refused(refusal)),
                Parsed::Partial { expects: true } if !told => {
                    told = true;
                    out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                Parsed::Partial { .. } => {}
            }
            send(stream, out)?;
            match self.fill(stream, input, &mut begun) {
                Ok(0) if input.is_empty() => return Ok(Next::End),
                Ok(0) => return Ok(Next::Refused(Refusal(400, "the request ends too early"))),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    return Ok(match input.is_empty() {
                        true => Next::End,
                        false => Next::Refused(Refusal(408, "the request takes too long")),
                    });
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads more. `begun` is when the request may last until, once a part of it is there.
    fn fill(
        &self,
        mut stream: &TcpStream,
        input: &mut Vec<u8>,
        begun: &mut Option<Instant>,
    ) -> io::Result<usize> {
        let was_idle = input.is_empty();
        if begun.is_none() {
            let time = if was_idle { IDLE_TIME } else { REQUEST_TIME };
            let deadline = Instant::now() + time;
            stream.set_read_deadline(Some(deadline))?;
            // After that: `stop` sets its deadline after the flag, so one of both is seen.
            if was_idle && self.stops() {
                return Ok(0);
            }
            *begun = (!was_idle).then_some(deadline);
        }
        let before = input.len();
        input.resize(before + 8192, 0);
        let result = stream.read(&mut input[before..]);
        input.truncate(before + *result.as_ref().unwrap_or(&0));
        match result {
            // The deadline of `stop`, in the middle of a request: that may still come in.
            Err(error) if error.kind() == ErrorKind::TimedOut => match *begun {
                Some(deadline) if deadline > Instant::now() => {
                    stream.set_read_deadline(Some(deadline))?;
                    self.fill(stream, input, begun)
                }
                _ => Err(error),
            },
            result => result,
        }
    }
}

enum Next {
    Request(Request),
    Refused(Refusal),
    End,
}

fn send(mut stream: &TcpStream, out: &mut Vec<u8>) -> io::Result<()> {
    if !out.is_empty() {
        stream.write_all(out)?;
        out.clear();
    }
    Ok(())
}

/// Ends a connection so that the answer arrives: closed with bytes unread, the kernel would send a reset, which may overtake
/// it.
fn linger(mut stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    // What the client still sends, for so long in all.
    stream.set_read_deadline(Some(Instant::now() + LINGER_TIME))?;
    let mut rest = [0; 4096];
    while matches!(stream.read(&mut rest), Ok(1..)) {}
    Ok(())
}
