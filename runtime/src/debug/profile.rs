//! Profiles: who uses the CPU time, and where goroutines wait.
//!
//! [`cpu`] begins one of the CPU time, and [`Cpu::stop`] ends it. [`block`] and [`contention`] begin one of waits, for anything or
//! for locks alone, and [`Block::stop`] ends it. The [`Profile`] is written for pprof, as folded stacks, or as a flame graph.
//! Samples say whose they are: a goroutine's, with its name and the closure that it was spawned as, the scheduler's, or that of
//! a plain thread.
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
//! A profile of waits is taken by the scheduler where goroutines wait and go on; while none runs that is the code without it.
//! To find the one lock that everybody waits for, begin with [`contention`] at 10 us; for latency, with [`block`] at 100 us:
//!
//! ```
//! use std::time::Duration;
//!
//! use goroutines::{debug::profile, go, sync::Mutex};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # // SAFETY: nothing here keeps an address of a thread-local across a park.
//! # unsafe { goroutines::start() }?;
//! let profile = profile::contention(Duration::from_nanos(1))?;
//! let mutex = std::sync::Arc::new(Mutex::new(0));
//! let guard = mutex.lock().unwrap();
//! let other = mutex.clone();
//! let waits = go(move || *other.lock().unwrap() += 1);
//! goroutines::sleep(Duration::from_millis(10));
//! drop(guard);
//! waits.join().unwrap();
//! profile.stop().write_folded(&mut std::io::stdout())?; // goroutine ..;lock;[mutex lock] 9876
//! # Ok(())
//! # }
//! ```
//!
//! A CPU profile uses SIGPROF, whose handler stays installed after it. Threads that block the signal are not seen. It costs
//! some microseconds a sample, and nothing while none runs. Stacks are walked by unwind tables: code without them is marked
//! as truncated. A library that is loaded meanwhile is known some 100 ms later.

pub use goroutines_insight::{
    Block, Cpu, Owner, Profile, ProfileError, ProfileKind, Sample, StackEnd, block, contention, cpu,
};
