//! Signals of the system come as messages, to all their receivers, and cost nothing without one.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    process::{Command, Stdio},
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use goroutines::{
    chan::{RecvTimeoutError, TryRecvError},
    context::Context,
    go, signal,
    time::sleep,
};
use goroutines_tests::{alone, deep, program, start};

const LONG: Duration = Duration::from_secs(60);

/// Sends a signal to this process.
fn raise(signal: i32) {
    // SAFETY: takes numbers only.
    assert_eq!(unsafe { libc::kill(libc::getpid(), signal) }, 0);
}

/// Runs `f` in a goroutine while no other test of this process does.
fn in_goroutine<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let _alone = alone(2);
    go(f).join().unwrap()
}

#[test]
fn a_signal_comes_as_a_message_to_all_its_receivers() {
    in_goroutine(|| {
        let one = signal::notify(&[signal::SIGUSR1, signal::SIGUSR2]).unwrap();
        let other = signal::notify(&[signal::SIGUSR1]).unwrap();
        for _ in 0..20 {
            raise(signal::SIGUSR1);
            assert_eq!(one.recv_timeout(LONG), Ok(signal::SIGUSR1));
            assert_eq!(other.recv_timeout(LONG), Ok(signal::SIGUSR1));
        }
        raise(signal::SIGUSR2);
        assert_eq!(one.recv_timeout(LONG), Ok(signal::SIGUSR2));
        assert_eq!(other.try_recv(), Err(TryRecvError::Empty));
    });
}

#[test]
fn a_thread_that_waits_gets_it_as_well() {
    let _alone = alone(2);
    let rx = signal::notify(&[signal::SIGUSR1]).unwrap();
    raise(signal::SIGUSR1);
    assert_eq!(rx.recv_timeout(LONG), Ok(signal::SIGUSR1));
}

#[test]
fn a_receiver_that_was_stopped_gets_no_more() {
    in_goroutine(|| {
        let (stopped, stays) = (
            signal::notify(&[signal::SIGUSR1]).unwrap(),
            signal::notify(&[signal::SIGUSR1]).unwrap(),
        );
        raise(signal::SIGUSR1);
        assert_eq!(stays.recv_timeout(LONG), Ok(signal::SIGUSR1));
        let clone = stopped.clone();
        signal::stop(&stopped);
        raise(signal::SIGUSR1);
        assert_eq!(stays.recv_timeout(LONG), Ok(signal::SIGUSR1));
        // What came before is still there.
        assert_eq!(clone.recv_timeout(LONG), Ok(signal::SIGUSR1));
        assert_eq!(
            stopped.recv_timeout(LONG),
            Err(RecvTimeoutError::Disconnected)
        );
        // It has no receiver: nothing happens.
        signal::stop(&stays);
        raise(signal::SIGUSR1);
        sleep(Duration::from_millis(5));
    });
}

#[test]
fn nothing_is_left_of_receivers_that_are_stopped_or_dropped() {
    in_goroutine(|| {
        let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
        drop(signal::notify(&[signal::SIGUSR1]).unwrap());
        raise(signal::SIGUSR1);
        sleep(Duration::from_millis(5));
        let (before, metrics) = (descriptors(), goroutines::metrics());
        for round in 0..200 {
            let rx = signal::notify(&[signal::SIGUSR1, signal::SIGUSR2]).unwrap();
            if round % 2 == 0 {
                signal::stop(&rx);
            }
        }
        assert_eq!(descriptors(), before);
        let after = goroutines::metrics();
        assert_eq!((after.sockets, after.registered), (1, 1));
        assert!(after.goroutines <= metrics.goroutines);
    });
}

#[test]
fn a_receiver_that_does_not_receive_delays_no_other_and_keeps_some() {
    in_goroutine(|| {
        let slow = signal::notify(&[signal::SIGUSR1]).unwrap();
        let quick = signal::notify(&[signal::SIGUSR1]).unwrap();
        for _ in 0..200 {
            raise(signal::SIGUSR1);
            assert_eq!(quick.recv_timeout(LONG), Ok(signal::SIGUSR1));
        }
        assert_eq!(slow.len(), 64);
    });
}

