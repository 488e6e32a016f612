//! Goroutines whose stacks are copied out of shared windows: what lies on them is there again after
//! every park, at the same address, whatever ran in the window meanwhile and wherever they resume.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use goroutines::{
    Builder, JoinHandle, chan, go, sleep,
    sync::{Mutex, WaitGroup},
    yield_now,
};
use goroutines_tests::start_with;

/// Windows of 1 MiB: unoptimised frames around 200 KB of live bytes do not fit into 256 KiB.
fn start(procs: usize) {
    start_with(goroutines::Config::new().procs(procs).stack_size(1 << 20));
}

fn go_copied<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    // SAFETY: the goroutines of these tests lend nothing of their stacks to others.
    unsafe { Builder::new().copy_stack() }.spawn(f).unwrap()
}

/// Keeps `N` bytes of a pattern on the stack over calls of `park`, and checks them after each.
fn hold<const N: usize>(seed: u8, rounds: u32, park: &dyn Fn(u32)) {
    let mut bytes = [0_u8; N];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = (i as u8).wrapping_mul(31).wrapping_add(seed);
    }
    let address = black_box(&bytes).as_ptr() as usize;
    for round in 0..rounds {
        park(round);
        let bytes = black_box(&bytes);
        assert_eq!(bytes.as_ptr() as usize, address);
        let sound = |(i, &b): (usize, &u8)| b == (i as u8).wrapping_mul(31).wrapping_add(seed);
        assert!(
            bytes.iter().enumerate().all(sound),
            "{N} bytes, round {round}"
        );
    }
}

/// As `hold`, with about `size` bytes.
fn hold_about(size: usize, seed: u8, rounds: u32, park: &dyn Fn(u32)) {
    match size {
        0..=100 => hold::<100>(seed, rounds, park),
        101..=500 => hold::<500>(seed, rounds, park),
        501..=2_000 => hold::<2_000>(seed, rounds, park),
        2_001..=9_000 => hold::<9_000>(seed, rounds, park),
        9_001..=70_000 => hold::<70_000>(seed, rounds, park),
        _ => hold::<200_000>(seed, rounds, park),
    }
}

const SIZES: [usize; 6] = [100, 500, 2_000, 9_000, 70_000, 200_000];

