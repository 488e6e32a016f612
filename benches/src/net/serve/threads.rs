//! An OS thread for every connection, with a small stack: there are thousands.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::answer::{Stream, answer, compute, datagrams};
use crate::net::service::{RECEIVERS, Service};

impl Stream for TcpStream {
    fn limit_reads(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))
    }
}

pub(super) fn start(service: Service, procs: usize) -> io::Result<SocketAddr> {
    if service == Service::Udp {
        return serve_datagrams(RECEIVERS);
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    if service.computes() {
        (0..procs).for_each(|_| drop(thread::spawn(move || compute(service, thread::yield_now))));
    }
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away ends only its own connection.
            let serve = move || {
                drop(
                    stream
                        .set_nodelay(true)
                        .and_then(|()| answer(stream, service)),
                )
            };
            if let Err(error) = thread::Builder::new().stack_size(64 << 10).spawn(serve) {
                eprintln!("no thread for a connection: {error}");
            }
        }
    });
    Ok(address)
}

/// So many threads that wait for datagrams of one socket in the kernel.
pub(super) fn serve_datagrams(receivers: usize) -> io::Result<SocketAddr> {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0")?);
    let address = socket.local_addr()?;
    for _ in 0..receivers {
        let socket = Arc::clone(&socket);
        thread::spawn(move || {
            datagrams(
                |buffer| socket.recv_from(buffer),
                |bytes, to| socket.send_to(bytes, to),
            );
        });
    }
    Ok(address)
}
