//! Names become addresses as std makes them, also where they are none.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use goroutines::{context::Context, go, net::ToSocketAddrs};
use goroutines_tests::start;

fn in_goroutine<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    start(2);
    go(f).join().unwrap()
}

/// What is compared: the addresses, or kind and text of the error.
fn outcome(
    result: io::Result<impl Iterator<Item = SocketAddr>>,
) -> Result<Vec<SocketAddr>, (io::ErrorKind, String)> {
    result
        .map(Iterator::collect)
        .map_err(|error| (error.kind(), error.to_string()))
}

const TEXTS: [&str; 16] = [
    "localhost:80",
    "127.0.0.1:80",
    "[::1]:443",
    "::1:443",
    "127.1:9",
    "localhost",
    "localhost:",
    "localhost:http",
    "localhost:65536",
    "localhost:-1",
    "",
    ":80",
    ":",
    "a\0b:80",
    "no such name:80",
    "does-not-exist.invalid:80",
];

#[test]
fn a_text_becomes_what_std_makes_of_it() {
    for text in TEXTS {
        let theirs = outcome(std::net::ToSocketAddrs::to_socket_addrs(text));
        let ours = in_goroutine(move || outcome(ToSocketAddrs::to_socket_addrs(text)));
        assert_eq!(ours, theirs, "{text:?}");
        let owned = in_goroutine(move || outcome(ToSocketAddrs::to_socket_addrs(&text.to_owned())));
        assert_eq!(owned, theirs, "{text:?}");
        // On a plain thread it is std's call.
        assert_eq!(outcome(ToSocketAddrs::to_socket_addrs(text)), theirs);
    }
}

#[test]
fn a_name_with_a_port_becomes_what_std_makes_of_it() {
    for host in [
        "localhost",
        "127.0.0.1",
        "::1",
        "",
        "does-not-exist.invalid",
        "a\0b",
    ] {
        let theirs = outcome(std::net::ToSocketAddrs::to_socket_addrs(&(host, 7)));
        let ours = in_goroutine(move || outcome(ToSocketAddrs::to_socket_addrs(&(host, 7))));
        assert_eq!(ours, theirs, "{host:?}");
    }
}

#[test]
fn a_hundred_goroutines_look_a_name_up_at_once() {
    in_goroutine(|| {
        let askers: Vec<_> = (0..100_u16)
            .map(|port| go(move || ToSocketAddrs::to_socket_addrs(&("localhost", port)).unwrap()))
            .collect();
        for (port, asker) in askers.into_iter().enumerate() {
            let mut addrs = asker.join().unwrap().peekable();
            assert!(addrs.peek().is_some());
            assert!(addrs.all(|addr| addr.ip().is_loopback() && addr.port() as usize == port));
        }
    });
}

#[test]
fn a_name_is_not_looked_up_under_a_context_that_is_done() {
    in_goroutine(|| {
        let (ctx, _) = Context::background().with_timeout(Duration::ZERO);
        let error = ctx.run(|| ToSocketAddrs::to_socket_addrs("localhost:80").unwrap_err());
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "context deadline exceeded");
        // An address is no name.
        let mut addrs = ctx.run(|| ToSocketAddrs::to_socket_addrs("127.0.0.1:80").unwrap());
        assert_eq!(addrs.next().unwrap().ip(), IpAddr::from([127, 0, 0, 1]));
    });
}
