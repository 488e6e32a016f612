//! The panic count of a thread on which goroutines wait while they unwind: before another goroutine runs, g0 moves
//! the count away, and back afterwards. U1 to U3 of unwinding.rs.

use std::sync::Arc;

use crate::{
    global::{sched::Sched, starter::Request},
    gmp::{g::GRef, m::M},
    switch::panic_count::{Charge, Order},
    sys::fatal,
};

/// On the g0 of `m`, which is locked: it is about to run `g`, and the thread must count the panics of `g`.
#[inline]
pub(crate) fn settle(sched: &'static Sched, m: &'static M, g: GRef) {
    if !m.unwinders.borrow().is_empty() {
        settle_slow(sched, m, g);
    }
}

#[cold]
fn settle_slow(sched: &'static Sched, m: &'static M, g: GRef) {
    let mut all = m.unwinders.borrow_mut();
    if let Some(counted) = all.iter_mut().find(|one| one.moved == 0) {
        if counted.g == g {
            return;
        }
        counted.moved = move_away(sched);
    }
    if let Some(next) = all.iter_mut().find(|one| one.g == g) {
        for _ in 0..next.moved {
            let charge = Charge::make(sched.class);
            sched.requests.push(Request::Spend(charge));
        }
        next.moved = 0;
    }
}

/// U1 and U2. Returns how many panics this thread had counted.
fn move_away(sched: &'static Sched) -> u32 {
    let mut moved = 0;
    while std::thread::panicking() {
        let order = Arc::new(Order::new());
        sched.requests.push(Request::Charge(Arc::clone(&order)));
        order.wait().spend();
        moved += 1;
    }
    if moved == 0 {
        fatal::throw(format_args!("a goroutine unwinds without a panic"));
    }
    moved
}
