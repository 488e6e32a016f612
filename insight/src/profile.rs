//! A finished profile: where the time of a program went, as samples, and writing it out.
//!
//! | format | for | file |
//! |---|---|---|
//! | pprof's protobuf | `go tool pprof`, Speedscope, Grafana Pyroscope | pprof.rs |
//! | folded stacks: `main;f;g 12` | `flamegraph.pl`, Speedscope, `grep` | folded.rs |
//! | SVG | browsers; with the feature `flamegraph` | folded.rs |
//!
//! Addresses are kept as return addresses are: one behind the instruction. So the address that a signal has interrupted is
//! kept plus one, and symbols.rs, which looks at the byte before, finds the right line for both.

use std::{
    collections::HashMap,
    io,
    time::{Duration, SystemTime},
};

use goroutines_sched::WaitReason;

use crate::{
    pprof,
    symbols::{Frame, Symbols},
};

/// What a profile counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ProfileKind {
    /// CPU time, by who uses it.
    Cpu,
    /// Time in which goroutines wait. Threads that use what the runtime has to wait with count as well.
    Block,
    /// Time in which goroutines wait for locks.
    Contention,
}

/// Whose time a sample is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Owner {
    /// A goroutine's.
    Goroutine {
        /// Its number; 0 where the profile does not tell goroutines apart.
        id: u64,
        /// Its name, as much of it as there was room for.
        name: Option<String>,
        /// The type of the closure that it was spawned as.
        spawned_as: &'static str,
    },
    /// The scheduler's: it looks for a goroutine to run, or ends one.
    Scheduler,
    /// That of a thread which runs no goroutines.
    Thread,
}

/// Where the walk of a sample's stack ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum StackEnd {
    /// Where the goroutine or the thread began.
    Begin,
    /// After the most frames that are kept.
    Deep,
    /// There was no unwind information, or the stack could not be read: frames are missing.
    Truncated,
    /// It did not begin: the registers were those of two goroutines, in the few instructions of a switch.
    Switch,
}

/// The address that stands for frames that were not kept.
pub(crate) const LEFT_OUT: u64 = 0;

/// Times at one place, of one owner.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Place {
    pub(crate) owner: Owner,
    /// Why it waits, in a profile of waits.
    pub(crate) reason: Option<WaitReason>,
    /// Innermost first. [`LEFT_OUT`] stands for the frames between the two ends of a deep stack.
    pub(crate) stack: Vec<u64>,
    pub(crate) end: StackEnd,
}

/// What is known of a place.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Amount {
    pub(crate) count: u64,
    pub(crate) nanoseconds: u64,
}

/// Samples of one kind, counted.
#[derive(Debug)]
pub(crate) struct Samples {
    places: HashMap<Place, Amount>,
}

impl Samples {
    pub(crate) fn new() -> Samples {
        Samples {
            places: HashMap::new(),
        }
    }

    pub(crate) fn add(&mut self, place: Place, amount: Amount) {
        let sum = self.places.entry(place).or_default();
        sum.count += amount.count;
        sum.nanoseconds += amount.nanoseconds;
    }

    /// What was counted as nanoseconds is in units of so many.
    pub(crate) fn scale(&mut self, nanoseconds: f64) {
        for amount in self.places.values_mut() {
            amount.nanoseconds = (amount.nanoseconds as f64 * nanoseconds) as u64;
        }
    }

    /// The profile, with the names of all functions.
    pub(crate) fn named(self, about: About) -> Profile {
        let mut symbols = Symbols::default();
        symbols.name(LEFT_OUT, "(frames left out)");
        let mut samples: Vec<Sample> = self
            .places
            .into_iter()
            .map(|(place, amount)| Sample { place, amount })
            .collect();
        for sample in &mut samples {
            let place = &mut sample.place;
            place.stack.iter().for_each(|&at| symbols.learn(at));
            if place.reason.is_some() {
                let inside = symbols.inside_primitive(&place.stack);
                place.stack.drain(..inside);
            }
        }
        // The larger first. Equal ones in an order that does not depend on the table's.
        samples.sort_by(|a, b| {
            let order = b.amount.nanoseconds.cmp(&a.amount.nanoseconds);
            order.then_with(|| a.place.stack.cmp(&b.place.stack))
        });
        Profile {
            about,
            samples,
            symbols,
        }
    }
}

