//! CPU profiles: whose samples they are, whole stacks wherever a signal comes, and a program that does what it likes
//! meanwhile.

use goroutines_tests::{program, run};

/// Runs a case of the program, which checks itself.
fn case(name: &str) {
    case_with(name, &[]);
}

fn case_with(name: &str, variables: &[(&str, &str)]) {
    let mut command = program(env!("CARGO_BIN_EXE_cpuprofile"));
    command.arg(name).envs(variables.iter().copied());
    let death = run(&mut command);
    assert_eq!(death.code, Some(0), "{name} {variables:?}: {death:?}");
    assert_eq!(death.stdout, "well\n", "{name}: {death:?}");
}

#[test]
fn samples_are_shared_out_as_the_cpu_time_is() {
    case("shares");
}

#[test]
fn samples_say_whose_they_are() {
    case("owners");
}

#[test]
fn stacks_are_whole_wherever_the_signal_comes() {
    for procs in ["1", "2", "8"] {
        case_with("switches", &[("GOMAXPROCS", procs)]);
    }
}

#[test]
fn threads_and_libraries_come_and_go_meanwhile() {
    case("comings");
}

#[test]
fn forks_and_the_programs_they_start_are_left_alone() {
    case("forks");
}

#[test]
fn there_is_one_profile_at_a_time() {
    case("twice");
}

#[test]
fn a_handler_of_the_program_is_left_alone() {
    case("handler");
}

#[test]
fn other_signals_are_no_samples() {
    case("others");
}

#[test]
fn a_profile_is_written_in_each_format() {
    case("formats");
}
