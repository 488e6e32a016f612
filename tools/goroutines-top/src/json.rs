//! Lines of JSON, for scripts.
//!
//! ```text
//! {"hello": {..}, "stats": {..}, "rates": {"runs": 1200.5, ..}, "goroutines": {"states": [..], "sites": [..], ..}}
//! ```
//!
//! `hello`, `stats` and `goroutines` are the program's own answers, as docs/live-view.md describes them; `rates` has the times
//! in a second of what `stats` counts, over the interval before the line.

use std::{path::Path, thread, time::Duration};

use serde_json::{Map, Value, json};

use crate::{
    Trouble,
    connection::Connection,
    model::{Stats, rates, read},
};

/// Gives lines to `write`, one an interval, until the program ends; or one.
///
/// # Errors
///
/// When the program cannot be reached, or goes away.
pub(crate) fn run(
    path: &Path,
    interval: Duration,
    once: bool,
    write: &mut dyn FnMut(&str) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let mut connection = Connection::open(path)?;
    let hello = connection.ask("hello")?;
    let mut before: Stats = read(&connection.ask("stats")?)?;
    loop {
        thread::sleep(interval);
        let answer = connection.ask("stats")?;
        let sites = connection.ask("goroutines site")?;
        let now: Stats = read(&answer)?;
        let rates: Map<String, Value> = rates(&before, &now)
            .into_iter()
            .map(|(name, rate)| (name.to_owned(), json!(rate)))
            .collect();
        let line = json!({"hello": hello, "stats": answer, "rates": rates, "goroutines": sites});
        write(&format!("{line}\n"))?;
        if once {
            return Ok(());
        }
        before = now;
    }
}
