//! The table of the project's README: some rows of the report, as Markdown, between two marks in a file.

use std::fs;
use std::path::Path;

use super::Report;
use super::contender::RAW;
use super::row::Row;
use super::scenario::{CONNECTIONS, Clients, Plan, Scenario};
use super::service::Service;
use crate::report::failure::Failure;
use crate::report::numbers::{count, grouped};

const BEGIN: &str =
    "<!-- net-report: what follows is written by `scripts/rivals.sh net --readme README.md` -->\n";
const END: &str = "<!-- the end of net-report -->\n";

/// The columns, and whose rows they show.
const COLUMNS: [(&str, &str); 6] = [
    ("raw loop", RAW),
    ("goroutines", "goroutines"),
    ("OS threads", "threads"),
    ("Go", "go"),
    ("tokio", "tokio"),
    ("may", "may"),
];

/// A line of the table.
struct Line {
    title: &'static str,
    scenario: Scenario,
    cell: fn(&Row) -> Option<String>,
    /// Whose rows stand in the columns; none where nobody's do.
    who: [&'static str; COLUMNS.len()],
}

/// The file, and what stands around the table.
pub(super) struct Readme {
    before: String,
    after: String,
}

impl Readme {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or has not both marks.
    pub(super) fn open(path: &Path) -> Result<Readme, Failure> {
        let refused = |why: &dyn std::fmt::Display| {
            Failure::usage(format!("--readme: `{}`: {why}", path.display()))
        };
        let text = fs::read_to_string(path).map_err(|error| refused(&error))?;
        let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(END)?;
            Some((before.to_owned(), after.to_owned()))
        });
        let Some((before, after)) = parts else {
            let marks = format!(
                "it has no line `{}`, or none `{}`",
                BEGIN.trim(),
                END.trim()
            );
            return Err(refused(&marks));
        };
        Ok(Readme { before, after })
    }

    /// The text with a new table.
    pub(super) fn with(&self, report: &Report) -> String {
        let Readme { before, after } = self;
        format!("{before}{BEGIN}\n{}\n{END}{after}", table(report))
    }
}

/// What has to be measured for the table.
pub(super) fn scenarios(plan: &Plan) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for line in lines(plan) {
        if !scenarios.contains(&line.scenario) {
            scenarios.push(line.scenario);
        }
    }
    scenarios
}

fn lines(plan: &Plan) -> Vec<Line> {
    let all = COLUMNS.map(|(_, who)| who);
    let line = |title, service, connections| Line {
        title,
        scenario: Scenario::of(service, connections, 1),
        cell: rate,
        who: all,
    };
    let clients = |clients, line: Line| Line {
        scenario: Scenario {
            clients,
            ..line.scenario
        },
        ..line
    };
    let only = |who: &[&str], line: Line| Line {
        who: all.map(|one| if who.contains(&one) { one } else { "" }),
        ..line
    };
    let http = |title, pipeline| {
        let line = line(title, Service::Http, CONNECTIONS);
        clients(Clients::Closed(pipeline), line)
    };
    // In the columns of those on which it runs.
    let hyper = |line| Line {
        who: ["", "hyper", "", "", "tokio", ""],
        ..line
    };
    let on_httparse = |line| only(&[RAW, "goroutines", "threads", "go"], line);
    let idle = || Line {
        cell: bytes,
        ..clients(
            Clients::Idle,
            line(
                "bytes for an idle connection",
                Service::Echo,
                plan.many(10_000),
            ),
        )
    };
    let open = |title, percent, cell| Line {
        cell,
        ..clients(
            Clients::Open(percent),
            line(title, Service::Echo, CONNECTIONS),
        )
    };
    vec![
        line("echo, 64 connections", Service::Echo, CONNECTIONS),
        line("echo, 1000 connections", Service::Echo, plan.many(1000)),
        line("connect, echo, close", Service::Short, 8),
        on_httparse(http("HTTP/1.1 on httparse, and Go's", 1)),
        on_httparse(http("the same, 16 requests at a time", 16)),
        hyper(http("hyper, on goroutines and on tokio", 1)),
        hyper(http("the same, 16 requests at a time", 16)),
        only(
            &[RAW, "goroutines", "threads", "go", "tokio"],
            line("UDP echo, 64 clients", Service::Udp, CONNECTIONS),
        ),
        line("MiB, in writes of 64 KiB", Service::Bulk64K, 1),
        open("p99 at 50 % of the raw loop's rate, us", 50, p99),
        open("p99 at 80 % of the raw loop's rate, us", 80, p99),
        idle(),
        Line {
            title: "the same, stacks copied out",
            who: ["", "copied", "", "", "", ""],
            ..idle()
        },
    ]
}

