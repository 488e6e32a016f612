//! Reads a finished program and finds functions that keep an address of thread-local storage over a call that can park.
//!
//! To the compiler a function stays on one thread, so it may keep the address of a thread-local in a register that calls
//! preserve, or in its frame, and use it again after the call. A goroutine may be on another thread then. At run time the
//! migration check of the scheduler sees such an address and sends the goroutine back; this tool says beforehand where the
//! program has some.
//!
//! ```text
//! mov  %fs:0, %rax          an address of this thread's storage            flow.rs, of value.rs
//! lea  -0xa0(%rax), %r14    ... derived, and in a register that calls preserve
//! call goroutines::yield_now                                               a park is reachable: graph.rs
//! mov  %r15, (%r14)         used: found
//! ```
//!
//! 1. `image.rs` reads functions from the symbol table, and what the words of the global offset table point at.
//! 2. `graph.rs` finds the places where goroutines leave their thread: the context switch, which is inlined, has a form of
//!    its own; and from there backwards, over direct calls, every function that can come there.
//! 3. `flow.rs` follows addresses of thread-local storage through each function, over registers, the frame and
//!    address arithmetic. One that is alive over such a call is *stale*, and every use of it is a finding.
//!
//! # What it cannot see
//!
//! - Calls through pointers (closures in boxes, trait objects, function pointers) are taken for calls that do not park,
//!   unless [`Options::indirect`] says that all of them do; with it there are many findings that are none.
//! - Addresses that go through memory other than the frame, through vector registers, or into a function as an argument;
//!   thread identities that are no addresses (an `Rc` that a thread-local shares). Addresses that a function returns are
//!   followed.
//! - Targets of jump tables are not read: code that nothing else jumps to is taken to follow every indirect jump and, for
//!   landing pads, every call. Where that is wrong it finds too much.
//! - The path from a call to the switch may be one that is never taken, and a function of the scheduler's own threads may
//!   be found although these do not move: findings are places to look at, not bugs.
//! - Shared libraries are not followed. Programs for x86_64 only; a stripped one cannot be read.

mod flow;
mod graph;
mod image;
mod value;

use std::{error, fmt, io, path::Path};

use graph::Graph;
use image::Image;

/// What counts as a call that can park.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Calls through pointers, too.
    pub indirect: bool,
}

/// An address of thread-local storage that is used after a call that can park.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The function's name.
    pub function: String,
    /// Where it starts.
    pub start: u64,
    /// Where it gets the address.
    pub taken: u64,
    /// The call over which it keeps it.
    pub call: u64,
    /// The function that is called there.
    pub callee: String,
    /// Where the address is used after the call.
    pub used: u64,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({:#x}): keeps the address of thread-local storage from {:#x} over the call at {:#x} of {}, and uses it \
             at {:#x}",
            self.function, self.start, self.taken, self.call, self.callee, self.used
        )
    }
}

/// What was found in a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Functions that were looked at.
    pub functions: usize,
    /// Functions among them from which a park is reachable.
    pub can_park: usize,
    /// In the order of their addresses.
    pub findings: Vec<Finding>,
}

/// Why a program could not be looked at.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// It cannot be read.
    Io(io::Error),
    /// It is no ELF file, or a damaged one.
    Format(object::Error),
    /// It is for another CPU: which.
    Cpu(String),
    /// It has no symbol table.
    Stripped,
    /// It has no context switch of the goroutines' runtime.
    NoSwitch,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(error) => write!(f, "cannot be read: {error}"),
            Error::Format(error) => write!(f, "is no program that can be understood: {error}"),
            Error::Cpu(cpu) => write!(f, "is a program for {cpu}; only x86_64 can be checked so far"),
            Error::Stripped => f.write_str(
                "has no symbol table, so its functions cannot be told apart; build it without `strip`",
            ),
            Error::NoSwitch => f.write_str(
                "has no context switch of goroutines, so nothing in it can park; is it the right program?",
            ),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Io(error) => Some(error),
            Error::Format(error) => Some(error),
            _ => None,
        }
    }
}

/// Looks at the program in the file `path`.
///
/// # Errors
///
/// When it is none that can be understood: see [`Error`].
pub fn check_file(path: &Path, options: Options) -> Result<Report, Error> {
    check(&std::fs::read(path).map_err(Error::Io)?, options)
}

/// Looks at the program in `bytes`.
///
/// # Errors
///
/// As [`check_file`].
pub fn check(bytes: &[u8], options: Options) -> Result<Report, Error> {
    let image = Image::parse(bytes)?;
    let graph = Graph::of(&image);
    if !graph.has_switch() {
        return Err(Error::NoSwitch);
    }
    Ok(Report {
        functions: image.functions.len(),
        can_park: graph.count_parking(),
        findings: flow::findings(&image, &graph, options),
    })
}
