use std::fs;

use super::{files, root};

/// The part of a line that is a comment.
fn comment(line: &str) -> &str {
    line.find("//").map_or("", |start| &line[start..])
}

/// The words of a text that consist of the signs of paths.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|sign: char| !sign.is_alphanumeric() && !"/._-".contains(sign))
        .map(|word| word.trim_end_matches('.'))
}

const MEMBERS: [&str; 7] = [
    "asm", "stack", "sched", "insight", "runtime", "benches", "tests",
];

/// What is written of the project: the comments of all sources, and the documents; each with its file and line.
fn statements() -> Vec<(String, usize, String)> {
    let mut all = Vec::new();
    for dir in MEMBERS.iter().chain(&["tools"]) {
        for (file, text) in files(dir, ".rs") {
            let lines = text.lines().enumerate();
            all.extend(lines.map(|(n, line)| (file.clone(), n + 1, comment(line).to_owned())));
        }
    }
    for document in [
        "HACKING.md",
        "README.md",
        "CONTRIBUTING.md",
        "docs/live-view.md",
        "docs/safety.md",
        "docs/where-it-runs.md",
    ] {
        let text = fs::read_to_string(root().join(document)).expect("a document");
        let lines = text.lines().enumerate();
        all.extend(lines.map(|(n, line)| (document.to_owned(), n + 1, line.to_owned())));
    }
    for (file, text) in files("docs/guide", ".md") {
        let lines = text.lines().enumerate();
        all.extend(lines.map(|(n, line)| (file.clone(), n + 1, line.to_owned())));
    }
    all
}

#[test]
fn every_source_file_that_is_named_exists() {
    let mut sources = Vec::new();
    for dir in MEMBERS.iter().chain(&["tools"]) {
        sources.extend(
            files(dir, ".rs")
                .into_iter()
                .map(|(file, _)| format!("/{file}")),
        );
    }
    let mut missing = Vec::new();
    for (file, line, text) in statements() {
        for word in words(&text)
            .filter(|word| word.len() > 3 && word.ends_with(".rs") && !word.ends_with("docs.rs"))
        {
            let tail = format!("/{}", word.trim_start_matches('/'));
            if !sources.iter().any(|source| source.ends_with(&tail)) {
                missing.push(format!("{file}:{line}: {word}"));
            }
        }
    }
    assert!(missing.is_empty(), "no such files:\n{}", missing.join("\n"));
}

#[test]
fn every_folder_that_is_named_exists() {
    let mut missing = Vec::new();
    for (file, line, text) in statements() {
        for word in words(&text) {
            let is_path = MEMBERS.iter().any(|member| {
                word.starts_with(&format!("{member}/src/"))
                    || word.starts_with(&format!("{member}/tests/"))
            });
            if is_path && !root().join(word).exists() {
                missing.push(format!("{file}:{line}: {word}"));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "no such files or folders:\n{}",
        missing.join("\n")
    );
}

#[test]
fn the_table_of_models_in_hacking_is_the_folder() {
    let hacking = fs::read_to_string(root().join("HACKING.md")).expect("HACKING.md");
    let mut rows: Vec<&str> = hacking
        .lines()
        .filter_map(|line| line.strip_prefix("| `models/")?.split('`').next())
        .collect();
    rows.sort_unstable();
    let folder = "sched/src/protocol/models/";
    let found = files(folder, ".rs");
    let models: Vec<&str> = found
        .iter()
        .filter_map(|(file, _)| file.strip_prefix(folder))
        // Parts of models, and what they share.
        .filter(|file| !file.contains('/') && !["mod.rs", "world.rs"].contains(file))
        .collect();
    assert_eq!(rows, models);
}

/// Words that stand for a fact that a reader would have to look for elsewhere.
const FORMULAS: [&str; 9] = [
    "as above",
    "as before",
    "as there",
    "as in `",
    "as for `",
    "passed on",
    "says the caller",
    "the caller's contract",
    "the same contract",
];

#[test]
fn safety_comments_state_the_fact_of_their_place() {
    let mut formulas = Vec::new();
    for dir in ["sched/src", "stack/src", "asm/src", "runtime/src"] {
        for (file, text) in files(dir, ".rs") {
            for (number, line) in text.lines().enumerate() {
                let Some((_, fact)) = line.split_once("// SAFETY:") else {
                    continue;
                };
                let fact = fact.trim_start().to_lowercase();
                if FORMULAS.iter().any(|formula| fact.starts_with(formula)) {
                    formulas.push(format!("{file}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    assert!(formulas.is_empty(), "formulas:\n{}", formulas.join("\n"));
}
