//! How late goroutines and OS threads go on, beside others that want the CPUs.
//!
//! - A *ticker* ([`ticker`]) sleeps for a millisecond again and again, and notes how much later it went on.
//! - In a *wake* ([`wake`]) somebody waits for a message. The waker puts the time into it just before it makes the
//!   other one ready, and that one notes how long ago that was when it runs.
//!
//! Both are written once, for either [`World`]: goroutines and their channels, OS threads and std's.

pub mod beside;
pub mod ticker;
pub mod wake;
pub mod world;

use beside::Beside;
use wake::Waker;
use world::{Goroutines, Threads, World};

/// How late each of the samples was, in nanoseconds, shortest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Late(Vec<u64>);

impl Late {
    /// Of samples in any order.
    pub fn new(mut samples: Vec<u64>) -> Late {
        samples.sort_unstable();
        Late(samples)
    }

    /// The sample below or at which the fraction `share` of them lies; 0 if there are none.
    pub fn at(&self, share: f64) -> u64 {
        let place = (self.0.len() as f64 * share).ceil() as usize;
        let last = self.0.len().saturating_sub(1);
        let place = place.saturating_sub(1).min(last);
        self.0.get(place).copied().unwrap_or(0)
    }

    /// How many samples there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A ticker.
    Tick,
    /// A wake, by whom.
    Wake(Waker),
}

/// One row of the report.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What is measured.
    pub kind: Kind,
    /// Beside whom.
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
        let others = beside::Others::start::<W>(self.beside)?;
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
    fn a_share_is_the_sample_that_so_many_do_not_exceed() {
        let late = Late::new((1..=1000).rev().collect());
        assert_eq!(late.at(0.5), 500);
        assert_eq!(late.at(0.99), 990);
        assert_eq!(late.at(0.999), 999);
        assert_eq!((late.at(0.0), late.at(1.0)), (1, 1000));
    }

    #[test]
    fn without_samples_nothing_is_late() {
        assert_eq!(Late::default().at(0.99), 0);
    }

    #[test]
    fn no_two_scenarios_have_the_same_name() {
        let mut names: Vec<String> = Scenario::all().into_iter().map(Scenario::name).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
