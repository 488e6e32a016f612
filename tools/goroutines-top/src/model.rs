//! What the answers of a program say. Fields that a program does not send are zero.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// The answer to `hello`.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Hello {
    pub(crate) version: String,
    pub(crate) pid: u32,
    pub(crate) program: String,
}

impl Hello {
    /// The name of the program, without its folder.
    pub(crate) fn name(&self) -> &str {
        self.program.rsplit('/').next().unwrap_or_default()
    }
}

/// The answer to `stats`.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Stats {
    pub(crate) time_us: u64,
    pub(crate) goroutines: u64,
    pub(crate) threads: Threads,
    pub(crate) global_queue: u64,
    pub(crate) sockets: u64,
    pub(crate) procs: Vec<Proc>,
    pub(crate) counts: Counts,
}

#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Threads {
    pub(crate) all: u64,
    pub(crate) running: u64,
    pub(crate) spinning: u64,
    pub(crate) asleep: u64,
    pub(crate) waiting: u64,
    pub(crate) blocked: u64,
}

#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Proc {
    pub(crate) state: String,
    pub(crate) queue: u64,
    pub(crate) runs: u64,
    pub(crate) steals: u64,
}

#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Counts {
    pub(crate) spawned: u64,
    pub(crate) runs: u64,
    pub(crate) steals: u64,
    pub(crate) handoffs: u64,
    pub(crate) retakes: u64,
    pub(crate) takes: u64,
    pub(crate) wakes: u64,
    pub(crate) polls: u64,
    pub(crate) poll_events: u64,
    pub(crate) growth_faults: u64,
}

/// The answer to `goroutines site`.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Sites {
    pub(crate) states: Vec<Counted>,
    pub(crate) sites: Vec<Site>,
    pub(crate) further_sites: u64,
    pub(crate) further_goroutines: u64,
}

#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Counted {
    pub(crate) state: String,
    pub(crate) count: u64,
}

#[derive(Clone, Default, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Site {
    pub(crate) count: u64,
    pub(crate) state: String,
    pub(crate) long: bool,
    pub(crate) spawned_as: String,
}

impl Site {
    /// Returns whether both are of the same closure and state; their counts may differ.
    pub(crate) fn is_same(&self, other: &Site) -> bool {
        (&self.spawned_as, &self.state, self.long) == (&other.spawned_as, &other.state, other.long)
    }
}

/// The answer to `goroutines group`.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Groups {
    pub(crate) groups: Vec<Group>,
}

#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Group {
    pub(crate) count: u64,
    pub(crate) state: String,
    pub(crate) long: bool,
    pub(crate) spawned_as: String,
    pub(crate) ids: Vec<u64>,
    pub(crate) frames: Vec<Frame>,
}

#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Frame {
    pub(crate) address: String,
    pub(crate) function: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u64>,
}

/// The answer to `longest`.
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Longest {
    pub(crate) waits: Vec<Wait>,
    pub(crate) further: u64,
}

#[derive(Clone, Default, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Wait {
    pub(crate) goroutine: u64,
    pub(crate) parked_for: f64,
    pub(crate) state: String,
    pub(crate) spawned_as: String,
}

/// An answer as what it is.
///
/// # Errors
///
/// When it is something else.
pub(crate) fn read<T: DeserializeOwned>(answer: &Value) -> Result<T, String> {
    T::deserialize(answer).map_err(|error| format!("no answer of goroutines: {error}"))
}

/// How often something happens in a second, from two answers.
pub(crate) fn rate(before: &Stats, now: &Stats, of: impl Fn(&Stats) -> u64) -> f64 {
    let seconds = now.time_us.saturating_sub(before.time_us) as f64 / 1e6;
    let times = of(now).saturating_sub(of(before)) as f64;
    if seconds > 0.0 { times / seconds } else { 0.0 }
}

/// The rates that are shown, by their names.
pub(crate) fn rates(before: &Stats, now: &Stats) -> [(&'static str, f64); 10] {
    let of = |count: fn(&Counts) -> u64| rate(before, now, |stats| count(&stats.counts));
    [
        ("runs", of(|counts| counts.runs)),
        ("spawned", of(|counts| counts.spawned)),
        ("steals", of(|counts| counts.steals)),
        ("wakes", of(|counts| counts.wakes)),
        ("handoffs", of(|counts| counts.handoffs)),
        ("retakes", of(|counts| counts.retakes)),
        ("takes", of(|counts| counts.takes)),
        ("polls", of(|counts| counts.polls)),
        ("poll_events", of(|counts| counts.poll_events)),
        ("growth_faults", of(|counts| counts.growth_faults)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_times_in_a_second_and_never_wrong_for_want_of_time() {
        let stats = |time_us, runs| Stats {
            time_us,
            counts: Counts {
                runs,
                ..Counts::default()
            },
            ..Stats::default()
        };
        let runs = |stats: &Stats| stats.counts.runs;
        assert_eq!(rate(&stats(0, 100), &stats(500_000, 200), runs), 200.0);
        assert_eq!(rate(&stats(5, 100), &stats(5, 200), runs), 0.0);
        assert_eq!(rate(&stats(0, 200), &stats(1_000_000, 100), runs), 0.0);
        assert_eq!(rates(&stats(0, 0), &stats(1_000_000, 7))[0], ("runs", 7.0));
    }

    #[test]
    fn fields_that_are_unknown_or_missing_do_no_harm() {
        let text = r#"{"time_us": 7, "new": [1], "procs": [{"state": "idle", "more": 1}]}"#;
        let stats: Stats = serde_json::from_str(text).expect("it is understood");
        assert_eq!((stats.time_us, stats.procs.len(), stats.sockets), (7, 1, 0));
    }
}
