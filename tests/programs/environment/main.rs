//! What surrounds the program, and what it does to its threads: one case per argument, for tests/environment.rs.

mod hogs;
mod small;
mod state;
mod threads;

use std::{env, process::ExitCode, thread, time::Duration};

use goroutines::{Config, StartError};

fn main() -> ExitCode {
    watchdog();
    match env::args().nth(1).unwrap_or_default().as_str() {
        "all-blocked-at-the-start" => state::all_blocked_at_the_start(),
        "all-blocked-by-a-goroutine" => state::all_blocked_by_a_goroutine(),
        "state-of-a-locked-thread" => state::state_of_a_locked_thread(),
        "stderr-locked" => hogs::stderr_is_locked_by_a_parked_goroutine(),
        "hook-waits" => hogs::the_hook_waits(),
        "threads-do-not-answer" => hogs::threads_do_not_answer(),
        "start-on-a-small-stack" => small::start_on_a_small_stack(),
        other => {
            eprintln!("environment: no case `{other}`");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Ends a case that hangs.
fn watchdog() {
    thread::spawn(|| {
        thread::sleep(Duration::from_secs(60));
        println!("hangs");
        std::process::exit(3);
    });
}

/// Starts the runtime.
fn try_start(config: Config) -> Result<(), StartError> {
    // SAFETY: the cases keep no thread-local storage over a call that can park.
    unsafe { config.start() }
}

fn start(procs: usize) {
    try_start(Config::new().procs(procs)).expect("the runtime starts");
}
