//! A supervisor: it starts workers, learns how each of them ends, and starts again those that panic, three times at most.
//!
//! ```text
//! $ cargo run -p goroutines --example supervisor
//! steady: 10
//! unlucky: 20, after 2 restarts
//! hopeless: given up after 3 restarts
//! ```

use std::collections::{BTreeMap, HashMap};

use goroutines::{Builder, Config, JoinSet, StartError};

const LIMIT: usize = 3;

/// What a worker does; `run` counts its restarts.
fn work(name: &str, run: usize) -> u32 {
    match (name, run) {
        ("steady", _) => 10,
        ("unlucky", 2) => 20,
        _ => panic!("{name} failed in run {run}"),
    }
}

fn program() {
    let mut set = JoinSet::new();
    let mut running = HashMap::new();
    let start = |set: &mut JoinSet<u32>, running: &mut HashMap<_, _>, name, run| {
        let builder = Builder::new().name(format!("{name} {run}"));
        let id = set.spawn_with(builder, move || work(name, run)).unwrap();
        running.insert(id, (name, run));
    };
    for name in ["steady", "unlucky", "hopeless"] {
        start(&mut set, &mut running, name, 0);
    }
    let mut ends = BTreeMap::new();
    while let Some((id, result)) = set.join_next_with_id() {
        let (name, run) = running.remove(&id).unwrap();
        match result {
            Ok(value) => drop(ends.insert(value, (name, run))),
            Err(_) if run < LIMIT => start(&mut set, &mut running, name, run + 1),
            Err(_) => drop(ends.insert(u32::MAX, (name, run))),
        }
    }
    for (value, (name, run)) in ends {
        match (value, run) {
            (u32::MAX, run) => println!("{name}: given up after {run} restarts"),
            (value, 0) => println!("{name}: {value}"),
            (value, run) => println!("{name}: {value}, after {run} restarts"),
        }
    }
}

fn main() -> Result<(), StartError> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { goroutines::run(Config::new().panic_hook(false), program) }
}
