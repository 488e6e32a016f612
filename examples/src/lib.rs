//! What the programs of this folder share: how they start, say where they listen, and stop.
//!
//! | program | what it shows |
//! |---|---|
//! | `http_server` | HTTP/1.1 on httparse: a goroutine for each connection, deadlines, limits, a stop that loses nothing |
//! | `hyper_server` | hyper on goroutines: `block_on(connection)`, handlers that block |
//! | `tls_echo` | rustls over streams of `goroutines::net`, as over std's |
//! | `chat` | WebSockets with tungstenite: a reader and a writer for each guest, channels between them |
//! | `notes` | SQLite, which blocks, behind [`goroutines::blocking`] |
//! | `crawler` | ureq over sockets and lookups of ours, TLS too: a goroutine for each link, semaphores as limits |
//! | `redis_client` | the crate redis over streams of ours: pipelines, transactions, goroutines that wait in the server |
//! | `sql_client` | PostgreSQL by tokio-postgres without tokio's runtime: a pool, streams, a query with a time limit |
//!
//! Each is started by a test in `tests` that talks to it; `scripts/databases.sh` runs those that need a server.

#[cfg(doctest)]
mod guide;
mod steady;

use std::{
    io::{self, Write},
    net::SocketAddr,
    process,
};

use goroutines::{go, net::TcpListener, signal};

pub use steady::steady;

/// Starts the runtime; a program that cannot have it ends with a message.
pub fn start() {
    // SAFETY: no code of these programs, nor of the crates they use, keeps thread-local storage over a call that can park.
    if let Err(error) = unsafe { goroutines::start() } {
        fail("the runtime does not start", error);
    }
}

/// Ends the program with a message.
pub fn fail(what: &str, error: impl std::fmt::Display) -> ! {
    eprintln!("{what}: {error}");
    process::exit(1);
}

/// The first argument: where to listen; 127.0.0.1 and any free port if there is none. Says where on stdout.
pub fn listen() -> (TcpListener, SocketAddr) {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:0");
    let listener = TcpListener::bind(address)
        .unwrap_or_else(|error| fail(&format!("cannot listen on {address}"), error));
    let address = listener
        .local_addr()
        .unwrap_or_else(|error| fail("the listener has no address", error));
    say(format_args!("listening on {address}"));
    (listener, address)
}

/// A line on stdout, at once. Whoever read them may be gone.
pub fn say(line: std::fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Runs `stop` when SIGTERM or SIGINT comes, on a goroutine; the second signal ends the process at once.
pub fn on_stop(stop: impl FnOnce() + Send + 'static) {
    let signals = signal::notify(&[signal::SIGTERM, signal::SIGINT])
        .unwrap_or_else(|error| fail("cannot wait for signals", error));
    go(move || {
        let mut stop = Some(stop);
        for number in signals {
            match stop.take() {
                Some(stop) => stop(),
                None => process::exit(128 + number),
            }
        }
    });
}