/// What a profile is of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) kind: ProfileKind,
    /// Nanoseconds for which a sample stands.
    pub(crate) period: u64,
    pub(crate) started: SystemTime,
    pub(crate) duration: Duration,
    pub(crate) lost: u64,
}

/// Time that was spent at one place.
#[derive(Clone, Debug)]
pub struct Sample {
    pub(crate) place: Place,
    pub(crate) amount: Amount,
}

impl Sample {
    /// Whose time it is.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.place.owner
    }

    /// How often it was seen there.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.amount.count
    }

    /// The time.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.amount.nanoseconds)
    }

    /// Where the walk of its stack ended.
    #[must_use]
    pub fn end(&self) -> StackEnd {
        self.place.end
    }

    /// What its goroutine waits for, in a profile of waits.
    #[must_use]
    pub fn reason(&self) -> Option<WaitReason> {
        self.place.reason
    }
}

/// A finished profile.
#[derive(Clone, Debug)]
pub struct Profile {
    pub(crate) about: About,
    pub(crate) samples: Vec<Sample>,
    pub(crate) symbols: Symbols,
}

impl Profile {
    /// What it counts.
    #[must_use]
    pub fn kind(&self) -> ProfileKind {
        self.about.kind
    }

    /// For how long it was taken.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.about.duration
    }

    /// How many samples there was no room for. They are missing in the others.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.about.lost
    }

    /// The samples, the longest time first.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The functions of `sample`, a sample of this profile, innermost first.
    #[must_use]
    pub fn frames(&self, sample: &Sample) -> Vec<Frame> {
        let stack = sample.place.stack.iter();
        stack
            .flat_map(|&address| self.symbols.at(address).iter().cloned())
            .collect()
    }

    /// Writes it as pprof's protobuf, not compressed.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_pprof(&self, out: &mut dyn io::Write) -> io::Result<()> {
        pprof::write(self, out)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn profile_of(samples: Samples, kind: ProfileKind) -> Profile {
        samples.named(About {
            kind,
            period: 10_000_000,
            started: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
            duration: Duration::from_secs(2),
            lost: 0,
        })
    }

    pub(crate) fn place(name: Option<&str>, end: StackEnd, reason: Option<WaitReason>) -> Place {
        // One behind the first instruction of two functions.
        let here = profile_of as fn(Samples, ProfileKind) -> Profile as usize as u64;
        let inner =
            place as fn(Option<&str>, StackEnd, Option<WaitReason>) -> Place as usize as u64;
        Place {
            owner: Owner::Goroutine {
                id: 7,
                name: name.map(str::to_owned),
                spawned_as: "app::main<[u8; 4]>",
            },
            reason,
            stack: vec![inner + 1, here + 1],
            end,
        }
    }

    #[test]
    fn equal_samples_are_counted_and_the_longest_come_first() {
        let mut samples = Samples::new();
        let amount = |count, nanoseconds| Amount { count, nanoseconds };
        samples.add(place(Some("a"), StackEnd::Begin, None), amount(1, 10));
        samples.add(place(Some("b"), StackEnd::Begin, None), amount(1, 30));
        samples.add(place(Some("a"), StackEnd::Begin, None), amount(3, 50));
        let profile = profile_of(samples, ProfileKind::Cpu);
        let all = profile.samples().iter();
        let all: Vec<_> = all.map(|sample| (sample.count(), sample.time())).collect();
        assert_eq!(
            all,
            [(4, Duration::from_nanos(60)), (1, Duration::from_nanos(30))]
        );
    }
}
