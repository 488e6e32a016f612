//! A program in which nothing can wake a goroutine again, or seems so, for tests/failure/deadlocks.rs: one case per argument.

use std::{
    env,
    hint::black_box,
    process::{self, Command},
    sync::Arc,
    thread as os,
    time::Duration,
};

use goroutines::{
    Builder, Config, Deadlock, block_on, blocking,
    chan::{self, select},
    go,
    process::Command as Child,
    signal, sleep,
    sync::{Barrier, Condvar, Mutex, Semaphore, WaitGroup},
    thread, yield_now,
};

/// Far longer than it takes to find a deadlock.
const WHILE: Duration = Duration::from_millis(700);

/// The function in which a goroutine of each dead case waits.
#[inline(never)]
fn stuck(wait: impl FnOnce()) {
    wait();
    black_box(());
}

/// Runs `wait` on a goroutine, and waits for its end.
fn joined(wait: impl FnOnce() + Send + 'static) {
    go(move || stuck(wait)).join().expect("it does not panic");
}

/// The cases in which nothing can wake a goroutine.
fn dead(case: &str) {
    match case {
        "recv" => joined(|| {
            let (tx, rx) = chan::bounded::<u32>(0);
            let _ = rx.recv();
            drop(tx);
        }),
        "send" => joined(|| {
            let (tx, rx) = chan::bounded::<u32>(0);
            let _ = tx.send(1);
            drop(rx);
        }),
        "select" => joined(|| {
            let (tx, rx) = chan::bounded::<u32>(0);
            select! { recv(rx) -> _ => (), recv(chan::never::<u32>()) -> _ => () }
            drop(tx);
        }),
        "locks" => {
            let locks = Arc::new((Mutex::new(()), Mutex::new(())));
            let barrier = Arc::new(Barrier::new(2));
            let other = (locks.clone(), barrier.clone());
            let first = go(move || {
                let _held = other.0.0.lock();
                other.1.wait();
                stuck(|| drop(other.0.1.lock()));
            });
            joined(move || {
                let _held = locks.1.lock();
                barrier.wait();
                drop(locks.0.lock());
            });
            drop(first);
        }
        "condvar" => joined(|| {
            let (lock, changed) = (Mutex::new(()), Condvar::new());
            drop(changed.wait(lock.lock().expect("not poisoned")));
        }),
        "semaphore" => joined(|| drop(Semaphore::new(0).acquire())),
        "group" => joined(|| {
            let group = WaitGroup::new();
            let _other = group.clone();
            group.wait();
        }),
        "park" => joined(thread::park),
        "scope" => joined(|| {
            thread::scope(|scope| {
                scope.spawn(thread::park);
            });
        }),
        "future" => joined(|| block_on(std::future::pending())),
        // SAFETY: the goroutine lends nothing of its stack.
        "copied" => unsafe { Builder::new().copy_stack() }
            .spawn(|| stuck(thread::park))
            .expect("a goroutine")
            .join()
            .expect("it does not panic"),
        "main" => {
            let (tx, rx) = chan::bounded::<u32>(0);
            drop(go(move || {
                stuck(thread::park);
                drop(tx);
            }));
            let _ = rx.recv();
        }
        "after-work" => {
            for _ in 0..20 {
                let (tx, rx) = chan::bounded(4);
                drop(go(move || (0..100).try_for_each(|i| tx.send(i))));
                assert_eq!(rx.iter().count(), 100);
                sleep(Duration::from_millis(3));
                go(yield_now).join().expect("it does not panic");
            }
            joined(thread::park);
        }
        other => panic!("no case {other}"),
    }
}

/// A goroutine that waits for a message, with the sender.
fn receiver() -> (chan::Sender<u32>, goroutines::JoinHandle<()>) {
    let (tx, rx) = chan::bounded::<u32>(0);
    (tx, go(move || stuck(|| assert_eq!(rx.recv(), Ok(1)))))
}

/// Lets a shell run `script` beside this program.
fn shell(script: &str) -> std::process::Child {
    let child = Command::new("sh").args(["-c", script]).spawn();
    child.expect("a shell")
}

/// The cases in which something wakes them after a while.
fn alive(case: &str) {
    let join = |waits: goroutines::JoinHandle<()>| waits.join().expect("it does not panic");
    match case {
        "main-outside" => {
            drop(go(|| stuck(thread::park)));
            os::sleep(WHILE);
        }
        "thread" => {
            let (tx, waits) = receiver();
            let sends = os::spawn(move || {
                os::sleep(WHILE);
                tx.send(1).expect("it waits");
            });
            join(waits);
            sends.join().expect("it does not panic");
        }
        "timer" => {
            let (tx, waits) = receiver();
            drop(go(move || {
                sleep(WHILE);
                tx.send(1).expect("it waits");
            }));
            join(waits);
        }
        "call" => {
            let (tx, waits) = receiver();
            drop(go(move || {
                blocking(|| os::sleep(WHILE));
                tx.send(1).expect("it waits");
            }));
            join(waits);
        }
        "unannounced" => {
            let (tx, waits) = receiver();
            drop(go(move || {
                os::sleep(WHILE);
                tx.send(1).expect("it waits");
            }));
            join(waits);
        }
        "deadline" => {
            let (tx, rx) = chan::bounded::<u32>(0);
            assert!(rx.recv_timeout(WHILE).is_err());
            drop(tx);
        }
        "child" => join(go(|| {
            let output = Child::new("sh").args(["-c", "sleep 0.7; echo 1"]).output();
            assert_eq!(output.expect("a shell").stdout, b"1\n");
        })),
        "signal" => {
            let signals = signal::notify(&[signal::SIGUSR1]).expect("a handler");
            let mut kill = shell(&format!("sleep 0.7; kill -USR1 {}", process::id()));
            join(go(move || assert_eq!(signals.recv(), Ok(signal::SIGUSR1))));
            kill.wait().expect("it ends");
        }
        "waker" => join(go(|| {
            let mut sent = false;
            let mut wakes = None;
            block_on(std::future::poll_fn(|context| {
                if std::mem::replace(&mut sent, true) {
                    return std::task::Poll::Ready(());
                }
                let waker = context.waker().clone();
                wakes = Some(os::spawn(move || {
                    os::sleep(WHILE);
                    waker.wake();
                }));
                std::task::Poll::Pending
            }));
            wakes
                .expect("it was polled")
                .join()
                .expect("it does not panic");
        })),
        other => panic!("no case {other}"),
    }
}

fn main() {
    let case = env::args().nth(1).expect("a case");
    let (kind, case) = case.split_once(':').expect("a kind");
    let then = match kind {
        "off" => Deadlock::Off,
        "report" => Deadlock::Report,
        _ => Deadlock::Exit,
    };
    // Long enough for a verdict and a dump where one comes.
    let seconds = match (kind, env::var("GODEBUG").as_deref()) {
        (_, Ok("deadlock=1")) => 60,
        (_, Ok(_)) | ("off", _) => 2,
        ("report", _) => 15,
        _ => 60,
    };
    // SAFETY: takes a number. The signal ends a program that goes on for ever.
    unsafe { libc::alarm(seconds) };
    // SAFETY: this program keeps no thread-local storage over a call that can park.
    unsafe { Config::new().procs(2).deadlock(then).start() }.expect("the runtime starts");
    match kind {
        "alive" => alive(case),
        _ => dead(case),
    }
    println!("went on");
}
