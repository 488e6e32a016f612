//! The two ways to end the process: `fatal` for the program's bug, `throw` for ours.

/// Prints `message` and aborts: the program did something that cannot be continued.
#[cold]
pub(crate) fn fatal(message: std::fmt::Arguments<'_>) -> ! {
    eprintln!("goroutines: fatal: {message}");
    std::process::abort();
}

/// As [`fatal`], where std's lock of stderr may be held for ever: in signal handlers, and in the child of a fork.
#[cold]
pub(crate) fn fatal_raw(message: &str) -> ! {
    for part in ["goroutines: fatal: ", message, "\n"] {
        // SAFETY: the buffer is the string's. What cannot be written is not.
        unsafe { libc::write(libc::STDERR_FILENO, part.as_ptr().cast(), part.len()) };
    }
    std::process::abort();
}

/// Prints `message` and aborts: the runtime contradicts itself.
#[cold]
pub(crate) fn throw(message: std::fmt::Arguments<'_>) -> ! {
    eprintln!("goroutines: internal error: {message}; please report it");
    std::process::abort();
}
