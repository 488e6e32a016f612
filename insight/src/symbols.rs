//! Names and lines of addresses, by std's own symboliser; and which frames are the runtime's.
//!
//! ```text
//!   goroutines_asm, goroutines_sched ...      how a goroutine leaves its stack    left out
//!   <Receiver<T>>::recv                       the primitive                       kept: the last of them
//!   app::handler                              the program                         kept
//!   core::ops::function::FnOnce::call_once
//!   goroutines_sched ...                      how it began                        left out
//! ```
//!
//! Each address is looked up once. An address in inlined code has several names, innermost first. Where the debug information
//! is only that of lines, as in release builds, names are without paths; so the files say whose a frame is as well.

use std::{collections::HashMap, fmt, ptr, sync::OnceLock};

use crate::groups::Group;

/// A function in which a goroutine is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Frame {
    /// The address at which it continues; one address may stand for several functions, of which all but the last are
    /// inlined.
    pub address: u64,
    /// The name of the function, with its path; `None` where there are no symbols.
    pub function: Option<String>,
    /// File and line of the call, where there is debug information.
    pub place: Option<(String, u32)>,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(name) => write!(f, "{name}")?,
            None => write!(f, "{:#x}", self.address)?,
        }
        match &self.place {
            Some((file, line)) => write!(f, "  {file}:{line}"),
            None => Ok(()),
        }
    }
}

impl Frame {
    /// Returns whether the function belongs to the runtime or to the parts of std that lie between it and the program.
    fn is_internal(&self) -> bool {
        // `<core::option::Option<T> as X>::y` begins like the path of its type.
        let name = self.function.as_deref().unwrap_or_default();
        let name = name.trim_start_matches(['<', '&']);
        let starts = ["core::", "alloc::", "std::", "__rust", "rust_"];
        let dirs = [
            "/library/core/src/",
            "/library/alloc/src/",
            "/library/std/src/",
        ];
        self.is_runtime()
            // By it the runtime calls the kernel.
            || name == "syscall"
            || starts.iter().any(|start| name.starts_with(start))
            || dirs.iter().any(|dir| self.file().contains(dir))
    }

    fn file(&self) -> &str {
        self.place.as_ref().map_or("", |(file, _)| file)
    }

    fn is_runtime(&self) -> bool {
        let name = self.function.as_deref().unwrap_or_default();
        let name = name.trim_start_matches(['<', '&']);
        [
            "goroutines::",
            "goroutines_sched::",
            "goroutines_asm::",
            "goroutines_stack::",
        ]
        .iter()
        .any(|start| name.starts_with(start))
            || crate_dirs().iter().any(|dir| self.file().starts_with(dir))
    }
}

/// Where the sources of the runtime's crates are: beside those of this one, in a workspace or in a registry.
fn crate_dirs() -> &'static [String] {
    static DIRS: OnceLock<Vec<String>> = OnceLock::new();
    DIRS.get_or_init(|| crate_dirs_beside(env!("CARGO_MANIFEST_DIR")))
}

fn crate_dirs_beside(insight: &str) -> Vec<String> {
    let (parent, own) = insight.rsplit_once('/').unwrap_or(("", insight));
    let version = own.strip_prefix("goroutines-insight");
    ["asm", "stack", "sched", "runtime"]
        .map(|member| match (version, member) {
            (None, member) => format!("{parent}/{member}/src/"),
            (Some(version), "runtime") => format!("{parent}/goroutines{version}/src/"),
            (Some(version), member) => format!("{parent}/goroutines-{member}{version}/src/"),
        })
        .to_vec()
}

/// The names that were looked up so far.
#[derive(Clone, Default, Debug)]
pub(crate) struct Symbols {
    known: HashMap<u64, Vec<Frame>>,
}

impl Symbols {
    /// Looks `address` up, if it was not before.
    pub(crate) fn learn(&mut self, address: u64) {
        self.known
            .entry(address)
            .or_insert_with(|| look_up(address));
    }

    /// Looks up what the stack of `group` has.
    pub(crate) fn learn_all(&mut self, group: &Group) {
        let addresses = group.stack.iter().flat_map(|stack| &stack.addresses);
        addresses.for_each(|&address| self.learn(address));
    }

    /// The functions in which `group` is, innermost first.
    pub(crate) fn of(&self, group: &Group) -> Vec<Frame> {
        let addresses = group.stack.iter().flat_map(|stack| &stack.addresses);
        addresses
            .flat_map(|&address| self.at(address).iter().cloned())
            .collect()
    }

    /// Gives `address`, at which no code is, this name.
    pub(crate) fn name(&mut self, address: u64, name: &str) {
        let frame = Frame {
            address,
            function: Some(name.to_owned()),
            place: None,
        };
        self.known.insert(address, vec![frame]);
    }

