//! Chaos: everything that the runtime offers, mixed at random, with a watchdog that names actors that are stuck.
//!
//! A run is a sequence of *rounds*. In a round a crew of runners, goroutines and plain threads, plays *scenes* for about a
//! second, while others change the number of Ps, compute, and block. A scene is a small program with a promise that it
//! checks: each message arrives once, one holds the lock, a join returns what was returned. After the round every actor is
//! joined, and nothing may be left: no actor, no message, no goroutine. Then comes the quiet part: many wait for the time
//! alone, no other goroutine runs, and all must wake.
//!
//! Each goroutine or thread is an *actor* with a place on the *board* (board.rs), where it notes at each step what it does.
//! The watchdog is a plain thread outside of the runtime. It ends the process with status 3 when a step lasts too long,
//! and prints where each actor is since when, the metrics and the threads. A broken promise ends the process with status 4.
//! Both print the seed. The seed decides what is played; the kernel decides how it interleaves, so the same seed is
//! no replay, but it is the same mix.
//!
//! `chaos --help` lists modes and scenes. HACKING.md says how to run it for long.

#![allow(unreachable_pub, reason = "modules of a program")]

mod board;
mod bound;
mod channels;
mod clocks;
mod contexts;
mod crew;
mod faults;
mod foreign;
mod futures;
mod ledger;
mod limits;
mod locals;
mod locks;
mod market;
mod meetings;
mod news;
mod quiet;
mod rough;
mod rounds;
mod scenes;
mod sets;
mod settings;
mod stacks;
mod unwinding;

use std::process::ExitCode;

use settings::Settings;

fn main() -> ExitCode {
    match Settings::from_arguments() {
        Ok(Some(settings)) => {
            rounds::run(settings);
            ExitCode::SUCCESS
        }
        Ok(None) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("chaos: {message}; see chaos --help");
            ExitCode::from(2)
        }
    }
}
