//! Goroutines that stay on their thread, also when every other one moves whenever it can.

use std::{cell::RefCell, io, rc::Rc, sync::Once, time::Duration};

use goroutines::{Builder, chan, go, lock_os_thread, sleep, unlock_os_thread, yield_now};
use goroutines_canary::thread;

fn start() {
    static FORCED: Once = Once::new();
    // SAFETY: before the runtime has threads; the harness's read no environment meanwhile.
    FORCED.call_once(|| unsafe { std::env::set_var("GOROUTINE_FORCE_MIGRATION", "1") });
    goroutines_tests::start(2);
}

#[test]
fn pinned_goroutines_share_what_is_not_send() {
    start();
    let all: Vec<_> = (0..4)
        .map(|_| {
            go(|| {
                let seen = Rc::new(RefCell::new(Vec::new()));
                let pinned: Vec<_> = (0..5)
                    .map(|n| {
                        let seen = Rc::clone(&seen);
                        let note = move || {
                            for _ in 0..50 {
                                seen.borrow_mut().push(thread());
                                yield_now();
                            }
                            sleep(Duration::from_micros(n));
                            seen
                        };
                        Builder::new().pinned().spawn(note).unwrap()
                    })
                    .collect();
                for one in pinned {
                    assert!(Rc::ptr_eq(&one.join().unwrap(), &seen));
                }
                let seen = seen.borrow();
                assert_eq!(seen.len(), 250);
                assert!(seen.iter().all(|&at| at == thread()), "{seen:?}");
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn a_plain_thread_cannot_pin_and_is_told_what_to_do() {
    start();
    let error = Builder::new().pinned().spawn(|| ()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert!(error.to_string().contains("PinnedBuilder::spawn"));
}

#[test]
fn a_locked_goroutine_has_its_thread_to_itself_until_the_last_unlock() {
    start();
    let (tx, rx) = chan::bounded(0);
    let locked = go(move || {
        lock_os_thread();
        lock_os_thread();
        unlock_os_thread();
        let mine = thread();
        for _ in 0..200 {
            tx.send(mine).unwrap();
            assert_eq!(thread(), mine);
            yield_now();
            assert_eq!(thread(), mine);
        }
        unlock_os_thread();
        unlock_os_thread(); // one too many does nothing
    });
    let others: Vec<_> = (0..3)
        .map(|_| {
            let rx = rx.clone();
            go(move || rx.iter().filter(|&locked| locked == thread()).count())
        })
        .collect();
    locked.join().unwrap();
    drop(rx);
    // Each may look at its last message when the lock is gone already.
    let met: usize = others.into_iter().map(|one| one.join().unwrap()).sum();
    assert!(met <= 3, "{met} times on the locked thread");
}

#[test]
fn a_goroutine_that_ends_locked_leaves_a_thread_that_works() {
    start();
    for _ in 0..20 {
        go(lock_os_thread).join().unwrap();
    }
    let all: Vec<_> = (0..20).map(|n| go(move || n)).collect();
    assert_eq!(
        all.into_iter().map(|one| one.join().unwrap()).sum::<i32>(),
        190
    );
}

#[test]
fn errno_is_the_goroutines_own() {
    start();
    let all: Vec<_> = (1..9)
        .map(|number| {
            go(move || {
                for _ in 0..200 {
                    // SAFETY: the address is this thread's, and used up before the park.
                    unsafe { *libc::__errno_location() = number };
                    yield_now();
                    let errno = io::Error::last_os_error().raw_os_error();
                    assert_eq!(errno, Some(number));
                }
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
}
