//! The workloads of the check on the real runtime, each in a process of its own, because the number of Ps decides at the start
//! whether rings are shared.

use std::env;
use std::process::{Command, Stdio};
use std::time::Instant;

use goroutines::{Config, chan, go, yield_now};

use super::load::Kind;
use super::scenario::CHECKS;
use crate::report::failure::Failure;

/// Measures check number `number` on `procs` Ps: nanoseconds an operation. Runs this program with the arguments that make it
/// call [`child`].
///
/// # Errors
///
/// When the child fails.
pub(super) fn measure(number: usize, procs: usize, quick: bool) -> Result<f64, Failure> {
    let failed = |what: String| Failure::run(format!("check {number} on {procs} Ps: {what}"));
    let program = env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(program);
    command
        .args(["--child", &number.to_string()])
        .args(["--procs", &procs.to_string()])
        .args(quick.then_some("--quick"))
        .env_remove("GOMAXPROCS")
        .stdin(Stdio::null());
    let output = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let words = String::from_utf8_lossy(&output.stderr);
    text.trim()
        .parse()
        .map_err(|_| failed(format!("{}: {words}", output.status)))
}

/// The child's part.
///
/// # Errors
///
/// When there is no such check, or the runtime does not start.
pub(super) fn child(number: usize, procs: usize, quick: bool) -> Result<f64, Failure> {
    let check = CHECKS
        .get(number)
        .ok_or_else(|| Failure::usage(format!("--child: there is no check {number}")))?;
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { Config::new().procs(procs).start() }.map_err(Failure::run)?;
    let kind = check.kind;
    let ended = go(move || run(kind, quick)).join();
    ended.map_err(|_| Failure::run("the workload has panicked"))
}

fn run(kind: Kind, quick: bool) -> f64 {
    let shorter = if quick { 2000 } else { 1 };
    match kind {
        Kind::Yield(count) => yields(count, 20_000_000 / shorter / count + 1),
        Kind::Pairs(pairs) => messages(pairs, 5_000_000 / shorter / pairs + 1),
        Kind::OneChannel(each) => one_channel(each, 5_000_000 / shorter / each + 1),
        Kind::FanOut(children, _) => fan_out(children, 2_000_000 / shorter / children + 1),
        Kind::Echo(_) | Kind::Deep(..) => f64::NAN,
    }
}

fn each(start: Instant, operations: usize) -> f64 {
    start.elapsed().as_nanos() as f64 / operations as f64
}

fn yields(count: usize, turns: usize) -> f64 {
    let start = Instant::now();
    let body = move || (0..turns).for_each(|_| yield_now());
    let all: Vec<_> = (0..count).map(|_| go(body)).collect();
    all.into_iter().for_each(|one| one.join().unwrap());
    each(start, count * turns)
}

fn messages(pairs: usize, turns: usize) -> f64 {
    let start = Instant::now();
    let mut all = Vec::new();
    for _ in 0..pairs {
        let (tx, rx) = chan::bounded(0);
        all.push(go(move || (0..turns).for_each(|n| tx.send(n).unwrap())));
        all.push(go(move || assert_eq!(rx.iter().count(), turns)));
    }
    all.into_iter().for_each(|one| one.join().unwrap());
    each(start, pairs * turns)
}

fn one_channel(senders: usize, turns: usize) -> f64 {
    let start = Instant::now();
    let (tx, rx) = chan::bounded(128);
    let mut all = Vec::new();
    for _ in 0..senders {
        let (tx, rx) = (tx.clone(), rx.clone());
        all.push(go(move || (0..turns).for_each(|n| tx.send(n).unwrap())));
        all.push(go(move || rx.iter().for_each(drop)));
    }
    drop((tx, rx));
    all.into_iter().for_each(|one| one.join().unwrap());
    each(start, senders * turns)
}

fn fan_out(children: usize, rounds: usize) -> f64 {
    let start = Instant::now();
    for _ in 0..rounds {
        let all: Vec<_> = (0..children).map(|_| go(|| ())).collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    }
    each(start, children * rounds)
}
