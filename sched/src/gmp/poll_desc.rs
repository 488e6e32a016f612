//! The record of a socket for which a goroutine or thread has waited.
//!
//! ```text
//!  IoSource (4 B, in the socket)    PollDesc: 128 B, in chunks of 32 that are never freed
//! ┌────────────┐                   ┌──────────────────────────────────────────────────────────┐
//! │ number u32 ├──────────────────►│ read:  Line (word, lock, waiting, deadline, head, tail)  │
//! └────────────┘   chunk table     │ write: Line                                              │
//!                                  │ generation, users, registration, timeouts, notes         │
//!                                  └──────────────────────────────────────────────────────────┘
//! ```
//!
//! A record is made at the first wait, or when the socket is cloned: clones share it, because its content (waiters,
//! deadlines) belongs to the file that they share. Number 0 is none. Records are used again through a free list. An
//! event that was on its way to an earlier user is recognised by its *generation*, which is compared under the line's
//! lock.
//!
//! Lock order: `registration`, then a line.

use std::{
    os::fd::RawFd,
    ptr,
    sync::{
        Mutex,
        atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::{
    gmp::io_waiter::IoWaiter,
    protocol::{io_line::Line, sync::lock},
};

const CHUNK: usize = 32;

/// Room for two million sockets.
const CHUNKS: usize = 1 << 16;

/// What is registered with the poller: under the lock of the record.
#[derive(Clone, Copy)]
pub(crate) struct Registration {
    /// The descriptor that is registered, -1 for none.
    pub(crate) fd: RawFd,
    /// Whether it is registered for writing too.
    pub(crate) writes: bool,
}

#[repr(C, align(128))]
pub(crate) struct PollDesc {
    pub(crate) read: Line<IoWaiter>,
    pub(crate) write: Line<IoWaiter>,
    generation: AtomicU32,
    /// How many sockets have this record.
    users: AtomicU32,
    fd: AtomicI32,
    writes: AtomicU32,
    /// The lock of the registration. A waiter may find that the socket cannot be waited for.
    registration: Mutex<()>,
    /// The number of the next free record.
    next_free: AtomicU32,
    /// Bits that the socket's owner keeps for all clones of the file.
    pub(crate) notes: AtomicU32,
    /// How long a call in each direction may last, in nanoseconds; 0: no limit.
    pub(crate) read_timeout: AtomicU64,
    pub(crate) write_timeout: AtomicU64,
}

struct Slab {
    chunks: [AtomicPtr<[PollDesc; CHUNK]>; CHUNKS],
    free: Mutex<Free>,
    in_use: AtomicUsize,
}

struct Free {
    first: u32,
    /// Numbers given out so far, with 0.
    made: u32,
}

static SLAB: Slab = Slab {
    chunks: [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS],
    free: Mutex::new(Free { first: 0, made: 1 }),
    in_use: AtomicUsize::new(0),
};

/// The record with this number, which came from [`PollDesc::take`].
#[inline]
pub(crate) fn get(number: u32) -> Option<&'static PollDesc> {
    if number == 0 {
        return None;
    }
    let chunk = SLAB.chunks.get(number as usize / CHUNK)?;
    // Acquire: partner is the store in `take`. SAFETY: null, or a chunk that was leaked there.
    let chunk = unsafe { chunk.load(Ordering::Acquire).as_ref() }?;
    chunk.get(number as usize % CHUNK)
}

/// How many sockets have a record.
pub(crate) fn in_use() -> usize {
    // Relaxed: for display only.
    SLAB.in_use.load(Ordering::Relaxed)
}

const _: () = assert!(
    size_of::<PollDesc>() == 128,
    "`descriptor_of` finds the record by its alignment"
);

impl PollDesc {
    /// The descriptor of the record that has the line at this address, and whether it is the one for writing. A snapshot.
    ///
    /// # Safety
    ///
    /// The address is that of a line of a record.
    pub(crate) unsafe fn descriptor_of(line: usize) -> (RawFd, bool) {
        let desc = ptr::with_exposed_provenance::<PollDesc>(line & !(align_of::<PollDesc>() - 1));
        // SAFETY: a record is as large as its alignment, so this is the one that has the line; records are never freed.
        let desc = unsafe { &*desc };
        // Relaxed: only shown.
        let fd = desc.fd.load(Ordering::Relaxed);
        (fd, ptr::from_ref(&desc.write).addr() == line)
    }

    fn new() -> PollDesc {
        PollDesc {
            read: Line::new(),
            write: Line::new(),
            generation: AtomicU32::new(0),
            users: AtomicU32::new(0),
            fd: AtomicI32::new(-1),
            writes: AtomicU32::new(0),
            registration: Mutex::new(()),
            next_free: AtomicU32::new(0),
            notes: AtomicU32::new(0),
            read_timeout: AtomicU64::new(0),
            write_timeout: AtomicU64::new(0),
        }
    }

    /// A record for one user; `None` if there are too many.
    pub(crate) fn take() -> Option<(u32, &'static PollDesc)> {
        let mut free = lock(&SLAB.free);
        let number = match free.first {
            0 => make(&mut free)?,
            number => {
                // Relaxed: under the lock of the free list.
                free.first = get(number)?.next_free.load(Ordering::Relaxed);
                number
            }
        };
        drop(free);
        let desc = get(number)?;
        // Relaxed (both): the caller publishes the number.
        desc.users.store(1, Ordering::Relaxed);
        SLAB.in_use.fetch_add(1, Ordering::Relaxed);
        Some((number, desc))
    }

    /// Another socket shares it.
    pub(crate) fn share(&self) {
        // Relaxed: the caller is a user, so it stays.
        self.users.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns whether the caller is the only user. Only a user can add one, so the answer stays true.
    pub(crate) fn is_sole(&self) -> bool {
        // Acquire: partner is the Release in `leave`.
        self.users.load(Ordering::Acquire) == 1
    }

    /// A socket gives it up; the last one gives the record back.
    pub(crate) fn leave(&'static self, number: u32) {
        // AcqRel: the last user sees what the others did.
        if self.users.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        self.set_registration(Registration {
            fd: -1,
            writes: false,
        });
        // Events of the old generation are ignored from here on, also one that has arrived and is not announced yet.
        self.read.reset(|| {
            // Relaxed: read under the lock of one of the lines.
            self.generation.fetch_add(1, Ordering::Relaxed);
        });
        self.write.reset(|| ());
        // Relaxed (all): the next user gets the number from the free list, which has a lock.
        self.notes.store(0, Ordering::Relaxed);
        self.read_timeout.store(0, Ordering::Relaxed);
        self.write_timeout.store(0, Ordering::Relaxed);
        // Relaxed: for display only.
        SLAB.in_use.fetch_sub(1, Ordering::Relaxed);
        let mut free = lock(&SLAB.free);
        // Relaxed: under the lock of the free list.
        self.next_free.store(free.first, Ordering::Relaxed);
        free.first = number;
    }

    /// The number of the current use of the record. Read under the lock of a line where it must be certain.
    pub(crate) fn generation(&self) -> u32 {
        // Relaxed: `leave` changes it under the lock of `read`, and takes that of `write` after.
        self.generation.load(Ordering::Relaxed)
    }

    /// Runs `f`, which may change what is registered, while no other thread does.
    pub(crate) fn with_registration<R>(&self, f: impl FnOnce(&mut Registration) -> R) -> R {
        let _locked = lock(&self.registration);
        let mut registration = Registration {
            // Relaxed (both): under the lock.
            fd: self.fd.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed) != 0,
        };
        let result = f(&mut registration);
        self.set_registration(registration);
        result
    }

    fn set_registration(&self, registration: Registration) {
        // Relaxed (both): under the lock, or by the last user.
        self.fd.store(registration.fd, Ordering::Relaxed);
        self.writes
            .store(u32::from(registration.writes), Ordering::Relaxed);
    }
}

/// The next record that never was used. Apart from `take`, and never a chunk on the stack: one is as large as the page that a
/// goroutine's stack begins with, and every goroutine that waits for a socket calls `take`.
#[cold]
#[inline(never)]
fn make(free: &mut Free) -> Option<u32> {
    let number = free.made;
    let chunk = SLAB.chunks.get(number as usize / CHUNK)?;
    // Relaxed: only changed under the lock of the free list.
    if chunk.load(Ordering::Relaxed).is_null() {
        let new: Box<[PollDesc]> = (0..CHUNK).map(|_| PollDesc::new()).collect();
        let new: Box<[PollDesc; CHUNK]> = new.try_into().ok()?;
        // Release: partner is the Acquire in `get`.
        chunk.store(Box::into_raw(new), Ordering::Release);
    }
    free.made += 1;
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_two_cache_lines() {
        assert_eq!(size_of::<PollDesc>(), 128);
    }

    #[test]
    fn a_record_that_was_given_back_is_of_another_generation() {
        let (number, desc) = PollDesc::take().unwrap();
        let generation = desc.generation();
        desc.share();
        assert!(!desc.is_sole());
        desc.leave(number);
        assert!(desc.is_sole());
        assert_eq!(desc.generation(), generation);
        desc.leave(number);
        assert_ne!(desc.generation(), generation);
        assert!(ptr::eq(get(number).unwrap(), desc));
        assert!(get(0).is_none());
    }
}
