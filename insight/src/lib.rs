//! Looking into a running program: the modules behind `goroutines::debug`.
//!
//! ```text
//!  sched: goroutines held    walk: addresses      groups: equal ones      symbols: names     text, json
//!  in their waits          ► of their frames   ►  counted             ►   of addresses   ►   written out
//! ```
//!
//! | file | what it has |
//! |---|---|
//! | modules.rs | the code of the process, and its unwind tables |
//! | unwind.rs, cfi.rs | from a frame to its caller: which unwinder does it; the one for any CPU |
//! | walk.rs | the frames of one stack |
//! | context.rs | the state of the context that is current in a goroutine |
//! | groups.rs | goroutines that do the same at the same place |
//! | symbols.rs | names and lines of addresses, and which frames are the runtime's |
//! | graph.rs, cycles.rs | [`WaitGraph`]: what waits for what, and rings of such waits |
//! | stuck.rs | the channels at which a deadlock ends |
//! | longest.rs | goroutines that have waited longest |
//! | leaks.rs | [`Leaks`]: goroutines that have waited for long |
//! | snapshot.rs | [`Dump`] and [`Snapshot`]: taking all of them at one time |
//! | text.rs, json.rs | writing a snapshot |
//! | emergency.rs | a dump that allocates nothing |
//! | profile.rs, folded.rs | [`Profile`]: where time went; folded stacks, flame graphs |
//! | cpu | [`cpu()`]: CPU profiles |
//! | block.rs | [`block()`], [`contention`]: profiles of waits |
//! | profiler.rs | what profiles that run have in common |
//! | walker.rs | the walks of profiles |
//! | record.rs, sums.rs, door.rs | what signal handlers and the scheduler write to, and when it is freed |
//! | pprof.rs | writing a profile for pprof |
//! | proto.rs | writing protobuf messages |
//! | room.rs | room on the stack for what the system does |
//! | sites.rs | goroutines counted by what they do and were spawned as |
//! | trace | recording what the scheduler does into a file, and the flight recorder |
//! | perfetto.rs, chrome.rs, page | the formats of such files |
//! | serve | a socket on which other processes look into this one |
//!
//! A stack is read, and nothing runs on it: the goroutine is held in its wait, or in its run queue, for some microseconds
//! (`goroutines_sched::visit_all`). One that is on a thread is walked by that thread, in the handler of a signal. No lock is
//! taken that a parked one may hold.
#![cfg(target_os = "linux")]

mod block;
mod cfi;
mod chrome;
mod context;
mod cpu;
mod cycles;
mod door;
mod emergency;
mod folded;
mod graph;
mod groups;
mod json;
mod leaks;
mod longest;
mod modules;
mod page;
mod perfetto;
mod pprof;
mod profile;
mod profiler;
mod proto;
mod record;
mod room;
mod serve;
mod sites;
mod snapshot;
mod stuck;
mod sums;
mod symbols;
mod text;
pub mod trace;
mod unwind;
mod walk;
mod walker;

pub use block::{Block, block, contention};
pub use context::{ContextState, ReadContext, read_contexts_with};
pub use cpu::{Cpu, cpu};
pub use emergency::Emergency;
pub use graph::{Cycle, Edge, Node, WaitGraph, wait_graph};
pub use groups::{Group, Object};
pub use leaks::{Leak, Leaks, leaks};
pub use profile::{Owner, Profile, ProfileKind, Sample, StackEnd};
pub use profiler::ProfileError;
pub use serve::{Server, serve};
pub use snapshot::{Dump, Snapshot, Summary, dump, walk_hog};
pub use stuck::write_stuck_channels;
pub use symbols::Frame;
