//! A program that writes dumps by itself, for tests/failure/dumping.rs: one case per argument.

use std::{
    env,
    hint::black_box,
    io,
    os::fd::RawFd,
    process::{self, Command},
    ptr,
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

/// More goroutines block their threads than there may be.
fn exceed_threads() {
    for _ in 0..10 {
        drop(go(|| blocking(|| thread::sleep(Duration::from_secs(60)))));
    }
}

/// What stands in the pipe before a message.
const FILLED: usize = 3000;

/// From here on stderr is a pipe that takes a message and no dump. Returns its other end.
fn narrow_stderr() -> RawFd {
    let mut ends = [0; 2];
    // SAFETY: the array has two places, the buffer its length; 2 is stderr.
    unsafe {
        assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
        assert_eq!(libc::fcntl(ends[1], libc::F_SETPIPE_SZ, 4096), 4096);
        assert_eq!(
            libc::write(ends[1], [b'x'; FILLED].as_ptr().cast(), FILLED),
            FILLED as isize
        );
        assert_eq!(libc::dup2(ends[1], 2), 2);
    }
    ends[0]
}

/// Waits until there is more in the pipe than there was.
fn wait_for(pipe: RawFd) {
    loop {
        let mut bytes: libc::c_int = 0;
        // SAFETY: the call writes a number.
        let result = unsafe { libc::ioctl(pipe, libc::FIONREAD, &raw mut bytes) };
        assert_eq!(result, 0);
        if bytes as usize > FILLED {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
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
        "fatal" | "fatal-without" | "fatal-default" => {
            start(match case.as_str() {
                "fatal-default" => Config::new().max_threads(3),
                _ => Config::new().max_threads(3).dump_on_fatal(case == "fatal"),
            });
            let _tx = three();
            exceed_threads();
            thread::sleep(Duration::from_secs(60));
        }
        "fatal-returns" | "fatal-exits" | "fatal-faults" => {
            start(Config::new().max_threads(3));
            let _tx = three();
            let message = narrow_stderr();
            exceed_threads();
            wait_for(message);
            match case.as_str() {
                "fatal-exits" => process::exit(7),
                // SAFETY: none: the fault is what is tested.
                "fatal-faults" => unsafe { ptr::without_provenance_mut::<u8>(8).write_volatile(1) },
                _ => {}
            }
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
