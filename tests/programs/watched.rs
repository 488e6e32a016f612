//! A program that tests look at from outside: one case per argument.

use std::{env, process::ExitCode, thread, time::Duration};

use goroutines::Config;

fn main() -> ExitCode {
    let case = env::args().nth(1).unwrap_or_default();
    // SAFETY: the cases keep no thread-local storage over a call that can park.
    if let Err(error) = unsafe { Config::new().procs(2).start() } {
        println!("Err: {error}");
        return ExitCode::SUCCESS;
    }
    match case.as_str() {
        "idle" => thread::sleep(Duration::from_millis(700)),
        other => {
            eprintln!("watched: no case `{other}`");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
