//! The same workloads on goroutines, Go, tokio and OS threads, in one run.
//!
//! `goroutines-rivals [--rounds N] [--go PROGRAM]` runs every workload on every contender, one after the other in
//! each round, each in a process of its own, and prints medians. `goroutines-rivals CONTENDER WORKLOAD` is one such
//! process: it prints nanoseconds per operation.
//!
//! `goroutines-rivals serve CONTENDER SERVICE PROCS` is a server for the net report.
//!
//! One P, one CPU: what is compared is the cost of an operation, not how well it spreads. See `scripts/rivals.sh`.

mod measure;
mod ours;
mod scenario;
mod serve;
mod serve_hyper;
mod serve_may;
mod serve_tokio;
mod text;
mod threads;
mod tokio_rt;

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (mut rounds, mut go, mut rest) = (5, None, &words[..]);
    while let [option, value, others @ ..] = rest {
        match *option {
            "--rounds" => match value.parse() {
                Ok(number) if number > 0 => rounds = number,
                _ => return usage(&format!("--rounds {value}: give a number from 1 on")),
            },
            "--go" => go = Some(*value),
            _ => break,
        }
        rest = others;
    }
    match rest {
        [] => match text::print(rounds, go) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("goroutines-rivals: {error}");
                ExitCode::FAILURE
            }
        },
        ["serve", contender, service, procs] => match serve::run(contender, service, procs) {
            Some(Ok(())) => ExitCode::SUCCESS,
            Some(Err(error)) => {
                eprintln!("goroutines-rivals: {contender}: {error}");
                ExitCode::FAILURE
            }
            None => usage(&format!("{contender} cannot serve {service} on {procs}")),
        },
        [contender, workload] => match scenario::run(contender, workload) {
            Some(ns) => {
                println!("{ns}");
                ExitCode::SUCCESS
            }
            None => usage(&format!("no {workload} on {contender}")),
        },
        [word, ..] => usage(&format!("`{word}` is none of the options")),
    }
}

fn usage(error: &str) -> ExitCode {
    eprintln!(
        "goroutines-rivals: {error}\nusage: goroutines-rivals [--rounds N] [--go PROGRAM] | CONTENDER WORKLOAD | serve CONTENDER SERVICE PROCS"
    );
    ExitCode::from(2)
}
