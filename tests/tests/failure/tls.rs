//! Code that trusts its thread: with the migration check it may, without it would be deceived. In programs of their
//! own, in which each goroutine goes to another thread whenever it can.

use goroutines_tests::{Death, program, run};

fn canary(case: &str, check: &str) -> Death {
    let mut command = program(env!("CARGO_BIN_EXE_canary"));
    command
        .env("GOROUTINE_FORCE_MIGRATION", "1")
        .env("GOROUTINE_MIGRATION_CHECK", check);
    run(command.arg(case))
}

/// As `config` says, unless `environment` does.
fn configured(config: &str, environment: &[(&str, &str)]) -> Death {
    let mut command = program(env!("CARGO_BIN_EXE_canary"));
    command
        .args(["borrow", config])
        .env_remove("GOROUTINE_FORCE_MIGRATION")
        .env_remove("GOROUTINE_MIGRATION_CHECK")
        .envs(environment.iter().copied());
    run(&mut command)
}

/// The number after `what` in what the program said.
fn count(death: &Death, what: &str) -> u64 {
    let after = death
        .stdout
        .split(what)
        .nth(1)
        .expect("the program said it");
    let number = after.split_whitespace().next().expect("a number follows");
    number.parse().expect("it is a number")
}

fn is_safe_with_the_check_and_deceived_without(case: &str) {
    let without = canary(case, "off");
    assert_eq!(without.code, Some(3), "{without:?}");
    let with = canary(case, "on");
    assert_eq!(with.code, Some(0), "{with:?}");
    assert!(count(&with, "sent back") > 0, "{with:?}");
}

#[test]
fn a_borrow_of_a_thread_local_survives_a_park() {
    is_safe_with_the_check_and_deceived_without("borrow");
}

/// An unoptimised library reads the address anew each time.
#[test]
#[cfg_attr(debug_assertions, ignore = "nothing is cached without optimisation")]
fn an_address_that_the_compiler_keeps_survives_a_park() {
    is_safe_with_the_check_and_deceived_without("cached_address");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "nothing is cached without optimisation")]
fn a_scoped_thread_local_survives_a_park() {
    is_safe_with_the_check_and_deceived_without("scoped");
}

/// The check has no part in it: a goroutine that unwinds keeps its thread.
#[test]
fn a_destructor_that_waits_while_a_panic_unwinds_stays_on_its_thread() {
    for check in ["on", "off"] {
        let death = canary("unwinding", check);
        assert_eq!(death.code, Some(0), "{death:?}");
    }
}

#[test]
fn goroutines_that_hold_nothing_of_their_thread_are_not_sent_back() {
    let death = canary("nothing", "on");
    assert_eq!(death.code, Some(0), "{death:?}");
    let (scanned, sent_back) = (count(&death, "scanned"), count(&death, "sent back"));
    assert!(scanned > 0, "{death:?}");
    assert!(sent_back * 10 <= scanned, "{death:?}");
}

#[test]
fn a_switch_that_is_neither_on_nor_off_is_an_error() {
    let death = canary("nothing", "maybe");
    assert_ne!(death.code, Some(0), "{death:?}");
    assert!(
        death.stderr.contains("GOROUTINE_MIGRATION_CHECK"),
        "{death:?}"
    );
}

#[test]
fn the_configuration_forces_migration_and_turns_the_check_off() {
    let checked = configured("forced", &[]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(count(&checked, "sent back") > 0, "{checked:?}");
    let unchecked = configured("unchecked", &[]);
    assert_eq!(unchecked.code, Some(3), "{unchecked:?}");
}

#[test]
fn the_environment_wins_over_the_configuration() {
    let checked = configured("unchecked", &[("GOROUTINE_MIGRATION_CHECK", "on")]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(count(&checked, "sent back") > 0, "{checked:?}");
}
