//! How many system calls a server makes for an operation, as strace counts them.

use std::fs;
use std::io;
use std::time::Duration;

use super::contender::Contender;
use super::load;
use super::scenario::Sample;
use super::server::{Server, cpus};
use super::service::Service;

/// Runs the server under strace twice: first only for the connections, then for a sample.
///
/// # Errors
///
/// When there is no strace, or the server or a client fails.
pub(super) fn count(
    who: &Contender,
    service: Service,
    connections: usize,
    time: Duration,
) -> io::Result<Sample> {
    let few = run(who, service, connections, time / 10)?;
    let many = run(who, service, connections, time)?;
    let operations = many.1.saturating_sub(few.1).max(1);
    let calls = many.0.saturating_sub(few.0);
    Ok(Sample {
        calls: Some(calls as f64 / operations as f64),
        ..Sample::default()
    })
}

/// All system calls, and all operations.
fn run(
    who: &Contender,
    service: Service,
    connections: usize,
    time: Duration,
) -> io::Result<(u64, u64)> {
    let path = std::env::temp_dir().join(format!("net-report-{}.strace", std::process::id()));
    let file = path.to_string_lossy().into_owned();
    let before = ["strace", "-f", "-c", "-o", &file];
    let server = Server::start(who, &before, service, 1)?;
    let work: &load::Work<'_> = match service {
        Service::Short => &load::short,
        _ => &load::echo,
    };
    let (_, cpus) = cpus(1)?;
    let (counted, _) = load::run(server.address, connections, &cpus, time, work, || Ok(()))?;
    server.end()?;
    let table = fs::read_to_string(&path)?;
    fs::remove_file(&path)?;
    Ok((total(&table), counted.all))
}

/// The number in the last line of strace's table.
fn total(table: &str) -> u64 {
    let line = table.lines().find(|line| line.ends_with(" total"));
    let calls = line.and_then(|line| line.split_whitespace().nth(3));
    calls.and_then(|calls| calls.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_a_table_is_the_fourth_word_of_its_last_line() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                      60.00    0.000300           3       100           sendto\n\
                     100.00    0.000500           3       170         2 total\n";
        assert_eq!(total(table), 170);
        assert_eq!(total(""), 0);
    }
}