#[test]
fn patterns_survive_yields_evictions_and_migrations() {
    start(4);
    // Far more goroutines than windows, so that nearly every resumption copies.
    let all: Vec<_> = (0..600)
        .map(|i| {
            let size = SIZES[i % SIZES.len()];
            go_copied(move || hold_about(size, i as u8, 40, &|_| yield_now()))
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn patterns_survive_sleeps_channels_and_locks() {
    start(4);
    let lock = Arc::new(Mutex::new(0_u64));
    let (tx, rx) = chan::bounded::<[u64; 40]>(0);
    let echo = {
        let rx = rx.clone();
        thread::spawn(move || rx.iter().map(|message| message[39]).sum::<u64>())
    };
    let all: Vec<_> = (0..300_u64)
        .map(|i| {
            let (lock, tx, rx) = (Arc::clone(&lock), tx.clone(), rx.clone());
            let size = SIZES[i as usize % 5];
            go_copied(move || {
                let got = std::cell::Cell::new(0);
                hold_about(size, i as u8, 12, &|round| match round % 4 {
                    0 => sleep(Duration::from_micros(i * 7 % 900)),
                    1 => tx.send([i; 40]).unwrap(),
                    2 => {
                        let mut count = lock.lock().unwrap();
                        *count += 1;
                        if i % 8 == 0 {
                            yield_now();
                        }
                    }
                    _ => {
                        if let Ok(message) = rx.recv_timeout(Duration::from_micros(i % 60)) {
                            assert!(message.iter().all(|&word| word == message[0]));
                            got.set(got.get() + message[0]);
                        }
                    }
                });
                got.get()
            })
        })
        .collect();
    drop((tx, rx));
    let got: u64 = all.into_iter().map(|one| one.join().unwrap()).sum();
    let echoed = echo.join().unwrap();
    // Every message went somewhere: three from each goroutine.
    assert_eq!(got + echoed, 3 * (0..300).sum::<u64>());
    assert_eq!(*lock.lock().unwrap(), 900);
}

#[test]
fn a_send_that_times_out_gives_the_message_back() {
    start(4);
    let (tx, _rx) = chan::bounded::<Vec<u32>>(0);
    let all: Vec<_> = (0..200)
        .map(|i| {
            let tx = tx.clone();
            go_copied(move || {
                let message: Vec<u32> = (i..i + 20).collect();
                let back = tx
                    .send_timeout(message, Duration::from_millis(2))
                    .unwrap_err();
                assert!(back.is_timeout());
                assert!(back.into_inner().into_iter().eq(i..i + 20));
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn a_disconnected_channel_wakes_both_sides() {
    start(4);
    let (tx, rx) = chan::bounded::<String>(0);
    let (sent_none, received_none) = (tx.clone(), rx.clone());
    let receivers: Vec<_> = (0..100)
        .map(|_| {
            let rx = received_none.clone();
            go_copied(move || rx.recv().is_err())
        })
        .collect();
    drop((tx, sent_none));
    assert!(receivers.into_iter().all(|one| one.join().unwrap()));
    drop((rx, received_none));

    let (tx, rx) = chan::bounded::<String>(0);
    let senders: Vec<_> = (0..100)
        .map(|i| {
            let tx = tx.clone();
            go_copied(move || tx.send(i.to_string()).unwrap_err().into_inner() == i.to_string())
        })
        .collect();
    go(|| sleep(Duration::from_millis(5))).join().unwrap();
    drop(rx);
    assert!(senders.into_iter().all(|one| one.join().unwrap()));
}

#[test]
fn deep_recursion_grows_the_window_and_comes_back() {
    start(4);
    fn deep(levels: u64) -> u64 {
        let frame = black_box([levels; 32]);
        if levels.is_multiple_of(50) {
            yield_now();
        }
        let below = if levels == 0 { 0 } else { deep(levels - 1) };
        assert!(frame.iter().all(|&word| word == levels));
        below + frame[3]
    }
    let all: Vec<_> = (0..150).map(|i| go_copied(move || deep(i * 3))).collect();
    for (i, one) in all.into_iter().enumerate() {
        let n = i as u64 * 3;
        assert_eq!(one.join().unwrap(), n * (n + 1) / 2);
    }
}

#[test]
fn panics_unwind_and_results_come_back() {
    start(4);
    let all: Vec<_> = (0..200)
        .map(|i| {
            go_copied(move || {
                yield_now();
                if i % 2 == 0 {
                    std::panic::resume_unwind(Box::new(i));
                }
                yield_now();
                vec![i; 100]
            })
        })
        .collect();
    for (i, one) in all.into_iter().enumerate() {
        match one.join() {
            Ok(many) => assert_eq!(many, vec![i; 100]),
            Err(payload) => assert_eq!(*payload.downcast::<usize>().unwrap(), i),
        }
    }
}

#[test]
fn detached_goroutines_and_own_stacks_mix() {
    start(4);
    let done = WaitGroup::new();
    // Those that got to the end: the panic of one that is not joined ends only that one.
    let held = Arc::new(AtomicUsize::new(0));
    for i in 0..2_000_u64 {
        let (done, held) = (done.clone(), held.clone());
        let body = move || {
            hold::<300>(i as u8, 5, &|_| yield_now());
            // Relaxed: the wait group orders it.
            held.fetch_add(1, Ordering::Relaxed);
            drop(done);
        };
        if i % 3 == 0 {
            drop(go(body));
        } else {
            drop(go_copied(body));
        }
    }
    done.wait();
    assert_eq!(held.load(Ordering::Relaxed), 2_000, "patterns that held"); // Relaxed: as above.
}
