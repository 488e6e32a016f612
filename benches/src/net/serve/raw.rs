//! The raw loop: a thread for each P, with an epoll of its own and no runtime. The first one also accepts, and gives the
//! connections to all of them in turn.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, RawFd};
use std::sync::Arc;
use std::thread;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::net::service::{BUFFER, Service};

pub(super) fn start(service: Service, procs: usize) -> io::Result<SocketAddr> {
    if !matches!(service, Service::Echo | Service::Short) {
        return Err(io::Error::other(
            "the raw loop has no timeouts and nobody who computes",
        ));
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
    let mut buffer = [0; BUFFER];
    let mut turn = 0;
    loop {
        let count = epolls[index].wait(&mut events, EpollTimeout::NONE)?;
        for event in &events[..count] {
            let fd = event.data() as RawFd;
            match listener {
                Some(listener) if listener.as_raw_fd() == fd => {
                    accept(listener, epolls, &mut turn)?;
                }
                _ => answer(fd, &mut buffer, service),
            }
        }
    }
}

/// Takes one connection: a level-triggered epoll tells of the next one.
fn accept(listener: &TcpListener, epolls: &[Epoll], turn: &mut usize) -> io::Result<()> {
    let Ok((stream, _)) = listener.accept() else {
        return Ok(());
    };
    stream.set_nodelay(true)?;
    let event = EpollEvent::new(EpollFlags::EPOLLIN, stream.as_raw_fd() as u64);
    epolls[*turn % epolls.len()].add(&stream, event)?;
    *turn += 1;
    // Closed by `answer`.
    let _ = stream.into_raw_fd();
    Ok(())
}

fn answer(fd: RawFd, buffer: &mut [u8; BUFFER], service: Service) {
    // SAFETY: the descriptor is that of a connection that `accept` registered, which only the thread of its epoll
    // closes, below.
    let connection = unsafe { BorrowedFd::borrow_raw(fd) };
    use nix::sys::socket::{MsgFlags, recv, send};
    let fd = connection.as_raw_fd();
    let count = recv(fd, buffer, MsgFlags::MSG_DONTWAIT).unwrap_or(0);
    if count != 0 {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let sent = send(fd, &buffer[..count], flags);
        if sent == Ok(count) && service != Service::Short {
            return;
        }
    }
    // SAFETY: only this thread closes the descriptor, and it is not used after.
    drop(unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
}
