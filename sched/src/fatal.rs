//! The two ways to end the process: `fatal` for the program's bug, `throw` for ours.

/// Prints `message` and aborts: the program did something that cannot be continued.
#[cold]
pub(crate) fn fatal(message: std::fmt::Arguments<'_>) -> ! {
    eprintln!("goroutines: fatal: {message}");
    std::process::abort();
}

/// Prints `message` and aborts: the runtime contradicts itself.
#[cold]
pub(crate) fn throw(message: std::fmt::Arguments<'_>) -> ! {
    eprintln!("goroutines: internal error: {message}; please report it");
    std::process::abort();
}
