//! The same workloads on goroutines, Go, tokio and OS threads, in one run.
//!
//! `goroutines-rivals [--rounds N] [--go PROGRAM]` runs every workload on every contender, one after the other in
//! each round, each in a process of its own, and prints medians. `goroutines-rivals CONTENDER WORKLOAD` is one such
//! process: it prints nanoseconds per operation.
//!
//! One P, one CPU: what is compared is the cost of an operation, not how well it spreads. See `scripts/rivals.sh`.

mod ours;
mod threads;
mod tokio_rt;

use std::{
    env,
    process::{Command, ExitCode},
    time::Instant,
};

/// What is measured, how many operations in one process, and what is one of them.
pub const WORKLOADS: [(&str, u64, &str); 10] = [
    ("yield", 2_000_000, "a yield, two tasks"),
    (
        "unbuffered",
        1_000_000,
        "a message, one sender to one receiver, no buffer",
    ),
    (
        "bounded128",
        2_000_000,
        "a message, one to one, buffer of 128",
    ),
    (
        "fanin",
        1_000_000,
        "a message, 100 senders to one receiver, buffer of 128",
    ),
    (
        "select4",
        1_000_000,
        "a message, one select over 4 channels, 4 senders, no buffers",
    ),
    ("mutex", 5_000_000, "lock and unlock, nobody else"),
    (
        "mutex100",
        2_000_000,
        "lock and unlock, 100 tasks that yield now and then",
    ),
    ("spawn1000", 1_000_000, "spawn and join, 1000 at once"),
    (
        "sleepers",
        200_000,
        "CPU time of one of 200 000 that sleep for up to 2 s",
    ),
    (
        "late",
        200_000,
        "how late the 99th percentile of these wakes up",
    ),
];

/// How long the sleepers sleep, by number: spread over two seconds, in no order.
pub fn nap(number: u64) -> std::time::Duration {
    std::time::Duration::from_micros(number.wrapping_mul(2_654_435_761) % 2_000_000)
}

/// The 99th percentile.
pub fn p99(mut late: Vec<u64>) -> f64 {
    late.sort_unstable();
    late[late.len() * 99 / 100] as f64
}

/// CPU time of this process, in nanoseconds.
pub fn cpu_time() -> f64 {
    // Two fields behind the name in parentheses, then the 12th and 13th of what follows: ticks of 10 ms.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        * 1e7
}

/// Nanoseconds per operation.
pub fn per_operation(start: Instant, operations: u64) -> f64 {
    start.elapsed().as_nanos() as f64 / operations as f64
}

fn one(contender: &str, workload: &str) -> Option<f64> {
    let &(_, n, _) = WORKLOADS.iter().find(|(name, ..)| *name == workload)?;
    match contender {
        "goroutines" => ours::run(workload, n),
        "tokio" => tokio_rt::run(workload, n),
        "threads" => threads::run(workload, n),
        _ => None,
    }
}

/// A process of its own, on one CPU; none if the contender does not take part.
fn measure(program: &str, args: &[&str]) -> Option<f64> {
    let output = Command::new("taskset")
        .args(["-c", "1", program])
        .args(args)
        .env("GOMAXPROCS", "1")
        .output()
        .ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn table(rounds: usize, go: Option<&str>) -> Result<(), std::io::Error> {
    let this = env::current_exe()?;
    let this = this.to_string_lossy();
    let contenders = ["goroutines", "go", "tokio", "threads"];
    println!("ns per operation, medians of {rounds} interleaved runs on one CPU\n");
    println!(
        "{:<12} {:>10} {:>10} {:>10} {:>10}",
        "", contenders[0], contenders[1], contenders[2], contenders[3]
    );
    for (workload, _, what) in WORKLOADS {
        let mut all = [const { Vec::new() }; 4];
        for _ in 0..rounds {
            for (contender, values) in contenders.iter().zip(&mut all) {
                let value = match *contender {
                    "go" => go.and_then(|go| measure(go, &[workload])),
                    other => measure(&this, &[other, workload]),
                };
                values.extend(value);
            }
        }
        let cells =
            all.map(|values| median(values).map_or("-".to_owned(), |ns| format!("{ns:.1}")));
        println!(
            "{workload:<12} {:>10} {:>10} {:>10} {:>10}   {what}",
            cells[0], cells[1], cells[2], cells[3]
        );
    }
    Ok(())
}

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
        [] => match table(rounds, go) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => usage(&error.to_string()),
        },
        [contender, workload] => match one(contender, workload) {
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
        "goroutines-rivals: {error}\nusage: goroutines-rivals [--rounds N] [--go PROGRAM] | CONTENDER WORKLOAD"
    );
    ExitCode::from(2)
}
