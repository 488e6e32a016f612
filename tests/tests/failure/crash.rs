//! How programs die, and what must not kill them: child programs, checked to the letter.

use std::process::Command;

use goroutines_tests::{Death, program, run};

fn child(case: &str) -> Command {
    let mut command = program(env!("CARGO_BIN_EXE_child"));
    command.arg(case);
    command
}

/// What `addr2line` says of the first two frames of a backtrace; a stand-in where there is no such tool. Two,
/// because the stack may end in what the recursion calls.
fn names_in(stderr: &str) -> String {
    let frames = stderr
        .lines()
        .filter(|line| line.contains("   0: 0x") || line.contains("   1: 0x"));
    let places: Vec<_> = frames
        .filter_map(|line| line.split(' ').find_map(|word| word.split_once("+0x")))
        .collect();
    assert!(!places.is_empty(), "a frame with file and offset");
    let name = |(file, offset): (&str, &str)| {
        let output = Command::new("addr2line")
            .args(["-Cfe", file, offset])
            .output();
        match output {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(_) => "child::recurse (addr2line is not installed)".to_owned(),
        }
    };
    places.into_iter().map(name).collect()
}

fn case(name: &str) -> Death {
    run(&mut child(name))
}

#[test]
fn overflow_names_the_goroutine_its_limit_and_the_remedy() {
    let death = case("overflow");
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(
        death
            .stderr
            .contains("goroutine 1: stack exceeds 1048576-byte limit"),
        "{death:?}"
    );
    assert!(death.stderr.contains("stack_size"), "{death:?}");
    assert!(death.stderr.contains("`#[goroutines::grow]`"), "{death:?}");
    assert!(
        death
            .stderr
            .contains("\nspawned as child::overflow::{{closure}}\n"),
        "{death:?}"
    );
    assert!(death.stderr.contains("backtrace"), "{death:?}");
    assert!(
        names_in(&death.stderr).contains("child::recurse"),
        "{death:?}"
    );
    assert_eq!(death.stdout, "");
}

#[test]
fn overflow_of_a_named_goroutine_says_its_name_and_own_limit() {
    let death = case("overflow-named");
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(
        death
            .stderr
            .contains("goroutine 1 [deep]: stack exceeds 1048576-byte limit"),
        "{death:?}"
    );
}

#[test]
fn overflow_of_a_plain_thread_is_still_reported_by_std() {
    let death = case("overflow-of-a-thread");
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(
        death.stderr.contains("thread 'plain'")
            && death.stderr.contains("has overflowed its stack"),
        "{death:?}"
    );
    assert!(!death.stderr.contains("goroutine 1"), "{death:?}");
}

#[test]
fn overflow_on_a_segment_names_the_goroutine_and_the_segment() {
    let death = case("overflow-on-a-segment");
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(
        death.stderr.contains(
            "goroutine 1 [deep], on segment 1 of `grow`: stack exceeds 1048576-byte limit"
        ),
        "{death:?}"
    );
    assert!(death.stderr.contains("call it at each level"), "{death:?}");
    assert!(!death.stderr.contains("stack_size"), "{death:?}");
    assert_eq!(death.stdout, "");
}

#[test]
fn overflow_on_a_segment_of_a_plain_thread_names_the_thread() {
    let death = case("overflow-of-a-thread-on-a-segment");
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(
        death
            .stderr
            .contains("thread 'plain', on segment 1 of `grow`: stack exceeds 1048576-byte limit"),
        "{death:?}"
    );
    assert_eq!(death.stdout, "");
}

#[test]
fn recursion_without_an_end_overflows_although_it_grows() {
    let death = case("overflow-without-end");
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(
        death.stderr.contains("goroutine 1, on segment ")
            && death.stderr.contains("of `grow`: stack exceeds ")
            && death.stderr.contains("recurse less deeply"),
        "{death:?}"
    );
    assert_eq!(death.stdout, "");
}

#[test]
fn destructors_of_a_thread_may_grow() {
    let death = case("grow-at-the-end-of-a-thread");
    assert_eq!(death.code, Some(0), "{death:?}");
    assert_eq!(death.stdout, "in a destructor: 2\n".repeat(2), "{death:?}");
}

#[test]
fn without_address_space_grow_panics_with_the_reason_and_nothing_is_lost() {
    let death = case("grow-without-address-space");
    assert_eq!(death.code, Some(0), "{death:?}");
    let lines: Vec<&str> = death.stdout.lines().collect();
    assert!(
        lines[0].starts_with("goroutines::grow: less than 104857600 bytes are left"),
        "{death:?}"
    );
    assert!(lines[0].contains("RLIMIT_AS"), "{death:?}");
    assert_eq!(lines[1], "went on with 7", "{death:?}");
}

