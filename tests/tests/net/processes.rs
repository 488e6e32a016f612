//! Sockets of a process in which descriptors, signals or system calls are not as usual: child programs.

use std::{fs, process::Command};

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
fn a_server_backs_off_while_the_system_has_no_more_files() {
    says("no-files", "backed off\n");
}

#[test]
fn a_call_blocks_where_the_poller_takes_no_more_sockets_and_counts_nothing() {
    says("no-room-in-the-poller", &"no storage space 0 0\n".repeat(2));
}

#[test]
fn nobody_sees_a_signal_that_interrupts_a_system_call() {
    says("signal-storm", "nobody sees a signal\n");
}

#[test]
fn a_write_to_nobody_raises_no_sigpipe() {
    says("broken-pipes", "BrokenPipe\nBrokenPipe\nBrokenPipe\n");
}

/// The process ends, and says why and what to do.
#[track_caller]
fn loses_its_poller(arguments: &[&str]) {
    // Of a process that hangs or spins, nothing else would be heard.
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "60", env!("CARGO_BIN_EXE_sockets")]);
    let death = run(command.args(arguments));
    let (why, remedy) = (
        "goroutines: fatal: the network poller cannot use its descriptors ",
        "close inherited descriptors before `goroutines::start`",
    );
    assert_eq!(
        (death.signal, &*death.stdout),
        (Some(libc::SIGABRT), ""),
        "{death:?}"
    );
    assert!(
        death.stderr.starts_with(why) && death.stderr.contains(remedy),
        "{death:?}"
    );
}

#[test]
fn a_program_that_closes_the_descriptors_of_the_poller_ends_and_neither_spins_nor_hangs() {
    loses_its_poller(&["closed-descriptors"]);
    loses_its_poller(&["closed-descriptor", "eventpoll"]);
    loses_its_poller(&["closed-descriptor", "eventfd"]);
}

#[test]
fn no_byte_of_the_poller_goes_into_a_file_that_has_the_number_of_its_descriptor() {
    let name = format!("goroutines-replaced-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    loses_its_poller(&["replaced-descriptor", path.to_str().unwrap()]);
    assert_eq!(fs::read(&path).unwrap(), b"");
    fs::remove_file(path).unwrap();
}
