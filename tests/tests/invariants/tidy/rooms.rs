use super::{code, files};

/// Folders of the public crate whose files import in one direction: each from itself and from those before it.
const ROOMS: [(&str, &[&str]); 5] = [
    (
        "chan",
        &[
            "door",
            "core",
            "error",
            "sender",
            "receiver",
            "iter",
            "timed",
            "select",
            "future",
            "with_context",
            "mod",
        ],
    ),
    (
        "chan/core",
        &[
            "side",
            "timeout",
            "ring",
            "blocks",
            "clock",
            "buffer",
            "waiter",
            "state",
            "ahead",
            "steps",
            "boxed_wait",
            "locked",
            "channel",
            "promise",
            "won_room",
            "future_wait",
            "timekeeper",
            "counter",
            "mod",
        ],
    ),
    (
        "chan/select",
        &[
            "macros",
            "stash",
            "inline_vec",
            "case",
            "choose",
            "operation",
            "expansion",
            "selected",
            "mod",
        ],
    ),
    ("chan/future", &["alarm", "mod"]),
    (
        "sync/raw",
        &[
            "rwword", "waitq", "waits", "limit", "sleeper", "waiter", "turns", "rawlock",
            "rawcond", "rawsem", "rawonce", "rawrw", "rwslow", "mod",
        ],
    ),
];

/// Compiled by the loom models, whole, with another door.
const MODELLED: [&str; 2] = ["chan/core", "sync/raw"];

#[test]
fn channels_and_raw_locks_import_in_order() {
    let mut wrong = Vec::new();
    for (room, order) in ROOMS {
        for (file, text) in files(&format!("runtime/src/{room}"), ".rs") {
            let path = file
                .trim_start_matches("runtime/src/")
                .trim_end_matches(".rs");
            let module = path.trim_end_matches("/mod").to_owned();
            let inside = path[room.len()..].trim_start_matches('/');
            let own = inside.split('/').next().unwrap_or_default();
            let Some(place) = order.iter().position(|&known| known == own) else {
                panic!("{file}: give `{own}` a place in the order of {room}");
            };
            for import in imports(&text) {
                let Some(from) = absolute(&import, &module) else {
                    continue;
                };
                let Some(rest) = from.strip_prefix(&format!("{room}/")) else {
                    continue;
                };
                let name = rest.split('/').next().unwrap_or_default();
                // In its root a name may be of its own or handed on from outside.
                let is_known = order.contains(&name);
                let handed_on = name == "door" && MODELLED.contains(&room);
                let fits = order[..=place].contains(&name)
                    || handed_on
                    || own == "mod"
                    || from.starts_with(&format!("{module}/"));
                if !fits {
                    let why = if is_known {
                        "stands after it"
                    } else {
                        "is a name of the root: import the file"
                    };
                    wrong.push(format!("{file}: `{import}` {why}"));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "imports that run against the order:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn what_models_compile_of_the_public_crate_synchronises_through_its_door() {
    for room in MODELLED {
        for (file, text) in files(&format!("runtime/src/{room}"), ".rs") {
            if file.ends_with("/tests.rs") {
                continue;
            }
            let text = text.split("#[cfg(all(test").next().unwrap_or_default();
            for (line, text) in code(text) {
                for word in [
                    "std::sync",
                    "std::thread",
                    "loom::",
                    "goroutines_sched",
                    "crate::",
                ] {
                    assert!(
                        !text.contains(word),
                        "{file}:{line}: the models compile this with another door, and it names `{word}`"
                    );
                }
            }
        }
    }
}

/// The paths that a source imports, unit tests not counted.
fn imports(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod").next().unwrap_or_default();
    let text = text
        .split("#[cfg(all(test, not(goroutines_loom)))]\nmod")
        .next()
        .unwrap_or_default();
    let lines: Vec<&str> = code(text).map(|(_, line)| line.trim()).collect();
    let mut found = Vec::new();
    for statement in lines.join(" ").split(';') {
        let Some(start) = statement.find("use ") else {
            continue;
        };
        let before = statement[..start].trim_end();
        let opens = ["", "pub", "pub(crate)", "pub(super)"].contains(&before)
            || before.ends_with(['}', ']', ')'])
            || before.ends_with("pub");
        if opens {
            flatten("", &statement[start + 4..], &mut found);
        }
    }
    found
}

/// The single paths of a tree as `a::{b, c::{d, e}}`.
fn flatten(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let (mut depth, mut start) = (0, 0);
    let mut parts = Vec::new();
    for (at, sign) in tree.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&tree[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tree[start..]);
    for part in parts.iter().map(|part| part.trim()) {
        if let Some((head, rest)) = part.split_once('{') {
            let rest = rest.trim_end().strip_suffix('}').unwrap_or(rest);
            flatten(&format!("{prefix}{head}"), rest, found);
        } else if !part.is_empty() {
            found.push(format!("{prefix}{part}"));
        }
    }
}

/// An import of `module` as a path below the crate; `None`: of another crate.
fn absolute(import: &str, module: &str) -> Option<String> {
    let import = import.split(" as ").next().unwrap_or_default();
    let mut names = import.split("::").peekable();
    let mut place: Vec<&str> = match names.peek() {
        Some(&"crate") => Vec::new(),
        Some(&("super" | "self")) => module.split('/').collect(),
        _ => return None,
    };
    for name in names {
        match name {
            "crate" | "self" => {}
            "super" => {
                place.pop();
            }
            name => place.push(name),
        }
    }
    Some(place.join("/"))
}

#[test]
fn imports_are_found_whatever_their_shape() {
    let text = "//! use a::b;\nuse super::{\n    x,\n    y::{self, Z},\n};\npub(crate) use crate::chan::core as c;\nfn f() {}\n";
    let found = imports(text);
    let absolute: Vec<_> = found
        .iter()
        .filter_map(|import| absolute(import, "chan/select/case"))
        .collect();
    assert_eq!(
        absolute,
        [
            "chan/select/x",
            "chan/select/y",
            "chan/select/y/Z",
            "chan/core"
        ]
    );
}
