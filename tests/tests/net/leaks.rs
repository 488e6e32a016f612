//! What sockets leave behind: nothing.

use std::{
    io::{Read, Write},
    net::{self as std_net},
    time::Duration,
};

use goroutines::{
    go,
    net::{TcpListener, TcpStream},
    time::sleep,
};
use goroutines_tests::alone;

/// Both ends of a connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
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

/// What is read from each socket is what was written to its peer, although other goroutines open,
/// clone, convert and close others meanwhile.
#[test]
fn no_byte_goes_to_a_socket_that_has_the_number_of_another() {
    let _alone = alone(2);
    in_goroutine(|| {
        let workers: Vec<_> = (0..8_u8)
            .map(|worker| {
                go(move || {
                    for round in 0..60_u8 {
                        let (mut client, server) = pair();
                        let clone = server.try_clone().unwrap();
                        let reader = go(move || {
                            let mut got = [0; 3];
                            (&clone).read_exact(&mut got).unwrap();
                            got
                        });
                        if round % 2 == 0 {
                            drop(server);
                        } else {
                            drop(std_net::TcpStream::from(server));
                        }
                        client.write_all(&[worker, round]).unwrap();
                        sleep(Duration::from_micros(50));
                        client.write_all(&[7]).unwrap();
                        assert_eq!(reader.join().unwrap(), [worker, round, 7]);
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
        let metrics = goroutines::metrics();
        assert_eq!((metrics.sockets, metrics.registered), (0, 0));
    });
}
