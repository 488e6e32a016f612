//! Child processes: a goroutine that waits for one parks, and everything else is as std has it.

use std::{
    ffi::OsStr,
    io::{self, Read, Write},
    os::unix::process::ExitStatusExt,
    process as std_process, thread,
    time::{Duration, Instant},
};

use goroutines::{
    go,
    process::{Child, Command, Stdio},
    time::sleep,
};
use goroutines_tests::{alone, until};

/// Runs `f` in a goroutine, twice: after the second time there are as many descriptors as after the first.
fn in_goroutine(f: impl Fn() + Send + Sync + Copy + 'static) {
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    go(f).join().unwrap();
    let before = descriptors();
    go(f).join().unwrap();
    until("nothing is left", || descriptors() == before);
    let metrics = goroutines::metrics();
    assert_eq!((metrics.sockets, metrics.registered), (0, 0));
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn how_a_process_ended_is_told() {
    let _alone = alone(2);
    in_goroutine(|| {
        assert!(shell("true").status().unwrap().success());
        assert_eq!(shell("exit 7").status().unwrap().code(), Some(7));
        let status = shell("kill -TERM $$").status().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGTERM));
    });
}

#[test]
fn a_megabyte_on_each_pipe_arrives_at_once() {
    let _alone = alone(2);
    in_goroutine(|| {
        let script = "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero; exit 2";
        let output = shell(script).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(
            (output.stdout.len(), output.stderr.len()),
            (1_000_000, 1_000_000)
        );
    });
}

#[test]
fn a_megabyte_goes_through_a_child() {
    let _alone = alone(2);
    in_goroutine(|| {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let sent: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let mut stdin = child.stdin.take().unwrap();
        let writer = go(move || stdin.write_all(&sent).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success() && output.stdout == expected);
    });
}

#[test]
fn goroutines_that_wait_for_children_hold_no_threads() {
    let _alone = alone(2);
    in_goroutine(|| {
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let children: Vec<_> = (0..60)
            .map(|_| {
                let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
                let stdin = child.stdin.take().unwrap();
                (stdin, go(move || child.wait().unwrap()))
            })
            .collect();
        until("all wait", || goroutines::metrics().registered == 60);
        assert!(threads() < 30, "{} threads", threads());
        for (stdin, child) in children {
            assert!(!child.is_finished());
            drop(stdin);
            assert!(child.join().unwrap().success());
        }
    });
}

#[test]
fn a_wait_with_a_deadline_ends_and_the_next_one_goes_on() {
    let _alone = alone(2);
    let check = || {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let begin = Instant::now();
        for _ in 0..2 {
            let late = child.wait_timeout(Duration::from_millis(20)).unwrap();
            assert!(late.is_none());
        }
        assert!(begin.elapsed() >= Duration::from_millis(40));
        assert!(child.try_wait().unwrap().is_none());
        assert!(child.wait_deadline(begin).unwrap().is_none());
        // `wait` closes its input, a wait with a deadline does not.
        drop(child.stdin.take());
        let status = child.wait_timeout(Duration::from_secs(60)).unwrap();
        assert!(status.unwrap().success());
        // It is remembered.
        assert!(child.wait().unwrap().success());
        assert!(child.wait_deadline(begin).unwrap().unwrap().success());
        child.kill().unwrap();
    };
    in_goroutine(check);
    thread::spawn(check).join().unwrap();
}

#[test]
fn a_killed_child_wakes_the_one_that_waits() {
    let _alone = alone(2);
    in_goroutine(|| {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = child.id();
        let waiting = go(move || child.wait().unwrap());
        sleep(Duration::from_millis(5));
        // SAFETY: takes numbers only; the process is there until it is waited for.
        assert_eq!(unsafe { libc::kill(pid as i32, libc::SIGKILL) }, 0);
        assert_eq!(waiting.join().unwrap().signal(), Some(libc::SIGKILL));
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    });
}

#[test]
fn dropping_a_child_leaves_it_running() {
    let _alone = alone(2);
    in_goroutine(|| {
        let mut child = shell("read line; echo $line")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        drop(child);
        sleep(Duration::from_millis(5));
        stdin.write_all(b"alive\n").unwrap();
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        assert_eq!(text, "alive\n");
    });
}

