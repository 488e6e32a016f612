//! A trace of the program, as a page in a file.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use crate::{Trouble, connection::Connection};

/// Has the program at `path` take a trace of `seconds`, and writes the page to `file`.
///
/// # Errors
///
/// When the program cannot be reached, goes away, or has a trace already; and when the file cannot be written.
pub(crate) fn run(path: &Path, seconds: u64, file: &Path) -> Result<(), Trouble> {
    let failed = |error: io::Error| Trouble::Call(format!("{}: {error}", file.display()));
    let mut connection = Connection::open(path)?;
    // Before the program works for it.
    let mut out = File::create(file).map_err(failed)?;
    let answer = connection.ask(&format!("trace {seconds}"))?;
    let Some(page) = answer["page"].as_str() else {
        return Err(Trouble::Program(format!(
            "{}: no answer of goroutines: there is no `page` in it",
            path.display()
        )));
    };
    out.write_all(page.as_bytes()).map_err(failed)?;
    eprintln!(
        "{}: {} events of {seconds} s, {} lost",
        file.display(),
        answer["events"],
        answer["lost"]
    );
    Ok(())
}
