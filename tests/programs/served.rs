//! Lets others look into it, for tests/observe/serve.rs, serve_looks.rs and by hand: `served CASE PATH`.

use std::{env, hint::black_box, io, sync::Arc, thread, time::Duration};

use goroutines::{
    Config, Deadlock, blocking,
    chan::{self, Receiver},
    debug, go, sleep,
    sync::{Barrier, Mutex},
};

/// Where many goroutines wait.
#[inline(never)]
fn waits_in_served(rx: &Receiver<u32>) {
    assert!(rx.recv().is_err());
    black_box(());
}

fn line_of_stdin() {
    let mut line = String::new();
    io::stdin().read_line(&mut line).expect("a line");
}

/// What a program has that is in use: goroutines that wait, that meet, that compute, and that block.
fn busy(waiting: usize) -> impl Drop {
    let (tx, rx) = chan::bounded::<u32>(0);
    for _ in 0..waiting {
        let rx = rx.clone();
        drop(go(move || waits_in_served(&rx)));
    }
    let (to, from) = chan::bounded(0);
    for _ in 0..4 {
        let (to, from) = (to.clone(), from.clone());
        drop(go(move || {
            (0..).try_for_each(|number: u64| to.send(number))
        }));
        drop(go(move || from.iter().for_each(drop)));
    }
    drop(go(|| {
        loop {
            sleep(Duration::from_millis(3));
            drop(go(|| sleep(Duration::from_millis(20))));
        }
    }));
    drop(go(|| blocking(|| thread::sleep(Duration::from_secs(3600)))));
    tx
}

/// So long that a busy machine gives it time for a sample, also where it changes threads after each call.
#[inline(never)]
fn burns() {
    (0..1_000_000).for_each(|round: u32| _ = black_box(round));
}

#[inline(never)]
fn contends(mutex: &Mutex<u32>) {
    let mut guard = mutex.lock().unwrap();
    *guard += 1;
    sleep(Duration::from_millis(1));
}

/// Two goroutines that wait for each other for ever, and others that compute, and contend for a lock.
fn stuck() {
    let (a, b) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let both_have_one = Arc::new(Barrier::new(2));
    for (first, second) in [(a.clone(), b.clone()), (b, a)] {
        let both_have_one = both_have_one.clone();
        drop(go(move || {
            let _first = first.lock().unwrap();
            both_have_one.wait();
            black_box(second.lock().is_ok());
        }));
    }
    let lock = Arc::new(Mutex::new(0));
    for _ in 0..2 {
        let lock = lock.clone();
        drop(go(move || {
            loop {
                contends(&lock);
            }
        }));
    }
    drop(go(|| {
        loop {
            burns();
            goroutines::yield_now();
        }
    }));
}

fn main() {
    let case = env::args().nth(1).expect("a case");
    let path = env::args().nth(2).expect("a path");
    let config = Config::new()
        .procs(2)
        .deadlock(Deadlock::Exit)
        .stack_idle(Duration::from_millis(20));
    // SAFETY: this program keeps no thread-local storage over a call that can park.
    unsafe { config.start() }.expect("the runtime starts");
    let server = debug::serve(path).expect("it serves");
    println!("ready");
    match case.as_str() {
        "deadlock" => {
            line_of_stdin();
            let (tx, rx) = chan::bounded::<u32>(0);
            waits_in_served(&rx);
            drop(tx);
        }
        "killed" => {
            line_of_stdin();
            std::process::abort();
        }
        "stuck" => {
            stuck();
            line_of_stdin();
        }
        number => {
            let waiting = number.parse().expect("a case, or how many goroutines wait");
            let _busy = busy(waiting);
            println!("busy");
            line_of_stdin();
        }
    }
    drop(server);
    println!("ended");
}