/// Thousands of operations a second, and the processor time for one.
fn rate(row: &Row) -> Option<String> {
    let rate = row.summary(|sample| sample.rate)?.median / 1000.0;
    let processor = row.summary(|sample| sample.processor)?.median;
    let digits = |value: f64| usize::from(value < 9.95) + usize::from(value < 0.995);
    let number = |value: f64| format!("{value:.0$}", digits(value));
    Some(format!("{}k ({})", number(rate), number(processor)))
}

fn p99(row: &Row) -> Option<String> {
    Some(grouped(
        row.summary(|sample| sample.p99)?.median.round() as usize
    ))
}

fn bytes(row: &Row) -> Option<String> {
    Some(grouped(
        row.summary(|sample| sample.bytes)?.median.round() as usize
    ))
}

fn table(report: &Report) -> String {
    let titles = COLUMNS.map(|(title, _)| title).join(" | ");
    let mut text = format!("| | {titles} |\n|---|{}\n", "---:|".repeat(COLUMNS.len()));
    for line in lines(&report.plan) {
        let name = line.scenario.name();
        let cell = |who: &&str| {
            let row = report
                .rows
                .iter()
                .find(|row| row.name == name && row.who == *who);
            row.and_then(line.cell).unwrap_or_default()
        };
        let cells: Vec<String> = line.who.iter().map(cell).collect();
        text += &format!("| {} | {} |\n", line.title, cells.join(" | "));
    }
    let machine = &report.machine;
    let load = machine.load.map_or(String::new(), |load| {
        format!("\nThe load average was {load:.2} when it started.")
    });
    text + &format!(
        "\nMedians of {}, on {} with {}, {}.{load}\n",
        count(report.rounds, "interleaved round"),
        machine.cpu,
        count(machine.cpus_online, "CPU"),
        machine.kernel,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::contender::Contender;
    use crate::net::tests::made_up;

    #[test]
    fn every_line_is_a_row_of_the_report_with_those_that_it_suits() {
        for quick in [false, true] {
            let plan = Plan {
                quick,
                ..made_up().plan
            };
            let all = Scenario::all(&plan);
            for line in lines(&plan) {
                assert!(all.contains(&line.scenario), "{}", line.title);
                for who in line.who.iter().filter(|who| !who.is_empty()) {
                    let rival = || Contender::Rival(format!("{who}=x").parse().unwrap());
                    let own = Contender::all(&[])
                        .into_iter()
                        .find(|one| one.name() == *who);
                    let suits = line.scenario.suits(&own.unwrap_or_else(rival));
                    assert!(suits, "{}: {who}", line.title);
                }
            }
        }
    }

    #[test]
    fn a_cell_has_thousands_a_second_and_microseconds() {
        let mut report = made_up();
        report.plan.quick = true;
        let table = table(&report);
        let line = "| echo, 64 connections | 1.5k (3.0) | 3.0k (3.0) | 6.0k (3.0) |  |  |  |\n";
        assert!(table.contains(line), "{table}");
        assert!(table.contains("3 interleaved rounds"), "{table}");
    }
}
