//! A line of the net report, from the JSON that it has written.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::line::{Cell, Line};
use crate::report::failure::Failure;

/// The row that is shown here, and who stands for whom.
const ROW: &str = "echo, 64 connections, 1 P";

#[derive(Deserialize)]
struct Report {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    who: String,
    samples: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    /// Microseconds of the server, an operation.
    processor: Option<f64>,
}

/// The processor time that an echo takes.
///
/// # Errors
///
/// When the file cannot be read or has no such row.
pub(super) fn line(path: &Path) -> Result<Line, Failure> {
    let refused =
        |why: &dyn std::fmt::Display| Failure::usage(format!("--net: `{}`: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| refused(&error))?;
    let report: Report = serde_json::from_str(&text).map_err(|error| refused(&error))?;
    let cells = report
        .rows
        .into_iter()
        .filter(|row| row.name == ROW && row.who != "raw");
    let cells: Vec<Cell> = cells.map(cell).collect();
    match cells.is_empty() {
        true => Err(refused(&format!("it has no row `{ROW}`"))),
        false => Ok(Line {
            title: "TCP echo, 64 connections: CPU of the server, us".to_owned(),
            procs: 1,
            cells,
        }),
    }
}

fn cell(row: Row) -> Cell {
    Cell {
        who: row.who,
        samples: row
            .samples
            .iter()
            .filter_map(|sample| sample.processor)
            .collect(),
        ..Cell::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_is_found_and_one_that_is_not_there_is_named() {
        let path = std::env::temp_dir().join(format!("goroutines-echo-{}", std::process::id()));
        let row = |who: &str| {
            format!(
                r#"{{"name": "{ROW}", "who": "{who}", "samples": [{{"processor": 3.5, "rate": 1}}]}}"#
            )
        };
        fs::write(
            &path,
            format!(r#"{{"rows": [{}, {}]}}"#, row("raw"), row("go")),
        )
        .unwrap();
        let line = line(&path).unwrap();
        fs::write(&path, r#"{"rows": []}"#).unwrap();
        let none = super::line(&path).unwrap_err();
        fs::remove_file(&path).unwrap();
        assert_eq!(line.cells.len(), 1);
        assert_eq!(
            (line.cells[0].who.as_str(), line.cells[0].samples[0]),
            ("go", 3.5)
        );
        assert!(none.message.contains(ROW), "{none:?}");
    }
}
