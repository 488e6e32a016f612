//! Profiles of waits: each where it is, short ones by samples, and nothing else.

use goroutines_tests::{program, run};

/// Runs a case of the program, which checks itself.
fn case(name: &str) {
    for procs in ["1", "4"] {
        let mut command = program(env!("CARGO_BIN_EXE_blockprofile"));
        command.arg(name).env("GOMAXPROCS", procs);
        let death = run(&mut command);
        assert_eq!(death.code, Some(0), "{name} {procs}: {death:?}");
        assert_eq!(death.stdout, "well\n", "{name} {procs}: {death:?}");
    }
}

#[test]
fn each_wait_is_counted_where_it_is() {
    case("reasons");
}

#[test]
fn threads_and_goroutines_that_keep_theirs_are_counted_where_they_wait() {
    case("threads");
}

#[test]
fn samples_of_short_waits_stand_for_all() {
    case("short");
}

#[test]
fn contention_is_the_waits_for_locks() {
    case("locks");
}

#[test]
fn waits_that_began_before_or_do_not_end_are_left_out() {
    case("limits");
}

#[test]
fn profiles_begin_and_end_beside_a_busy_program() {
    case("rounds");
}