#[test]
fn wild_pointer_on_a_goroutine_is_a_segmentation_fault() {
    let death = case("wild-pointer");
    assert_eq!(death.signal, Some(libc::SIGSEGV), "{death:?}");
    assert!(!death.stderr.contains("stack exceeds"), "{death:?}");
}

#[test]
fn go_before_start_panics_with_the_remedy() {
    let death = case("go-before-start");
    assert_eq!(death.code, Some(101), "{death:?}");
    assert!(death.stderr.contains("goroutines::start()"), "{death:?}");
}

#[test]
fn start_twice_is_an_error_that_says_so() {
    let death = case("start-twice");
    assert_eq!(death.code, Some(0), "{death:?}");
    assert!(
        death.stdout.starts_with("Err: ") && death.stdout.contains("already running"),
        "{death:?}"
    );
}

#[test]
fn bad_gomaxprocs_is_an_error_with_variable_and_value() {
    for value in ["0", "-3", "many", "2.5", ""] {
        let death = run(child("start").env("GOMAXPROCS", value));
        assert_eq!(death.code, Some(0), "{death:?}");
        assert!(
            death.stdout.contains("GOMAXPROCS") && death.stdout.contains(&format!("`{value}`")),
            "{death:?}"
        );
    }
    let death = run(child("start").env("GOMAXPROCS", "3"));
    assert_eq!(death.stdout, "Ok\n", "{death:?}");
}

#[test]
fn the_stack_size_of_the_environment_wins_and_a_bad_one_is_an_error() {
    let death = run(child("overflow-of-the-default").env("GOROUTINE_STACK", "256K"));
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(death.stderr.contains("262144-byte limit"), "{death:?}");
    for value in ["0", "-3", "much", "2G", ""] {
        let death = run(child("start").env("GOROUTINE_STACK", value));
        assert_eq!(death.code, Some(0), "{death:?}");
        assert!(
            death
                .stdout
                .contains(&format!("GOROUTINE_STACK is `{value}`")),
            "{death:?}"
        );
    }
}

#[test]
fn a_failed_start_can_be_repeated() {
    let death = case("recover-after-bad-start");
    assert_eq!(death.code, Some(0), "{death:?}");
    let lines: Vec<&str> = death.stdout.lines().collect();
    assert!(lines[0].starts_with("Err: Config::procs: 0"), "{death:?}");
    assert_eq!(&lines[1..], ["Ok", "joined 7"], "{death:?}");
}

#[test]
fn without_address_space_spawn_is_an_error_and_nothing_is_lost() {
    let death = case("no-address-space");
    assert_eq!(death.code, Some(0), "{death:?}");
    let lines: Vec<&str> = death.stdout.lines().collect();
    assert!(lines[0].starts_with("Err: "), "{death:?}");
    assert_eq!(lines[1], "went on after many", "{death:?}");
}

#[test]
fn without_guards_spawn_is_an_error_that_names_the_sysctl_and_running_goroutines_go_on() {
    let death = run(child("no-guards").env("GOROUTINE_GUARD", "mprotect"));
    assert_eq!(death.code, Some(0), "{death:?}");
    let lines: Vec<&str> = death.stdout.lines().collect();
    assert!(lines[0].contains("vm.max_map_count"), "{death:?}");
    assert!(
        lines[0].contains("one more goroutine stack after 3"),
        "{death:?}"
    );
    let count: usize = lines[1].split(' ').next().unwrap().parse().unwrap();
    assert!(count > 30_000, "{death:?}");
    assert_eq!(lines[2], "went on", "{death:?}");
}

#[test]
fn double_panic_aborts_as_on_a_thread() {
    let death = case("double-panic");
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(
        death.stderr.contains("first") && death.stderr.contains("second"),
        "{death:?}"
    );
}

#[test]
fn a_detached_result_whose_drop_panics_is_fatal() {
    let death = case("unjoined-result-panics");
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(
        death
            .stderr
            .contains("the result of goroutine 1, which was not joined, panicked"),
        "{death:?}"
    );
    assert_eq!(death.stdout, "");
}

#[test]
fn goroutine_local_value_that_panics_when_it_is_dropped_is_fatal() {
    let death = case("local-panics-in-drop");
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(
        death
            .stderr
            .contains("fatal: a goroutine_local value of type child::PanicsInDrop panicked when it was dropped"),
        "{death:?}"
    );
    assert_eq!(death.stdout, "");
}

#[test]
fn the_process_ends_when_main_returns() {
    let death = case("main-returns");
    assert_eq!(death.code, Some(0), "{death:?}");
    assert_eq!(death.stdout, "main returns\n");
    assert_eq!(death.stderr, "");
}

#[test]
fn a_goroutine_may_wait_while_it_unwinds() {
    let death = case("park-while-unwinding");
    assert_eq!(death.code, Some(0), "{death:?}");
    assert_eq!(death.stdout, "unwound\n");
}
