//! Deadlines of streams: past, near and far ones, changed while calls wait, and never evaded. TCP and UNIX streams alike.

use std::{
    io::{self, ErrorKind},
    net as std_net,
    sync::Arc,
    time::{Duration, Instant},
};

use goroutines::{
    go,
    net::{TcpListener, UdpSocket},
    time::sleep,
};
use goroutines_tests::{Stream, nothing_left_by, of_both_streams};

const SOON: Duration = Duration::from_millis(3);
const LONG: Duration = Duration::from_secs(30);

fn after(time: Duration) -> Option<Instant> {
    Instant::now().checked_add(time)
}

/// A moment that is over.
fn past() -> Option<Instant> {
    Instant::now().checked_sub(Duration::from_millis(1))
}

of_both_streams! {
    a_deadline_in_the_past_ends_calls_at_once_and_a_later_one_lets_them_go_on;
    a_deadline_is_not_evaded_by_one_who_always_sends_or_always_reads;
    a_deadline_ends_the_direction_that_it_is_for_and_no_other;
    a_wait_ends_at_the_deadline_that_was_set_last;
    timeouts_of_every_length_are_kept_one_after_the_other;
    a_write_that_is_late_has_sent_what_it_says;
}

fn is_late<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
}

fn a_deadline_in_the_past_ends_calls_at_once_and_a_later_one_lets_them_go_on<S: Stream>() {
    let (one, other) = S::pair();
    // As the first thing that is done with it, and after it has waited.
    for _ in 0..3 {
        one.until(past());
        for _ in 0..10 {
            is_late(one.recv(&mut [0]));
            is_late(one.send(b"x"));
        }
        one.until(after(LONG));
        assert_eq!(one.send(b"x").unwrap(), 1);
        assert_eq!(other.recv(&mut [0; 8]).unwrap(), 1);
        one.until(None);
        one.read_until(after(SOON));
        is_late(one.recv(&mut [0]));
    }
}

fn a_deadline_is_not_evaded_by_one_who_always_sends_or_always_reads<S: Stream>() {
    let (one, other) = S::pair();
    let (one, other) = (Arc::new(one), Arc::new(other));
    let sender = go({
        let other = other.clone();
        move || while other.send(&[7; 4096]).is_ok() {}
    });
    let reader = go({
        let other = other.clone();
        move || while other.recv(&mut [0; 65536]).is_ok_and(|n| n != 0) {}
    });
    // Each call finds something to do, and none has to wait.
    let begin = Instant::now();
    one.until(after(Duration::from_millis(30)));
    let drains = go({
        let one = one.clone();
        move || while one.recv(&mut [0; 1024]).is_ok() && begin.elapsed() < LONG {}
    });
    let fills = go({
        let one = one.clone();
        move || while one.send(&[0; 1024]).is_ok() && begin.elapsed() < LONG {}
    });
    drains.join().unwrap();
    fills.join().unwrap();
    assert!(begin.elapsed() < LONG, "the deadline ended nothing");
    is_late(one.recv(&mut [0]));
    is_late(one.send(&[0]));
    // What is there stays.
    one.until(None);
    assert_eq!(one.recv(&mut [0]).unwrap(), 1);
    drop(one);
    sender.join().unwrap();
    reader.join().unwrap();
}

fn a_deadline_ends_the_direction_that_it_is_for_and_no_other<S: Stream>() {
    let (one, other) = S::pair();
    one.read_until(past());
    is_late(one.recv(&mut [0]));
    assert_eq!(one.send(b"x").unwrap(), 1);
    one.until(None);
    one.write_until(past());
    is_late(one.send(b"x"));
    let late = go(move || {
        sleep(SOON);
        assert_eq!(other.send(b"y").unwrap(), 1);
        other
    });
    assert_eq!(one.recv(&mut [0]).unwrap(), 1);
    drop(late.join().unwrap());
}

