//! Goroutines that use a library which trusts its thread: one case per first argument. Says what the migration check
//! did; exits with 3 if the library was deceived. A second argument sets the configuration: `forced` migration, and
//! `unchecked` as well.

use std::{env, process};

use goroutines::{Config, JoinHandle, go, yield_now};
use goroutines_canary as canary;

const GOROUTINES: usize = 8;
const ROUNDS: usize = 300;

fn main() {
    let case: fn(fn()) -> bool = match env::args().nth(1).as_deref() {
        Some("borrow") => canary::borrow,
        Some("cached_address") => canary::cached_address,
        Some("scoped") => canary::scoped,
        Some("unwinding") => canary::unwinding,
        Some("nothing") => |pause| {
            pause();
            true
        },
        other => panic!("no case {other:?}"),
    };
    let config = Config::new().procs(2);
    goroutines_tests::start_with(match env::args().nth(2).as_deref() {
        None => config,
        Some("forced") => config.force_migration(true),
        Some("unchecked") => config.force_migration(true).migration_check(false),
        other => panic!("no configuration {other:?}"),
    });
    // A scoped thread-local is the thread's: two goroutines on one thread would find each other's.
    let count = if env::args().any(|arg| arg == "scoped") {
        1
    } else {
        GOROUTINES
    };
    let all: Vec<JoinHandle<usize>> = (0..count)
        .map(|_| go(move || (0..ROUNDS).filter(|_| !case(yield_now)).count()))
        .collect();
    let deceived: usize = all.into_iter().map(|one| one.join().unwrap()).sum();
    let stats = goroutines_sched::migration_stats();
    println!(
        "scanned {} sent back {} deceived {deceived}",
        stats.scanned, stats.sent_back
    );
    if deceived > 0 {
        process::exit(3);
    }
}
