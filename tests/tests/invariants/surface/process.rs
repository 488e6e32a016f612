// std::process and its extensions for Unix, by their full types.

use std::{
    ffi::OsStr,
    io::{self, IoSlice, IoSliceMut, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd},
        unix::process::CommandExt,
    },
    path::Path,
};

use super::processes_of::*;

pub(crate) fn facts() -> Vec<Fact> {
    plain![
        Command,
        Child,
        ChildStdin,
        ChildStdout,
        ChildStderr,
        CommandArgs<'static>,
        CommandEnvs<'static>,
        ExitCode,
        ExitStatus,
        Output,
        Stdio,
    ]
}

macro_rules! ends {
    ($($end:ty),*) => {$({
        type E = $end;
        let _: for<'a> fn(&'a E) -> BorrowedFd<'a> = <E as AsFd>::as_fd;
        let _: fn(&E) -> RawFd = <E as AsRawFd>::as_raw_fd;
        let _: fn(E) -> RawFd = <E as IntoRawFd>::into_raw_fd;
        let _: fn(OwnedFd) -> E = <E as From<OwnedFd>>::from;
        let _: fn(E) -> OwnedFd = <OwnedFd as From<E>>::from;
        let _: fn(E) -> Stdio = <Stdio as From<E>>::from;
    })*};
}

macro_rules! reads {
    ($($end:ty),*) => {$({
        type E = $end;
        let _: fn(&mut E, &mut [u8]) -> io::Result<usize> = <E as Read>::read;
        let _: fn(&mut E, &mut [IoSliceMut<'_>]) -> io::Result<usize> = <E as Read>::read_vectored;
    })*};
}

macro_rules! writes {
    ($($end:ty),*) => {$({
        type E = $end;
        let _: fn(&mut E, &[u8]) -> io::Result<usize> = <E as Write>::write;
        let _: fn(&mut E, &[IoSlice<'_>]) -> io::Result<usize> = <E as Write>::write_vectored;
        let _: fn(&mut E) -> io::Result<()> = <E as Write>::flush;
    })*};
}

fn command<S: AsRef<OsStr>, V: AsRef<OsStr>, P: AsRef<Path>, T: Into<Stdio>>() {
    type C = Command;
    let _: fn(S) -> C = C::new::<S>;
    let _: fn(&mut C, S) -> &mut C = C::arg::<S>;
    let _: fn(&mut C, Vec<S>) -> &mut C = C::args::<Vec<S>, S>;
    let _: fn(&mut C, S, V) -> &mut C = C::env::<S, V>;
    let _: fn(&mut C, Vec<(S, V)>) -> &mut C = C::envs::<Vec<(S, V)>, S, V>;
    let _: fn(&mut C, S) -> &mut C = C::env_remove::<S>;
    let _: fn(&mut C) -> &mut C = C::env_clear;
    let _: fn(&mut C, P) -> &mut C = C::current_dir::<P>;
    let _: [fn(&mut C, T) -> &mut C; 3] = [C::stdin::<T>, C::stdout::<T>, C::stderr::<T>];
    let _: fn(&mut C) -> io::Result<Child> = C::spawn;
    let _: fn(&mut C) -> io::Result<Output> = C::output;
    let _: fn(&mut C) -> io::Result<ExitStatus> = C::status;
    let _: fn(&C) -> &OsStr = C::get_program;
    let _: fn(&C) -> CommandArgs<'_> = C::get_args;
    let _: fn(&C) -> CommandEnvs<'_> = C::get_envs;
    let _: fn(&C) -> Option<&Path> = C::get_current_dir;
    // Of a trait of std that is sealed, and methods here.
    let _: fn(&mut C, S) -> &mut C = |command, name| command.arg0(name);
    let _: fn(&mut C, u32) -> &mut C = |command, id| command.uid(id);
    let _: fn(&mut C, u32) -> &mut C = |command, id| command.gid(id);
    let _: fn(&mut C, i32) -> &mut C = |command, group| command.process_group(group);
    let _: fn(&mut C) -> io::Error = |command| command.exec();
    type F = fn() -> io::Result<()>;
    // SAFETY: it is not called.
    let _: fn(&mut C, F) -> &mut C = |command, f| unsafe { command.pre_exec(f) };
}

fn child(child: Child) {
    type C = Child;
    let _: fn(&C) -> u32 = C::id;
    let _: fn(&mut C) -> io::Result<()> = C::kill;
    let _: fn(&mut C) -> io::Result<ExitStatus> = C::wait;
    let _: fn(&mut C) -> io::Result<Option<ExitStatus>> = C::try_wait;
    let _: fn(C) -> io::Result<Output> = C::wait_with_output;
    let _: Option<ChildStdin> = child.stdin;
    let _: Option<ChildStdout> = child.stdout;
    let _: Option<ChildStderr> = child.stderr;
    ends!(ChildStdin, ChildStdout, ChildStderr);
    writes!(ChildStdin, &'static ChildStdin);
    reads!(ChildStdout, ChildStderr);
}

fn functions() {
    let _: fn() -> ! = abort;
    let _: fn(i32) -> ! = exit;
    let _: fn() -> u32 = id;
    fn termination<T: Termination>() {}
    termination::<ExitCode>();
}

pub(crate) fn texts() -> Vec<String> {
    let mut command = Command::new("true");
    command.args(["a", "b c"]).env("KEY", "a value").env_remove("OTHER");
    command.current_dir("/");
    let written = format!("{command:?}");
    let mut piped = Command::new("true");
    let piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let ends = format!("{:?} {:?} {:?}", child.stdin, child.stdout, child.stderr);
    let status = child.wait().unwrap();
    let missing = Command::new("/nowhere/to/be/found").spawn().map(drop);
    vec![written, ends, format!("{status:?} {missing:?}")]
}
