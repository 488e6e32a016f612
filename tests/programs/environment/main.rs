//! What surrounds the program, and what it does to its threads: one case per argument, for tests/failure/environment.rs.

mod filter;
mod hogs;
mod refusals;
mod shadow;
mod small;
mod state;
mod threads;
mod timers;

use std::{env, process::ExitCode, thread, time::Duration};

use goroutines::{Config, StartError};

use refusals::Busy;

fn main() -> ExitCode {
    watchdog();
    match env::args().nth(1).unwrap_or_default().as_str() {
        "all-blocked-at-the-start" => state::all_blocked_at_the_start(),
        "all-blocked-by-a-goroutine" => state::all_blocked_by_a_goroutine(),
        "state-of-a-locked-thread" => state::state_of_a_locked_thread(),
        "stderr-locked" => hogs::stderr_is_locked_by_a_parked_goroutine(),
        "hook-waits" => hogs::the_hook_waits(),
        "threads-do-not-answer" => hogs::threads_do_not_answer(),
        "no-membarrier" => refusals::membarrier_from_the_start(),
        "no-membarrier-later" => refusals::membarrier_later(),
        "no-signal-stacks" => refusals::signal_stacks(),
        "no-threads-at-all" => refusals::threads_from_the_start(),
        "no-threads-checkpoint" => refusals::threads_later(Busy::Checkpoint),
        "no-threads-lock" => refusals::threads_later(Busy::Lock),
        "no-threads-channel" => refusals::threads_later(Busy::Channel),
        "no-threads-select" => refusals::threads_later(Busy::Select),
        "no-threads-for-a-second" => refusals::threads_for_a_second(),
        "handler-replaced" => refusals::handlers_replaced(),
        "signal-stack-disabled" => refusals::signal_stack_disabled(),
        "timer-of-a-taken-p" => timers::timer_of_a_p_that_is_taken(),
        "timer-of-a-p-that-leaves" => timers::timer_of_a_p_that_leaves(),
        "shadow-stacks" => shadow::shadow_stacks(),
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
