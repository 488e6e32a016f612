//! The invariants of the design that a compiler does not check, as tests over the sources.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The order of imports in sched.
#[path = "tidy/wings.rs"]
mod wings;

/// The order of imports in channels and raw locks.
#[path = "tidy/rooms.rs"]
mod rooms;

/// The guide: its contents, its listings, and the links of all documents.
#[path = "tidy/guide.rs"]
mod guide;

/// What comments and HACKING.md say of the files.
#[path = "tidy/names.rs"]
mod names;

/// Whose the numbered steps are that comments name.
#[path = "tidy/steps.rs"]
mod steps;

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the workspace is above").to_owned()
}

/// Every file below `dir` whose name ends in `suffix`, relative to the workspace, with its text.
fn files(dir: &str, suffix: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![root().join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
            let path = entry.expect("a readable directory").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    dirs.push(path);
                }
            } else if name.ends_with(suffix) {
                let text = fs::read_to_string(&path).expect("a text file");
                let short = path.strip_prefix(root()).expect("below the workspace");
                found.push((short.to_string_lossy().into_owned(), text));
            }
        }
    }
    assert!(!found.is_empty(), "no *{suffix} below {dir}");
    found.sort();
    found
}

/// The lines of a source file that are code and not comment, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Fails with every place where `word` stands in code outside the `allowed` files.
fn only_in(dirs: &[&str], word: &str, allowed: &[&str]) {
    let mut strays = Vec::new();
    for dir in dirs {
        for (file, text) in files(dir, ".rs") {
            if allowed.iter().any(|place| file.starts_with(place)) {
                continue;
            }
            let hits = code(&text).filter(|(_, line)| line.contains(word));
            strays.extend(hits.map(|(n, line)| format!("{file}:{n}: {}", line.trim())));
        }
    }
    assert!(
        strays.is_empty(),
        "`{word}` may stand in {allowed:?} only:\n{}",
        strays.join("\n")
    );
}

const SOURCES: [&str; 6] = [
    "asm/src",
    "stack/src",
    "sched/src",
    "insight/src",
    "runtime/src",
    "runtime/macros/src",
];

#[test]
fn target_arch_stands_in_asm_only() {
    let dirs = [
        "stack",
        "sched",
        "insight",
        "runtime",
        "benches/src",
        "benches/benches",
    ];
    only_in(&dirs, "target_arch", &[]);
}

#[test]
fn inline_assembly_stands_in_asm_only() {
    only_in(&SOURCES, "asm!", &["asm/src/"]);
}

#[test]
fn thread_locals_stand_in_one_file() {
    // The models need to know whose turn it is: loom's own, in no program.
    let allowed = ["sched/src/switch/attach.rs", "sched/src/protocol/models/"];
    only_in(&SOURCES, "thread_local!", &allowed);
}

#[test]
fn the_switch_is_named_in_one_file_of_sched() {
    only_in(&["sched/src"], "goroutines_asm", &["sched/src/sys/asm.rs"]);
}

#[test]
fn every_event_in_the_life_of_a_goroutine_is_called_where_its_table_says() {
    let text = fs::read_to_string(root().join("sched/src/gmp/life_cycle.rs")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("//! | `"));
    let mut events = 0;
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let place = format!("sched/src/{}", cells[3]);
        for event in cells[1].split(", ").map(|name| name.trim_matches('`')) {
            assert!(text.contains(&format!("fn {event}(&self")), "no `{event}`");
            let call = format!(".{event}(");
            only_in(&["sched/src"], &call, &[&place]);
            let caller = fs::read_to_string(root().join(&place)).unwrap();
            assert!(caller.contains(&call), "{place} does not call `{event}`");
            events += 1;
        }
    }
    // The two others ask, and change nothing.
    assert_eq!(events + 2, text.matches("pub(crate) fn ").count());
}

