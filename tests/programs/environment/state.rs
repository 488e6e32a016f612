//! What a new thread inherits, and must not inherit from a goroutine's.

use std::{mem, ptr, thread, time::Duration};

use goroutines::{JoinHandle, chan, go, lock_os_thread, metrics, sleep};
use goroutines_tests::compute;

use crate::{start, threads};

const SHORT: Duration = Duration::from_millis(20);

/// What must arrive at every thread of the runtime.
const NEEDED: [i32; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGPROF];

/// Blocks every signal on this thread; returns what was blocked before.
fn block_all() -> libc::sigset_t {
    // SAFETY: both sets are whole and live through the calls.
    unsafe {
        let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, &raw mut before);
        before
    }
}

/// Goroutines that compute and such as block: for most of them a thread has to be started.
fn many() -> Vec<JoinHandle<()>> {
    let all = (0..40).map(|i| match i % 2 {
        0 => go(|| compute(SHORT)),
        _ => go(|| thread::sleep(SHORT)),
    });
    all.collect()
}

/// Has goroutines compute and block until the runtime has started several threads for them.
fn burst() {
    for _ in 0..200 {
        for one in many() {
            one.join().unwrap();
        }
        if metrics().threads_started >= 4 {
            return;
        }
    }
    panic!("no threads were needed: {:#?}", metrics());
}

/// The threads that block what they must not. One that has just begun does so for some microseconds.
fn blocking() -> Vec<String> {
    let ours = threads::ours();
    assert!(ours.len() >= 5, "{}", ours.len());
    let blocks = |task: &threads::Task| NEEDED.iter().any(|&signal| task.blocks(signal));
    let blocking = ours.into_iter().filter(blocks);
    blocking.map(|task| task.name).collect()
}

fn print_blocking() {
    for _ in 0..500 {
        if blocking().is_empty() {
            return;
        }
        thread::sleep(SHORT / 4);
    }
    println!("these block what they must not: {:?}", blocking());
}

pub(crate) fn all_blocked_at_the_start() {
    block_all();
    start(2);
    burst();
    print_blocking();
    let waits = threads::ours().iter().all(|t| t.blocks(libc::SIGTERM));
    println!("SIGTERM is left to the one that waits for it: {waits}");
}

pub(crate) fn all_blocked_by_a_goroutine() {
    start(8);
    let (tx, rx) = chan::bounded::<()>(0);
    let (done_tx, done_rx) = chan::bounded::<()>(0);
    let blocker = go(move || {
        lock_os_thread();
        let before = block_all();
        for _ in 0..5 {
            many().into_iter().for_each(drop);
            compute(SHORT);
        }
        // SAFETY: `before` is a whole set.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut()) };
        drop(done_tx);
        rx.recv().unwrap_err();
    });
    burst();
    done_rx.recv().unwrap_err();
    print_blocking();
    drop(tx);
    blocker.join().unwrap();
    println!("looked");
}

/// A goroutine changes its thread and stays locked to it; whatever it causes to be started has nothing of that.
pub(crate) fn state_of_a_locked_thread() {
    start(4);
    let (tx, rx) = chan::bounded::<()>(0);
    let (tid_tx, tid_rx) = chan::bounded(1);
    let nice = threads::nice_of(0);
    let locked = go(move || {
        lock_os_thread();
        // SAFETY: takes nothing and answers with a number.
        let tid = unsafe { libc::gettid() };
        // SAFETY: takes numbers; the set is live and of the size that is said.
        unsafe {
            assert_eq!(
                libc::setpriority(libc::PRIO_PROCESS, tid as u32, nice + 3),
                0
            );
            let mut one: libc::cpu_set_t = mem::zeroed();
            libc::CPU_SET(libc::sched_getcpu() as usize, &mut one);
            assert_eq!(
                libc::sched_setaffinity(tid, size_of_val(&one), &raw const one),
                0
            );
        }
        let all = many();
        sleep(SHORT);
        for one in all {
            one.join().unwrap();
        }
        tid_tx.send(tid).unwrap();
        rx.recv().unwrap_err();
    });
    let tid = tid_rx.recv().unwrap();
    burst();
    let all = threads::cpus_of(0);
    for task in threads::ours() {
        if task.tid != tid && (task.nice() != nice || task.cpus() != all) {
            println!("{}: nice {}, {} CPUs", task.name, task.nice(), task.cpus());
        }
    }
    drop(tx);
    locked.join().unwrap();
    println!("looked");
}
