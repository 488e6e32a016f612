//! The workloads of the rivals report on goroutines, tokio, may, OS threads and corosensei.
//!
//! `goroutines-rivals CONTENDER ROW PROCS SIZE MILLISECONDS` does one of them, in about so much time, and prints its figures:
//! `ns=17.2 bytes=4360`. If the contender does not take part it prints `no: ` and why. What the rows are says
//! `benches/src/rivals/row.rs`; `go/main.go` and `boost/main.cpp` are the same for Go and Boost.
//!
//! `goroutines-rivals serve CONTENDER SERVICE PROCS` is a server for the net report.

mod kit;
mod late;
mod may_rt;
mod measure;
mod ours;
mod raw;
mod serve;
mod serve_hyper;
mod serve_may;
mod serve_tokio;
mod threads;
mod tokio_late;
mod tokio_rt;
mod work;

use std::{env, process::ExitCode};

use measure::{Answer, Task};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", contender, service, procs] => match serve::run(contender, service, procs) {
            Some(Ok(())) => ExitCode::SUCCESS,
            Some(Err(error)) => {
                eprintln!("goroutines-rivals: {contender}: {error}");
                ExitCode::FAILURE
            }
            None => usage(&format!("{contender} cannot serve {service} on {procs}")),
        },
        [contender, row, procs, size, millis] => match Task::of(row, procs, size, millis) {
            Some(task) => match answer(contender, &task) {
                Some(answer) => tell(answer),
                None => usage(&format!("no contender {contender}")),
            },
            None => usage("PROCS, SIZE and MILLISECONDS are numbers"),
        },
        _ => usage("five words, or four after `serve`"),
    }
}

fn answer(contender: &str, task: &Task) -> Option<Answer> {
    Some(match contender {
        "goroutines" => ours::run(task),
        "tokio" => tokio_rt::multi(task),
        "tokio-ct" => tokio_rt::current(task),
        "may" => may_rt::run(task),
        "threads" => threads::run(task),
        "corosensei" => raw::corosensei(task),
        _ => return None,
    })
}

/// Prints, and ends the process with all that is parked in it.
fn tell(answer: Answer) -> ExitCode {
    match answer {
        Ok(figures) => {
            let words = figures
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            println!("{}", words.collect::<Vec<_>>().join(" "));
        }
        Err(why) => println!("no: {why}"),
    }
    std::process::exit(0)
}

fn usage(error: &str) -> ExitCode {
    eprintln!(
        "goroutines-rivals: {error}\nusage: goroutines-rivals CONTENDER ROW PROCS SIZE MILLISECONDS | serve CONTENDER SERVICE PROCS"
    );
    ExitCode::from(2)
}
