//! A run of this program under callgrind, and what callgrind counted.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use super::locked::Image;
use super::operation::Operation;

/// What was executed, over all threads but the monitor's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) instructions: f64,
    pub(super) locked: f64,
    /// Reads and writes that missed the first-level cache; 0 if that was not simulated.
    pub(super) misses: f64,
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.instructions += other.instructions;
        self.locked += other.locked;
        self.misses += other.misses;
    }

    /// What one of `operations` took, if `self` counts as many fewer than `longer`.
    pub(super) fn each(self, longer: Counts, operations: u64) -> Counts {
        let each = |less: f64, more: f64| (more - less) / operations as f64;
        Counts {
            instructions: each(self.instructions, longer.instructions),
            locked: each(self.locked, longer.locked),
            misses: each(self.misses, longer.misses),
        }
    }
}

/// The folder in which callgrind writes; removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Folder> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Relaxed: the number only has to be unique, the addition alone makes it so.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("goroutines-callgrind-{}-{number}", std::process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left lies among temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The function of the monitor's thread. Its work goes with time, not with operations: it is not counted.
const MONITOR: &str = "fn=goroutines_sched::sysmon::watch";

/// Counts a run of `n` operations.
///
/// # Errors
///
/// When there is no valgrind, the program fails under it, or the monitor's thread is not found.
pub(super) fn count(operation: &Operation, n: u64) -> io::Result<Counts> {
    let folder = Folder::new()?;
    let output = command(operation, n, &folder)?.output();
    let output =
        output.map_err(|error| io::Error::other(format!("cannot run valgrind: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!(
            "under valgrind: {}\n{said}",
            output.status
        )));
    }
    let (mut counts, mut monitors, mut images) = (Counts::default(), 0, Images::default());
    for file in fs::read_dir(&folder.0)? {
        let text = fs::read_to_string(file?.path())?;
        match text.lines().any(|line| line.starts_with(MONITOR)) {
            true => monitors += 1,
            false => counts.add(sum(&text, &mut images)),
        }
    }
    match monitors {
        1 => Ok(counts),
        _ => Err(io::Error::other(format!(
            "{monitors} threads have `{MONITOR}`, and not one"
        ))),
    }
}

fn command(operation: &Operation, n: u64, folder: &Folder) -> io::Result<Command> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--dump-instr=yes", "--dump-line=no"])
        .args([
            "--compress-pos=no",
            "--compress-strings=no",
            "--separate-threads=yes",
        ])
        // The same cache on every machine.
        .args(["--I1=32768,8,64", "--D1=32768,8,64", "--LL=8388608,16,64"])
        .arg(format!(
            "--cache-sim={}",
            if operation.cold { "yes" } else { "no" }
        ))
        .arg(format!(
            "--callgrind-out-file={}",
            folder.0.join("out").display()
        ))
        .arg(env::current_exe()?)
        .args(["--operate", operation.name])
        .args([operation.procs.to_string(), n.to_string()])
        // The variables of the caller must not change what is counted. Valgrind knows no other guards.
        .env_clear()
        .envs(env::vars_os().filter(|(name, _)| name == "PATH"))
        .env("GOROUTINE_GUARD", "mprotect");
    Ok(command)
}

/// The files that were read already.
#[derive(Default)]
struct Images(HashMap<String, Option<Image>>);

impl Images {
    fn is_locked(&mut self, object: &str, address: u64) -> bool {
        let image = self
            .0
            .entry(object.to_owned())
            .or_insert_with(|| Image::open(object));
        image.as_ref().is_some_and(|image| image.is_locked(address))
    }
}

/// Adds up what callgrind wrote: lines of an address and costs, below the name of the object that they lie in.
fn sum(text: &str, images: &mut Images) -> Counts {
    let (mut counts, mut object) = (Counts::default(), "");
    let (mut reads, mut writes) = (usize::MAX, usize::MAX);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(events) = line.strip_prefix("events: ") {
            let place = |name| events.split(' ').position(|event| event == name);
            (reads, writes) = (
                place("D1mr").unwrap_or(reads),
                place("D1mw").unwrap_or(writes),
            );
        } else if let Some(name) = line.strip_prefix("ob=") {
            object = name;
        } else if line.starts_with("calls=") {
            // What the called function took: it is counted there.
            lines.next();
        } else if let Some(line) = line.strip_prefix("0x") {
            let (address, costs) = line.split_once(' ').unwrap_or((line, ""));
            let costs: Vec<f64> = costs
                .split(' ')
                .filter_map(|cost| cost.parse().ok())
                .collect();
            let cost = |place: usize| costs.get(place).copied().unwrap_or(0.0);
            counts.instructions += cost(0);
            counts.misses += cost(reads) + cost(writes);
            let address = u64::from_str_radix(address, 16).unwrap_or(0);
            if images.is_locked(object, address) {
                counts.locked += cost(0);
            }
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_added_up_without_those_of_called_functions() {
        let text = "positions: instr\nevents: Ir Dr Dw I1mr D1mr D1mw\nsummary: 9\n\nob=/no/such\nfl=a\nfn=f\n\
                    0x10 3 1 0 0 1 \n0x12 4 0 2 0 0 2\ncob=b\ncfn=g\ncalls=2 0x40 \n0x14 100 9 9 9 9 9\n\nfn=g\n0x40 2\n";
        let counts = sum(text, &mut Images::default());
        let expected = Counts {
            instructions: 9.0,
            locked: 0.0,
            misses: 3.0,
        };
        assert_eq!(counts, expected);
    }

    #[test]
    fn an_operation_is_the_slope_between_two_runs() {
        let counts = |all| Counts {
            instructions: all,
            locked: all / 10.0,
            misses: 0.0,
        };
        assert_eq!(counts(500.0).each(counts(900.0), 4), counts(100.0));
    }
}