fn a_wait_ends_at_the_deadline_that_was_set_last<S: Stream>() {
    let (one, other) = S::pair();
    let one = Arc::new(one);
    let reading = |one: &Arc<S>| {
        let one = one.clone();
        go(move || one.recv(&mut [0]))
    };
    // Earlier than it was.
    one.read_until(after(LONG));
    let reader = reading(&one);
    sleep(SOON);
    one.read_until(after(SOON));
    is_late(reader.join().unwrap());
    // Later than it was: the byte comes after the first deadline.
    let is_prolonged = |first: Duration| {
        let begin = Instant::now();
        one.read_until(after(first));
        let reader = reading(&one);
        sleep(SOON);
        one.read_until(after(LONG));
        // Otherwise this goroutine came too late itself.
        let in_time = begin.elapsed() < first;
        sleep(first + SOON);
        other.send(b"x").unwrap();
        let read = reader.join().unwrap();
        if !in_time {
            return false;
        }
        assert_eq!(read.unwrap(), 1);
        true
    };
    assert!((1..30).any(|n| is_prolonged(SOON * n * n)));
    // None at all; then one in the past, for several that wait.
    let (one, other) = S::pair();
    let one = Arc::new(one);
    one.read_until(after(LONG));
    let first = reading(&one);
    sleep(SOON);
    one.read_until(None);
    sleep(SOON);
    assert!(!first.is_finished());
    let readers: Vec<_> = (0..5).map(|_| reading(&one)).collect();
    sleep(SOON);
    one.read_until(past());
    for reader in readers.into_iter().chain([first]) {
        is_late(reader.join().unwrap());
    }
    drop(other);
}

fn timeouts_of_every_length_are_kept_one_after_the_other<S: Stream>() {
    let (one, other) = S::pair();
    for round in 0..3 {
        for micros in [1, 50, 900, 2_000, 7_000, 20_000] {
            let time = Duration::from_micros(micros + round);
            let begin = Instant::now();
            one.read_within(Some(time));
            let kind = one.recv(&mut [0]).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::WouldBlock);
            assert!(begin.elapsed() >= time);
            one.read_within(None);
            let begin = Instant::now();
            one.read_until(Some(begin + time));
            is_late(one.recv(&mut [0]));
            assert!(begin.elapsed() >= time);
            one.read_until(None);
        }
    }
    // The longest are none.
    one.read_within(Some(Duration::MAX));
    one.read_until(after(Duration::from_secs(1 << 40)));
    let late = go(move || {
        sleep(SOON);
        other.send(b"x").unwrap();
        other
    });
    assert_eq!(one.recv(&mut [0]).unwrap(), 1);
    drop(late.join().unwrap());
}

fn a_write_that_is_late_has_sent_what_it_says<S: Stream>() {
    let (one, other) = S::pair();
    let mut sent = 0_usize;
    let mut send = |size: usize| {
        let bytes: Vec<u8> = (sent..sent + size).map(|n| n as u8).collect();
        let result = one.send(&bytes);
        sent += result.as_ref().unwrap_or(&0);
        (result, sent)
    };
    let (mut got, mut part) = (Vec::new(), vec![0; 300_000]);
    let mut receive = || {
        let result = other.recv(&mut part);
        got.extend_from_slice(&part[..*result.as_ref().unwrap_or(&0)]);
        result
    };
    let mut late = 0;
    let total = loop {
        one.write_until(after(SOON));
        match send(100_003) {
            (Ok(n), _) => assert_ne!(n, 0),
            (Err(error), sent) => {
                assert_eq!(error.kind(), ErrorKind::TimedOut);
                late += 1;
                if late == 3 {
                    break sent;
                }
                // Room for a part. There is nothing yet, if the write was late before it began.
                other.read_until(after(SOON));
                let _ = receive();
            }
        }
    };
    one.end_writing();
    other.read_until(None);
    while receive().unwrap() != 0 {}
    assert_eq!(got.len(), total);
    assert!(got.iter().enumerate().all(|(at, &byte)| byte == at as u8));
}

#[test]
fn an_accept_that_is_late_leaves_the_connection_in_the_queue() {
    nothing_left_by(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = std_net::TcpStream::connect(address).unwrap();
        for _ in 0..3 {
            listener.set_accept_deadline(past()).unwrap();
            is_late(listener.accept());
        }
        listener.set_accept_deadline(after(LONG)).unwrap();
        let (_, from) = listener.accept().unwrap();
        assert_eq!(from, client.local_addr().unwrap());
        // One that is changed while the call waits.
        let listener = Arc::new(listener);
        let accepts = go({
            let listener = listener.clone();
            move || listener.accept()
        });
        sleep(SOON);
        listener.set_accept_deadline(past()).unwrap();
        is_late(accepts.join().unwrap());
    });
}

#[test]
fn a_datagram_that_is_there_stays_where_the_deadline_has_passed() {
    nothing_left_by(|| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let here = socket.local_addr().unwrap();
        socket.send_to(b"x", here).unwrap();
        socket.set_deadline(past()).unwrap();
        is_late(socket.recv_from(&mut [0; 8]));
        is_late(socket.peek_from(&mut [0; 8]));
        is_late(socket.send_to(b"y", here));
        socket.set_deadline(None).unwrap();
        assert_eq!(socket.recv_from(&mut [0; 8]).unwrap(), (1, here));
    });
}
