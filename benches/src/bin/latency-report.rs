//! `latency-report`: how late a goroutine runs that should run now, beside others that take the CPUs.
//!
//! A ticker sleeps for a millisecond again and again and notes how much later it went on. Beside it run
//! goroutines that block their threads without saying so, that loop without end, that yield all the time.
//! The same with OS threads, in the same run.

use std::hint;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use goroutines::{Config, go, sleep, yield_now};
use goroutines_benches::machine::Machine;

/// Measures how late a 1 ms ticker is, beside goroutines and threads that keep the CPUs busy
#[derive(Parser, Debug)]
#[command(name = "latency-report", version)]
struct Arguments {
    /// Only try whether everything works: few ticks
    #[arg(long)]
    quick: bool,
}

/// What runs beside the ticker.
#[derive(Clone, Copy)]
enum Beside {
    Nothing,
    Blockers,
    Loops,
    Yielders,
}

impl Beside {
    const ALL: [(Beside, &'static str, u32); 4] = [
        (Beside::Nothing, "alone", 0),
        (Beside::Blockers, "8 that block 20 ms unannounced", 8),
        (Beside::Loops, "4 tight loops", 4),
        (Beside::Yielders, "1000 that yield", 1000),
    ];

    /// One of those beside the ticker, until `stop`.
    fn run(self, stop: &AtomicBool, give_way: fn()) {
        // Relaxed: only to end.
        while !stop.load(Ordering::Relaxed) {
            match self {
                Beside::Nothing => return,
                Beside::Blockers => {
                    thread::sleep(Duration::from_millis(20));
                    give_way();
                }
                Beside::Loops => (0..1000).for_each(|_| hint::spin_loop()),
                Beside::Yielders => give_way(),
            }
        }
    }
}

/// How late each of the ticks was, shortest first, in microseconds.
fn tick(ticks: u32, rest: fn(Duration)) -> Vec<u128> {
    const PERIOD: Duration = Duration::from_millis(1);
    let mut late: Vec<u128> = (0..ticks)
        .map(|_| {
            let due = Instant::now() + PERIOD;
            rest(PERIOD);
            due.elapsed().as_micros()
        })
        .collect();
    late.sort_unstable();
    late
}

fn goroutines(beside: Beside, count: u32, ticks: u32) -> Vec<u128> {
    let stop = Arc::new(AtomicBool::new(false));
    let others: Vec<_> = (0..count)
        .map(|_| {
            let stop = Arc::clone(&stop);
            go(move || beside.run(&stop, yield_now))
        })
        .collect();
    let late = go(move || tick(ticks, sleep)).join();
    // Relaxed: only to end.
    stop.store(true, Ordering::Relaxed);
    let ended = others.into_iter().all(|other| other.join().is_ok());
    late.ok().filter(|_| ended).unwrap_or_default()
}

fn threads(beside: Beside, count: u32, ticks: u32) -> Vec<u128> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| beside.run(&stop, thread::yield_now));
        }
        let late = tick(ticks, thread::sleep);
        // Relaxed: only to end.
        stop.store(true, Ordering::Relaxed);
        late
    })
}

fn report(out: &mut impl Write, ticks: u32) -> io::Result<()> {
    let machine = Machine::detect();
    writeln!(out, "goroutines: the latency report\n")?;
    writeln!(
        out,
        "  machine   {}, {} CPUs; {}; load {:.2} when it started",
        machine.cpu,
        machine.cpus_online,
        machine.kernel,
        machine.load.unwrap_or(0.0)
    )?;
    writeln!(
        out,
        "  measured  {ticks} ticks of 1 ms each, on 2 Ps and with OS threads; how late, in microseconds\n"
    )?;
    writeln!(
        out,
        "{:<34}{:>8}{:>8}{:>8}{:>8}{:>8}",
        "beside the ticker", "who", "p50", "p99", "p99.9", "max"
    )?;
    for (beside, name, count) in Beside::ALL {
        for (who, late) in [
            ("ours", goroutines(beside, count, ticks)),
            ("threads", threads(beside, count, ticks)),
        ] {
            let at = |share: f64| {
                let place = (late.len().saturating_sub(1)) as f64 * share;
                late.get(place as usize).copied().unwrap_or(0)
            };
            writeln!(
                out,
                "{name:<34}{who:>8}{:>8}{:>8}{:>8}{:>8}",
                at(0.5),
                at(0.99),
                at(0.999),
                at(1.0)
            )?;
            out.flush()?;
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    if let Err(error) = unsafe { Config::new().procs(2).start() } {
        eprintln!("latency-report: {error}");
        return ExitCode::FAILURE;
    }
    let ticks = if arguments.quick { 50 } else { 2000 };
    match report(&mut io::stdout().lock(), ticks) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("latency-report: writing the report: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
