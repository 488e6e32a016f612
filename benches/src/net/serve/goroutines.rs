//! A goroutine for every connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use goroutines::net::{TcpListener, TcpStream, UdpSocket};
use goroutines::{Config, go, yield_now};

use super::answer::{Stream, answer, compute, datagrams};
use crate::net::service::{RECEIVERS, Service};

impl Stream for TcpStream {
    fn limit_reads(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))
    }
}

/// On stacks of their own.
pub(super) fn start(service: Service, procs: usize) -> io::Result<SocketAddr> {
    serve(service, procs, Config::new())
}

/// On stacks that are copied out while they are parked.
pub(super) fn start_copied(service: Service, procs: usize) -> io::Result<SocketAddr> {
    // SAFETY: the goroutines of this program reach nothing of each other's stacks: connections and buffers have one
    // owner, and what goroutines share is in an `Arc`.
    serve(service, procs, unsafe { Config::new().copy_stacks() })
}

fn serve(service: Service, procs: usize, config: Config) -> io::Result<SocketAddr> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { config.procs(procs).start() }.map_err(io::Error::other)?;
    if service == Service::Udp {
        return serve_datagrams();
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    if service.computes() {
        (0..procs).for_each(|_| drop(go(move || compute(service, yield_now))));
    }
    go(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away ends only its own connection.
            go(move || {
                drop(
                    stream
                        .set_nodelay(true)
                        .and_then(|()| answer(stream, service)),
                )
            });
        }
    });
    Ok(address)
}

fn serve_datagrams() -> io::Result<SocketAddr> {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0")?);
    let address = socket.local_addr()?;
    for _ in 0..RECEIVERS {
        let socket = Arc::clone(&socket);
        go(move || {
            datagrams(
                |buffer| socket.recv_from(buffer),
                |bytes, to| socket.send_to(bytes, to),
            );
        });
    }
    Ok(address)
}
