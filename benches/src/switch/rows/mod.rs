//! The rows of the report: one file a family.
//!
//! A row's program is asked for a number of operations, times those and nothing else, and says how many it really did.
//! A program that counts on control changing hands (a yield, a contended lock) counts the changes instead of believing in
//! them.

pub mod goroutine;
pub mod lock;
pub mod osthread;
pub mod raw;
pub mod select;

use std::env;
use std::io;

use super::row::Row;

/// The rows in the order of the report. The goroutine rows need a runtime with one P.
pub fn all() -> Vec<Row> {
    [&raw::ROWS[..], &goroutine::ROWS[..], &osthread::ROWS[..]].concat()
}

/// Starts the runtime with one P.
///
/// # Errors
///
/// If it has been started already, cannot be started, or `GOMAXPROCS` asks for more Ps than the one that is measured.
pub fn start_runtime() -> io::Result<()> {
    if let Some(procs) = env::var_os("GOMAXPROCS").filter(|procs| procs != "1") {
        let procs = procs.to_string_lossy();
        let message =
            format!("GOMAXPROCS is `{procs}`, but one P on one CPU is what is measured; unset it");
        return Err(io::Error::other(message));
    }
    // SAFETY: the goroutines of the rows and of the benches use atomics, channels, a mutex, the clock and the allocator:
    // none of them hands out a reference into thread-local storage, so none is held while a goroutine parks.
    unsafe {
        goroutines::Config::new()
            .procs(1)
            .start()
            .map_err(io::Error::other)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::switch::row::REFERENCE;

    #[test]
    fn ids_and_names_are_unique_and_the_reference_is_one_of_them() {
        let rows = all();
        assert_eq!(
            rows.iter().map(|row| row.id).collect::<HashSet<_>>().len(),
            rows.len()
        );
        assert_eq!(
            rows.iter()
                .map(|row| row.name)
                .collect::<HashSet<_>>()
                .len(),
            rows.len()
        );
        assert_eq!(rows.iter().filter(|row| row.id == REFERENCE).count(), 1);
    }
}
