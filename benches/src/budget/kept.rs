//! The recorded budgets: a Markdown file with one table, which the report reads and writes.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::{Figures, Row};
use crate::report::failure::Failure;
use crate::report::machine::Machine;

/// Counts of less than this are about nothing: a locked instruction in a hundred operations.
const NOTHING: f64 = 0.05;

/// The budgets of a file, in its order.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// Name, figures, and the last column.
    lines: Vec<(String, Figures, String)>,
}

/// What a count is beside its budget.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    Within,
    /// By what it is above its band.
    Over(String),
    Under(String),
    New,
}

impl Kept {
    /// Reads the file; one that is not there has no budgets yet.
    ///
    /// # Errors
    ///
    /// When it cannot be read or a line makes no sense.
    pub(super) fn read(path: &Path) -> Result<Kept, Failure> {
        let refused = |why: &dyn std::fmt::Display| {
            Failure::usage(format!("--budgets: `{}`: {why}", path.display()))
        };
        match fs::read_to_string(path) {
            Ok(text) => Kept::parse(&text).map_err(|line| refused(&format!("no budget: `{line}`"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Kept::default()),
            Err(error) => Err(refused(&error)),
        }
    }

    fn parse(text: &str) -> Result<Kept, String> {
        let mut kept = Kept::default();
        // The head of the table and the line below it.
        for line in text.lines().filter(|line| line.starts_with('|')).skip(2) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [name, instructions, locked, lines, band] = cells[..] else {
                return Err(line.to_owned());
            };
            let figure = |cell: &str| match cell {
                "-" => Ok(None),
                cell => cell.parse::<f64>().map(Some).map_err(|_| line.to_owned()),
            };
            let figures = Figures {
                instructions: figure(instructions)?.ok_or(line)?,
                locked: figure(locked)?,
                lines: figure(lines)?,
            };
            kept.lines.push((name.to_owned(), figures, band.to_owned()));
        }
        Ok(kept)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Figures> {
        let mut lines = self.lines.iter();
        lines
            .find(|(other, ..)| other == name)
            .map(|(_, figures, _)| figures)
    }

    /// Records what was counted, in the place of an older record.
    pub(super) fn set(&mut self, row: &Row) {
        let operation = &row.operation;
        let band = match operation.why {
            "" => format!("{:.0} %", operation.band * 100.0),
            why => format!("{:.0} %: {why}", operation.band * 100.0),
        };
        let line = (row.name.clone(), row.median(), band);
        match self.lines.iter_mut().find(|(name, ..)| *name == row.name) {
            Some(old) => *old = line,
            None => self.lines.push(line),
        }
    }

    pub(super) fn verdict(&self, row: &Row) -> Verdict {
        let Some(kept) = self.get(&row.name) else {
            return Verdict::New;
        };
        let now = row.median();
        let figures = [
            (
                "instructions",
                Some(now.instructions),
                Some(kept.instructions),
            ),
            ("locked", now.locked, kept.locked),
            ("lines", now.lines, kept.lines),
        ];
        let mut under = String::new();
        for (what, now, kept) in figures {
            let (Some(now), Some(kept)) = (now, kept) else {
                continue;
            };
            let band = (kept * row.operation.band).max(NOTHING);
            let text = format!("{}: {now:.2} {what}, the budget is {kept:.2}", row.name);
            if now > kept + band {
                return Verdict::Over(text);
            }
            if now < kept - band {
                under = text;
            }
        }
        match under.is_empty() {
            true => Verdict::Within,
            false => Verdict::Under(under),
        }
    }

    /// Whether nothing is above its budget.
    ///
    /// # Errors
    ///
    /// When something is, or has none.
    pub(super) fn judge(&self, rows: &[Row]) -> Result<(), Failure> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let (mut wrong, mut better) = (String::new(), String::new());
        for row in rows {
            // Writing to a string does not fail.
            let _ = match self.verdict(row) {
                Verdict::Over(text) => writeln!(wrong, "  {text}"),
                Verdict::New => writeln!(wrong, "  {}: no budget is recorded", row.name),
                Verdict::Under(text) => writeln!(better, "  {text}"),
                Verdict::Within => Ok(()),
            };
        }
        const HOW: &str = "`scripts/budgets.sh --record` records what is counted now";
        if !better.is_empty() {
            eprintln!(
                "below their budgets, which should be recorded so that it stays so; {HOW}:\n{better}"
            );
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(Failure::run(format!(
                "above their budgets:\n{wrong}If the change is worth it, {HOW}; say why in the commit"
            ))),
        }
    }

    pub(super) fn render(&self, machine: &Machine) -> String {
        let mut text = format!(
            "# Budgets\n\nWhat an operation costs: instructions over all threads but sysmon's, how many of them are locked, and, for those among \
             many goroutines,\ncache lines of 64 bytes that miss a cache of 32 KiB. Counted by callgrind in a release build \
             for {} by {}.\n`scripts/budgets.sh` counts again and fails above the band; `scripts/budgets.sh --record` writes this \
             file. How it is\ncounted says `benches/src/budget/mod.rs`, what the operations do `benches/src/budget/workload.rs`.\n\n\
             | operation | instructions | locked | lines | band |\n|---|---:|---:|---:|---|\n",
            std::env::consts::ARCH,
            machine.rustc
        );
        for (
            name,
            Figures {
                instructions,
                locked,
                lines,
            },
            band,
        ) in &self.lines
        {
            let some = |figure: &Option<f64>| {
                figure.map_or("-".to_owned(), |figure| format!("{figure:.2}"))
            };
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {name} | {instructions:.1} | {} | {} | {band} |",
                some(locked),
                some(lines)
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::operation::Operation;

    fn row(name: &str, instructions: f64, locked: f64) -> Row {
        let operation = Operation::all()[0];
        let counts = vec![Figures {
            instructions,
            locked: Some(locked),
            lines: None,
        }];
        Row {
            name: name.to_owned(),
            operation,
            counts,
        }
    }

    fn recorded() -> Kept {
        let mut kept = Kept::default();
        kept.set(&row("a", 100.0, 2.0));
        kept.set(&row("b", 1000.0, 0.0));
        kept
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = recorded().render(&Machine::detect());
        let read = Kept::parse(&text).unwrap();
        assert_eq!(read.lines, recorded().lines);
        assert!(Kept::parse(&text.replace("100.0", "many")).is_err());
    }

    #[test]
    fn a_count_above_its_band_fails_and_names_both_values() {
        let kept = recorded();
        assert_eq!(kept.verdict(&row("a", 101.9, 2.0)), Verdict::Within);
        for over in [row("a", 102.1, 2.0), row("a", 100.0, 2.1)] {
            let failure = kept.judge(&[over]).unwrap_err();
            assert_eq!(failure.status, 1);
            assert!(
                failure.message.contains("the budget is") && failure.message.contains("--record"),
                "{failure:?}"
            );
        }
    }

    #[test]
    fn a_better_count_passes_and_one_without_a_budget_does_not() {
        let kept = recorded();
        assert!(matches!(
            kept.verdict(&row("b", 900.0, 0.0)),
            Verdict::Under(_)
        ));
        assert!(kept.judge(&[row("b", 900.0, 0.0)]).is_ok());
        assert!(kept.judge(&[row("c", 1.0, 0.0)]).is_err());
        // Nothing recorded at all: there is nothing to compare with.
        assert!(Kept::default().judge(&[row("c", 1.0, 0.0)]).is_ok());
    }

    #[test]
    fn the_recorded_operations_are_those_that_there_are() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("budgets.md");
        let kept = Kept::read(&path).unwrap();
        let recorded: Vec<&str> = kept.lines.iter().map(|(name, ..)| name.as_str()).collect();
        let all: Vec<String> = Operation::all().iter().map(Operation::title).collect();
        assert_eq!(recorded, all);
    }

    #[test]
    fn a_new_record_takes_the_place_of_the_old_one() {
        let mut kept = recorded();
        kept.set(&row("a", 90.0, 1.0));
        assert_eq!(kept.lines.len(), 2);
        assert_eq!(kept.get("a").unwrap().instructions, 90.0);
    }
}
