//! Waits for sockets beside everything else that goes on: who computes, who moves deadlines, who reads from the same socket,
//! who unwinds.

use std::{
    io::{Read, Write},
    net as std_net,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use goroutines::{go, net::TcpStream, time::sleep};
use goroutines_tests::{alone, nothing_left_by, tcp_pair};

#[test]
fn a_byte_is_read_while_one_computes_and_another_blocks_its_thread() {
    // The others count what is left of theirs.
    let _alone = alone(2);
    let stop = Arc::new(AtomicBool::new(false));
    let (client, mut server) = go(tcp_pair).join().unwrap();
    let reader = go(move || {
        let mut got = [0; 50];
        server.read_exact(&mut got).unwrap();
    });
    let computes = go({
        let stop = stop.clone();
        move || {
            while !stop.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        }
    });
    let blocks = go({
        let stop = stop.clone();
        move || {
            while !stop.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(500));
            }
        }
    });
    let mut client = std_net::TcpStream::from(client);
    let begin = Instant::now();
    for byte in 0..50 {
        client.write_all(&[byte]).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    while !reader.is_finished() && begin.elapsed() < Duration::from_secs(30) {
        thread::sleep(Duration::from_millis(1));
    }
    let read = reader.is_finished();
    stop.store(true, Ordering::Relaxed);
    assert!(read, "nobody polls");
    reader.join().unwrap();
    computes.join().unwrap();
    blocks.join().unwrap();
}

#[test]
fn what_came_is_read_although_the_time_is_over() {
    nothing_left_by(|| {
        let (client, mut server) = tcp_pair();
        server
            .set_read_timeout(Some(Duration::from_nanos(1)))
            .unwrap();
        // Registered: from now on it waits without a try where nothing was announced.
        let _ = server.read(&mut [0]);
        for _ in 0..200 {
            (&client).write_all(b"x").unwrap();
            // This machine's own connections deliver before `write` returns.
            assert_eq!(server.read(&mut [0; 8]).unwrap(), 1);
        }
    });
}

#[test]
fn a_deadline_that_moves_on_ends_nothing() {
    nothing_left_by(|| {
        let (client, server) = tcp_pair();
        let server = Arc::new(server);
        let reader = go({
            let server = server.clone();
            move || (&*server).read(&mut [0])
        });
        let end = Instant::now() + Duration::from_millis(200);
        while Instant::now() < end {
            // It never comes.
            let next = Instant::now() + Duration::from_secs(5);
            server.set_read_deadline(Some(next)).unwrap();
            sleep(Duration::from_micros(50));
        }
        (&client).write_all(b"x").unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), 1);
    });
}

#[test]
fn several_that_read_from_one_connection_get_each_byte_once() {
    nothing_left_by(|| {
        let (mut client, server) = tcp_pair();
        let server = Arc::new(server);
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let server = server.clone();
                go(move || {
                    let (mut all, mut buf) = (Vec::new(), [0; 3]);
                    loop {
                        match (&*server).read(&mut buf) {
                            Ok(0) => return all,
                            Ok(n) => all.extend_from_slice(&buf[..n]),
                            Err(error) => panic!("{error}"),
                        }
                    }
                })
            })
            .collect();
        for byte in 0..=255_u8 {
            client.write_all(&[byte]).unwrap();
            if byte % 16 == 0 {
                sleep(Duration::from_micros(100));
            }
        }
        drop(client);
        let mut all: Vec<u8> = readers
            .into_iter()
            .flat_map(|reader| reader.join().unwrap())
            .collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..=255));
    });
}

#[test]
fn a_goroutine_that_unwinds_uses_its_sockets_with_its_thread() {
    struct Farewell(TcpStream);
    impl Drop for Farewell {
        fn drop(&mut self) {
            self.0.write_all(b"bye").unwrap();
            let mut answer = [0; 2];
            self.0.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"ok");
        }
    }
    nothing_left_by(|| {
        let (client, mut server) = tcp_pair();
        let unwinds = go(move || {
            let _farewell = Farewell(client);
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        let mut got = [0; 3];
        server.read_exact(&mut got).unwrap();
        sleep(Duration::from_millis(5));
        server.write_all(b"ok").unwrap();
        unwinds.join().unwrap_err();
    });
}
