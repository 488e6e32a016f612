//! Goroutines counted by what they do and what they were spawned as: from their words alone, so that it may be asked for each
//! second.

use std::{
    cmp::Reverse,
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

use goroutines_sched::{State, census};

use crate::json::{Text, list};

/// The goroutines that were spawned as one closure, and do the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Site {
    spawned_as: &'static str,
    state: State,
    waits_long: bool,
}

impl Site {
    /// Returns whether both have the same words; false also where equal names lie at two addresses.
    fn is_as(&self, other: &Site) -> bool {
        let words = |site: &Site| (site.spawned_as.as_ptr(), site.state, site.waits_long);
        words(self) == words(other)
    }
}

/// The counts of all goroutines.
#[derive(Debug)]
pub(crate) struct Sites {
    goroutines: usize,
    /// The more frequent first.
    states: Vec<(State, usize)>,
    sites: Vec<(Site, usize)>,
    /// Sites that are not among them, and the goroutines that they have.
    further: (usize, usize),
    took: Duration,
}

impl Sites {
    /// Counts them. Keeps the `most` sites with the most goroutines.
    pub(crate) fn take(most: usize) -> Sites {
        let start = Instant::now();
        let mut counts: HashMap<Site, usize> = HashMap::new();
        // Goroutines that were spawned together lie together: most are as the one before.
        let (mut last, mut alike) = (None, 0);
        census(&mut |glance| {
            let site = Site {
                spawned_as: glance.spawned_as,
                state: glance.state,
                waits_long: glance.waits_long,
            };
            if last.is_none_or(|last| !site.is_as(&last))
                && let Some(before) = last.replace(site)
            {
                *counts.entry(before).or_default() += alike;
                alike = 0;
            }
            alike += 1;
        });
        if let Some(last) = last {
            *counts.entry(last).or_default() += alike;
        }
        let mut states: HashMap<State, usize> = HashMap::new();
        for (site, count) in &counts {
            *states.entry(site.state).or_default() += count;
        }
        let mut states: Vec<_> = states.into_iter().collect();
        // Equal counts by name: a list that is made again and again should not jump.
        states.sort_by_cached_key(|(state, count)| (Reverse(*count), state.to_string()));
        let mut sites: Vec<_> = counts.into_iter().collect();
        sites.sort_by_cached_key(|(site, count)| {
            (
                Reverse(*count),
                site.spawned_as,
                site.state.to_string(),
                site.waits_long,
            )
        });
        let sum = |sites: &[(Site, usize)]| sites.iter().map(|(_, count)| count).sum();
        let goroutines = sum(&sites);
        let rest = sites.split_off(most.min(sites.len()));
        Sites {
            goroutines,
            states,
            further: (rest.len(), sum(&rest)),
            sites,
            took: start.elapsed(),
        }
    }
}

impl fmt::Display for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r#"{{"goroutines": {}, "took_us": {}, "states": ["#,
            self.goroutines,
            self.took.as_micros()
        )?;
        list(f, &self.states, |f, (state, count)| {
            let state = state.to_string();
            write!(f, r#"{{"state": {}, "count": {count}}}"#, Text(&state))
        })?;
        f.write_str(r#"], "sites": ["#)?;
        list(f, &self.sites, |f, (site, count)| {
            write!(
                f,
                r#"{{"count": {count}, "state": {}, "long": {}, "spawned_as": {}}}"#,
                Text(&site.state.to_string()),
                site.waits_long,
                Text(site.spawned_as)
            )
        })?;
        let (sites, goroutines) = self.further;
        write!(
            f,
            r#"], "further_sites": {sites}, "further_goroutines": {goroutines}}}"#
        )
    }
}
