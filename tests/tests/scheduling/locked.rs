//! Goroutines that lock their thread: alone on it, quick when they yield, and the end of it when they end locked.

use std::{cell::Cell, path::Path, thread, time::Duration};

use goroutines::{
    Builder, block_on, chan, go, lock_os_thread, metrics, sleep, unlock_os_thread, yield_now,
};
use goroutines_tests::{alone, until};

/// The kernel's number of this thread. Not inlined: asked for anew each time.
#[inline(never)]
fn tid() -> libc::pid_t {
    // SAFETY: takes nothing and answers with a number.
    unsafe { libc::gettid() }
}

fn is_alive(tid: libc::pid_t) -> bool {
    Path::new(&format!("/proc/self/task/{tid}")).exists()
}

fn until_ended(tid: libc::pid_t) {
    until("the thread ends", || !is_alive(tid));
}

/// Locks its thread when it is dropped, and tells which that is.
struct LocksAtTheEnd(chan::Sender<libc::pid_t>);

impl Drop for LocksAtTheEnd {
    fn drop(&mut self) {
        lock_os_thread();
        self.0.send(tid()).unwrap();
    }
}

/// A goroutine returns `value` when its handle is gone, so that the value is dropped on the goroutine.
fn returned_without_a_join<T: Send + 'static>(value: T) {
    let (detached, wait) = chan::bounded::<()>(0);
    drop(go(move || {
        let _ = wait.recv();
        value
    }));
    drop(detached);
}

goroutines::goroutine_local! {
    static LAST: Cell<Option<LocksAtTheEnd>> = Cell::new(None);
}

#[test]
fn a_goroutine_that_ends_locked_takes_its_thread_with_it() {
    let _alone = alone(2);
    for _ in 0..20 {
        let joined = go(|| {
            lock_os_thread();
            lock_os_thread();
            unlock_os_thread();
            tid()
        });
        until_ended(joined.join().unwrap());
        // Also where the result is never taken, or a future takes it.
        let (tx, rx) = chan::bounded(1);
        drop(go(move || {
            lock_os_thread();
            tx.send(tid()).unwrap();
        }));
        until_ended(rx.recv().unwrap());
        let future = go(|| {
            lock_os_thread();
            sleep(Duration::from_micros(100));
            tid()
        });
        until_ended(block_on(future).unwrap());
    }
}

#[test]
fn a_destructor_that_locks_at_the_end_of_a_goroutine_counts_as_well() {
    let _alone = alone(2);
    let (tx, rx) = chan::bounded(1);
    for _ in 0..20 {
        // Of a result that is never taken, of a local value, and of a local value that another destructor made.
        returned_without_a_join(LocksAtTheEnd(tx.clone()));
        until_ended(rx.recv().unwrap());
        let last = LocksAtTheEnd(tx.clone());
        go(move || LAST.with(|place| place.set(Some(last))))
            .join()
            .unwrap();
        until_ended(rx.recv().unwrap());
        struct PutsBack(Option<LocksAtTheEnd>);
        impl Drop for PutsBack {
            fn drop(&mut self) {
                LAST.with(|place| place.set(self.0.take()));
            }
        }
        returned_without_a_join(PutsBack(Some(LocksAtTheEnd(tx.clone()))));
        until_ended(rx.recv().unwrap());
    }
}

#[test]
fn what_a_goroutine_did_to_the_thread_that_it_left_locked_meets_no_other() {
    let _alone = alone(2);
    let name = || {
        let mut name = [0_u8; 16];
        // SAFETY: the kernel writes 16 bytes at the most.
        unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
        name
    };
    for _ in 0..10 {
        go(|| {
            lock_os_thread();
            // SAFETY: a string that ends in 0.
            unsafe { libc::prctl(libc::PR_SET_NAME, c"changed".as_ptr()) };
        })
        .join()
        .unwrap();
        let all: Vec<_> = (0..50).map(|_| go(name)).collect();
        for one in all {
            assert!(!one.join().unwrap().starts_with(b"changed"));
        }
    }
}

#[test]
fn goroutines_pinned_to_a_thread_that_was_left_locked_stay_on_it_to_their_end() {
    let _alone = alone(2);
    let (tx, rx) = chan::bounded(0);
    let (at, pinned_at) = chan::bounded(0);
    let parent = go(move || {
        let wait = move || {
            while rx.recv().is_ok() {
                at.send(tid()).unwrap();
            }
        };
        drop(Builder::new().pinned().spawn(wait).unwrap());
        lock_os_thread();
        tid()
    });
    let left = parent.join().unwrap();
    for round in 0..20 {
        tx.send(()).unwrap();
        assert_eq!(pinned_at.recv().unwrap(), left);
        // Others run elsewhere.
        let others: Vec<_> = (0..4).map(|_| go(tid)).collect();
        assert!(others.into_iter().all(|one| one.join().unwrap() != left));
        thread::sleep(Duration::from_micros(100 * round));
    }
    drop(tx);
    until_ended(left);
}

#[test]
fn a_thread_that_was_left_locked_stays_while_a_goroutine_may_hold_an_address_of_its_storage() {
    let _alone = alone(2);
    std::thread_local! {
        static MINE: Cell<u32> = const { Cell::new(0) };
    }
    loop {
        let (tx, rx) = chan::bounded::<()>(0);
        let (at, holder_at) = chan::bounded(1);
        let holder = go(move || {
            MINE.with(|mine| {
                mine.set(7);
                at.send(tid()).unwrap();
                // The borrow is kept over a park: what the migration check is there for.
                rx.recv().unwrap();
                (tid(), mine.get())
            })
        });
        let home = holder_at.recv().unwrap();
        let left = go(move || {
            if tid() == home {
                lock_os_thread();
            }
            tid()
        });
        if left.join().unwrap() != home {
            tx.send(()).unwrap();
            holder.join().unwrap();
            continue; // it ran on another thread
        }
        thread::sleep(Duration::from_millis(50));
        tx.send(()).unwrap();
        assert_eq!(holder.join().unwrap(), (home, 7));
        until_ended(home);
        return;
    }
}

#[test]
fn a_locked_goroutine_that_yields_resumes_at_once_where_no_other_waits() {
    let _alone = alone(2);
    const YIELDS: u64 = 10_000;
    go(|| {
        lock_os_thread();
        let mine = tid();
        let before = metrics().handoffs;
        for _ in 0..YIELDS {
            yield_now();
        }
        let handoffs = metrics().handoffs - before;
        assert!(handoffs < YIELDS / 10, "{handoffs} P went to other threads");
        assert_eq!(tid(), mine);
        unlock_os_thread();
    })
    .join()
    .unwrap();
}

#[test]
fn a_locked_goroutine_that_yields_lets_the_others_go() {
    let _alone = alone(2);
    let others: Vec<_> = (0..3)
        .map(|_| {
            go(|| {
                for _ in 0..1000 {
                    yield_now();
                }
            })
        })
        .collect();
    go(move || {
        lock_os_thread();
        while others.iter().any(|one| !one.is_finished()) {
            yield_now();
        }
        unlock_os_thread();
    })
    .join()
    .unwrap();
}
