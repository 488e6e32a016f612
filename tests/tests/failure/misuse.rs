//! Runtime calls where there may be none, in signal handlers and in the child of a fork: each ends with a text that
//! names the remedy. What is allowed there works. A `join` that is suspended by a coroutine of others.

use goroutines_tests::{Death, program, run};

fn case(name: &str) -> Death {
    run(program(env!("CARGO_BIN_EXE_misuse")).arg(name))
}

const IN_A_HANDLER: &str = "goroutines: fatal: a call into the runtime inside a signal handler, which interrupted the scheduler; let ";

const IN_A_CHILD: &str = "goroutines: fatal: a call into the runtime in the child of a fork, where its threads do not exist; call `exec` ";

#[test]
#[cfg_attr(not(debug_assertions), ignore = "detected in debug builds")]
fn a_runtime_call_on_the_signal_stack_is_fatal_and_says_so() {
    let death = case("handler-on-the-signal-stack");
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(death.stderr.starts_with(IN_A_HANDLER), "{death:?}");
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "detected in debug builds")]
fn a_runtime_call_of_a_handler_that_interrupted_the_scheduler_is_fatal_and_says_so() {
    let death = case("handler-in-the-scheduler");
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(death.stderr.starts_with(IN_A_HANDLER), "{death:?}");
}

#[test]
fn a_handler_that_only_stores_is_allowed() {
    let death = case("handler-that-stores");
    assert_eq!(death.code, Some(0), "{death:?}");
    assert_eq!((&*death.stdout, &*death.stderr), ("went on\n", ""));
}

#[test]
fn the_child_of_a_fork_that_calls_the_runtime_dies_at_once_and_the_parent_goes_on() {
    for name in [
        "fork-on-a-goroutine",
        "fork-on-a-goroutine-and-go",
        "fork-on-a-goroutine-in-blocking",
        "fork-on-a-thread",
        "fork-on-a-thread-and-wait",
        "fork-on-a-new-thread",
    ] {
        let death = case(name);
        assert_eq!(death.code, Some(0), "{name}: {death:?}");
        assert_eq!(
            death.stdout, "child: signal 6\nwent on\n",
            "{name}: {death:?}"
        );
        assert!(death.stderr.starts_with(IN_A_CHILD), "{name}: {death:?}");
    }
}

#[test]
fn the_child_of_a_fork_may_grow_its_stack_and_exec() {
    let death = case("fork-and-exec");
    assert_eq!(death.code, Some(0), "{death:?}");
    assert_eq!(
        (&*death.stdout, &*death.stderr),
        ("child: exit 0\nwent on\n", "")
    );
}

#[test]
fn a_join_that_is_suspended_by_a_coroutine_is_fatal_and_says_so() {
    let death = case("join-that-is-suspended");
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert!(
        death
            .stderr
            .starts_with("goroutines: fatal: goroutines::join: a closure has returned "),
        "{death:?}"
    );
}
