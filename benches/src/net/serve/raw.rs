//! The raw loop: a thread for each P, with an epoll of its own and no runtime. The first one also accepts, and gives the
//! connections to all of them in turn. For datagrams there is one socket, and nothing to choose from: a thread for each P
//! waits in `recvfrom`.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::thread;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, recv, send};

use super::{http, threads};
use crate::net::service::{BUFFER, HTTP_BUFFER, Service};

const SEND: MsgFlags = MsgFlags::MSG_DONTWAIT.union(MsgFlags::MSG_NOSIGNAL);

pub(super) fn start(service: Service, procs: usize) -> io::Result<SocketAddr> {
    match service {
        Service::Udp => return threads::serve_datagrams(procs),
        Service::Timeout | Service::Yielders | Service::Loops => {
            return Err(io::Error::other(
                "the raw loop has no timeouts and nobody who computes",
            ));
        }
        _ => {}
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let new = |_| Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC);
    let epolls: Arc<[Epoll]> = (0..procs).map(new).collect::<Result<_, _>>()?;
    let event = EpollEvent::new(EpollFlags::EPOLLIN, listener.as_raw_fd() as u64);
    epolls[0].add(&listener, event)?;
    let mut listener = Some(listener);
    for index in 0..procs {
        let epolls = Arc::clone(&epolls);
        let listener = listener.take();
        thread::spawn(move || {
            if let Err(error) = serve(&epolls, index, listener.as_ref(), service) {
                eprintln!("the raw loop ends: {error}");
            }
        });
    }
    Ok(address)
}

fn serve(
    epolls: &[Epoll],
    index: usize,
    listener: Option<&TcpListener>,
    service: Service,
) -> io::Result<()> {
    let mut events = [EpollEvent::empty(); 128];
    let mut answers = Answers::new(service);
    let mut turn = 0;
    loop {
        let count = epolls[index].wait(&mut events, EpollTimeout::NONE)?;
        for event in &events[..count] {
            let fd = event.data() as RawFd;
            match listener {
                Some(listener) if listener.as_raw_fd() == fd => {
                    accept(listener, epolls, &mut turn, service)?;
                }
                _ if answers.give(fd) => {}
                // SAFETY: the descriptor is that of a connection that `accept` has let go and registered here. Only
                // this thread closes it, and it is not used after.
                _ => drop(unsafe { OwnedFd::from_raw_fd(fd) }),
            }
        }
    }
}

/// Takes one connection: a level-triggered epoll tells of the next one.
fn accept(
    listener: &TcpListener,
    epolls: &[Epoll],
    turn: &mut usize,
    service: Service,
) -> io::Result<()> {
    let Ok((stream, _)) = listener.accept() else {
        return Ok(());
    };
    stream.set_nodelay(true)?;
    let flags = match service.write_size() {
        Some(_) => EpollFlags::EPOLLOUT,
        None => EpollFlags::EPOLLIN,
    };
    let event = EpollEvent::new(flags, stream.as_raw_fd() as u64);
    epolls[*turn % epolls.len()].add(&stream, event)?;
    *turn += 1;
    // Closed by `serve`.
    let _ = stream.into_raw_fd();
    Ok(())
}

/// What one thread answers with.
struct Answers {
    service: Service,
    buffer: Vec<u8>,
    output: Vec<u8>,
    /// The start of a request whose end has not come. There is none, as a rule.
    begun: HashMap<RawFd, Vec<u8>>,
}

impl Answers {
    fn new(service: Service) -> Answers {
        let buffer = match service {
            Service::Http => HTTP_BUFFER,
            _ => service.write_size().unwrap_or(BUFFER),
        };
        Answers {
            service,
            buffer: vec![0; buffer],
            output: Vec::new(),
            begun: HashMap::new(),
        }
    }

    /// Does what there is to do on a connection. Returns whether the connection stays.
    fn give(&mut self, fd: RawFd) -> bool {
        // SAFETY: the descriptor is open: only `serve` closes it, in this thread, when this says so.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) }.as_raw_fd();
        match self.service {
            Service::Http => self.http(fd).unwrap_or(false),
            _ if self.service.write_size().is_some() => self.pour(fd),
            _ => self.echo(fd),
        }
    }

    fn echo(&mut self, fd: RawFd) -> bool {
        let count = recv(fd, &mut self.buffer, MsgFlags::MSG_DONTWAIT).unwrap_or(0);
        count != 0
            && send(fd, &self.buffer[..count], SEND) == Ok(count)
            && self.service != Service::Short
    }

    /// Fills the socket.
    fn pour(&mut self, fd: RawFd) -> bool {
        loop {
            match send(fd, &self.buffer, SEND) {
                Ok(_) => {}
                Err(error) => return error == Errno::EAGAIN,
            }
        }
    }

    fn http(&mut self, fd: RawFd) -> io::Result<bool> {
        let count = match self.begun.is_empty() {
            true => recv(fd, &mut self.buffer, MsgFlags::MSG_DONTWAIT)?,
            false => self.receive_more(fd)?,
        };
        if count == 0 {
            return Ok(false);
        }
        self.output.clear();
        let taken = http::answer(&self.buffer[..count], &mut self.output)?;
        if taken < count {
            self.begun.insert(fd, self.buffer[taken..count].to_vec());
        }
        Ok(self.output.is_empty() || send(fd, &self.output, SEND) == Ok(self.output.len()))
    }

    /// Receives behind what was begun on this connection.
    fn receive_more(&mut self, fd: RawFd) -> io::Result<usize> {
        let begun = self.begun.remove(&fd).unwrap_or_default();
        self.buffer[..begun.len()].copy_from_slice(&begun);
        match recv(fd, &mut self.buffer[begun.len()..], MsgFlags::MSG_DONTWAIT)? {
            0 => Ok(0),
            count => Ok(begun.len() + count),
        }
    }
}
