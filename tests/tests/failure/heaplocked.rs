//! Dumps of a program whose heap is locked for good: addresses, from a thread that allocates nothing.

use std::{env, process::Command};

use goroutines_tests::{Death, program, run};

fn case(name: &str) -> Death {
    run(program(env!("CARGO_BIN_EXE_heaplocked")).arg(name))
}

/// Asserts that `text` has three goroutines that wait, each with a stack; one of its frames is in the program's function, if
/// `addr2line` is there.
#[track_caller]
fn assert_addresses(text: &str) {
    assert_eq!(text.matches(" [chan receive] 0x").count(), 3, "{text}");
    assert!(text.contains("heaplocked::three::{{closure}}\n"), "{text}");
    let lacks_barrier = env::var("GOROUTINE_MEMBARRIER").is_ok_and(|value| value == "off");
    assert_eq!(
        text.contains("(stacks are not read"),
        lacks_barrier,
        "{text}"
    );
    if !lacks_barrier {
        let stack = text.lines().find(|line| line.starts_with("    /"));
        let stack = stack.unwrap_or_else(|| panic!("no stack: {text}"));
        assert!(!stack.contains("truncated"), "{text}");
        let names = stack.split_whitespace().map(|place| {
            let (file, offset) = place.rsplit_once("+0x").expect("a place");
            let output = Command::new("addr2line")
                .args(["-Cfie", file, offset])
                .output();
            output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        });
        let names: Result<Vec<String>, _> = names.collect();
        if let Ok(names) = names {
            let is_there = names
                .iter()
                .any(|name| name.contains("waits_beside_the_heap"));
            assert!(is_there, "{names:?}");
        }
    }
}

#[test]
fn a_second_sigquit_gets_addresses_where_the_first_gets_no_dump() {
    let death = case("sigquit");
    assert_eq!(death.code, Some(0), "{death:?}");
    let head = "goroutines: SIGQUIT again, and the dump of the one before is not written";
    assert!(death.stderr.starts_with(head), "{death:?}");
    assert_addresses(&death.stderr);
}

#[test]
fn a_fatal_error_in_a_signal_handler_is_followed_by_addresses() {
    // Release builds do not find this error.
    if cfg!(debug_assertions) {
        let death = case("fatal");
        assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
        let says = "goroutines: fatal: a call into the runtime inside a signal handler";
        assert!(death.stderr.starts_with(says), "{death:?}");
        let head = "\ngoroutines: all goroutines, at the fatal error (`addr2line";
        assert!(death.stderr.contains(head), "{death:?}");
        assert_addresses(&death.stderr);
    }
}
