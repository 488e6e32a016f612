//! A dump that allocates nothing and waits for no lock: where the heap may be locked for good.
//!
//! ```text
//! goroutine 12 [mutex lock] 0x55d0c8c0  app::main::{{closure}}
//!     /usr/bin/app+0x1f3a0 /usr/bin/app+0x22b41 /lib/libc.so.6+0x9caa4
//! ```
//!
//! What it needs is made before. So it has addresses and no names of functions: `addr2line -Cfie FILE OFFSET` names them. A
//! library that is loaded later is not known: stacks through it are truncated.

use std::fmt::{self, Write as _};

use goroutines_sched::{Sight, visit_urgently, write_to_stderr};

use crate::{
    modules::{self, Cache, File, Unwinder},
    walk::{End, walk},
};

/// The goroutines that are written; those behind are counted.
const MOST: usize = 1000;

/// What is kept before it is written: goroutines are held meanwhile, so most dumps are written at once at their end. Pages that
/// are not used take no memory.
const ROOM: usize = 1 << 20;

/// What a dump needs that allocates nothing.
pub struct Emergency {
    unwinder: Unwinder,
    cache: Box<Cache>,
    files: Vec<File>,
    lines: Lines,
}

impl fmt::Debug for Emergency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emergency").finish_non_exhaustive()
    }
}

impl Emergency {
    /// Makes what it needs.
    ///
    /// # Panics
    ///
    /// When there is no memory.
    #[must_use]
    pub fn prepare() -> Emergency {
        let (unwinder, mut files) = modules::of_now();
        for file in files.iter_mut().filter(|file| file.name.is_empty()) {
            let program = std::env::current_exe().ok();
            file.name = program.map_or("program".into(), |path| path.display().to_string());
        }
        Emergency {
            unwinder,
            cache: Box::default(),
            files,
            lines: Lines {
                bytes: vec![0; ROOM],
                len: 0,
            },
        }
    }

    /// Writes all goroutines to stderr, under the line `cause`. Allocates nothing, and waits for no lock.
    pub fn write(&mut self, cause: &str) {
        let Emergency {
            unwinder,
            cache,
            files,
            lines,
        } = self;
        // Writing to `Lines` does not fail.
        let _ = writeln!(
            lines,
            "goroutines: {cause} (`addr2line -Cfie FILE OFFSET` names FILE+OFFSET)"
        );
        let mut count = 0_usize;
        let stacks_read = visit_urgently(&mut |sight| {
            count += 1;
            if count <= MOST {
                let _ = write_sight(unwinder, cache, files, lines, sight);
            }
        });
        if count > MOST {
            let _ = writeln!(lines, "and {} goroutines more", count - MOST);
        }
        if !stacks_read {
            let _ = writeln!(
                lines,
                "(stacks are not read: no membarrier, or it is in use)"
            );
        }
        lines.flush();
    }
}

fn write_sight(
    unwinder: &Unwinder,
    cache: &mut Cache,
    files: &[File],
    lines: &mut Lines,
    sight: &mut Sight<'_>,
) -> fmt::Result {
    write!(lines, "goroutine {} [{}]", sight.id, sight.state)?;
    if sight.object != 0 {
        write!(lines, " {:#x}", sight.object)?;
    }
    if let Some(thread) = sight.thread {
        write!(lines, " thread {thread}")?;
    }
    writeln!(lines, "  {}", sight.spawned_as)?;
    let Some(stack) = &mut sight.stack else {
        return Ok(());
    };
    let walked = walk(unwinder, cache, stack);
    lines.write_str("   ")?;
    for &address in walked.inner() {
        match files.iter().find(|file| file.range.contains(&address)) {
            // A return address may be that of the next function's start: one less is in the call.
            Some(file) => write!(lines, " {}+{:#x}", file.name, address - file.base - 1)?,
            None => write!(lines, " {address:#x}")?,
        }
    }
    lines.write_str(match walked.end {
        End::Root => "\n",
        _ => " (truncated)\n",
    })
}

/// What is written to stderr when it is full.
struct Lines {
    bytes: Vec<u8>,
    len: usize,
}

impl Lines {
    fn flush(&mut self) {
        write_to_stderr(&self.bytes[..self.len]);
        self.len = 0;
    }
}

impl fmt::Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            if self.len == self.bytes.len() {
                self.flush();
            }
            let fits = rest.len().min(self.bytes.len() - self.len);
            self.bytes[self.len..][..fits].copy_from_slice(&rest[..fits]);
            self.len += fits;
            rest = &rest[fits..];
        }
        Ok(())
    }
}
