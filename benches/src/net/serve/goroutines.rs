//! A goroutine for every connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use goroutines::net::{TcpListener, TcpStream};
use goroutines::{Config, go, yield_now};

use super::answer::{Stream, answer, compute};
use crate::net::service::Service;

impl Stream for TcpStream {
    fn limit_reads(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))
    }
}

pub(super) fn start(service: Service, procs: usize) -> io::Result<SocketAddr> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { Config::new().procs(procs).start() }.map_err(io::Error::other)?;
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
