// What of std::io waits: pipes and the standard streams, by their full types.

use std::{
    fmt::Arguments,
    io::{self, BufRead, IoSlice, IoSliceMut, IsTerminal, Lines, Read, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
    process::Stdio,
};

use super::waiting_io::*;

pub(crate) fn facts() -> Vec<Fact> {
    plain![
        PipeReader,
        PipeWriter,
        Stdin,
        StdinLock<'static>,
        Stdout,
        StdoutLock<'static>,
        Stderr,
        StderrLock<'static>,
    ]
}

/// What is a descriptor.
macro_rules! descriptor {
    ($($type:ty),*) => {$({
        type D = $type;
        let _: for<'a> fn(&'a D) -> BorrowedFd<'a> = <D as AsFd>::as_fd;
        let _: fn(&D) -> RawFd = <D as AsRawFd>::as_raw_fd;
    })*};
}

/// What owns one.
macro_rules! owner {
    ($($type:ty),*) => {$({
        type D = $type;
        let _: fn(&D) -> io::Result<D> = D::try_clone;
        let _: unsafe fn(RawFd) -> D = <D as FromRawFd>::from_raw_fd;
        let _: fn(D) -> RawFd = <D as IntoRawFd>::into_raw_fd;
        let _: fn(OwnedFd) -> D = <D as From<OwnedFd>>::from;
        let _: fn(D) -> OwnedFd = <OwnedFd as From<D>>::from;
    })*};
}

macro_rules! reads {
    ($($type:ty),*) => {$({
        type R = $type;
        let _: fn(&mut R, &mut [u8]) -> io::Result<usize> = <R as Read>::read;
        let _: fn(&mut R, &mut [IoSliceMut<'_>]) -> io::Result<usize> = <R as Read>::read_vectored;
        let _: fn(&mut R, &mut Vec<u8>) -> io::Result<usize> = <R as Read>::read_to_end;
        let _: fn(&mut R, &mut String) -> io::Result<usize> = <R as Read>::read_to_string;
        let _: fn(&mut R, &mut [u8]) -> io::Result<()> = <R as Read>::read_exact;
    })*};
}

macro_rules! writes {
    ($($type:ty),*) => {$({
        type W = $type;
        let _: fn(&mut W, &[u8]) -> io::Result<usize> = <W as Write>::write;
        let _: fn(&mut W, &[IoSlice<'_>]) -> io::Result<usize> = <W as Write>::write_vectored;
        let _: fn(&mut W, &[u8]) -> io::Result<()> = <W as Write>::write_all;
        let _: fn(&mut W, Arguments<'_>) -> io::Result<()> = <W as Write>::write_fmt;
        let _: fn(&mut W) -> io::Result<()> = <W as Write>::flush;
    })*};
}

fn pipes() {
    let _: fn() -> io::Result<(PipeReader, PipeWriter)> = pipe;
    descriptor!(PipeReader, PipeWriter);
    owner!(PipeReader, PipeWriter);
    reads!(PipeReader, &'static PipeReader);
    writes!(PipeWriter, &'static PipeWriter);
    let _: fn(PipeReader) -> Stdio = <Stdio as From<PipeReader>>::from;
    let _: fn(PipeWriter) -> Stdio = <Stdio as From<PipeWriter>>::from;
}

fn standard_streams() {
    let _: fn() -> Stdin = stdin;
    let _: fn(&Stdin) -> StdinLock<'static> = Stdin::lock;
    let _: fn(&Stdin, &mut String) -> io::Result<usize> = Stdin::read_line;
    let _: fn(Stdin) -> Lines<StdinLock<'static>> = Stdin::lines;
    type L = StdinLock<'static>;
    let _: fn(&mut L) -> io::Result<&[u8]> = <L as BufRead>::fill_buf;
    let _: fn(&mut L, usize) = <L as BufRead>::consume;
    let _: fn() -> Stdout = stdout;
    let _: fn(&Stdout) -> StdoutLock<'static> = Stdout::lock;
    let _: fn() -> Stderr = stderr;
    let _: fn(&Stderr) -> StderrLock<'static> = Stderr::lock;
    reads!(Stdin, &'static Stdin, StdinLock<'static>);
    writes!(Stdout, &'static Stdout, StdoutLock<'static>);
    writes!(Stderr, &'static Stderr, StderrLock<'static>);
    descriptor!(Stdin, StdinLock<'static>, Stdout, StdoutLock<'static>, Stderr, StderrLock<'static>);
    let _: fn(Stdout) -> Stdio = <Stdio as From<Stdout>>::from;
    let _: fn(Stderr) -> Stdio = <Stdio as From<Stderr>>::from;
    // A trait of std that is sealed, and methods here.
    let _: [fn(&Stdin) -> bool; 1] = [|stream| stream.is_terminal()];
    let _: [fn(&StdinLock<'static>) -> bool; 1] = [|stream| stream.is_terminal()];
    let _: [fn(&Stdout) -> bool; 1] = [|stream| stream.is_terminal()];
    let _: [fn(&StdoutLock<'static>) -> bool; 1] = [|stream| stream.is_terminal()];
    let _: [fn(&Stderr) -> bool; 1] = [|stream| stream.is_terminal()];
    let _: [fn(&StderrLock<'static>) -> bool; 1] = [|stream| stream.is_terminal()];
}

pub(crate) fn texts() -> Vec<String> {
    // Without the numbers of descriptors, which differ.
    let plain = |text: String| text.replace(|c: char| c.is_ascii_digit(), "");
    let (reader, writer) = pipe().unwrap();
    vec![plain(format!("{reader:?}")), plain(format!("{writer:?}"))]
}
