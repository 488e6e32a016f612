//! Changing the number of Ps: the steps are in procs.rs, the wait for them is here.

use crate::{
    global::{
        procs::MAX_PROCS,
        sched::{self, Sched},
    },
    park::park,
    protocol::wait_reason::WaitReason,
    switch::current::current,
};

/// From now on `count` goroutines run at the same time; returns the previous number. See
/// `goroutines::set_gomaxprocs`.
///
/// # Parks
///
/// Until the Ps that are too many have been put down.
///
/// # Panics
///
/// If `count` is 0 or too large, or the runtime has not been started.
#[track_caller]
pub fn set_procs(count: usize) -> usize {
    assert!(
        (1..=MAX_PROCS).contains(&count),
        "set_gomaxprocs: {count} processors; give a number from 1 to {MAX_PROCS}"
    );
    let Some(sched) = sched::get() else {
        panic!("set_gomaxprocs: the runtime has not been started; call goroutines::start first");
    };
    let most = sched.threads.max();
    assert!(
        count <= most,
        "set_gomaxprocs: {count} processors, but Config::max_threads allows {most} threads; raise it"
    );
    let before = sched.resize_for_good(count);
    wait_until_settled(sched);
    before
}

/// C6 of procs.rs. The lock is taken in the commit, when the caller has left its P: a caller that unwinds gives its P
/// away before it waits, and that may take the lock (L3).
fn wait_until_settled(sched: &'static Sched) {
    if sched.is_settled() {
        return;
    }
    let g = current();
    // SAFETY: L4 takes each waiter off the list once, under the lock that `await_settled` lets go as its last step; a
    // caller for which there is nothing to wait for is not on the list.
    unsafe { park(WaitReason::SetProcs, move || sched.await_settled(g)) };
}
