//! Shows what the goroutines of a running program do: attaches to the socket that the program opens with
//! `goroutines::debug::serve`, and asks it each second.
//!
//! ```text
//!  worker.rs: a thread        ── updates ──►  terminal.rs: keys and the screen
//!  asks the program              (channel)      state.rs: what is looked at
//!  connection.rs: lines       ◄─ wishes ───     screen.rs: the drawing
//!  model.rs: what the lines say             numbers.rs: how numbers stand there
//! ```
//!
//! json.rs writes lines instead, and trace.rs a page with a trace.
//!
//! A program that does not answer, because it is stopped, freezes the worker and not the screen, which says so.
//!
//! The exit status is 0 when the user leaves, 1 when the program cannot be reached or goes away, and 2 for a wrong call.

mod connection;
mod json;
mod model;
mod numbers;
mod screen;
mod state;
mod terminal;
mod trace;
mod worker;

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::Parser;

/// The script for gdb that programs carry.
const GDB: &str = include_str!("../../../runtime/src/debugger/goroutines.py");

/// The script for lldb.
const LLDB: &str = include_str!("../../../runtime/src/debugger/goroutines_lldb.py");

/// Shows what the goroutines of a running program do, refreshed each second. The program has opened the socket with
/// `goroutines::debug::serve(path)`.
#[derive(Parser, Debug)]
#[command(version)]
struct Args {
    /// The socket of the program.
    #[arg(required_unless_present_any = ["gdb_script", "lldb_script"])]
    socket: Option<PathBuf>,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    interval: f64,
    /// Writes lines of JSON, one a look, and no screen.
    #[arg(long)]
    json: bool,
    /// Ends after the first line.
    #[arg(long, requires = "json")]
    once: bool,
    /// Takes a trace of the program, and writes it to this file, as a page for a browser.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    trace_page: Option<PathBuf>,
    /// Seconds that the trace takes, 1 to 60.
    #[arg(long, value_name = "N", default_value_t = 2, requires = "trace_page", conflicts_with = "json", value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Prints the script for gdb: `goroutines-top --gdb-script > goroutines.py`, and in gdb `source goroutines.py`.
    #[arg(long, exclusive = true)]
    gdb_script: bool,
    /// Prints the script for lldb, for `command script import goroutines_lldb.py`.
    #[arg(long, exclusive = true)]
    lldb_script: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("the seconds between two looks are 0.1 to 3600".to_owned()),
    }
}

/// Why it ends without the user's wish.
enum Trouble {
    /// The program cannot be reached, or is gone.
    Program(String),
    /// It cannot be done here.
    Call(String),
}

impl From<String> for Trouble {
    fn from(why: String) -> Trouble {
        Trouble::Program(why)
    }
}

fn main() -> ExitCode {
    let (why, status) = match run(&Args::parse()) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Trouble::Program(why)) => (why, 1),
        Err(Trouble::Call(why)) => (why, 2),
    };
    eprintln!("goroutines-top: {why}");
    ExitCode::from(status)
}

fn run(args: &Args) -> Result<(), Trouble> {
    if args.gdb_script {
        return print(GDB);
    }
    if args.lldb_script {
        return print(LLDB);
    }
    let Some(path) = &args.socket else {
        return Err(Trouble::Call("name the socket of a program".to_owned()));
    };
    if let Some(file) = &args.trace_page {
        return trace::run(path, args.seconds, file);
    }
    let interval = Duration::from_secs_f64(args.interval);
    if args.json {
        return json::run(path, interval, args.once, &mut |line| print(line));
    }
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let why = "this is no terminal: say --json for lines, and --json --once for one";
        return Err(Trouble::Call(why.to_owned()));
    }
    terminal::run(path, interval)
}

/// Writes to stdout.
fn print(text: &str) -> Result<(), Trouble> {
    let mut stdout = io::stdout();
    let written = stdout.write_all(text.as_bytes());
    written
        .and_then(|()| stdout.flush())
        .map_err(|error| Trouble::Call(format!("stdout: {error}")))
}