#[test]
fn what_cannot_be_started_has_std_s_error() {
    let _alone = alone(2);
    in_goroutine(|| {
        let cases = [
            ("/nowhere/at/all", None),
            ("no-such-program-in-any-path", None),
            ("/etc/passwd", None),
            ("true", Some("/nowhere/at/all")),
            ("a\0b", None),
        ];
        for (program, dir) in cases {
            let (mut theirs, mut ours) =
                (std_process::Command::new(program), Command::new(program));
            if let Some(dir) = dir {
                theirs.current_dir(dir);
                ours.current_dir(dir);
            }
            let facts = |error: io::Error| (error.kind(), error.raw_os_error(), error.to_string());
            let expected = facts(theirs.spawn().map(drop).unwrap_err());
            assert_eq!(facts(ours.spawn().map(drop).unwrap_err()), expected);
            assert_eq!(facts(ours.output().map(drop).unwrap_err()), expected);
            assert_eq!(facts(ours.status().map(drop).unwrap_err()), expected);
        }
    });
}

#[test]
fn a_child_that_others_have_waited_for_is_std_s_error() {
    let _alone = alone(2);
    in_goroutine(|| {
        let mut child = shell("exit 0").spawn().unwrap();
        let mut status = 0;
        // SAFETY: the status lives until the call returns.
        let waited = unsafe { libc::waitpid(child.id() as i32, &raw mut status, 0) };
        assert_eq!(waited, child.id() as i32);
        let error = child.wait().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECHILD));
    });
}

#[test]
fn arguments_and_environment_arrive_and_can_be_asked_for() {
    let _alone = alone(2);
    in_goroutine(|| {
        let mut command = shell("echo $0 $A $B; pwd; cat");
        command
            .arg("zero")
            .env_clear()
            .envs([("A", "a"), ("B", "b")])
            .env_remove("B")
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/");
        // Its input is empty if nothing else is said, also the second time.
        for _ in 0..2 {
            assert_eq!(command.output().unwrap().stdout, b"zero a\n/\n");
        }
        let args: Vec<&OsStr> = command.get_args().collect();
        assert_eq!(args, ["-c", "echo $0 $A $B; pwd; cat", "zero"]);
        assert_eq!(command.get_program(), "sh");
        assert_eq!(command.get_current_dir(), Some("/".as_ref()));
        assert_eq!(command.get_envs().count(), 2);
    });
}

#[test]
fn the_output_of_one_child_is_the_input_of_the_next() {
    let _alone = alone(2);
    in_goroutine(|| {
        let mut first = shell("echo one; echo two")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut second = Command::new("wc");
        second.arg("-l").stdin(first.stdout.take().unwrap());
        let counted = second.output().unwrap().stdout;
        assert_eq!(String::from_utf8(counted).unwrap().trim(), "2");
        assert!(first.wait().unwrap().success());
    });
}

#[test]
fn a_child_becomes_std_s_and_back() {
    let _alone = alone(2);
    in_goroutine(|| {
        let child = shell("cat; echo err >&2")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut std = std_process::Child::from(child);
        std.stdin.as_mut().unwrap().write_all(b"through").unwrap();
        let output = Child::from(std).wait_with_output().unwrap();
        assert_eq!(
            (output.stdout, output.stderr),
            (b"through".to_vec(), b"err\n".to_vec())
        );
    });
}

#[test]
fn a_plain_thread_has_std_s_calls() {
    let _alone = alone(2);
    let output = shell("cat; echo out; echo err >&2; exit 3")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        (output.stdout, output.stderr),
        (b"out\n".to_vec(), b"err\n".to_vec())
    );
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    assert!(child.wait().unwrap().success());
}

/// A goroutine that unwinds keeps its thread, and waits all the same.
#[test]
fn a_child_is_waited_for_while_a_goroutine_unwinds() {
    struct Waits(Child);
    impl Drop for Waits {
        fn drop(&mut self) {
            assert!(self.0.wait().unwrap().success());
        }
    }
    let _alone = alone(2);
    in_goroutine(|| {
        let panics = go(|| {
            let _child = Waits(shell("sleep 0.01").spawn().unwrap());
            std::panic::resume_unwind(Box::new("expected"));
        });
        assert!(panics.join().is_err());
    });
}
