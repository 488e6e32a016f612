//! An HTTP/1.1 server on httparse, one goroutine a connection, written as for threads.
//!
//! ```text
//! $ cargo run -p goroutines-programs --bin http_server 127.0.0.1:8080
//! listening on 127.0.0.1:8080
//! ```
//!
//! What it shows:
//!
//! - *Deadlines that others may move.* A request has [`REQUEST_TIME`] to come in, however slowly it trickles, and a
//!   connection may idle for [`IDLE_TIME`]: `set_read_deadline`, once for each request and not for each read.
//! - *Pipelining*: answers are collected while whole requests are there, and sent in one call.
//! - *Limits*, each with its own answer: 400, 405, 408, 411, 413, 431, 501, 505.
//! - *A stop that loses nothing*: on SIGTERM the [`Closer`](goroutines::net::Closer) ends the accept loop, connections
//!   that idle end at once (their deadline becomes now), those in a request answer it first.
//!
//! Paths: `/` greets, `/echo` sends the body back, `/sleep?ms=N` blocks its goroutine, `/metrics` shows the scheduler.
//!
//! [`REQUEST_TIME`]: connection::REQUEST_TIME
//! [`IDLE_TIME`]: connection::IDLE_TIME

mod connection;
mod request;
mod routes;

use std::sync::Arc;

use connection::Server;
use goroutines::{go, sync::WaitGroup};

fn main() {
    goroutines_programs::start();
    let (listener, _) = goroutines_programs::listen();
    let server = Arc::new(Server::default());
    match listener.closer() {
        Ok(closer) => goroutines_programs::on_stop({
            let server = server.clone();
            move || {
                server.stop();
                closer.close();
            }
        }),
        Err(error) => goroutines_programs::fail("the listener has no closer", error),
    }
    // The accept loop is a goroutine: on the main thread it would be std's own, which no closer ends.
    let group = WaitGroup::new();
    let accepting = go({
        let (server, group) = (server.clone(), group.clone());
        move || {
            for stream in listener.incoming() {
                match stream {
                    Ok(stream) => server.admit(stream, group.clone()),
                    // No descriptors left, for example; the next call of the listener waits a little.
                    Err(error) => eprintln!("accept: {error}"),
                }
            }
        }
    });
    let _ = accepting.join();
    group.wait();
    let served = server.served();
    goroutines_programs::say(format_args!("stopped after {served} requests"));
}
