//! What a program must not do, and what lies close to it: one case per argument. tests/failure/misuse.rs looks at how it ends.

use std::{
    env, mem,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
    ptr,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use corosensei::Coroutine;
use goroutines::{chan, go, join, sleep, yield_now};

fn main() -> ExitCode {
    let case = env::args().nth(1).unwrap_or_default();
    goroutines_tests::start(2);
    match case.as_str() {
        "handler-on-the-signal-stack" => {
            install(calls_the_runtime, libc::SA_ONSTACK);
            go(raise).join().unwrap();
        }
        "handler-in-the-scheduler" => handler_in_the_scheduler(),
        "handler-that-stores" => {
            install(stores, libc::SA_ONSTACK);
            go(raise).join().unwrap();
            // Relaxed: the handler ran on the thread of what was joined.
            assert_eq!(SIGNALS.load(Ordering::Relaxed), 1);
        }
        "fork-on-a-goroutine" => go(|| report(fork(yield_now))).join().unwrap(),
        "fork-on-a-goroutine-and-go" => go(|| report(fork(|| drop(go(|| ()))))).join().unwrap(),
        "fork-on-a-goroutine-in-blocking" => go(|| {
            report(goroutines::blocking(|| fork(|| sleep(Duration::ZERO))));
        })
        .join()
        .unwrap(),
        "fork-on-a-thread" => {
            go(|| ()).join().unwrap(); // a thread that the runtime knows
            report(fork(|| go(|| ()).join().unwrap()));
        }
        "fork-on-a-thread-and-wait" => {
            go(|| ()).join().unwrap();
            report(fork(|| {
                let (_tx, rx) = chan::bounded::<()>(0);
                assert!(rx.recv_timeout(LONG).is_err());
            }));
        }
        "fork-on-a-new-thread" => thread::spawn(|| report(fork(|| drop(go(|| ())))))
            .join()
            .unwrap(),
        "join-that-is-suspended" => go(suspended_join).join().unwrap(),
        "fork-and-exec" => go(fork_and_exec).join().unwrap(),
        other => {
            eprintln!("misuse: no case `{other}`");
            return ExitCode::from(2);
        }
    }
    println!("went on");
    ExitCode::SUCCESS
}

/// A coroutine suspends a `join`, and goes on in another one that has begun after it.
fn suspended_join() {
    let mut first: Coroutine<(), (), ()> = Coroutine::new(|yielder, ()| {
        join(|| yielder.suspend(()), || ());
    });
    first.resume(());
    join(|| first.resume(()).as_return().is_some(), || ());
}

const LONG: Duration = Duration::from_secs(20);

static SIGNALS: AtomicU32 = AtomicU32::new(0);

extern "C" fn stores(_signal: libc::c_int) {
    // Relaxed: a count.
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn calls_the_runtime(_signal: libc::c_int) {
    drop(go(|| ()));
}

fn install(handler: extern "C" fn(libc::c_int), flags: libc::c_int) {
    // SAFETY: an action of zeroes is valid, and the function has the type of a handler without SA_SIGINFO.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = flags | libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()), 0);
    }
}

fn raise() {
    // SAFETY: the handler is installed.
    unsafe { libc::raise(libc::SIGUSR1) };
}

/// Signals at random moments to a thread that is in the scheduler for most of its time.
fn handler_in_the_scheduler() {
    static DONE: AtomicBool = AtomicBool::new(false);
    install(calls_the_runtime, 0);
    let (tx, rx) = chan::bounded(1);
    let busy = go(move || {
        // SAFETY: takes nothing and answers with a number.
        tx.send(unsafe { libc::gettid() }).unwrap();
        // Relaxed: only to end.
        while !DONE.load(Ordering::Relaxed) {
            yield_now();
        }
    });
    let target = rx.recv().unwrap();
    let start = Instant::now();
    while start.elapsed() < LONG {
        // SAFETY: a signal with a handler, to a thread of this process.
        unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), target, libc::SIGUSR1) };
        thread::sleep(Duration::from_micros(50));
    }
    // Relaxed: as above.
    DONE.store(true, Ordering::Relaxed);
    busy.join().unwrap();
}

/// Runs `child` in a fork of this process; how that ended.
fn fork(child: impl FnOnce()) -> libc::c_int {
    // SAFETY: what the child does is what this program is about; it ends in `_exit`, if it comes so far.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            libc::alarm(30); // it may wait for ever
            child();
            libc::_exit(0);
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(pid, &mut status, 0), pid);
        status
    }
}

fn report(status: libc::c_int) {
    match libc::WIFSIGNALED(status) {
        true => println!("child: signal {}", libc::WTERMSIG(status)),
        false => println!("child: exit {}", libc::WEXITSTATUS(status)),
    }
}

/// More of the stack than a goroutine starts with.
#[inline(never)]
fn deep(depth: u32) -> u32 {
    let frame = std::hint::black_box([depth; 256]);
    if depth == 0 {
        return frame[0];
    }
    deep(depth - 1) + frame[(depth % 256) as usize] - depth
}

fn fork_and_exec() {
    let mut command = Command::new("true");
    // SAFETY: the closure touches its stack only, which grows in the child.
    unsafe {
        command.pre_exec(|| match deep(60) {
            0 => Ok(()),
            _ => Err(std::io::ErrorKind::Other.into()),
        });
    }
    let status = command.status().expect("the child was started");
    println!("child: exit {}", status.code().expect("a status"));
    // The parent's runtime is as it was.
    yield_now();
}
