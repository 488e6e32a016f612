//! How many system calls a server makes for an operation, as strace counts them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

use super::contender::Contender;
use super::sample::Sample;
use super::scenario::Scenario;
use super::server::Server;

/// Calls by name.
type Calls = BTreeMap<String, u64>;

/// Runs the server under strace twice: first only for the connections, then for a sample.
///
/// # Errors
///
/// When there is no strace, or the server or a client fails.
pub(super) fn count(scenario: &Scenario, who: &Contender, time: Duration) -> io::Result<Sample> {
    let few = run(scenario, who, time / 10)?;
    let many = run(scenario, who, time)?;
    let operations = many.1.saturating_sub(few.1).max(1) as f64;
    let each = many.0.iter().map(|(name, &calls)| {
        let few = few.0.get(name).copied().unwrap_or(0);
        let calls = calls.saturating_sub(few);
        (name.clone(), calls as f64 / operations)
    });
    let each: BTreeMap<String, f64> = each.collect();
    Ok(Sample {
        calls: Some(each.values().sum()),
        by_name: each
            .into_iter()
            .filter(|&(_, calls)| calls >= 0.005)
            .collect(),
        ..Sample::default()
    })
}

/// All system calls, and all operations.
fn run(scenario: &Scenario, who: &Contender, time: Duration) -> io::Result<(Calls, u64)> {
    let path = std::env::temp_dir().join(format!("net-report-{}.strace", std::process::id()));
    let file = path.to_string_lossy().into_owned();
    let before = ["strace", "-f", "-c", "-o", &file];
    let server = Server::start(who, &before, scenario.service, 1)?;
    let (counted, _) = scenario.work(&server, time, None, || Ok(()))?;
    server.end()?;
    let table = fs::read_to_string(&path)?;
    fs::remove_file(&path)?;
    Ok((calls(&table), counted.all))
}

/// The calls in the lines of strace's table: the fourth word of each is a number, and the last one a name.
fn calls(table: &str) -> Calls {
    let one = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, calls) = (*words.last()?, words.get(3)?.parse().ok()?);
        (name != "total").then(|| (name.to_owned(), calls))
    };
    table.lines().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_table_but_the_last_is_a_call() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                      60.00    0.000300           3       100           sendto\n\
                      40.00    0.000200           3        70         2 recvfrom\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     100.00    0.000500           3       170         2 total\n";
        let expected = [("recvfrom", 70), ("sendto", 100)];
        assert_eq!(
            calls(table),
            expected
                .map(|(name, calls)| (name.to_owned(), calls))
                .into()
        );
        assert!(calls("").is_empty());
    }
}
