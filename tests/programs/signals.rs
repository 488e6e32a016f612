//! Serves until it is terminated, for tests/net/signals.rs.

use std::process::ExitCode;

use goroutines::{chan, go, signal};

fn main() -> ExitCode {
    goroutines_tests::start(2);
    let signals = signal::notify(&[signal::SIGHUP, signal::SIGTERM]).unwrap();
    let (stop, stopped) = chan::bounded::<()>(0);
    let server = go(move || {
        let _ = stopped.recv();
        println!("finished");
        7
    });
    println!("ready");
    for signal in &signals {
        match signal {
            signal::SIGHUP => println!("reload"),
            _ => break,
        }
    }
    drop(stop);
    ExitCode::from(server.join().unwrap())
}
