//! The message of a panic on a goroutine says which one it is, beside what the program's hooks do.

use goroutines_tests::{program, run};

/// What a case writes to stderr.
fn stderr(case: &str) -> String {
    let mut child = program(env!("CARGO_BIN_EXE_panics"));
    let death = run(child.arg(case).env("RUST_BACKTRACE", "0"));
    assert_eq!(death.code, Some(0), "{case}: {death:?}");
    death.stderr
}

/// The number, the name and all behind the number, of a line that begins with `goroutine`.
fn goroutine(line: &str) -> (u64, &str) {
    let rest = line.strip_prefix("goroutine ").expect(line);
    let end = rest.find(|c: char| !c.is_ascii_digit()).expect(line);
    (rest[..end].parse().expect(line), &rest[end..])
}

const STD: &str = "panicked at tests/programs/panics.rs:";

#[test]
fn a_panic_on_a_goroutine_says_number_name_place_and_spawn_site_before_std_s_message() {
    for case in ["named", "started-plainly", "small-stack"] {
        let text = stderr(case);
        let mut lines = text.lines();
        let (number, rest) = goroutine(lines.next().unwrap());
        assert!(number > 0, "{text}");
        assert!(rest.starts_with(&format!(" [worker] {STD}")), "{text}");
        assert!(rest.ends_with(", spawned as panics::fail"), "{text}");
        let rest: String = lines.collect::<Vec<_>>().join("\n");
        assert!(rest.contains("thread '") && rest.contains(STD), "{text}");
        assert!(rest.contains("\nno such file"), "{text}");
        assert!(!rest.contains("goroutine "), "{text}");
    }
}

#[test]
fn a_goroutine_without_a_name_has_none() {
    let text = stderr("without-a-name");
    let (_, rest) = goroutine(text.lines().next().unwrap());
    assert!(rest.starts_with(&format!(" {STD}")), "{text}");
}

#[test]
fn plain_threads_programs_that_do_not_want_it_and_resumed_panics_have_no_line_of_ours() {
    for case in ["thread", "off"] {
        let text = stderr(case);
        assert!(
            text.contains("thread '") && text.contains("\nno such file"),
            "{text}"
        );
        let ours = text.lines().any(|line| line.starts_with("goroutine "));
        assert!(!ours, "{text}");
    }
    assert_eq!(stderr("resumed"), "");
}

#[test]
fn a_hook_of_the_program_is_called_after_it_replaces_it_or_calls_it() {
    let text = stderr("hook-before");
    let mut lines = text.lines();
    goroutine(lines.next().unwrap());
    assert_eq!(lines.collect::<Vec<_>>(), ["the program's hook"]);
    assert_eq!(stderr("hook-after"), "the program's hook\n");
    let text = stderr("hook-after-that-calls");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("the program's hook"));
    goroutine(lines.next().unwrap());
    assert!(text.contains("\nno such file"), "{text}");
}
