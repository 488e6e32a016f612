//! The goroutines that have waited longest: from their words alone.

use std::{
    cmp::Reverse,
    fmt,
    time::{Duration, Instant},
};

use goroutines_sched::{Glance, State, census_of_parked};

use crate::json::{Text, list};

/// Goroutines that have waited longest, the longest first.
pub(crate) struct Longest {
    waits: Vec<(Duration, Glance)>,
    /// Others of which is known how long they have waited.
    further: usize,
    took: Duration,
}

impl Longest {
    /// Looks for the `most` goroutines that have waited longest.
    pub(crate) fn take(most: usize) -> Longest {
        let start = Instant::now();
        let mut waits = Vec::new();
        census_of_parked(&mut |glance, time| {
            if matches!(glance.state, State::Waiting(_)) {
                waits.push((time, glance));
            }
        });
        let further = waits.len().saturating_sub(most);
        // Of those that were marked at the same look the older first.
        let order = |&(time, glance): &(Duration, Glance)| (Reverse(time), glance.id);
        waits.sort_unstable_by_key(order);
        waits.truncate(most);
        Longest {
            waits,
            further,
            took: start.elapsed(),
        }
    }
}

impl fmt::Display for Longest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"{{"took_us": {}, "waits": ["#, self.took.as_micros())?;
        list(f, &self.waits, |f, (time, glance)| {
            write!(
                f,
                r#"{{"goroutine": {}, "parked_for": {}, "state": {}, "spawned_as": {}}}"#,
                glance.id,
                time.as_secs_f64(),
                Text(&glance.state.to_string()),
                Text(glance.spawned_as),
            )
        })?;
        write!(f, r#"], "further": {}}}"#, self.further)
    }
}
