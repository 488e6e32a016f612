//! lldb sees goroutines: in a process that it has stopped, and in a core file. `scripts/lldb.sh` installs lldb and runs these
//! tests; `LLDB` names another than the one on the path.

use std::{env, fs, path::Path, process};

use goroutines_tests::{in_order, program};

const PROGRAM: &str = env!("CARGO_BIN_EXE_parked");

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../runtime/src/debugger/goroutines_lldb.py"
);

/// What lldb prints when it runs `commands` one after the other. Before the output of each stands a line `== COMMAND`.
fn lldb(arguments: &[&str], commands: &[&str]) -> String {
    let name = env::var("LLDB").unwrap_or_else(|_| "lldb".to_owned());
    let mut lldb = program(&name);
    // gdb's core file has no guards, whose pages end a copy.
    lldb.env("GOROUTINE_GUARD", "mprotect");
    lldb.args(["--no-lldbinit", "--batch"]);
    let import = format!("command script import {SCRIPT}");
    let fixed = [
        &*import,
        "settings set stop-line-count-before 0",
        "settings set stop-line-count-after 0",
        // After a refusal it goes on.
        "settings set interpreter.stop-command-source-on-error false",
    ];
    for command in fixed {
        lldb.args(["--one-line-before-file", command]);
    }
    // Commands of the command line end at a refusal, whatever the setting; those of a file do not.
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "lldb-{}-{:?}",
        process::id(),
        std::thread::current().id()
    ));
    let lines: String = commands
        .iter()
        .map(|command| format!("script print('== {command}')\n{command}\n"))
        .collect();
    fs::write(&file, lines).expect("a file");
    lldb.arg("--source").arg(&file).args(arguments);
    let output = match lldb.output() {
        Ok(output) => output,
        Err(error) => panic!("{name} does not run ({error}): scripts/lldb.sh installs it"),
    };
    fs::remove_file(&file).expect("it was written");
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// What `command` has printed.
#[track_caller]
fn of<'a>(all: &'a str, command: &str) -> &'a str {
    let Some((_, rest)) = all.split_once(&format!("\n== {command}\n")) else {
        panic!("no output of `{command}`:\n{all}");
    };
    rest.split_once("\n(lldb) script print(")
        .map_or(rest, |(own, _)| own)
}

/// What is asked of a process that is stopped, and of a core file.
const QUESTIONS: [&str; 14] = [
    "goroutines",
    "goroutine 2 bt",
    "goroutine 5 bt",
    // Of those with copy stacks, about every third was the last that ran in its window, and is there still.
    "goroutine 9 bt",
    "goroutine 24 bt",
    "goroutine 39 bt",
    "goroutine 54 bt",
    "goroutine 69 bt",
    "goroutine 84 bt",
    "goroutine 900 bt",
    "goroutine 4",
    "bt",
    "goroutine off",
    "thread list",
];

#[track_caller]
fn answered(all: &str) {
    assert!(!all.contains("Traceback"), "{all}");
    in_order(
        of(all, "goroutines"),
        &[
            "89 goroutines\n",
            " 1 \"receiver\" [chan receive 0x",
            " 2 \"locker\" [mutex lock 0x",
            " 3 \"selector\" [select",
            " 4 \"sleeper\" [sleep]",
            " 9 \"copied 0\" [chan receive 0x",
            "] (its stack is copied out)",
            " 89 [running] (thread ",
        ],
    );
    let text = of(all, "goroutine 2 bt");
    in_order(
        text,
        &["goroutine 2 \"locker\"", "waits_for_a_lock", "root"],
    );
    let last = text.trim_end().lines().last().unwrap_or_default();
    assert!(last.contains("cpu::root"), "it does not end there:\n{text}");
    in_order(
        of(all, "goroutine 5 bt"),
        &[
            "waits_for_a_message",
            "on_the_segment",
            "linked_root",
            "below_the_segment",
            "cpu::root",
        ],
    );
    // Refusals are on the other stream.
    assert!(all.contains("no goroutine 900"), "{all}");
    let out = |number| all.contains(&format!("the stack of goroutine {number} is copied out"));
    assert!((9..=84).step_by(15).any(out), "{all}");
    in_order(
        of(all, "goroutine 4"),
        &["goroutine 4 \"sleeper\" [sleep]\n"],
    );
    in_order(of(all, "bt"), &["sleeps_for_long", "cpu::root"]);
    let threads = of(all, "thread list");
    assert!(
        !threads.contains("sleeper"),
        "it is still there:\n{threads}"
    );
}

#[test]
#[ignore = "needs lldb: scripts/lldb.sh"]
fn goroutines_are_listed_and_unwound_in_a_process_and_in_its_core_file() {
    let core = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lldb-core-{}", process::id()));
    let save = format!("process save-core {}", core.display());
    let mut commands = vec![
        "breakpoint set -n stops_here",
        // Stacks with a guard that moves grow by it.
        "process handle -n false -p true -s false SIGSEGV",
        "run",
    ];
    commands.extend(QUESTIONS);
    commands.extend([&*save, "continue", "process kill"]);
    let all = lldb(&[PROGRAM], &commands);
    answered(&all);
    // Nothing was written to it.
    in_order(of(&all, "continue"), &["SIGABRT"]);
    let path = core.to_str().expect("a path in UTF-8");
    let all = lldb(&["--core", path, PROGRAM], &QUESTIONS);
    fs::remove_file(&core).expect("it was written");
    answered(&all);
}

#[test]
#[ignore = "needs lldb: scripts/lldb.sh"]
fn what_is_no_program_of_goroutines_is_told_without_a_trace_of_the_script() {
    let all = lldb(&[PROGRAM], &["goroutines", "goroutine", "goroutine off"]);
    assert!(!all.contains("Traceback"), "{all}");
    for says in [
        "no process that is stopped",
        "say which: a number, or `off`",
    ] {
        assert!(all.contains(says), "no `{says}`: {all}");
    }
    let commands = [
        "process launch --stop-at-entry",
        "goroutines",
        "process kill",
    ];
    let all = lldb(&["/bin/true"], &commands);
    assert!(!all.contains("Traceback"), "{all}");
    assert!(all.contains("the program does not use goroutines"), "{all}");
}