#[test]
fn channels_and_locks_know_only_the_scheduler() {
    for word in [
        "std::sync::Mutex",
        "std::sync::Condvar",
        "parking_lot",
        "goroutines_asm",
        "goroutines_stack",
    ] {
        only_in(&["runtime/src"], word, &[]);
    }
    // The calls of sockets, and their errors; handlers of signals; the descriptor of a process.
    let system = [
        "runtime/src/net/",
        "runtime/src/process/pidfd.rs",
        "runtime/src/signal/handler.rs",
        "runtime/src/signal/quit.rs",
    ];
    only_in(&["runtime/src"], "libc::", &system);
}

#[test]
fn epoll_is_named_in_one_file() {
    only_in(&SOURCES, "libc::epoll", &["sched/src/sys/epoll.rs"]);
    only_in(&SOURCES, "eventfd", &["sched/src/sys/epoll.rs"]);
}

#[test]
fn a_report_knows_no_other_and_what_they_share_knows_none() {
    let reports = [
        "switch", "stack", "latency", "sleepers", "net", "rivals", "budget",
    ];
    for room in reports.iter().chain(&["report"]) {
        for (file, text) in files(&format!("benches/src/{room}"), ".rs") {
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (line, from) in wings::named(text) {
                assert!(
                    from == *room || !reports.contains(&from.as_str()),
                    "{file}:{line}: `{room}` imports from `{from}`"
                );
            }
        }
    }
}

/// The workspace members that the manifest of `member` depends on, tests and benches not counted.
fn dependencies(member: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(member).join("Cargo.toml")).expect("a manifest");
    let mut section = String::new();
    let mut found = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line.to_owned();
        } else if section == "[dependencies]"
            && let Some(name) = line.split(['.', ' ', '=']).next()
            && name.starts_with("goroutines")
        {
            found.push(name.to_owned());
        }
    }
    found
}

#[test]
fn dependencies_point_one_way() {
    assert_eq!(dependencies("asm"), [""; 0]);
    assert_eq!(dependencies("stack"), [""; 0]);
    assert_eq!(
        dependencies("sched"),
        ["goroutines-asm", "goroutines-stack"]
    );
    assert_eq!(
        dependencies("runtime"),
        [
            "goroutines-insight",
            "goroutines-macros",
            "goroutines-sched"
        ]
    );
    assert_eq!(dependencies("insight"), ["goroutines-sched"]);
    assert_eq!(dependencies("runtime/macros"), [""; 0]);
}

#[test]
fn asm_depends_on_nothing() {
    let manifest = fs::read_to_string(root().join("asm/Cargo.toml")).expect("a manifest");
    let after = manifest
        .split("[dependencies]")
        .nth(1)
        .unwrap_or_default()
        .split("\n[")
        .next()
        .unwrap_or_default();
    assert_eq!(after.trim(), "", "asm has a dependency");
}

#[test]
fn every_member_uses_the_one_lint_table() {
    let members = [
        "asm",
        "stack",
        "sched",
        "runtime",
        "runtime/macros",
        "benches",
        "tests",
        "tools/tlscheck",
        "tools/goroutines-top",
        "bridges/hyper",
        "bridges/io",
        "examples",
    ];
    for member in members {
        let manifest =
            fs::read_to_string(root().join(member).join("Cargo.toml")).expect("a manifest");
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{member}/Cargo.toml does not take the workspace's lints"
        );
    }
}

/// The `[[test]]` entries of the tests' manifest: name and path.
fn test_entries() -> Vec<(String, String)> {
    let manifest = fs::read_to_string(root().join("tests/Cargo.toml")).expect("a manifest");
    let value = |line: &str, key: &str| {
        let rest = line.strip_prefix(key)?.strip_prefix(" = \"")?;
        Some(rest.strip_suffix('"')?.to_owned())
    };
    let mut found = Vec::new();
    for entry in manifest.split("[[test]]").skip(1) {
        let lines = entry.lines().take_while(|line| !line.starts_with('['));
        let (mut name, mut path) = (None, None);
        for line in lines {
            name = name.or_else(|| value(line, "name"));
            path = path.or_else(|| value(line, "path"));
        }
        found.push((name.expect("a name"), path.expect("a path")));
    }
    found
}

