//! Threads of the runtime: too many, refused, and no longer needed.

use goroutines_tests::{Death, program, run};

fn watched(case: &str) -> Death {
    run(program(env!("CARGO_BIN_EXE_watched")).arg(case))
}

#[test]
fn a_program_that_needs_too_many_threads_dies_with_the_reason_and_the_remedy() {
    let death = watched("too-many-threads");
    assert_eq!(death.signal, Some(libc::SIGABRT), "{death:?}");
    assert_eq!(death.stdout, "blocks\n", "{death:?}");
    for words in ["the program exceeds 5 threads", "Config::max_threads"] {
        assert!(death.stderr.contains(words), "{death:?}");
    }
}

#[test]
fn fewer_threads_than_processors_are_refused_at_the_start() {
    let death = watched("fewer-threads-than-ps");
    assert_eq!(death.code, Some(0), "{death:?}");
    assert!(
        death
            .stdout
            .starts_with("Err: Config::max_threads: 1 threads for 2 processors"),
        "{death:?}"
    );
}

#[test]
fn without_a_thread_to_be_had_blocking_goroutines_hold_their_p_and_nothing_is_lost() {
    let death = watched("no-threads");
    assert_eq!(death.code, Some(0), "{death:?}");
    assert_eq!(death.stdout, "went on\n");
}

#[test]
fn threads_that_are_not_needed_end_and_new_ones_come_when_they_are() {
    let death = watched("threads-end");
    assert_eq!(death.code, Some(0), "{death:?}");
    assert!(death.stdout.ends_with(" ended\n"), "{death:?}");
}

#[test]
fn threads_that_were_kept_for_goroutines_end_when_these_have_left_them() {
    let death = watched("homes-end");
    assert_eq!(death.code, Some(0), "{death:?}");
    assert!(death.stdout.ends_with(" ended\n"), "{death:?}");
}

#[test]
fn timers_fire_although_the_threads_that_waited_for_them_ended() {
    let death = watched("timers-of-idle-ps");
    assert_eq!(
        (death.code, death.stdout.as_str()),
        (Some(0), "in time\n"),
        "{death:?}"
    );
}
