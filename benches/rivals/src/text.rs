//! The table.

use std::{env, io};

use crate::{
    measure::{in_process, median},
    scenario::{CONTENDERS, WORKLOADS},
};

/// Measures every workload on every contender, one after the other in each round, and prints a row for each workload.
///
/// # Errors
///
/// When this program does not find itself.
pub fn print(rounds: usize, go: Option<&str>) -> io::Result<()> {
    let this = env::current_exe()?;
    let this = this.to_string_lossy();
    println!("ns per operation, medians of {rounds} interleaved runs on one CPU\n");
    println!("{}", row("", &CONTENDERS.map(str::to_owned)));
    for (workload, _, what) in WORKLOADS {
        let mut all = [const { Vec::new() }; CONTENDERS.len()];
        for _ in 0..rounds {
            for (contender, values) in CONTENDERS.iter().zip(&mut all) {
                let value = match *contender {
                    "go" => go.and_then(|go| in_process(go, &[workload])),
                    other => in_process(&this, &[other, workload]),
                };
                values.extend(value);
            }
        }
        let cells =
            all.map(|values| median(values).map_or("-".to_owned(), |ns| format!("{ns:.1}")));
        println!("{}   {what}", row(workload, &cells));
    }
    Ok(())
}

fn row(name: &str, cells: &[String]) -> String {
    let mut row = format!("{name:<12}");
    for cell in cells {
        row += &format!(" {cell:>10}");
    }
    row
}
