//! A program that writes dumps by itself, for tests/failure/dumping.rs: one case per argument.

use std::{
    env,
    hint::black_box,
    io,
    process::{self, Command},
    sync::mpsc,
    thread,
    time::Duration,
};

use goroutines::{
    Config, blocking,
    chan::{self, Receiver},
    debug::{self, Dump, Quit, State, WaitReason},
    go, signal,
};

/// Where the goroutines of this program wait.
#[inline(never)]
fn waits_in_dumping(rx: &Receiver<u32>) {
    assert!(rx.recv().is_err());
    black_box(());
}

/// Three goroutines that wait until the answer is dropped.
fn three() -> chan::Sender<u32> {
    let (tx, rx) = chan::bounded(0);
    for _ in 0..3 {
        let rx = rx.clone();
        drop(go(move || waits_in_dumping(&rx)));
    }
    loop {
        let snapshot = Dump::new().take();
        let is_waiting = |state| state == State::Waiting(WaitReason::ChanReceive);
        if snapshot
            .groups()
            .iter()
            .any(|group| group.count == 3 && is_waiting(group.state))
        {
            return tx;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn start(config: Config) {
    // SAFETY: this program keeps no thread-local storage over a call that can park.
    unsafe { config.procs(2).start() }.expect("the runtime starts");
}

/// From another process: the shell's `kill` is not everywhere.
fn quit_myself() {
    let status = Command::new("sh")
        .args(["-c", &format!("kill -QUIT {}", process::id())])
        .status();
    assert!(status.expect("a shell").success());
}

fn main() {
    // A shell starts its background jobs with SIGQUIT ignored, and what they start inherits that.
    // SAFETY: no handler of this program is replaced.
    unsafe { libc::signal(libc::SIGQUIT, libc::SIG_DFL) };
    let case = env::args().nth(1).expect("a case");
    match case.as_str() {
        "continue" => {
            start(Config::new().on_sigquit(Quit::Continue));
            let _tx = three();
            // Another receiver of the signal does not change that.
            let other = signal::notify(&[signal::SIGQUIT]).expect("a handler");
            for _ in 0..2 {
                quit_myself();
                assert_eq!(other.recv(), Ok(signal::SIGQUIT));
                thread::sleep(Duration::from_millis(500));
            }
            println!("went on");
        }
        "exit" => {
            start(Config::new().on_sigquit(Quit::Exit));
            let _tx = three();
            quit_myself();
            thread::sleep(Duration::from_secs(60));
            println!("went on");
        }
        "default" => {
            start(Config::new());
            let _tx = three();
            quit_myself();
            thread::sleep(Duration::from_secs(60));
        }
        "fatal" | "fatal-without" => {
            start(Config::new().max_threads(3).dump_on_fatal(case == "fatal"));
            let _tx = three();
            for _ in 0..10 {
                drop(go(|| blocking(|| thread::sleep(Duration::from_secs(60)))));
            }
            thread::sleep(Duration::from_secs(60));
        }
        "replaced" => {
            start(Config::new());
            let (begun, begins) = mpsc::channel();
            drop(go(|| {
                blocking(move || {
                    begun.send(()).expect("main waits");
                    thread::sleep(Duration::from_secs(60));
                });
            }));
            begins.recv().expect("it begins");
            debug::dump(&mut io::stdout()).expect("stdout is there");
            // SAFETY: the disposition is a constant.
            unsafe { libc::signal(libc::SIGURG, libc::SIG_IGN) };
            debug::dump(&mut io::stderr()).expect("stderr is there");
        }
        "twice" => {
            start(Config::new());
            let again = Config::new().on_sigquit(Quit::Exit);
            // SAFETY: as for the first start.
            assert!(unsafe { again.start() }.is_err());
            quit_myself();
            thread::sleep(Duration::from_secs(60));
        }
        other => panic!("no case {other}"),
    }
}
