//! Functions that keep an address of thread-local storage over a park, and functions that do not, for tests/failure/tlscheck.rs.

use std::{cell::Cell, hint::black_box, ptr};

use goroutines::{chan, go, yield_now};

thread_local! {
    static PLACE: Cell<u64> = const { Cell::new(0) };
}

fn main() {
    goroutines_tests::start(2);
    let (tx, rx) = chan::bounded::<u64>(0);
    let sender = go(move || (0..2).for_each(|n| tx.send(n).unwrap()));
    let sum = go(move || {
        let receive = || rx.recv().unwrap();
        keeps_an_answer()
            + keeps_over_a_channel(&receive)
            + takes_twice()
            + takes_anew()
            + keeps_nothing(&receive)
            + keeps_over_no_park()
    });
    println!("{}", sum.join().unwrap());
    sender.join().unwrap();
}

#[inline(never)]
fn address() -> *const Cell<u64> {
    PLACE.with(ptr::from_ref)
}

#[inline(never)]
fn keeps_an_answer() -> u64 {
    let place = black_box(address());
    yield_now();
    // SAFETY: the migration check brings the goroutine back to the thread whose storage it points into.
    unsafe { (*place).replace(3) }
}

#[inline(never)]
fn keeps_over_a_channel(receive: &impl Fn() -> u64) -> u64 {
    let place = address();
    // SAFETY: as above.
    receive() + unsafe { (*place).get() }
}

#[inline(never)]
fn takes_anew() -> u64 {
    let before = PLACE.get();
    yield_now();
    before + PLACE.get()
}

/// To the compiler both answers are the same, so it asks once.
#[inline(never)]
fn takes_twice() -> u64 {
    // SAFETY: as above.
    let get = || unsafe { (*address()).get() };
    let before = get();
    yield_now();
    before + get()
}

#[inline(never)]
fn keeps_nothing(receive: &impl Fn() -> u64) -> u64 {
    receive() + PLACE.get()
}

#[inline(never)]
fn keeps_over_no_park() -> u64 {
    let place = address();
    black_box(takes_no_time());
    // SAFETY: as above.
    unsafe { (*place).get() }
}

#[inline(never)]
fn takes_no_time() -> u64 {
    black_box(7)
}
