//! `Dialer`: the first address that answers counts, time limits hold, and nothing is left of the other attempts.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener as StdListener, TcpStream as StdStream},
    time::{Duration, Instant},
};

use goroutines::{
    context::Context,
    go,
    net::{Dialer, TcpListener, TcpStream},
    time::sleep,
};
use goroutines_tests::alone;
use socket2::{Domain, SockRef, Socket, Type};

fn in_goroutine<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    go(f).join().unwrap()
}

/// A port of 127.0.0.1 without a listener.
fn refused() -> SocketAddr {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A listener whose queue is full: it lets connections wait without an answer.
struct Silent {
    addr: SocketAddr,
    _listener: Socket,
    _queued: Vec<Socket>,
}

fn silent() -> Silent {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap().as_socket().unwrap();
    let mut queued = Vec::new();
    for _ in 0..4 {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&addr.into());
        queued.push(socket);
    }
    std::thread::sleep(Duration::from_millis(20));
    Silent {
        addr,
        _listener: listener,
        _queued: queued,
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Runs `f` twice in a goroutine, and checks that the second time leaves nothing behind.
fn leaves_nothing(f: impl Fn() + Send + 'static) {
    let _alone = alone(2);
    in_goroutine(move || {
        f();
        let (before, goroutines) = (descriptors(), goroutines::metrics().goroutines);
        f();
        assert_eq!(descriptors(), before);
        let metrics = goroutines::metrics();
        assert_eq!((metrics.sockets, metrics.registered), (0, 0));
        // The last to say how its attempt ended may still be ending itself.
        let end = Instant::now() + Duration::from_secs(60);
        while goroutines::metrics().goroutines > goroutines {
            assert!(Instant::now() < end, "{:#?}", goroutines::metrics());
            sleep(Duration::from_millis(1));
        }
    });
}

fn works(mut stream: TcpStream, listener: &TcpListener) {
    let (mut server, _) = listener.accept().unwrap();
    stream.write_all(b"ping").unwrap();
    let mut got = [0; 4];
    server.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"ping");
}

#[test]
fn an_address_that_refuses_is_followed_by_the_next_at_once() {
    leaves_nothing(|| {
        let (listener, addr) = listener();
        // No delay that a test could wait for.
        let dialer = Dialer::new().attempt_delay(Duration::from_secs(3600));
        let stream = dialer.connect(&[refused(), refused(), addr][..]).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addr);
        works(stream, &listener);
    });
}

#[test]
fn an_address_that_is_silent_is_overtaken_by_the_next() {
    leaves_nothing(|| {
        let (silent, (listener, addr)) = (silent(), listener());
        let begin = Instant::now();
        let dialer = Dialer::new().attempt_delay(Duration::from_millis(30));
        let stream = dialer
            .connect(&[silent.addr, silent.addr, addr][..])
            .unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(60));
        assert_eq!(stream.peer_addr().unwrap(), addr);
        works(stream, &listener);
    });
}

#[test]
fn the_stream_is_in_blocking_mode_as_any_other() {
    leaves_nothing(|| {
        let (listener, addr) = listener();
        let stream = Dialer::new().connect(addr).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let writer = go(move || {
            sleep(Duration::from_millis(5));
            server.write_all(b"x").unwrap();
        });
        let mut std = StdStream::from(stream);
        goroutines::blocking(|| std.read_exact(&mut [0])).unwrap();
        writer.join().unwrap();
    });
}

#[test]
fn the_time_is_for_all_addresses_together() {
    leaves_nothing(|| {
        let silent = silent();
        let addrs = [silent.addr; 3];
        let begin = Instant::now();
        let time = Duration::from_millis(40);
        let dialer = Dialer::new().attempt_delay(Duration::from_millis(5));
        let error = dialer
            .clone()
            .timeout(time)
            .connect(&addrs[..])
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(begin.elapsed() >= time);
        let error = dialer
            .clone()
            .deadline(begin)
            .connect(&addrs[..])
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let (ctx, _) = Context::background().with_timeout(time);
        let error = ctx.run(|| dialer.connect(&addrs[..]).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn a_context_that_is_cancelled_ends_it() {
    leaves_nothing(|| {
        let silent = silent();
        let (ctx, canceller) = Context::background().with_cancel();
        let addr = silent.addr;
        let dialing = go(move || Dialer::new().connect_ctx(addr, &ctx).unwrap_err());
        sleep(Duration::from_millis(10));
        assert!(!dialing.is_finished());
        canceller.cancel();
        assert_eq!(dialing.join().unwrap().kind(), ErrorKind::ConnectionAborted);
    });
}

#[test]
fn an_attempt_that_the_kernel_gives_up_is_an_error_of_its_address() {
    leaves_nothing(|| {
        let error = Dialer::new()
            .connect(&[refused(), refused()][..])
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let error = Dialer::new().connect(&[][..]).unwrap_err();
        let theirs = StdStream::connect(&[][..]).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (theirs.kind(), theirs.to_string())
        );
    });
}

#[test]
fn the_local_address_and_keepalive_are_set() {
    leaves_nothing(|| {
        let (listener, addr) = listener();
        let dialer = Dialer::new()
            .local_addr(([127, 0, 0, 5], 0).into())
            .keepalive(Duration::from_secs(77));
        for on_thread in [false, true] {
            let dialer = dialer.clone();
            let dial = move || dialer.connect(addr).unwrap();
            let stream = if on_thread {
                goroutines::blocking(dial)
            } else {
                dial()
            };
            assert_eq!(
                stream.local_addr().unwrap().ip(),
                Ipv4Addr::new(127, 0, 0, 5)
            );
            let socket = SockRef::from(&stream);
            assert!(socket.keepalive().unwrap());
            assert_eq!(
                socket.tcp_keepalive_time().unwrap(),
                Duration::from_secs(77)
            );
            works(stream, &listener);
        }
        let error = dialer.connect("[::1]:1").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("127.0.0.5:0"), "{error}");
        let error = dialer.timeout(Duration::ZERO).connect(addr).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn on_a_thread_one_address_follows_the_other() {
    leaves_nothing(|| {
        let (silent, (listener, addr)) = (silent(), listener());
        goroutines::blocking(|| {
            let stream = Dialer::new().connect(&[refused(), addr][..]).unwrap();
            works(stream, &listener);
            let dialer = Dialer::new().timeout(Duration::from_millis(20));
            let error = dialer.connect(silent.addr).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        });
    });
}

#[test]
fn a_name_is_looked_up_and_raced() {
    leaves_nothing(|| {
        // Usually ::1 and 127.0.0.1, of which one refuses.
        let (listener, addr) = listener();
        let dialer = Dialer::new().timeout(Duration::from_secs(60));
        works(
            dialer.connect(("localhost", addr.port())).unwrap(),
            &listener,
        );
    });
}