#[test]
fn every_test_file_has_an_entry_of_its_name() {
    let entries = test_entries();
    for (file, _) in files("tests/tests", ".rs") {
        let path = file.strip_prefix("tests/").expect("below tests");
        let parts: Vec<&str> = path.split('/').collect();
        let (folder, name) = match parts[..] {
            [_, folder, name] => (folder, name.strip_suffix(".rs").expect("a source")),
            // A part of the test that its folder is named after.
            [_, folder, test, _] => (folder, test),
            _ => panic!("{file} is not in a folder of tests/tests, as HACKING.md lists them"),
        };
        let path = format!("tests/{folder}/{name}.rs");
        assert!(
            entries.contains(&(name.to_owned(), path.clone())),
            "{file} does not run: tests/Cargo.toml lacks\n[[test]]\nname = \"{name}\"\npath = \"{path}\""
        );
    }
}

/// The ports that `asm/src/arch/mod.rs` knows.
fn ports() -> Vec<String> {
    let text = fs::read_to_string(root().join("asm/src/arch/mod.rs")).expect("the list of ports");
    let ports: Vec<String> = code(&text)
        .filter(|(_, line)| !line.contains("not("))
        .flat_map(|(_, line)| line.split("target_arch = \"").skip(1))
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect();
    assert!(ports.len() >= 2, "found only the ports {ports:?}");
    ports
}

#[test]
fn every_port_has_a_file_a_toolchain_mutants_and_a_row_in_hacking() {
    let cross = fs::read_to_string(root().join("scripts/cross.sh")).expect("a script");
    let mutants = fs::read_to_string(root().join("scripts/mutants.sh")).expect("a script");
    let hacking = fs::read_to_string(root().join("HACKING.md")).expect("HACKING.md");
    let ci = fs::read_to_string(root().join(".ci/run")).expect(".ci/run");
    for port in ports() {
        let file = root().join(format!("asm/src/arch/{port}.rs"));
        assert!(file.is_file(), "no {}", file.display());
        // The toolchain's own CPU needs none.
        assert!(
            port == "x86_64" || cross.contains(&format!("        {port}) echo")),
            "scripts/cross.sh has no row for {port}"
        );
        assert!(
            mutants.contains(&format!("mutants_{port}() {{")),
            "scripts/mutants.sh has no mutants for {port}"
        );
        assert!(
            hacking.contains(&format!("| {port} |")),
            "the port table of HACKING.md has no row for {port}"
        );
    }
    assert!(
        ci.contains("step scripts/conform --promises\n"),
        ".ci/run does not run the conformance of all ports"
    );
}

#[test]
fn files_are_small_rooms() {
    let mut long = Vec::new();
    for dir in SOURCES
        .iter()
        .chain(&["benches/src", "tools", "bridges", "examples"])
    {
        for (file, text) in files(dir, ".rs") {
            let lines = text.lines().count();
            // What ports share lies in common.rs; a port has what only its CPU knows.
            let most = if file.starts_with("asm/src/arch/") {
                200
            } else {
                420
            };
            if lines > most {
                long.push(format!("{file}: {lines} lines"));
            }
        }
    }
    assert!(
        long.is_empty(),
        "files over about 400 lines, or 200 in asm/src/arch:\n{}",
        long.join("\n")
    );
}

