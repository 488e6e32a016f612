//! `sleepers-report`: what many sleeping goroutines cost, and how late they wake.
//!
//! Each sleeper sleeps once, for a random time of up to some seconds, and notes how much later than it asked it went
//! on. Reported is the processor time of the whole (starting, sleeping, waking, joining) for each, and the lateness.
//! The same with OS threads, of which a machine does not carry as many. Then what a timeout costs that does not
//! come: two that unpark each other, with a timeout and without.

use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use goroutines::{Builder, Config, thread};
use goroutines_benches::failure::{self, Failure};
use goroutines_benches::machine::Machine;
use goroutines_benches::stacks::stopwatch::Stopwatch;

/// Measures what many sleepers cost and how late they wake, as goroutines and as OS threads
#[derive(Parser, Debug)]
#[command(name = "sleepers-report", version)]
struct Arguments {
    /// Only try whether everything works: few sleepers, for a short time
    #[arg(long)]
    quick: bool,
    /// How many goroutines sleep
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    count: u32,
    /// The longest sleep, in milliseconds
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=600_000))]
    longest: u32,
    /// How many goroutines run at the same time
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=4096))]
    procs: u16,
}

/// Who sleeps.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    OwnStacks,
    CopyStacks,
    Threads,
}

/// OS threads for 100 goroutines: more are refused on many machines.
const THREADS_PERCENT: u32 = 1;

/// What became of the sleepers.
struct Outcome {
    processor: f64,
    /// Shortest first, in microseconds.
    late: Vec<u32>,
}

enum Handle {
    Goroutine(thread::JoinHandle<()>),
    Thread(std::thread::JoinHandle<()>),
}

fn start(who: Who, f: impl FnOnce() + Send + 'static) -> Result<Handle, Failure> {
    let started = match who {
        Who::OwnStacks => Builder::new().spawn(f).map(Handle::Goroutine),
        // SAFETY: the sleepers lend nothing of their stacks.
        Who::CopyStacks => unsafe { Builder::new().copy_stack() }
            .spawn(f)
            .map(Handle::Goroutine),
        Who::Threads => std::thread::Builder::new()
            .stack_size(64 << 10)
            .spawn(f)
            .map(Handle::Thread),
    };
    started.map_err(|error| Failure::run(format!("cannot start a sleeper: {error}")))
}

fn sleepers(who: Who, count: u32, longest: Duration) -> Result<Outcome, Failure> {
    let late: Arc<[AtomicU32]> = (0..count).map(|_| AtomicU32::new(0)).collect();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let watch = Stopwatch::start().map_err(Failure::run)?;
    let mut handles = Vec::with_capacity(count as usize);
    for index in 0..count as usize {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let rest = Duration::from_nanos(random % (longest.as_nanos() as u64 + 1));
        let late = Arc::clone(&late);
        handles.push(start(who, move || {
            let due = Instant::now() + rest;
            if who == Who::Threads {
                std::thread::sleep(rest);
            } else {
                thread::sleep(rest);
            }
            // Relaxed: read after the join.
            late[index].store(due.elapsed().as_micros() as u32, Ordering::Relaxed);
        })?);
    }
    for handle in handles {
        let joined = match handle {
            Handle::Goroutine(handle) => handle.join(),
            Handle::Thread(handle) => handle.join(),
        };
        joined.map_err(|_| Failure::run("a sleeper panicked"))?;
    }
    let took = watch.took().map_err(Failure::run)?;
    // Relaxed: as above.
    let mut late: Vec<u32> = late.iter().map(|l| l.load(Ordering::Relaxed)).collect();
    late.sort_unstable();
    Ok(Outcome {
        processor: took.processor / f64::from(count),
        late,
    })
}

/// Nanoseconds of processor time for a wait that an `unpark` of another goroutine ends.
fn hand_over(turns: u32, timeout: Option<Duration>) -> Result<f64, Failure> {
    let wait = move || match timeout {
        Some(timeout) => thread::park_timeout(timeout),
        None => thread::park(),
    };
    let watch = Stopwatch::start().map_err(Failure::run)?;
    let both = thread::spawn(move || {
        let first = thread::current();
        let second = thread::spawn(move || {
            for _ in 0..turns {
                wait();
                first.unpark();
            }
        });
        for _ in 0..turns {
            second.thread().unpark();
            wait();
        }
        second.join()
    });
    both.join()
        .and_then(|inner| inner)
        .map_err(|_| Failure::run("a goroutine that unparks panicked"))?;
    let took = watch.took().map_err(Failure::run)?;
    Ok(took.processor / f64::from(2 * turns))
}

fn report(arguments: &Arguments) -> Result<(), Failure> {
    let (count, longest) = match arguments.quick {
        true => (1000, Duration::from_millis(20)),
        false => (
            arguments.count,
            Duration::from_millis(arguments.longest.into()),
        ),
    };
    let machine = Machine::detect();
    let mut text = format!(
        "goroutines: the sleepers report\n\n  machine   {}, {} CPUs; {}; load {:.2} when it started\n  measured  one \
         sleep each of 0 to {} ms, on {} Ps; processor time in ns each, lateness in microseconds\n\n",
        machine.cpu,
        machine.cpus_online,
        machine.kernel,
        machine.load.unwrap_or(0.0),
        longest.as_millis(),
        arguments.procs,
    );
    let line = |text: &mut String, cells: [&str; 7]| {
        let [name, rest @ ..] = cells;
        let _ = write!(text, "{name:<34}");
        rest.iter().for_each(|cell| {
            let _ = write!(text, "{cell:>10}");
        });
        text.push('\n');
    };
    line(
        &mut text,
        ["sleepers", "count", "CPU ns", "p50", "p99", "p99.9", "max"],
    );
    let threads = (count * THREADS_PERCENT / 100).max(10);
    for (name, who, count) in [
        ("goroutines", Who::OwnStacks, count),
        ("the same again, stacks warm", Who::OwnStacks, count),
        ("goroutines with copy stacks", Who::CopyStacks, count),
        ("the same again", Who::CopyStacks, count),
        ("OS threads", Who::Threads, threads),
    ] {
        let outcome = sleepers(who, count, longest)?;
        let at = |share: f64| {
            let place = (outcome.late.len() - 1) as f64 * share;
            outcome.late[place as usize].to_string()
        };
        let processor = format!("{:.0}", outcome.processor);
        line(
            &mut text,
            [
                name,
                &count.to_string(),
                &processor,
                &at(0.5),
                &at(0.99),
                &at(0.999),
                &at(1.0),
            ],
        );
    }
    let turns = if arguments.quick { 1000 } else { 1_000_000 };
    for (name, timeout) in [
        ("park and unpark", None),
        (
            "with a timeout that does not come",
            Some(Duration::from_secs(3600)),
        ),
    ] {
        let processor = format!("{:.0}", hand_over(turns, timeout)?);
        line(&mut text, [name, "", &processor, "", "", "", ""]);
    }
    failure::print(&text)
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = Config::new().procs(arguments.procs.into());
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    let started = unsafe { config.start() }.map_err(Failure::run);
    failure::exit("sleepers-report", started.and_then(|()| report(&arguments)))
}
