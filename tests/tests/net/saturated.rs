//! Sockets while goroutines compute on every P.

use std::{
    io::{Read, Write},
    net as std_net,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use goroutines::{go, net::TcpListener, yield_now};
use goroutines_tests::alone;

/// What one goroutine computes before it yields.
const TURN: Duration = Duration::from_micros(200);

/// The monitor looks each millisecond or more often, and asks for a fair round. Without that a byte waits for half of
/// the 61 turns after which a P looks around in any case.
const FEW: u64 = 15;

#[test]
fn a_byte_is_read_after_a_few_turns_of_those_that_compute_and_yield() {
    let _alone = alone(1);
    let (turns, stop) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = std_net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let computing = {
        let (turns, stop) = (Arc::clone(&turns), Arc::clone(&stop));
        go(move || {
            // Relaxed (both): single numbers, which say nothing of other memory.
            while !stop.load(Ordering::Relaxed) {
                let start = Instant::now();
                while start.elapsed() < TURN {}
                turns.fetch_add(1, Ordering::Relaxed);
                yield_now();
            }
        })
    };
    // Relaxed: as above.
    let count = move || turns.load(Ordering::Relaxed);
    let seen = count.clone();
    let reader = go(move || {
        let mut byte = [0];
        while server.read(&mut byte).unwrap() != 0 {
            server.write_all(&seen().to_ne_bytes()).unwrap();
        }
    });
    let mut medians = Vec::new();
    // More than once where other work keeps the monitor from its CPU.
    while medians.len() < 5 && medians.last().is_none_or(|&median| median >= FEW) {
        let mut waits: Vec<u64> = (0..40)
            .map(|pause| {
                // Spread over the 61 turns after which a P looks around in any case.
                thread::sleep(Duration::from_millis(5) + TURN * 61 * pause / 40);
                let sent = count();
                client.write_all(b"x").unwrap();
                let mut read = [0; 8];
                client.read_exact(&mut read).unwrap();
                u64::from_ne_bytes(read) - sent
            })
            .collect();
        waits.sort_unstable();
        medians.push(waits[waits.len() / 2]);
    }
    drop(client);
    reader.join().unwrap();
    // Relaxed: as above.
    stop.store(true, Ordering::Relaxed);
    computing.join().unwrap();
    assert!(medians.last().unwrap() < &FEW, "{medians:?}");
}
