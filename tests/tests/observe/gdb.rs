//! gdb sees goroutines: in a process that it has stopped, and in a core file. `scripts/gdb.sh` installs gdb and runs these tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use goroutines_tests::{in_order, program};

const PROGRAM: &str = env!("CARGO_BIN_EXE_parked");

/// What gdb prints when it runs `commands` one after the other, on `program` and perhaps a core file. Before the output of
/// each stands a line `== COMMAND`.
fn gdb(settings: &[&str], program_and_core: &[&Path], commands: &[&str]) -> String {
    let mut gdb = program("gdb");
    gdb.args(["-nx", "-batch"]);
    // gdb runs the script that is in the program.
    let script = format!("add-auto-load-safe-path {PROGRAM}");
    gdb.args(["-iex", &script, "-iex", "set debuginfod enabled off"]);
    let fixed = [
        "set breakpoint pending on",
        "set pagination off",
        "set width 0",
        // Stacks with a guard that moves grow by it.
        "handle SIGSEGV nostop noprint pass",
    ];
    for setting in fixed.iter().chain(settings) {
        gdb.args(["-iex", setting]);
    }
    gdb.args(program_and_core);
    for command in commands {
        gdb.args(["-ex", &format!("echo == {command}\\n"), "-ex", command]);
    }
    said(&mut gdb)
}

fn said(gdb: &mut Command) -> String {
    let output = match gdb.output() {
        Ok(output) => output,
        Err(error) => panic!("gdb does not run ({error}): scripts/gdb.sh installs it"),
    };
    let (out, err) = (output.stdout, output.stderr);
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&out),
        String::from_utf8_lossy(&err)
    )
}

/// What `command` has printed.
#[track_caller]
fn of<'a>(all: &'a str, command: &str) -> &'a str {
    let Some((_, rest)) = all.split_once(&format!("== {command}\n")) else {
        panic!("no output of `{command}`:\n{all}");
    };
    rest.split_once("\n== ").map_or(rest, |(own, _)| own)
}

