use std::{collections::BTreeSet, fs, path::Path};

use super::{files, root};

const CHAPTERS: &str = "docs/guide/src/";

/// The chapters: name and text. Not the table of contents.
fn chapters() -> Vec<(String, String)> {
    let mut found = files(CHAPTERS, ".md");
    for (file, _) in &mut found {
        *file = file.split_off(CHAPTERS.len());
    }
    found.retain(|(file, _)| file != "SUMMARY.md");
    found
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Where the links of a text lead, in the order in which they stand there. Those in code are none.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        is_code ^= line.trim_start().starts_with("```");
        let prose = line.split('`').step_by(2);
        for part in prose.filter(|_| !is_code) {
            found.extend(
                part.split("](")
                    .skip(1)
                    .filter_map(|rest| rest.split(')').next()),
            );
        }
    }
    found
}

#[test]
fn the_contents_of_the_guide_are_its_chapters() {
    let summary = read(&format!("{CHAPTERS}SUMMARY.md"));
    let named = links(&summary);
    let once: BTreeSet<&str> = named.iter().copied().collect();
    assert_eq!(named.len(), once.len(), "a chapter is named twice");
    let chapters = chapters();
    let there: BTreeSet<&str> = chapters.iter().map(|(file, _)| file.as_str()).collect();
    assert_eq!(once, there, "SUMMARY.md, and the files beside it");
}

#[test]
fn the_listings_of_every_chapter_are_tests() {
    let includes = read("examples/src/guide.rs");
    assert!(read("examples/src/lib.rs").contains("#[cfg(doctest)]\nmod guide;"));
    for (file, text) in chapters() {
        let include = format!("#[doc = include_str!(\"../../{CHAPTERS}{file}\")]\n");
        assert!(
            includes.contains(&include),
            "examples/src/guide.rs lacks {include}"
        );
        let fences = text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.starts_with("```"));
        for (line, fence) in fences.step_by(2) {
            // No `ignore`: a listing that cannot run is compiled at least.
            let kinds = [
                "rust",
                "rust,no_run",
                "rust,compile_fail,E0277",
                "text",
                "toml",
            ];
            assert!(
                kinds.contains(&&fence[3..]),
                "{CHAPTERS}{file}:{}: a block is one of {kinds:?}, and not {fence}",
                line + 1
            );
        }
    }
}

#[test]
fn relative_links_of_the_documents_lead_to_files() {
    let mut documents: Vec<(String, String)> = files("docs", ".md");
    for document in ["README.md", "HACKING.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        documents.push((document.to_owned(), read(document)));
    }
    let mut count = 0;
    for (file, text) in &documents {
        let folder = Path::new(file).parent().expect("a file is in a folder");
        for link in links(text) {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            assert!(
                root().join(folder).join(path).is_file(),
                "{file}: no {link}"
            );
            // A book has its own files alone.
            let is_chapter = file.starts_with(CHAPTERS);
            assert!(
                !is_chapter || !path.contains('/'),
                "{file}: {link} is outside of the book"
            );
            count += 1;
        }
    }
    assert!(count > 30, "only {count} links were found");
}
