//! Which scenarios there are.

use std::io;

use goroutines::Config;

use super::figure::Figure;
use super::parked::Hold;
use super::{Stacks, ended, growth, parked, resume};
use crate::report::numbers::grouped;

/// What a scenario measures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// See [`parked`].
    Parked(Stacks, Hold),
    /// See [`ended`].
    Ended(Stacks),
    /// See [`growth`].
    Growth,
    /// See [`resume`].
    Resume(Stacks),
}

/// One line of the plan: what, with how many goroutines, on how many Ps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scenario {
    /// What is measured.
    pub kind: Kind,
    /// How many goroutines.
    pub count: usize,
    /// How many Ps.
    pub procs: usize,
    /// How large the stack of a goroutine may grow, in bytes; none for the default of the runtime.
    pub stack: Option<usize>,
}

/// Every scenario, in the order of the report; with few goroutines if it shall be `quick`, with stacks of at most `stack`
/// bytes.
pub fn all(quick: bool, stack: Option<usize>) -> Vec<Scenario> {
    use Kind::{Ended, Growth, Parked, Resume};
    use Stacks::{Copy, Own};
    let [few, many, most, windows] = if quick {
        [200, 1000, 3000, 50]
    } else {
        [10_000, 100_000, 1_000_000, 2000]
    };
    let mut plan = Vec::new();
    for (stacks, hold) in [
        (Own, Hold::Nothing),
        (Copy, Hold::Nothing),
        (Copy, Hold::Buffer),
    ] {
        plan.extend([
            (Parked(stacks, hold), many, 1),
            (Parked(stacks, hold), most, 1),
            (Parked(stacks, hold), most, 2),
        ]);
    }
    plan.extend([(Ended(Own), many, 1), (Ended(Copy), many, 1)]);
    plan.push((Growth, windows, 1));
    for stacks in [Own, Copy] {
        plan.extend([
            (Resume(stacks), few, 1),
            (Resume(stacks), many, 1),
            (Resume(stacks), most, 1),
            (Resume(stacks), most, 2),
        ]);
    }
    plan.into_iter()
        .map(|(kind, count, procs)| Scenario {
            kind,
            count,
            procs,
            stack,
        })
        .collect()
}

impl Scenario {
    /// Its name in JSON and for `--only`.
    pub fn id(&self) -> String {
        let kind = match self.kind {
            Kind::Parked(Stacks::Own, Hold::Nothing) => "parked-own",
            Kind::Parked(Stacks::Own, Hold::Buffer) => "parked-own-buffer",
            Kind::Parked(Stacks::Copy, Hold::Nothing) => "parked-copy",
            Kind::Parked(Stacks::Copy, Hold::Buffer) => "parked-copy-buffer",
            Kind::Ended(Stacks::Own) => "ended-own",
            Kind::Ended(Stacks::Copy) => "ended-copy",
            Kind::Growth => "growth",
            Kind::Resume(Stacks::Own) => "resume-own",
            Kind::Resume(Stacks::Copy) => "resume-copy",
        };
        format!("{kind}-{}-p{}", self.count, self.procs)
    }

    /// Its name for people.
    pub fn title(&self) -> String {
        let what = match self.kind {
            Kind::Parked(Stacks::Own, Hold::Nothing) => "parked goroutines, own stacks",
            Kind::Parked(Stacks::Own, Hold::Buffer) => {
                "parked goroutines with a buffer, own stacks"
            }
            Kind::Parked(Stacks::Copy, Hold::Nothing) => "parked goroutines, copy stacks",
            Kind::Parked(Stacks::Copy, Hold::Buffer) => {
                "parked goroutines with a buffer, copy stacks"
            }
            Kind::Ended(Stacks::Own) => "goroutines ended after a park, own stacks",
            Kind::Ended(Stacks::Copy) => "goroutines ended after a park, copy stacks",
            Kind::Growth => "growing stacks of each start",
            Kind::Resume(Stacks::Own) => "goroutines resumed, own stacks",
            Kind::Resume(Stacks::Copy) => "goroutines resumed, copy stacks",
        };
        let procs = match self.procs {
            1 => "one P".to_owned(),
            procs => format!("{procs} Ps"),
        };
        format!("{} {what}, {procs}", grouped(self.count))
    }

    /// About how much memory it needs, in bytes.
    pub fn needs(&self) -> usize {
        let each = match self.kind {
            Kind::Parked(Stacks::Own, _) | Kind::Ended(Stacks::Own) | Kind::Resume(Stacks::Own) => {
                5500
            }
            Kind::Parked(Stacks::Copy, _)
            | Kind::Ended(Stacks::Copy)
            | Kind::Resume(Stacks::Copy) => 1500,
            Kind::Growth => 120 << 10,
        };
        self.count * each
    }

    /// Measures it. Once in a process.
    ///
    /// # Errors
    ///
    /// When something is refused that it needs: memory, the runtime, /proc.
    pub fn run(&self) -> io::Result<Vec<Figure>> {
        match self.kind {
            Kind::Parked(stacks, hold) => parked::run(stacks, hold, self.count, self.config()),
            Kind::Ended(stacks) => ended::run(stacks, self.count, self.config()),
            Kind::Growth => growth::run(self.count, self.stack, self.config()),
            Kind::Resume(stacks) => resume::run(stacks, self.count, self.rounds(), self.config()),
        }
    }

    fn config(&self) -> Config {
        let config = Config::new().procs(self.procs);
        match self.stack {
            None => config,
            Some(bytes) => config.stack_size(bytes),
        }
    }

    /// How often all goroutines are resumed: about as many times in all, whatever their number, but never seldom.
    fn rounds(&self) -> usize {
        (1_000_000 / self.count).clamp(5, 50)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_scenario_has_an_id_of_its_own() {
        for quick in [false, true] {
            let ids: HashSet<_> = all(quick, None).iter().map(Scenario::id).collect();
            assert_eq!(ids.len(), all(quick, None).len());
        }
    }

    #[test]
    fn a_quick_run_has_the_same_scenarios_with_fewer_goroutines() {
        for (full, quick) in all(false, None).iter().zip(&all(true, None)) {
            assert_eq!((full.kind, full.procs), (quick.kind, quick.procs));
            assert!(quick.count < full.count);
        }
        assert_eq!(all(false, None).len(), all(true, None).len());
    }

    #[test]
    fn titles_say_the_number_so_that_it_can_be_read() {
        let title = Scenario {
            kind: Kind::Resume(Stacks::Copy),
            count: 1_000_020,
            procs: 2,
            stack: None,
        }
        .title();
        assert_eq!(title, "1 000 020 goroutines resumed, copy stacks, 2 Ps");
    }
}