/// The name of a function as a backtrace has it: without its path where only lines are known, as in release builds.
fn shown(path: &'static str) -> &'static str {
    match path {
        path if cfg!(debug_assertions) => path,
        "parked::main::" => "{closure#0}",
        path => path.rsplit("::").next().unwrap_or(path),
    }
}

/// Stops the program before it aborts. Where only lines are known, gdb does not find the program's own function by name.
const BREAK: &str = match cfg!(debug_assertions) {
    true => "break parked::stops_here",
    false => "break abort",
};

/// What is asked of a process that is stopped, and of a core file.
const QUESTIONS: [&str; 22] = [
    "info goroutines",
    "goroutine 1 bt",
    "goroutine 2 bt",
    "goroutine 3 bt",
    "goroutine 4 bt",
    "goroutine 5 bt",
    // Of those with copy stacks, about every third was the last that ran in its window, and is there still.
    "goroutine 9 bt",
    "goroutine 24 bt",
    "goroutine 39 bt",
    "goroutine 54 bt",
    "goroutine 69 bt",
    "goroutine 84 bt",
    "goroutine 89 bt",
    "goroutine all bt -3",
    "info goroutines -group",
    "goroutine 4",
    "bt",
    "goroutine 2 bt 30",
    "frame 1",
    "info goroutines ",
    "goroutine off",
    "bt 3",
];

#[track_caller]
fn answered(all: &str) {
    assert!(!all.contains("Traceback"), "{all}");
    let list = of(all, "info goroutines");
    in_order(
        list,
        &[
            "89 goroutines\n",
            " 1 \"receiver\" [chan receive 0x",
            "] parked::waits_for_a_message",
            " 2 \"locker\" [mutex lock 0x",
            "] parked::waits_for_a_lock",
            " 3 \"selector\" [select",
            "] parked::waits_in_a_select",
            " 4 \"sleeper\" [sleep] parked::sleeps_for_long",
            " 5 \"deep\" [chan receive 0x",
            "] parked::waits_for_a_message",
            " 9 \"copied 0\" [chan receive 0x",
            "] (its stack is copied out)",
            " 89 [running] (thread ",
        ],
    );
    for (number, frames) in [
        (1, "parked::waits_for_a_message"),
        (2, "parked::waits_for_a_lock"),
        (3, "parked::waits_in_a_select"),
        (4, "parked::sleeps_for_long"),
    ] {
        let frames = [
            " in ",
            shown(frames),
            shown("parked::main::"),
            shown("exit::main"),
            "::root",
        ];
        let text = of(all, &format!("goroutine {number} bt"));
        in_order(text, &frames);
        let last = text.trim_end().lines().last().unwrap_or_default();
        assert!(last.contains("cpu::root"), "it does not end there:\n{text}");
        assert!(
            !text.contains("abort") && !text.contains("\n#0"),
            "frames of a thread:\n{text}"
        );
    }
    in_order(
        of(all, "goroutine 5 bt"),
        &[
            shown("parked::waits_for_a_message"),
            shown("parked::on_the_segment"),
            "linked_root",
            shown("parked::below_the_segment"),
            shown("parked::main::"),
            "cpu::root",
        ],
    );
    let copied = (9..=84)
        .step_by(15)
        .map(|number| of(all, &format!("goroutine {number} bt")));
    let mut out = copied.filter(|text| text.contains("(image: candidates)\n"));
    in_order(
        out.next().expect("one of them is copied out"),
        &[
            "(image: candidates)\n",
            "parked::waits_for_a_message",
            "parked::waits_copied_out",
            "parked.rs:",
        ],
    );
    in_order(
        of(all, "goroutine 89 bt"),
        &["(on thread ", shown("parked::computes"), "cpu::root"],
    );
    in_order(
        of(all, "goroutine all bt -3"),
        &[
            "goroutine 1 \"receiver\"",
            "goroutine 5 \"deep\"",
            "goroutine 89 [running]",
        ],
    );
    in_order(
        of(all, "info goroutines -group"),
        &[
            "89 goroutines\n",
            "\n3 [sleep]: 6 7 8\n",
            shown("parked::sleeps_as_others_do"),
        ],
    );
    in_order(
        of(all, "goroutine 4"),
        &["goroutine 4 \"sleeper\" [sleep]\n", "#1 "],
    );
    // Another is looked at, and the selected one stays so.
    in_order(
        of(all, "goroutine 2 bt 30"),
        &[shown("parked::waits_for_a_lock")],
    );
    in_order(
        of(all, "info goroutines "),
        &["\n*      4 \"sleeper\" [sleep]"],
    );
    assert!(of(all, "frame 1").contains("#1 "), "{all}");
    assert!(of(all, "bt 3").starts_with("#0 "), "{all}");
    in_order(
        of(all, "bt"),
        &["#1 ", shown("parked::sleeps_for_long"), "cpu::root"],
    );
}

/// A name for a file of this process, which is removed at the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Temporary {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        Temporary(folder.join(format!("{name}-{}", process::id())))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may not have been made.
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
#[ignore = "needs gdb: scripts/gdb.sh"]
fn goroutines_of_a_stopped_process_are_listed_and_unwound_and_it_goes_on() {
    let mut commands = vec![BREAK, "run"];
    commands.extend(QUESTIONS);
    commands.extend(["delete", "continue"]);
    let all = gdb(&[], &[Path::new(PROGRAM)], &commands);
    answered(&all);
    // Nothing was written to it.
    in_order(of(&all, "continue"), &["SIGABRT"]);
}

#[test]
#[ignore = "needs gdb: scripts/gdb.sh"]
fn goroutines_of_a_core_file_are_listed_and_unwound() {
    let core = written("core");
    answered(&gdb(&[], &[Path::new(PROGRAM), &core.0], &QUESTIONS));
}

/// A core file of the program, where it aborts.
fn written(name: &str) -> Temporary {
    let core = Temporary::new(name);
    let path = core.0.to_str().expect("a path in UTF-8");
    let write = format!("generate-core-file {path}");
    // gdb ends a copy at the first page that it cannot read, which guards are unless they are mappings of their own.
    let settings = ["set environment GOROUTINE_GUARD=mprotect"];
    let written = gdb(&settings, &[Path::new(PROGRAM)], &["run", &write, "kill"]);
    assert!(written.contains("Saved corefile"), "{written}");
    core
}

#[test]
#[ignore = "needs gdb: scripts/gdb.sh"]
fn a_core_file_that_was_cut_short_is_told_without_a_trace_of_the_script() {
    let core = written("cut");
    let file = fs::File::options().write(true).open(&core.0).unwrap();
    let whole = file.metadata().unwrap().len();
    let commands = [
        "info goroutines",
        "goroutine 1 bt",
        "goroutine 9 bt",
        "goroutine all bt -3",
        "info goroutines -group",
        "goroutine 4",
        "echo done\\n",
    ];
    // Shorter and shorter. The list is in the memory of the program, which comes first.
    for length in [whole - whole / 10, whole / 2, whole / 10, 1 << 16, 100, 0] {
        file.set_len(length).unwrap();
        let all = gdb(&[], &[Path::new(PROGRAM), &core.0], &commands);
        for sign in ["Traceback", "Python Exception", "Error occurred in Python"] {
            assert!(!all.contains(sign), "{length} of {whole} bytes: {all}");
        }
        let told = [
            "goroutines: no memory at 0x",
            "goroutines: no table in this core",
            "goroutines: no process and no core file",
            "89 goroutines",
        ];
        let list = &all[all.find("== info goroutines").expect("it was asked")..];
        assert!(
            told.iter().any(|told| list.contains(told)),
            "{length} of {whole} bytes: {all}"
        );
        assert!(all.contains("\ndone\n"), "it did not go on: {all}");
    }
}

#[test]
#[ignore = "needs gdb: scripts/gdb.sh"]
fn a_table_of_another_version_is_refused_with_both_numbers() {
    let commands = [
        BREAK,
        "run",
        "set language c",
        "python gdb.execute('set *(unsigned int *)%d = 7' % (address_of_table() + 8))",
        "info goroutines",
        "python gdb.execute('set *(char *)%d = 0' % address_of_table())",
        "goroutine 1 bt",
        "kill",
    ];
    let all = gdb(&[], &[Path::new(PROGRAM)], &commands);
    for refusal in [
        "goroutines: this script reads version 1 of the table, and the program has version 7: use the script of the \
         program's version\n",
        "goroutines: no table in this core, or the program has not come to `main`\n",
    ] {
        assert!(all.contains(refusal), "{all}");
    }
    assert!(!all.contains("Traceback"), "{all}");
}

#[test]
#[ignore = "needs gdb: scripts/gdb.sh"]
fn what_cannot_be_done_is_said_with_a_remedy() {
    let commands = [
        "info goroutines",
        BREAK,
        "run",
        "info goroutines -all",
        "goroutine",
        "goroutine nine bt",
        "goroutine 900 bt",
        "goroutine all",
        "goroutine 9",
        "goroutine 89",
        "kill",
    ];
    let all = gdb(&[], &[Path::new(PROGRAM)], &commands);
    for refusal in [
        "goroutines: no process and no core file\n",
        "info goroutines: `-all` is no option: say -group, or nothing\n",
        "goroutine: say which: a number, `all`, or `off`\n",
        "goroutine: `nine` is no number of a goroutine, nor `all` or `off`\n",
        "goroutine: no goroutine 900: `info goroutines` lists them\n",
        "goroutine all: say a command, such as bt\n",
        "goroutine: goroutine 9 is not parked on a stack of its own: use `goroutine 9 bt`\n",
        "goroutine: goroutine 89 is not parked on a stack of its own: use `goroutine 89 bt`\n",
    ] {
        assert!(all.contains(refusal), "no `{refusal}`:\n{all}");
    }
    assert!(!all.contains("Traceback"), "{all}");
}

#[test]
#[ignore = "needs gdb: scripts/gdb.sh"]
fn without_debug_information_functions_are_known_by_their_symbols() {
    let bare = Temporary::new("bare");
    let mut strip = Command::new("objcopy");
    strip.arg("--strip-debug").arg(PROGRAM).arg(&bare.0);
    assert!(strip.status().expect("objcopy of binutils").success());
    let allow = format!("add-auto-load-safe-path {}", bare.0.display());
    let commands = ["run", "info goroutines", "goroutine 5 bt", "kill"];
    let all = gdb(&[&allow], &[&bare.0], &commands);
    in_order(
        of(&all, "info goroutines"),
        &[
            " 2 \"locker\" [mutex lock 0x",
            "] parked::waits_for_a_lock\n",
        ],
    );
    in_order(
        of(&all, "goroutine 5 bt"),
        &[
            "parked::on_the_segment",
            "parked::below_the_segment",
            "cpu::root",
        ],
    );
}

#[test]
#[ignore = "needs gdb: scripts/gdb.sh"]
fn a_program_without_goroutines_is_told() {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../runtime/src/debugger/goroutines.py"
    );
    let source = format!("source {script}");
    let all = gdb(
        &[],
        &[Path::new("/bin/true")],
        &[&source, "starti", "info goroutines", "kill"],
    );
    let refusal =
        "goroutines: no section `goroutines_debug_v1`: the program does not use goroutines\n";
    assert!(all.contains(refusal), "{all}");
}
