//! The rows of the latency report.

use super::beside::{Beside, Others};
use super::late::Late;
use super::ticker;
use super::wake::{self, Waker};
use super::world::{Goroutines, Threads, World};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A ticker.
    Tick,
    /// A wake, and what wakes.
    Wake(Waker),
}

/// One row of the report.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What is measured.
    pub kind: Kind,
    /// What runs beside it.
    pub beside: Beside,
}

impl Scenario {
    /// All of them, as the report shows them.
    pub fn all() -> Vec<Scenario> {
        use Beside::*;
        let of = |kind, beside: &[Beside]| -> Vec<Scenario> {
            let row = |&beside| Scenario { kind, beside };
            beside.iter().map(row).collect()
        };
        [
            of(Kind::Tick, &[Nothing, Blockers, Loops, Yielders, Workers]),
            of(Kind::Wake(Waker::Peer), &[Nothing, Workers]),
            of(Kind::Wake(Waker::BusyPeer), &[Nothing]),
            of(
                Kind::Wake(Waker::Outside),
                &[Nothing, Blockers, Loops, Workers],
            ),
        ]
        .concat()
    }

    /// Its name in the report.
    pub fn name(self) -> String {
        let kind = match self.kind {
            Kind::Tick => "1 ms ticker",
            Kind::Wake(waker) => waker.name(),
        };
        format!("{kind}, {}", self.beside.name())
    }

    /// Measures it with goroutines and with OS threads. What the runtime has must be started.
    ///
    /// # Errors
    ///
    /// When a thread or goroutine cannot be started or has failed.
    pub fn measure(self, samples: usize) -> Result<[(&'static str, Late); 2], String> {
        Ok([
            (Goroutines::NAME, self.measure_in::<Goroutines>(samples)?),
            (Threads::NAME, self.measure_in::<Threads>(samples)?),
        ])
    }

    fn measure_in<W: World>(self, samples: usize) -> Result<Late, String> {
        let others = Others::start::<W>(self.beside)?;
        let late = match self.kind {
            Kind::Tick => ticker::run::<W>(samples),
            Kind::Wake(waker) => wake::run::<W>(waker, samples),
        };
        others.stop::<W>()?;
        late.map(Late::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_scenarios_have_the_same_name() {
        let mut names: Vec<String> = Scenario::all().into_iter().map(Scenario::name).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
