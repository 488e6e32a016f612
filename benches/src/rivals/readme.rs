//! The part of the project's README that shows some lines of the report, between two marks.

use std::fs;
use std::path::Path;

use super::line::{Line, Report};
use super::markdown::tables;
use crate::report::failure::Failure;

const BEGIN: &str = "<!-- rivals: what follows is written by `scripts/rivals.sh`, from benches/rivals/kept.json -->\n";
const END: &str = "<!-- the end of rivals -->\n";

/// What it leaves out: lines about sizes between others.
const LEFT_OUT: [&str; 5] = [
    "yield, 10 tasks",
    "yield, 100 000 tasks",
    "unbuffered message, 500 pairs",
    "unbuffered message, 50 000 pairs",
    "20 000 sleepers",
];

/// The text of the file with the tables of this report in it.
///
/// # Errors
///
/// When it cannot be read, or has not both marks.
pub(super) fn with(path: &Path, report: &Report) -> Result<String, Failure> {
    let refused = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("--readme: `{}`: {why}", path.display()))
    };
    let text = fs::read_to_string(path).map_err(|error| refused(&error))?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some(format!("{before}{}{after}", block(report)))
    });
    let marks = format!(
        "it has no line `{}`, or none `{}`",
        BEGIN.trim(),
        END.trim()
    );
    parts.ok_or_else(|| refused(&marks))
}

fn block(report: &Report) -> String {
    let shown = |line: &Line| !LEFT_OUT.iter().any(|title| line.title.starts_with(title));
    format!("{BEGIN}\n{}\n{END}", tables(report, false, shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rivals::line::tests::made_up;
    use crate::rivals::row::ROWS;

    fn of_the_project(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
    }

    #[test]
    fn the_numbers_of_the_projects_readme_are_those_that_are_kept() {
        let readme = of_the_project("README.md");
        let text = fs::read_to_string(&readme).unwrap();
        let Ok(kept) = fs::read_to_string(of_the_project("benches/rivals/kept.json")) else {
            assert!(
                text.contains(&format!("{BEGIN}{END}")),
                "README.md has numbers of rivals, and benches/rivals/kept.json is not there"
            );
            return;
        };
        let report: Report = serde_json::from_str(&kept).unwrap();
        assert!(
            with(&readme, &report).unwrap() == text,
            "README.md differs from benches/rivals/kept.json: \
             `cargo run -p goroutines-benches --bin rivals-report -- --kept benches/rivals/kept.json --readme README.md` writes it"
        );
    }

    #[test]
    fn a_number_that_was_changed_by_hand_is_noticed_and_the_rest_stays() {
        let path = std::env::temp_dir().join(format!("goroutines-readme-{}", std::process::id()));
        let written = block(&made_up());
        fs::write(
            &path,
            format!("before\n{}after\n", written.replace("11.0", "10.9")),
        )
        .unwrap();
        let text = with(&path, &made_up()).unwrap();
        fs::write(&path, BEGIN).unwrap();
        let refused = with(&path, &made_up()).unwrap_err();
        fs::remove_file(&path).unwrap();
        assert_eq!(text, format!("before\n{written}after\n"));
        assert!(
            refused.status == 2 && refused.message.contains("the end of"),
            "{refused:?}"
        );
    }

    #[test]
    fn what_is_left_out_is_a_row() {
        for title in LEFT_OUT {
            assert!(ROWS.iter().any(|row| row.title == title), "{title}");
        }
    }
}
