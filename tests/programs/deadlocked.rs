//! A program in which nothing can wake a goroutine again, or seems so, for tests/failure/deadlocks.rs: one case per argument.

use std::{
    env,
    hint::black_box,
    io::{Read as _, Write as _},
    process::{self, Command},
    sync::Arc,
    thread as os,
    time::Duration,
};

use goroutines::{
    Builder, Config, Deadlock, block_on, blocking,
    chan::{self, select},
    go,
    net::unix::UnixStream,
    process::Command as Child,
    signal, sleep,
    sync::{Barrier, Condvar, Mutex, Once, RwLock, Semaphore, WaitGroup},
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
        // A ring of a lock and two joins, of two goroutines and `main`.
        "ring" => {
            let lock = Arc::new(Mutex::new(()));
            let held = lock.lock().expect("not poisoned");
            let takes = lock.clone();
            let takes = go(move || stuck(|| drop(takes.lock())));
            go(move || takes.join())
                .join()
                .expect("never")
                .expect("never");
            drop(held);
        }
        // Two goroutines that hold what the other wants, one of them in the code of a closure that runs once.
        "once" => {
            let (lock, once) = (Arc::new(RwLock::new(())), Arc::new(Once::new()));
            let (begun, begins) = chan::bounded::<()>(0);
            let (say, inside) = chan::bounded(1);
            let others = (lock.clone(), once.clone());
            let first = go(move || {
                once.call_once(|| {
                    say.send(()).expect("the other listens");
                    assert!(begins.recv().is_err());
                    stuck(|| drop(lock.read()));
                });
            });
            joined(move || {
                let _held = others.0.write();
                inside.recv().expect("it says so");
                drop(begun);
                others.1.call_once(|| ());
            });
            drop(first);
        }
        // A goroutine waits for one that waits for its lock.
        "itself" => {
            let lock = Arc::new(Mutex::new(()));
            joined(move || {
                let (again, held) = (lock.clone(), lock.lock());
                go(move || drop(again.lock())).join().expect("never");
                drop(held);
            });
        }
        "again" => joined(|| {
            let lock = Mutex::new(());
            let _held = lock.lock();
            drop(lock.lock());
        }),
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
        // It is idle again and again for about as long as it takes until it is looked at.
        "calls" => {
            for millis in (5..25).cycle().take(60) {
                let (tx, waits) = receiver();
                drop(go(move || {
                    blocking(|| os::sleep(Duration::from_millis(millis)));
                    tx.send(1).expect("it waits");
                }));
                join(waits);
            }
        }
        "naps" => {
            for millis in (5..25).cycle().take(60) {
                let (tx, waits) = receiver();
                drop(go(move || {
                    sleep(Duration::from_millis(millis));
                    tx.send(1).expect("it waits");
                }));
                join(waits);
            }
        }
        "socket" => {
            let (mut here, mut there) = UnixStream::pair().expect("a pair");
            drop(os::spawn(move || {
                os::sleep(WHILE);
                there.write_all(b"1").expect("it is open");
            }));
            join(go(move || here.read_exact(&mut [0]).expect("a byte")));
        }
        // A thread of the C library comes when the time is up.
        "timer-thread" => {
            let (tx, waits) = receiver();
            *SENDS.lock().expect("not poisoned") = Some(tx);
            timer_thread(WHILE);
            join(waits);
        }
        // All threads stand still for a while.
        "stopped" => {
            let (tx, waits) = receiver();
            let id = process::id();
            let mut stops = shell(&format!(
                "sleep 0.1; kill -STOP {id}; sleep 0.5; kill -CONT {id}"
            ));
            drop(go(move || {
                blocking(|| os::sleep(WHILE));
                tx.send(1).expect("it waits");
            }));
            join(waits);
            stops.wait().expect("it ends");
        }
        "forked" => {
            // SAFETY: the child sleeps and ends.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: both take numbers.
                unsafe {
                    libc::usleep(500_000);
                    libc::_exit(7);
                }
            }
            let waits = go(move || {
                let mut status = 0;
                // SAFETY: the status is a variable of this function.
                let id = blocking(|| unsafe { libc::waitpid(child, &mut status, 0) });
                assert_eq!((id, libc::WEXITSTATUS(status)), (child, 7));
            });
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

/// The sender that [`timer_thread`] uses.
static SENDS: std::sync::Mutex<Option<chan::Sender<u32>>> = std::sync::Mutex::new(None);

/// Lets the C library start a thread after `time`, which sends.
fn timer_thread(time: Duration) {
    extern "C" fn send(_: libc::sigval) {
        let sends = SENDS.lock().expect("not poisoned").take();
        sends.expect("it was put there").send(1).expect("it waits");
    }
    let mut timer = std::ptr::null_mut();
    // SAFETY: an event of zeros is one; the function and the clock are what the call asks for.
    unsafe {
        let mut event: SigEvent = std::mem::zeroed();
        event.notify = 2; // SIGEV_THREAD
        event.function = Some(send);
        let event = (&raw mut event).cast();
        assert_eq!(
            libc::timer_create(libc::CLOCK_MONOTONIC, event, &mut timer),
            0
        );
        let mut when: libc::itimerspec = std::mem::zeroed();
        when.it_value.tv_nsec = time.as_nanos() as libc::c_long;
        assert_eq!(
            libc::timer_settime(timer, 0, &when, std::ptr::null_mut()),
            0
        );
    }
}

/// `struct sigevent` with the member that libc's has not.
#[repr(C)]
struct SigEvent {
    value: libc::sigval,
    signo: libc::c_int,
    notify: libc::c_int,
    function: Option<extern "C" fn(libc::sigval)>,
    attributes: *mut libc::c_void,
    rest: [u64; 4],
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
    let config = Config::new().procs(2);
    let config = match kind {
        "default" => config,
        _ => config.deadlock(then),
    };
    // SAFETY: this program keeps no thread-local storage over a call that can park.
    unsafe { config.start() }.expect("the runtime starts");
    match kind {
        "alive" => alive(case),
        _ => dead(case),
    }
    println!("went on");
}
