//! `errno` after a wait is what it was before, for every kind of waiter and wait.

use std::{io::Error, panic, thread, time::Duration};

use goroutines::{JoinHandle, blocking, chan, go, sleep};
use goroutines_tests::start;

/// A value that no system call of ours leaves behind.
const MARK: i32 = 4711;

const SHORT: Duration = Duration::from_millis(2);

fn set_errno() {
    // SAFETY: the address is this thread's `errno`.
    unsafe { *libc::__errno_location() = MARK };
}

fn errno() -> Option<i32> {
    Error::last_os_error().raw_os_error()
}

/// Another goroutine, so that each thread has seen another value in between.
fn noise() -> JoinHandle<()> {
    go(|| {
        for _ in 0..20 {
            // SAFETY: -1 is no open file.
            unsafe { libc::close(-1) };
            sleep(Duration::from_micros(200));
        }
    })
}

/// Waits in all ways: until a message is sent, until the time is over, and not at all.
fn waits() {
    let (tx, rx) = chan::bounded::<()>(0);
    set_errno();
    assert!(rx.recv_timeout(SHORT).is_err());
    assert_eq!(errno(), Some(MARK), "after a timeout");
    let sender = go(move || {
        sleep(SHORT);
        tx.send(()).unwrap();
    });
    set_errno();
    rx.recv().unwrap();
    assert_eq!(errno(), Some(MARK), "after a message");
    sender.join().unwrap();
    set_errno();
    sleep(SHORT);
    assert_eq!(errno(), Some(MARK), "after a sleep");
}

#[test]
fn a_goroutine_finds_its_errno_after_a_wait() {
    start(2);
    let noise = noise();
    go(waits).join().unwrap();
    noise.join().unwrap();
}

#[test]
fn a_plain_thread_finds_its_errno_after_a_wait() {
    start(2);
    thread::spawn(waits).join().unwrap();
}

#[test]
fn a_goroutine_that_waits_in_a_blocking_call_finds_its_errno() {
    start(2);
    go(|| blocking(waits)).join().unwrap();
    // The way out of the call, with the P gone.
    go(|| {
        let noise = noise();
        blocking(|| {
            thread::sleep(SHORT);
            set_errno();
        });
        assert_eq!(errno(), Some(MARK));
        noise.join().unwrap();
    })
    .join()
    .unwrap();
}

#[test]
fn a_goroutine_that_waits_while_it_unwinds_finds_its_errno() {
    struct Waits;
    impl Drop for Waits {
        fn drop(&mut self) {
            waits();
        }
    }
    start(2);
    let unwinds = go(|| {
        let _waits = Waits;
        panic::resume_unwind(Box::new(7_u8));
    });
    // Not the panic of a failed assertion, which would have ended the process.
    assert_eq!(*unwinds.join().unwrap_err().downcast::<u8>().unwrap(), 7);
}