#[test]
fn functions_that_can_park_say_so() {
    // What parks directly is written on these verbs; each public function around one says so.
    for (file, text) in files("runtime/src", ".rs") {
        let mut docs = String::new();
        for line in text.lines() {
            let line = line.trim_start();
            if line.starts_with("///") {
                docs.push_str(line);
                docs.push('\n');
            } else if let Some(rest) = line.strip_prefix("pub fn ") {
                let name = rest.split(['(', '<']).next().unwrap_or_default();
                let parks = [
                    "send",
                    "recv",
                    "select",
                    "ready",
                    "join",
                    "sleep",
                    "lock",
                    "wait",
                    "yield_now",
                    "grow",
                    "checkpoint",
                    "park",
                    "scope",
                    "sleep_until",
                    "read",
                    "write",
                    "wait_while",
                    "wait_force",
                    "call_once",
                    "call_once_force",
                    "get_or_init",
                    "force",
                    "wait_timeout_while",
                ];
                let timed = ["_timeout", "_deadline", "_for", "_until"]
                    .iter()
                    .any(|ending| name.ends_with(ending));
                let may_park = parks.contains(&name)
                    || name.starts_with("acquire")
                    || timed && !name.starts_with("is_") && !name.starts_with("with_")
                        // Of a socket: they say how long others may wait.
                        && !name.starts_with("set_")
                        && !["read_timeout", "write_timeout"].contains(&name);
                assert!(
                    !may_park || docs.contains("# Parks") || docs.contains("Does not wait."),
                    "{file}: `{name}` can park and its documentation has no section `# Parks`"
                );
                docs.clear();
            } else if !line.starts_with("#[") {
                docs.clear();
            }
        }
    }
}

/// The files of stack, each left of those that may import it.
const STACK: [&str; 23] = [
    "memory/map",
    "memory/class",
    "memory/step",
    "memory/guard",
    "memory/ranges",
    "windows/window",
    "windows/slot",
    "windows/chunk",
    "windows/lifo",
    "windows/arena",
    "windows/admission",
    "windows/shared",
    "windows/cache",
    "windows/reclaim",
    "windows/image",
    "windows/slab",
    "faults/hooks",
    "faults/sigstack",
    "faults/growth",
    "faults/backtrace",
    "faults/overflow",
    "faults/signal",
    "faults/sample",
];

#[test]
fn files_of_stack_import_in_order() {
    let mut wrong = Vec::new();
    for (file, text) in files("stack/src", ".rs") {
        let name = file
            .trim_start_matches("stack/src/")
            .trim_end_matches(".rs");
        if name == "lib" || name.ends_with("/mod") {
            continue;
        }
        let Some(place) = STACK.iter().position(|&known| known == name) else {
            panic!("{file}: give it a place in the order of stack's files");
        };
        // Unit tests at the end of a file may use what they like. A link in a comment is no import.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (line, path) in code(text).flat_map(|(n, line)| paths(line).map(move |p| (n, p))) {
            if !STACK[..place].contains(&path.as_str()) {
                wrong.push(format!("{file}:{line}: `crate::{path}`"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "imports that are not to the left:\n{}",
        wrong.join("\n")
    );
}

/// The paths after `crate::` and `super::` in a line of code, as `folder/file`.
fn paths(line: &str) -> impl Iterator<Item = String> {
    let line = line.replace("super::", "crate::super::");
    let rests: Vec<String> = line.split("crate::").skip(1).map(str::to_owned).collect();
    rests.into_iter().map(|rest| {
        let end = |sign: char| !sign.is_alphanumeric() && sign != '_' && sign != ':';
        let path = rest.split(end).next().unwrap_or_default();
        let names: Vec<&str> = path.split("::").take(2).collect();
        names.join("/")
    })
}

#[test]
fn safety_comments_of_asm_and_stack_state_the_fact_of_their_place() {
    let formulas = [
        "as above",
        "as before",
        "as in ",
        "as for ",
        "passed on",
        "says so",
        "says the caller",
        "the caller says",
        "the caller's contract",
        "keeps the same contract",
        "keeps the contract",
    ];
    let mut found = Vec::new();
    for (file, text) in ["asm", "stack"].iter().flat_map(|dir| files(dir, ".rs")) {
        for (n, line) in text.lines().enumerate() {
            let Some((_, comment)) = line.split_once("// SAFETY:") else {
                continue;
            };
            if formulas.iter().any(|formula| comment.contains(formula)) {
                found.push(format!("{file}:{}:{comment}", n + 1));
            }
        }
    }
    assert!(
        found.is_empty(),
        "formulas where a fact belongs:\n{}",
        found.join("\n")
    );
}
