//! What sockets leave behind: nothing.

use std::{
    fs::File,
    io::{Read, Write},
    net::{self as std_net},
    os::fd::OwnedFd,
    panic, thread,
    time::{Duration, Instant},
};

use goroutines::{
    go,
    io::PipeReader,
    net::{TcpListener, TcpStream, unix::UnixStream},
    time::sleep,
};
use goroutines_tests::{alone, until};

const LOCAL: &str = "127.0.0.1:0";

/// Both ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(LOCAL).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn in_goroutine<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    go(f).join().unwrap()
}

#[test]
fn nothing_is_left_of_sockets_that_are_closed() {
    let _alone = alone(2);
    in_goroutine(|| {
        let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        drop(pair());
        let before = descriptors();
        for _ in 0..100 {
            let (client, server) = pair();
            let clone = server.try_clone().unwrap();
            let reader = go(move || (&clone).read(&mut [0]).unwrap());
            sleep(Duration::from_micros(100));
            // The clone has waited, and its registration goes with it.
            drop(client);
            assert_eq!(reader.join().unwrap(), 0);
            assert_eq!((&server).read(&mut [0]).unwrap(), 0);
            drop(std_net::TcpStream::from(server));
        }
        // The poller's own came with the first wait.
        assert!(descriptors() <= before + 3, "{} of {before}", descriptors());
        let metrics = goroutines::metrics();
        assert_eq!((metrics.sockets, metrics.registered), (0, 0));
        assert!(metrics.polls > 0 && metrics.poll_events >= 100);
    });
}

#[test]
fn events_are_those_of_sockets_and_no_interruptions_of_the_poll() {
    let _alone = alone(2);
    let (mut client, mut server) = UnixStream::pair().unwrap();
    let reader = go(move || server.read(&mut [0]).unwrap());
    until("the reader waits", || goroutines::metrics().registered == 1);
    let before = goroutines::metrics();
    // Each comes while a thread sleeps in the poll, and interrupts it.
    for _ in 0..50 {
        thread::sleep(Duration::from_millis(2));
        in_goroutine(|| ());
    }
    let after = goroutines::metrics();
    assert!(after.polls > before.polls);
    assert_eq!(after.poll_events, before.poll_events);
    in_goroutine(move || client.write_all(b"x").unwrap());
    assert_eq!(reader.join().unwrap(), 1);
    let events = goroutines::metrics().poll_events - before.poll_events;
    // The byte, and the end of the client.
    assert!((1..=2).contains(&events), "{events}");
}

/// Calls that fail, each with the number of records and registrations that it leaves.
#[test]
fn calls_that_fail_leave_no_record_and_no_registration() {
    let _alone = alone(2);
    let nothing_after = |what: &str, f: fn()| {
        in_goroutine(f);
        let metrics = goroutines::metrics();
        assert_eq!((metrics.sockets, metrics.registered), (0, 0), "{what}");
    };
    nothing_after("a refused connection", || {
        let nobody = TcpListener::bind(LOCAL).unwrap().local_addr().unwrap();
        TcpStream::connect(nobody).unwrap_err();
    });
    nothing_after("an accept that is late", || {
        let listener = TcpListener::bind(LOCAL).unwrap();
        let clone = listener.try_clone().unwrap();
        let soon = Instant::now() + Duration::from_millis(2);
        clone.accept_deadline(soon).unwrap_err();
        drop(listener);
    });
    nothing_after("an accept that is closed", || {
        let listener = TcpListener::bind(LOCAL).unwrap();
        let closer = listener.closer().unwrap();
        let server = go(move || listener.accept().unwrap_err());
        sleep(Duration::from_millis(2));
        closer.close();
        server.join().unwrap();
    });
    nothing_after("a read and a write that are late", || {
        let (mut client, server) = pair();
        let soon = Some(Duration::from_millis(1));
        client.set_read_timeout(soon).unwrap();
        client.set_write_timeout(soon).unwrap();
        client.read(&mut [0]).unwrap_err();
        client.write_all(&vec![0; 32 << 20]).unwrap_err();
        drop(server);
    });
    nothing_after("a reset", || {
        let (client, mut server) = pair();
        socket2::SockRef::from(&client)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        let reader = go(move || server.read(&mut [0]).unwrap_err());
        sleep(Duration::from_millis(2));
        drop(client);
        reader.join().unwrap();
    });
    nothing_after("a file for which nobody can wait", || {
        let null = File::options().read(true).write(true).open("/dev/null");
        let null = OwnedFd::from(null.unwrap());
        assert_eq!(PipeReader::from(null).read(&mut [0]).unwrap(), 0);
    });
    nothing_after("what is no socket", || {
        let null = OwnedFd::from(File::open("/dev/null").unwrap());
        TcpStream::from(null).read(&mut [0]).unwrap_err();
    });
    nothing_after("a panic of a goroutine that waits", || {
        let (client, server) = pair();
        let reader = go(move || {
            (&server).read_exact(&mut [0]).unwrap();
            panic::resume_unwind(Box::new("on purpose"));
        });
        sleep(Duration::from_millis(2));
        (&client).write_all(b"x").unwrap();
        reader.join().unwrap_err();
    });
}
