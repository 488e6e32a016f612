//! The script for gdb, in the program itself.
//!
//! gdb looks for the section `.debug_gdb_scripts` in what it loads, and runs the scripts that are in it: each is a byte that
//! says what it is, a name on a line of its own, and the text, with a NUL at the end. The section stays in a program whose
//! debug information is stripped. gdb runs it only where the user has allowed that: docs/where-it-runs.md says how.

/// A script in Python.
const PYTHON: u8 = 4;
const NAME: &[u8] = b"goroutines.py\n";
const SCRIPT: &[u8] = include_bytes!("goroutines.py");

#[used]
// SAFETY: only debuggers read the section, and what is in it is whole.
#[unsafe(link_section = ".debug_gdb_scripts")]
static EMBEDDED: [u8; 1 + NAME.len() + SCRIPT.len() + 1] = {
    let mut section = [0; 1 + NAME.len() + SCRIPT.len() + 1];
    section[0] = PYTHON;
    let (_, rest) = section.split_at_mut(1);
    let (name, rest) = rest.split_at_mut(NAME.len());
    name.copy_from_slice(NAME);
    let (script, _) = rest.split_at_mut(SCRIPT.len());
    script.copy_from_slice(SCRIPT);
    section
};
