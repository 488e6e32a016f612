//! Profiles: who uses the CPU time, and where goroutines wait.
//!
//! [`cpu`] begins one of the CPU time, [`Cpu::stop`] ends it, and the [`Profile`] is written for pprof, as folded stacks, or
//! as a flame graph. Samples say whose they are: a goroutine's, with its name and the closure that it was spawned as, the
//! scheduler's, or that of a plain thread.
//!
//! ```no_run
//! use goroutines::debug::profile;
//!
//! # fn busy() {}
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cpu = profile::cpu(99)?;
//! busy();
//! let profile = cpu.stop();
//! profile.write_pprof(&mut std::fs::File::create("cpu.pb")?)?; // go tool pprof -http=: cpu.pb
//! profile.write_folded(&mut std::fs::File::create("cpu.folded")?)?;
//! # Ok(())
//! # }
//! ```
//!
//! A CPU profile uses SIGPROF, whose handler stays installed after it. Threads that block the signal are not seen. It costs
//! some microseconds a sample, and nothing while none runs. Stacks are walked by unwind tables: code without them is marked
//! as truncated. A library that is loaded meanwhile is known some 100 ms later.

pub use goroutines_insight::{
    Cpu, Owner, Profile, ProfileError, ProfileKind, Sample, StackEnd, cpu,
};
