//! Writes traces where that fails, for tests/observe/trace.rs: `traced CASE PATH`.

use std::{env, path::PathBuf, thread, time::Duration};

use goroutines::{
    Builder, Config, blocking,
    debug::trace::{self, Options},
    go, sleep,
};

/// Files of this process may have so many bytes, and a longer one is an error of the call that writes it.
fn limit_files(bytes: u64) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    // SAFETY: sets what happens at a signal, before there is another thread.
    let before = unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    assert_ne!(before, libc::SIG_ERR);
    // SAFETY: `limit` is a live rlimit.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
    assert_eq!(result, 0);
}

fn main() {
    let case = env::args().nth(1).expect("a case");
    let path = PathBuf::from(env::args_os().nth(2).expect("a path"));
    match case.as_str() {
        "full" => {
            limit_files(1 << 16);
            // SAFETY: this program keeps no thread-local storage over a call that can park.
            unsafe { Config::new().procs(2).start() }.expect("the runtime starts");
            let trace = trace::start(&Options::new(path)).expect("a trace");
            for _ in 0..20_000 {
                trace::mark("something that happens often");
            }
            let error = trace.stop().expect_err("the file is too large");
            println!("{error}");
            go(|| sleep(Duration::from_millis(1)))
                .join()
                .expect("it ends");
            println!("the program goes on");
        }
        "fatal" => {
            let config = Config::new()
                .procs(2)
                .max_threads(3)
                .flight_recorder(1 << 16, path);
            // SAFETY: as above.
            unsafe { config.start() }.expect("the runtime starts");
            let worker = Builder::new().name("worker".to_owned());
            let worker = worker.spawn(|| sleep(Duration::from_millis(1)));
            worker.expect("a goroutine").join().expect("it ends");
            // A program that needs more threads than it may have.
            for _ in 0..10 {
                drop(go(|| blocking(|| thread::sleep(Duration::from_secs(60)))));
            }
            thread::sleep(Duration::from_secs(60));
        }
        other => panic!("no case {other}"),
    }
}
