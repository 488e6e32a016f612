//! Overflow: the message, and the end.
//!
//! Runs in the signal handler, so it formats into a small buffer on the signal stack and writes with write(2).

use std::fmt::{self, Write};

use crate::class::Class;

/// Says that the goroutine outgrew its stack, what to do about it, and aborts.
#[cold]
pub(crate) fn die(class: Class, describe: fn(&mut dyn Write)) -> ! {
    let mut out = Stderr::new();
    // A failing write to stderr leaves nothing better to do than to abort without the message.
    let _ = message(&mut out, class, describe);
    out.flush();
    // SAFETY: abort may be called anywhere, also in a signal handler.
    unsafe { libc::abort() }
}

fn message(out: &mut dyn Write, class: Class, describe: fn(&mut dyn Write)) -> fmt::Result {
    out.write_str("\n")?;
    describe(out);
    writeln!(out, ": stack exceeds {}-byte limit", class.window())?;
    match class.next_larger() {
        Some(larger) => writeln!(
            out,
            "help: give it a larger one with `Builder::stack_size({})`, or every goroutine with `Config`; \
             recursion without an end needs another cure",
            larger.window()
        ),
        None => writeln!(
            out,
            "help: this is the largest stack there is: recurse less deeply, or move large values to the heap"
        ),
    }
}

/// Standard error, buffered, without locks or allocation.
struct Stderr {
    buffer: [u8; 512],
    len: usize,
}

impl Stderr {
    fn new() -> Stderr {
        Stderr {
            buffer: [0; 512],
            len: 0,
        }
    }

    fn flush(&mut self) {
        let mut rest = &self.buffer[..self.len];
        while !rest.is_empty() {
            // SAFETY: `rest` is `rest.len()` readable bytes.
            let n = unsafe { libc::write(libc::STDERR_FILENO, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(n) {
                Ok(n) if n > 0 => rest = &rest[n..],
                _ if nix::errno::Errno::last() == nix::errno::Errno::EINTR => {}
                _ => break,
            }
        }
        self.len = 0;
    }
}

impl Write for Stderr {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for &byte in s.as_bytes() {
            if self.len == self.buffer.len() {
                self.flush();
            }
            self.buffer[self.len] = byte;
            self.len += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(class: Class) -> String {
        let mut out = String::new();
        message(&mut out, class, |w| {
            w.write_str("goroutine 7 [deep]").unwrap();
        })
        .unwrap();
        out
    }

    #[test]
    fn the_message_names_goroutine_limit_and_remedy() {
        let text = text(Class::DEFAULT);
        assert!(text.contains("\ngoroutine 7 [deep]: stack exceeds 262144-byte limit\n"));
        assert!(text.contains("Builder::stack_size(1048576)"));
        assert!(text.contains("`Config`"));
    }

    #[test]
    fn the_largest_class_is_not_told_to_ask_for_more() {
        let text = text(Class::LARGEST);
        assert!(text.contains("stack exceeds 1073741824-byte limit"));
        assert!(!text.contains("stack_size"));
    }
}
