//! A report as its user starts it.

use std::process::{Command, Output, Stdio};

/// What `program` printed, and how it ended.
pub(crate) fn output_of(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .env_remove("GOMAXPROCS")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts")
}

/// The report of a program that succeeded.
pub(crate) fn text_of(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The message of a program that printed no report and ended with `status`.
pub(crate) fn complaint_of(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}
