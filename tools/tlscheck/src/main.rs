//! `tlscheck PROGRAM`: the findings of the library, a line each. Exit status 0: none, 1: some, 2: it could not look.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use goroutines_tlscheck::{Options, check_file};

/// Finds functions of a finished program that keep an address of thread-local storage over a call that can park a
/// goroutine, which may then resume on another thread. Exit status: 0 if there are none, 1 if there are some, 2 if the
/// program could not be looked at.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Take every call through a pointer for one that can park.
    #[arg(long)]
    indirect: bool,
    /// Print nothing but the findings.
    #[arg(short, long)]
    quiet: bool,
    /// An ELF executable for x86_64 with a symbol table.
    program: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        indirect: arguments.indirect,
    };
    let report = match check_file(&arguments.program, options) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("tlscheck: {} {error}", arguments.program.display());
            return ExitCode::from(2);
        }
    };
    for finding in &report.findings {
        println!("{finding}");
    }
    if !arguments.quiet {
        println!(
            "{} functions, {} of them can park; {} findings",
            report.functions,
            report.can_park,
            report.findings.len()
        );
    }
    ExitCode::from(u8::from(!report.findings.is_empty()))
}
