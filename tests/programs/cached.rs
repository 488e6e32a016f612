//! Functions that keep an address of thread-local storage over a park, and functions that do not, for tests/tlscheck.rs.

use std::cell::Cell;

use goroutines::{chan, go, yield_now};

thread_local! {
    static PLACE: Cell<u64> = const { Cell::new(0) };
}

fn main() {
    goroutines_tests::start(2);
    let (tx, rx) = chan::bounded::<u64>(0);
    let sender = go(move || (0..4).for_each(|n| tx.send(n).unwrap()));
    let sum = go(move || {
        let receive = || rx.recv().unwrap();
        keeps_over_a_yield()
            + keeps_over_a_channel(&receive)
            + keeps_a_borrow()
            + takes_anew()
            + keeps_nothing(&receive)
            + receive()
            + receive()
    });
    println!("{}", sum.join().unwrap());
    sender.join().unwrap();
}

#[inline(never)]
fn keeps_over_a_yield() -> u64 {
    PLACE.set(PLACE.get() + 1);
    yield_now();
    PLACE.get()
}

#[inline(never)]
fn keeps_over_a_channel(receive: &impl Fn() -> u64) -> u64 {
    PLACE.set(2);
    receive() + PLACE.get()
}

#[inline(never)]
fn keeps_a_borrow() -> u64 {
    PLACE.with(|place| {
        yield_now();
        place.get()
    })
}

/// The address comes from a function that cannot be looked into.
#[inline(never)]
fn takes_anew() -> u64 {
    let before = read();
    yield_now();
    before + read()
}

#[inline(never)]
fn read() -> u64 {
    PLACE.get()
}

#[inline(never)]
fn keeps_nothing(receive: &impl Fn() -> u64) -> u64 {
    receive() + PLACE.get()
}
