use std::fs;

use super::{code, files, root};

/// The wings of sched. Each imports from itself and from those before it.
const WINGS: [&str; 12] = [
    "sys", "protocol", "gmp", "switch", "stacks", "global", "schedule", "park", "task", "observe",
    "sysmon", "start",
];

/// Files that import from a wing after their own, and why.
const UPWARDS: [(&str, &str, &str); 0] = [];

#[test]
fn wings_of_sched_import_from_those_before_them() {
    let mut wrong = Vec::new();
    for (file, text) in files("sched/src", ".rs") {
        let path = file.strip_prefix("sched/src/").expect("below sched");
        let Some((wing, _)) = path.split_once('/') else {
            assert_eq!(path, "lib.rs", "a file of sched that lies in no wing");
            continue;
        };
        let Some(own) = WINGS.iter().position(|&known| known == wing) else {
            panic!("{file}: sched has no wing `{wing}`");
        };
        // The models compile the core of channels and locks, whose door they build.
        if path.starts_with("protocol/models/") {
            continue;
        }
        for (line, from) in named(&text) {
            let to_the_left = WINGS[..=own].contains(&from.as_str());
            let excused = UPWARDS
                .iter()
                .any(|&(who, whom, _)| (who, whom) == (path, from.as_str()));
            if !to_the_left && !excused {
                wrong.push(format!("{file}:{line}: `crate::{from}`"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "the order of the wings is {}; these imports run against it:\n{}",
        WINGS.join(" < "),
        wrong.join("\n")
    );
}

#[test]
fn lib_rs_lists_the_wings_in_their_order() {
    let text = fs::read_to_string(root().join("sched/src/lib.rs")).expect("the crate's root");
    let listed: Vec<&str> = code(&text)
        .filter_map(|(_, line)| line.strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(listed, WINGS);
    let conditions = code(&text).filter(|(_, line)| line.contains("cfg(not(goroutines_loom))"));
    assert_eq!(
        conditions.count(),
        1,
        "lib.rs is a table of contents: the condition stands in the wings"
    );
}

#[test]
fn each_wing_says_what_it_is_and_only_protocol_is_compiled_for_models() {
    for wing in WINGS {
        let file = format!("sched/src/{wing}/mod.rs");
        let text = fs::read_to_string(root().join(&file)).expect("the wing's root");
        assert!(
            text.starts_with("//! "),
            "{file} does not open with what the wing is"
        );
        let essay: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .collect();
        assert!(
            essay.iter().any(|line| line.contains("Imported by")),
            "{file} does not say who may import it"
        );
        assert_eq!(
            text.contains("\n#![cfg(not(goroutines_loom))]\n"),
            wing != "protocol",
            "{file}: the models compile protocol and nothing else"
        );
    }
}

#[test]
fn pure_modules_import_synchronisation_from_one_door() {
    for (file, text) in files("sched/src/protocol", ".rs") {
        if file.contains("/models/") || file.ends_with("/sync.rs") {
            continue;
        }
        // Unit tests at the end of a file may use what they like.
        let text = text.split("#[cfg(all(test").next().unwrap_or_default();
        for (n, line) in code(text) {
            for word in ["std::sync", "std::thread", "loom::", "libc"] {
                assert!(
                    !line.contains(word),
                    "{file}:{n}: a pure module with `{word}`"
                );
            }
        }
        for (n, from) in named(text) {
            assert_eq!(
                from, "protocol",
                "{file}:{n}: a pure module imports from `{from}`"
            );
        }
    }
}

/// The first names after `crate::` in the code of a file, each with its line.
pub(crate) fn named(text: &str) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    let mut list = String::new();
    for (number, line) in code(text) {
        // A list of imports may run over lines.
        if !list.is_empty() || line.contains("use crate::{") {
            list.push_str(line);
            if line.ends_with(';') {
                names.extend(heads(&list).into_iter().map(|name| (number, name)));
                list.clear();
            }
            continue;
        }
        for rest in line.split("crate::").skip(1) {
            let end = |sign: char| !sign.is_alphanumeric() && sign != '_';
            let name = rest.split(end).next().unwrap_or_default();
            names.push((number, name.to_owned()));
        }
    }
    names
}

/// The first names in `use crate::{...};`.
fn heads(list: &str) -> Vec<String> {
    let inner = list.split_once('{').map_or("", |(_, inner)| inner);
    let (mut depth, mut name, mut names) = (0, String::new(), Vec::new());
    for sign in inner.chars() {
        match sign {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => names.push(std::mem::take(&mut name)),
            _ if depth == 0 => name.push(sign),
            _ => {}
        }
    }
    let head = |name: String| {
        name.trim()
            .split("::")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    names
        .into_iter()
        .map(head)
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn the_reader_of_imports_finds_every_form() {
    let text = "use crate::{\n    a::{b, c::{d}},\n    e,\n};\nuse crate::f::g;\nlet x = crate::h::i(); // crate::no\n\
                // crate::no\npub(crate) use crate::{j};\n";
    let found: Vec<String> = named(text).into_iter().map(|(_, name)| name).collect();
    assert_eq!(found, ["a", "e", "f", "h", "no", "j"]);
}
