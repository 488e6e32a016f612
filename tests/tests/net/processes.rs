//! Sockets of a process in which descriptors, signals or system calls are not as usual: child programs.

use goroutines_tests::{program, run};

/// The case ends well, with this text and no other.
#[track_caller]
fn says(name: &str, text: &str) {
    let death = run(program(env!("CARGO_BIN_EXE_sockets")).arg(name));
    assert_eq!(
        (death.code, &*death.stdout, &*death.stderr),
        (Some(0), text, ""),
        "{death:?}"
    );
}

#[test]
fn threads_use_sockets_before_the_runtime_starts() {
    says("before-start", "WouldBlock\nserved\n");
}

#[test]
fn the_poller_sleeps_and_keeps_the_time_where_epoll_pwait2_is_refused() {
    says("no-pwait2", "WouldBlock\n");
}

#[test]
fn pipes_work_where_the_calls_that_do_not_wait_are_refused() {
    says("no-calls-for-pipes", "through\nthrough\nthrough\n");
}

#[test]
fn a_child_is_waited_for_where_it_has_no_descriptor() {
    says("no-pidfd", &"Some(3) true false\n".repeat(2));
}

#[test]
fn clients_that_come_while_there_are_no_descriptors_are_served_later() {
    says("no-descriptors", "served\n");
}

#[test]
fn a_call_blocks_where_there_are_no_descriptors_for_the_poller() {
    says("no-descriptors-for-the-poller", "TimedOut\nserved\n");
}

#[test]
fn nobody_sees_a_signal_that_interrupts_a_system_call() {
    says("signal-storm", "nobody sees a signal\n");
}

#[test]
fn a_write_to_nobody_raises_no_sigpipe() {
    says("broken-pipes", "BrokenPipe\nBrokenPipe\nBrokenPipe\n");
}
