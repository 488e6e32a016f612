//! Numbered steps of essays: `S3` means one thing where it is written.
//!
//! An essay defines steps where a line, or a column of its drawing, begins with them. A letter may be used by several
//! essays, but a comment that names a step must leave no doubt whose it is: its file defines such steps, or names one
//! file that does.

use std::collections::BTreeMap;

use super::{SOURCES, files};

/// A step: its letters, with a hyphen if it has one, and its number.
type Step = (String, u8);

/// The comment of a line, or nothing.
fn comment(line: &str) -> &str {
    let line = line.trim_start();
    match line.strip_prefix("//") {
        Some(comment) => comment.trim_start_matches(['/', '!']),
        None => line.split_once(" // ").map_or("", |(_, comment)| comment),
    }
}

/// The step that `word` is.
fn step(word: &str) -> Option<Step> {
    let letters = word.find(|sign: char| !sign.is_ascii_uppercase())?;
    let (name, number) = match word[letters..].strip_prefix('-') {
        Some(number) => (format!("{}-", &word[..letters]), number),
        None => (word[..letters].to_owned(), &word[letters..]),
    };
    let number = number.parse().ok().filter(|_| number.len() == 1)?;
    (1..=2).contains(&letters).then_some((name, number))
}

/// The steps that a comment names. What stands in backticks is code.
fn steps(comment: &str) -> impl Iterator<Item = Step> {
    let words = comment.split(|sign: char| !sign.is_ascii_alphanumeric() && !"`-_".contains(sign));
    words.filter_map(step)
}

/// The letters whose first step begins a line or a column of an essay.
fn defined(text: &str) -> Vec<String> {
    let essay = text
        .lines()
        .filter(|line| line.starts_with("//!") || line.starts_with("// "));
    let begins = |line: &str| -> Vec<Step> {
        let columns = line.split("  ").flat_map(|column| column.split("| "));
        let first = |column: &str| step(column.trim_start().split(' ').next()?);
        columns.filter_map(first).collect()
    };
    let all = essay.flat_map(|line| begins(comment(line)));
    let firsts = all.filter(|(_, number)| *number == 1);
    firsts.map(|(name, _)| name).collect()
}

/// The files that a comment names, without their ending.
fn named(comment: &str) -> impl Iterator<Item = &str> {
    let words = comment.split(|sign: char| !sign.is_ascii_alphanumeric() && !"_/.".contains(sign));
    words.filter_map(|word| word.trim_end_matches('.').strip_suffix(".rs"))
}

#[test]
fn a_step_is_one_of_the_file_or_of_one_that_it_names() {
    let sources: BTreeMap<String, String> =
        SOURCES.iter().flat_map(|dir| files(dir, ".rs")).collect();
    let essays: BTreeMap<&str, Vec<String>> = sources
        .iter()
        .map(|(file, text)| (file.as_str(), defined(text)))
        .filter(|(_, names)| !names.is_empty())
        .collect();
    assert!(essays.len() > 20, "found only the essays {essays:?}");
    // The essays of steps `name` that are in files called `what`.
    let of = |name: &str, what: &str| -> Vec<&str> {
        let ending = format!("/{what}.rs");
        let all = essays
            .iter()
            .filter(|(_, names)| names.iter().any(|n| n == name));
        all.map(|(file, _)| *file)
            .filter(|file| file.ends_with(&ending))
            .collect()
    };
    let mut wrong = Vec::new();
    for (file, text) in &sources {
        let lines: Vec<&str> = text.lines().map(comment).collect();
        for (at, line) in lines.iter().enumerate() {
            let near = &lines[at.saturating_sub(1)..lines.len().min(at + 2)];
            for (name, number) in steps(line) {
                let known = essays.values().any(|names| names.contains(&name));
                let here = essays
                    .get(file.as_str())
                    .is_some_and(|own| own.contains(&name));
                let meant = |comments: &[&str]| -> Vec<&str> {
                    let files = comments.iter().flat_map(|comment| named(comment));
                    let mut essays: Vec<&str> = files.flat_map(|what| of(&name, what)).collect();
                    essays.sort_unstable();
                    essays.dedup();
                    essays
                };
                if known && !here && meant(near).is_empty() && meant(&lines).len() != 1 {
                    let whose = meant(&lines);
                    wrong.push(format!("{file}:{}: {name}{number} of {whose:?}", at + 1));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "name the file whose steps these are, as in `S3 of idle.rs`:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn an_essay_uses_a_letter_once() {
    for (file, text) in SOURCES.iter().flat_map(|dir| files(dir, ".rs")) {
        let mut names = defined(&text);
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(
            twice, None,
            "{file}: two rows of steps have the same letter"
        );
    }
}

#[test]
fn steps_and_their_essays_are_told_apart() {
    let words = "S3, G4: the 61st round (T1 to T4) of `M1`; ST-2 and P10, x86_64, UTF-8.";
    let found: Vec<String> = steps(words)
        .map(|(name, number)| format!("{name}{number}"))
        .collect();
    assert_eq!(found, ["S3", "G4", "T1", "T4", "ST-2"]);
    let essay = "//! A1 does      R1 undoes\n//! A2 as T1 of it\n//! | X-1 | a |\n/// Q1\n";
    assert_eq!(defined(essay), ["A", "R", "X-"]);
}
