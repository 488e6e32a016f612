//! A little of everything, in a few seconds under a tool that slows down fifty times: for
//! scripts/valgrind.sh and scripts/asan.sh.

use std::{hint::black_box, panic::catch_unwind, sync::Arc, thread, time::Duration};

use goroutines::{Builder, Config, chan, go, sleep, sync::Mutex, yield_now};

fn main() {
    // SAFETY: nothing here keeps thread-local storage over a call that can park.
    unsafe { Config::new().procs(2).start() }.expect("the runtime starts");
    ping_pong();
    contention();
    generations();
    growing_stacks();
    segments();
    unwinding();
    println!("everything came round");
}

fn ping_pong() {
    let (ping, pinged) = chan::bounded(0);
    let (pong, ponged) = chan::bounded(3);
    let echo = go(move || pinged.iter().for_each(|n: u64| pong.send(n + 1).unwrap()));
    let sum = go(move || {
        let mut sum = 0;
        for n in 0..500 {
            ping.send(n).unwrap();
            sum += ponged.recv().unwrap();
        }
        sum
    });
    assert_eq!(sum.join().unwrap(), 500 * 501 / 2);
    echo.join().unwrap();
}

fn contention() {
    let total = Arc::new(Mutex::new(0));
    let adders: Vec<_> = (0..50)
        .map(|_| {
            let total = total.clone();
            go(move || {
                for _ in 0..20 {
                    let mut total = total.lock().unwrap();
                    *total += 1;
                    yield_now();
                }
            })
        })
        .collect();
    let plain = total.clone();
    let plain = thread::spawn(move || *plain.lock().unwrap() += 1);
    plain.join().unwrap();
    adders.into_iter().for_each(|adder| adder.join().unwrap());
    assert_eq!(*total.lock().unwrap(), 1001);
}

/// Stacks that are used again and again, by frames of different shapes.
fn generations() {
    for round in 0..20_usize {
        let all: Vec<_> = (0..50_usize)
            .map(|i| {
                go(move || {
                    let frame = black_box([i; 100]);
                    if (i + round).is_multiple_of(3) {
                        sleep(Duration::from_micros(50));
                    }
                    frame.iter().sum::<usize>()
                })
            })
            .collect();
        for (i, one) in all.into_iter().enumerate() {
            assert_eq!(one.join().unwrap(), 100 * i);
        }
    }
}

fn plain_depth(levels: u32) -> u32 {
    let frame = black_box([levels; 100]);
    if levels == 0 {
        yield_now();
        return 0;
    }
    1 + plain_depth(levels - 1) + (frame[7] - levels)
}

/// Far below the first step of a stack, several times on the same one.
fn growing_stacks() {
    for size in [1 << 20, 8 << 20] {
        for _ in 0..3 {
            let builder = Builder::new().stack_size(size);
            let deep = builder.spawn(|| plain_depth(200)).unwrap();
            assert_eq!(deep.join().unwrap(), 200);
        }
    }
}

#[goroutines::grow]
fn depth(levels: u32) -> u32 {
    let frame = black_box([levels; 20]);
    if levels == 0 {
        yield_now();
        return 0;
    }
    1 + depth(levels - 1) + (frame[7] - levels)
}

fn segments() {
    for _ in 0..3 {
        let on_a_goroutine = go(|| depth(5_000));
        let on_a_thread = thread::spawn(|| depth(10_000));
        assert_eq!(on_a_goroutine.join().unwrap(), 5_000);
        assert_eq!(on_a_thread.join().unwrap(), 10_000);
    }
}

fn unwinding() {
    #[goroutines::grow]
    fn fall(levels: usize, held: &[u8]) -> usize {
        let own = Vec::from(held);
        assert!(levels > 0, "the bottom");
        fall(levels - 1, &own) + own.len()
    }
    std::panic::set_hook(Box::new(|_| ()));
    assert!(go(|| fall(500, b"held")).join().is_err());
    assert!(
        go(|| catch_unwind(|| fall(500, b"held")).is_err())
            .join()
            .unwrap()
    );
    drop(std::panic::take_hook());
}