#[test]
fn the_first_to_ask_may_have_a_context_that_ends() {
    in_goroutine(|| {
        let (ctx, canceller) = Context::background().with_cancel();
        let rx = ctx.run(|| signal::notify(&[signal::SIGUSR2]).unwrap());
        canceller.cancel();
        for _ in 0..3 {
            raise(signal::SIGUSR2);
            assert_eq!(rx.recv_timeout(LONG), Ok(signal::SIGUSR2));
        }
    });
}

#[test]
fn what_cannot_be_received_is_an_error_that_says_so() {
    in_goroutine(|| {
        let good = signal::SIGUSR1;
        for signal in [-1, 0, 65, 9, 19, 11, 7, 4, 8, 32, 33] {
            let error = signal::notify(&[good, signal]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{signal}");
            assert!(
                error.to_string().contains(&format!("signal {signal}: ")),
                "{error}"
            );
        }
        // None is a receiver that gets none.
        let none = signal::notify(&[]).unwrap();
        assert_eq!(none.try_recv(), Err(TryRecvError::Empty));
    });
}

/// The kernel writes the first frame of a handler, and a goroutine's stack does not grow for it.
#[test]
fn the_handler_runs_on_the_signal_stack_of_its_thread() {
    in_goroutine(|| {
        let _rx = signal::notify(&[signal::SIGALRM]).unwrap();
        // SAFETY: an action of zeros is valid, and lives until the call, which only writes it, returns.
        let action = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            assert_eq!(
                libc::sigaction(libc::SIGALRM, std::ptr::null(), &raw mut action),
                0
            );
            action
        };
        assert_ne!(action.sa_flags & libc::SA_ONSTACK, 0);
        assert_ne!(action.sa_flags & libc::SA_RESTART, 0);
    });
}

/// Signals that arrive anywhere: in system calls, in the scheduler, on goroutines deep in their stacks.
#[test]
fn a_storm_of_signals_disturbs_no_goroutine() {
    in_goroutine(|| {
        let rx = signal::notify(&[signal::SIGUSR1]).unwrap();
        let got = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&got);
        let receiver = go(move || {
            for signal in &rx {
                assert_eq!(signal, signal::SIGUSR1);
                // Relaxed: read after the join.
                if count.fetch_add(1, Ordering::Relaxed) == 500 {
                    signal::stop(&rx);
                }
            }
        });
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let done = got.clone();
                go(move || {
                    let (tx, pong) = goroutines::chan::bounded::<usize>(0);
                    let echo = go(move || pong.iter().map(|bytes| deep(bytes, || bytes)).max());
                    while done.load(Ordering::Relaxed) <= 500 {
                        tx.send(20_000).unwrap();
                        goroutines::yield_now();
                    }
                    drop(tx);
                    echo.join().unwrap();
                })
            })
            .collect();
        while !receiver.is_finished() {
            raise(signal::SIGUSR1);
            goroutines::yield_now();
        }
        receiver.join().unwrap();
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
    });
}

/// A program that finishes when it is told to, with the status that it chooses.
#[test]
fn a_program_that_is_terminated_ends_in_its_own_way() {
    start(2);
    let mut child = program(env!("CARGO_BIN_EXE_signals"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut ready = [0; 6];
    out.read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready\n");
    for signal in ["-HUP", "-TERM"] {
        let id = child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        if signal == "-HUP" {
            let mut said = [0; 7];
            out.read_exact(&mut said).unwrap();
            assert_eq!(&said, b"reload\n");
        }
    }
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "finished\n");
    assert_eq!(child.wait().unwrap().code(), Some(7));
    let _ = child.stdin.take().map(|mut stdin| stdin.flush());
}