    /// How many of the innermost addresses of `stack`, which was learned, are of the runtime's functions below the primitive
    /// that the program has called.
    pub(crate) fn inside_primitive(&self, stack: &[u64]) -> usize {
        let all =
            |test: fn(&Frame) -> bool| move |address: &u64| self.at(*address).iter().all(test);
        let own = stack.iter().position(|at| !all(Frame::is_internal)(at));
        let inside = &stack[..own.unwrap_or(0)];
        let any_runtime = |at: &u64| self.at(*at).iter().any(Frame::is_runtime);
        inside.iter().rposition(any_runtime).unwrap_or(0)
    }

    /// The functions at `address`, innermost first.
    pub(crate) fn at(&self, address: u64) -> &[Frame] {
        self.known.get(&address).map_or(&[], Vec::as_slice)
    }
}

fn look_up(address: u64) -> Vec<Frame> {
    let mut frames = Vec::new();
    // It looks at the address before: a frame continues behind its call.
    backtrace::resolve(
        ptr::with_exposed_provenance_mut(address as usize),
        |symbol| {
            let function = symbol.name().map(|name| format!("{name:#}"));
            let file = symbol.filename().map(|file| file.display().to_string());
            frames.push(Frame {
                address,
                function,
                place: file.zip(symbol.lineno()),
            });
        },
    );
    if frames.is_empty() {
        frames.push(Frame {
            address,
            function: None,
            place: None,
        });
    }
    frames
}

/// The frames of a whole stack that are the program's, and the primitive that it waits in: see the head of this file. All,
/// if none is the program's.
pub(crate) fn of_program(mut frames: Vec<Frame>) -> Vec<Frame> {
    if frames.iter().all(Frame::is_internal) {
        return frames;
    }
    let own = |frame: &Frame| !frame.is_internal();
    let first = frames.iter().position(own).unwrap_or(0);
    let last = frames.iter().rposition(own).unwrap_or(0);
    frames.truncate(last + 1);
    // The outermost of the runtime's frames is the one that the program has called.
    let primitive = frames[..first].iter().rposition(Frame::is_runtime);
    frames.drain(..primitive.unwrap_or(first));
    frames
}

/// The frames of a whole stack without those with which it begins before the program's: see the head of this file. All, if
/// none is the program's.
pub(crate) fn without_beginning(mut frames: Vec<Frame>) -> Vec<Frame> {
    if let Some(last) = frames.iter().rposition(|frame| !frame.is_internal()) {
        frames.truncate(last + 1);
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(names: &[&str]) -> Vec<Frame> {
        let frame = |name: &&str| Frame {
            address: 1,
            function: Some((*name).to_owned()),
            place: None,
        };
        names.iter().map(frame).collect()
    }

    #[test]
    fn a_stack_begins_with_the_primitive_and_ends_where_the_program_begins() {
        let all = frames(&[
            "goroutines_asm::switch",
            "goroutines_sched::park::park",
            "<goroutines::chan::Receiver<T>>::recv",
            "app::handler",
            "std::panic::catch_unwind",
            "app::main::{{closure}}",
            "core::ops::function::FnOnce::call_once",
            "goroutines_sched::gmp::payload::run",
        ]);
        assert_eq!(of_program(all.clone()), all[2..6]);
        let runtime = frames(&["goroutines_asm::switch", "goroutines_sched::park::park"]);
        assert_eq!(of_program(runtime.clone()), runtime);
        let own = frames(&["app::a", "app::b"]);
        assert_eq!(of_program(own.clone()), own);
        let through_std = frames(&["goroutines::sleep", "std::x", "app::a"]);
        assert_eq!(of_program(through_std.clone()), through_std);
    }

    #[test]
    fn frames_without_paths_are_told_apart_by_their_files() {
        let frame = |file: &str| Frame {
            address: 1,
            function: Some("recv<u32>".to_owned()),
            place: Some((file.to_owned(), 1)),
        };
        let beside = |name| format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
        let dirs = crate_dirs_beside("/r/goroutines-insight-0.1.0");
        assert_eq!(
            dirs[2..],
            ["/r/goroutines-sched-0.1.0/src/", "/r/goroutines-0.1.0/src/"]
        );
        let dirs = crate_dirs_beside("/w/insight");
        assert_eq!(dirs[2..], ["/w/sched/src/", "/w/runtime/src/"]);
        let runtime = crate_dirs()[3].clone() + "chan/receiver.rs";
        assert!(frame(&runtime).is_runtime() && frame(&runtime).is_internal());
        let std = frame("/rustc/59807616/library/core/src/ops/function.rs");
        assert!(std.is_internal() && !std.is_runtime());
        assert!(!frame(&beside("tests/x.rs")).is_internal());
    }

    #[test]
    fn an_address_has_the_name_of_its_function() {
        let here = look_up as fn(u64) -> Vec<Frame> as usize as u64;
        let mut symbols = Symbols::default();
        // As a return address: one behind an address of the function.
        symbols.learn(here + 1);
        let name = symbols.at(here + 1)[0].function.as_deref();
        assert!(
            name.is_some_and(|name| name.ends_with("look_up")),
            "{name:?}"
        );
        symbols.learn(1);
        assert_eq!(symbols.at(1)[0].function, None);
        assert_eq!(symbols.at(1)[0].to_string(), "0x1");
    }
}
