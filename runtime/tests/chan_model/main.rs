//! Random programs over a few channels, against what channels promise: exactly once, in order, failures only with a
//! reason, no operation left waiting. A program that fails is made as short as it can be.
//!
//! `PROPTEST_CASES=10000` runs more of them. What fails once may pass the next time, since the interleaving is another:
//! each program is run several times.

#![allow(unreachable_pub, reason = "modules of a test")]

#[path = "../common/mod.rs"]
mod common;

mod check;
mod program;
mod run;
mod world;

use std::{cell::Cell, sync::Once};

use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Runs of one program; and of one that is to be made shorter, so that those that fail do.
const TURNS: [u32; 2] = [3, 40];

fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let config = goroutines::Config::new().procs(2).force_migration(true);
        // SAFETY: no test keeps thread-local storage over a call that can park.
        unsafe { config.start() }.unwrap();
    });
}

#[test]
fn whatever_a_program_does_channels_keep_their_promises() {
    start();
    let config = Config {
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let failed = Cell::new(false);
    let outcome = TestRunner::new(config).run(&program::any(), |program| {
        goroutines::set_gomaxprocs(program.procs);
        for _ in 0..TURNS[usize::from(failed.get())] {
            run::run(&program)
                .and_then(|history| check::check(&program, &history))
                .map_err(|why| {
                    failed.set(true);
                    TestCaseError::fail(why)
                })?;
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
