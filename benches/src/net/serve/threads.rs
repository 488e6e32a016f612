//! An OS thread for every connection, with a small stack: there are thousands.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::answer::{Stream, answer, compute};
use crate::net::service::Service;

impl Stream for TcpStream {
    fn limit_reads(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))
    }
}

pub(super) fn start(service: Service, procs: usize) -> io::Result<SocketAddr> {
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
