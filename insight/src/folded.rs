//! Folded stacks, and flame graphs of them.

use std::{collections::HashMap, io};

use crate::{
    profile::{Owner, Profile, ProfileKind, Sample, StackEnd},
    symbols::{of_program, without_beginning},
};

impl Profile {
    /// Writes folded stacks: a line a stack, outermost function first, separated by `;`, then a blank and a number: samples
    /// of a CPU profile, microseconds of the others. The first is whose time it is. Frames of the runtime below the
    /// program's are left out, and of waits those above the call that waits.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_folded(&self, out: &mut dyn io::Write) -> io::Result<()> {
        self.folded()
            .iter()
            .try_for_each(|line| writeln!(out, "{line}"))
    }

    /// Writes a flame graph, as SVG.
    ///
    /// # Errors
    ///
    /// Those of `out`, and [`io::ErrorKind::InvalidData`] if the profile has no samples.
    #[cfg(feature = "flamegraph")]
    pub fn write_flamegraph(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut options = inferno::flamegraph::Options::default();
        let (title, unit) = match self.about.kind {
            ProfileKind::Cpu => ("CPU time", "samples"),
            ProfileKind::Block => ("Waiting", "us"),
            ProfileKind::Contention => ("Waiting for locks", "us"),
        };
        options.title = title.to_owned();
        options.count_name = unit.to_owned();
        let lines = self.folded();
        inferno::flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), out)
    }

    /// The folded stacks, sorted; equal ones are one line.
    fn folded(&self) -> Vec<String> {
        let mut lines: HashMap<String, u64> = HashMap::new();
        for sample in &self.samples {
            let number = match self.about.kind {
                ProfileKind::Cpu => sample.amount.count,
                ProfileKind::Block | ProfileKind::Contention => sample.amount.nanoseconds / 1000,
            };
            *lines.entry(self.fold(sample)).or_default() += number;
        }
        let lines = lines.into_iter().filter(|&(_, number)| number != 0);
        let mut lines: Vec<String> = lines
            .map(|(stack, number)| format!("{stack} {number}"))
            .collect();
        lines.sort();
        lines
    }

    fn fold(&self, sample: &Sample) -> String {
        let mut line = legal(&who(sample));
        let frames = match sample.place.end {
            StackEnd::Begin if sample.place.reason.is_some() => of_program(self.frames(sample)),
            StackEnd::Begin => without_beginning(self.frames(sample)),
            StackEnd::Deep | StackEnd::Truncated => {
                line += ";(truncated)";
                self.frames(sample)
            }
            StackEnd::Switch => {
                line += ";(switch)";
                self.frames(sample)
            }
        };
        for frame in frames.iter().rev() {
            line.push(';');
            match &frame.function {
                Some(name) => line += &legal(name),
                None => line += &format!("{:#x}", frame.address),
            }
        }
        if let Some(reason) = sample.place.reason {
            line += &format!(";[{reason}]");
        }
        line
    }
}

/// `name` without the separator of frames, which is in the names of arrays.
fn legal(name: &str) -> String {
    name.replace(';', ":").replace('\n', " ")
}

/// Who it is, as the outermost frame of a folded stack says it.
fn who(sample: &Sample) -> String {
    match sample.owner() {
        Owner::Goroutine {
            name: Some(name), ..
        } => format!("goroutine {name}"),
        Owner::Goroutine { spawned_as, .. } => format!("goroutine {spawned_as}"),
        Owner::Scheduler => "scheduler".to_owned(),
        Owner::Thread => "thread".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use goroutines_sched::WaitReason;

    use super::*;
    use crate::profile::{
        Amount, Samples,
        tests::{place, profile_of},
    };

    fn text(profile: &Profile) -> String {
        let mut text = Vec::new();
        profile.write_folded(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    const HERE: &str = "goroutines_insight::profile::tests::profile_of";
    const INNER: &str = "goroutines_insight::profile::tests::place";

    #[test]
    fn a_folded_stack_begins_with_whose_it_is_and_ends_with_the_innermost_function() {
        let mut samples = Samples::new();
        let amount = Amount {
            count: 4,
            nanoseconds: 9_000_000,
        };
        samples.add(place(Some("a"), StackEnd::Truncated, None), amount);
        samples.add(place(None, StackEnd::Begin, None), amount);
        let cpu = text(&profile_of(samples, ProfileKind::Cpu));
        let lines: Vec<&str> = cpu.lines().collect();
        assert_eq!(
            lines,
            [
                format!("goroutine a;(truncated);{HERE};{INNER} 4"),
                format!("goroutine app::main<[u8: 4]>;{HERE};{INNER} 4"),
            ]
        );
    }

    #[test]
    fn a_folded_wait_says_what_for_and_counts_microseconds() {
        let mut samples = Samples::new();
        let amount = Amount {
            count: 1,
            nanoseconds: 9_000_999,
        };
        samples.add(
            place(Some("a"), StackEnd::Begin, Some(WaitReason::Join)),
            amount,
        );
        let short = Amount {
            count: 1,
            nanoseconds: 999,
        };
        samples.add(
            place(Some("b"), StackEnd::Begin, Some(WaitReason::Join)),
            short,
        );
        let block = text(&profile_of(samples, ProfileKind::Block));
        assert_eq!(block, format!("goroutine a;{HERE};{INNER};[join] 9000\n"));
    }
}
