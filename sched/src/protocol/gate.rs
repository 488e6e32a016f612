//! The gate between a goroutine's own code and the runtime, at which its P can be taken away.
//!
//! A goroutine that computes for long, or blocks its thread without announcing it, holds a P that others wait for,
//! and its M does not know. sysmon takes the P without the M taking part: what an M does with its P it does *inside*
//! the gate, and an M that is outside does not touch its P.
//!
//! ```text
//! M, at every entry into the runtime           sysmon, under the takers' lock, for a P that stands still
//! G1 inside = true      plain store            T1 alert = true
//!    compiler fence                            T2 membarrier: every thread of the process passes a fence
//! G2 alert? slow: see G4                       T3 inside, or the P is another M's now: alert = false,
//!    ... uses its P ...                           give up: the M is alive
//! G3 inside = false     release store          T4 taken = true; the P goes to another M; alert stays
//!
//! G4 under the takers' lock: taken? then the M has lost that P, and takes an idle one if there
//!    is one; taken = alert = false; continue
//! ```
//!
//! The M pays two plain stores and a load; sysmon pays the rest, 5-30 us. After T2 either sysmon sees G1, or the M's
//! load at G2 sees T1:
//! - *G1 before the barrier*: T3 sees `inside` and gives up. The M may have seen the alert; then G4 waits
//!   for the lock, and finds nothing taken.
//! - *G1 after the barrier*: G2 sees the alert, and G4 waits until sysmon is done.
//!
//! What the M did with its P before G3 is visible to the new owner: T3's load of `inside` acquires it.
//!
//! Where the kernel refuses membarrier, the alert is raised permanently: every entry then takes the slow path, which
//! has a real fence. A seccomp filter may refuse it later. Then the P is not taken, because sysmon cannot tell
//! whether the M is inside, and the alert of this gate is raised permanently. The M reports in its next slow path
//! that it passes a real fence at each entry (G5), and from then on T2 is a real fence as well.

use crate::protocol::sync::{AtomicBool, AtomicU32, Ordering, fence, heavy_fence, light_fence};

/// sysmon wants the P.
const WANTED: u32 = 1;
/// Every entry must pass a real fence (no membarrier).
const FENCED: u32 = 2;
/// sysmon wants to be told of the next entry (hogs.rs).
const WATCHED: u32 = 4;
/// The M shall look at its signal stack (sysmon/handlers.rs).
const LOOK: u32 = 8;
/// The M writes events (tracer.rs).
const TRACED: u32 = 16;

pub(crate) struct Gate {
    inside: AtomicBool,
    alert: AtomicU32,
    /// Under the takers' lock; also read by the M without it, as a hint.
    taken: AtomicBool,
    /// Whether each entry passes a real fence.
    passes_fences: AtomicBool,
    /// Whether the kernel has membarrier.
    paired: bool,
}

impl Gate {
    /// The M starts inside.
    pub(crate) fn new(fenced: bool) -> Gate {
        Gate {
            inside: AtomicBool::new(true),
            alert: AtomicU32::new(if fenced { FENCED } else { 0 }),
            taken: AtomicBool::new(false),
            passes_fences: AtomicBool::new(fenced),
            paired: !fenced,
        }
    }

    /// The M starts inside. There was a membarrier when the runtime started, and there is none now.
    #[cfg(goroutines_loom)]
    pub(crate) fn new_without_its_membarrier() -> Gate {
        Gate {
            paired: false,
            ..Gate::new(false)
        }
    }

    /// G1 and G2. Returns whether the slow path must be taken; not for an M that is inside already.
    #[inline(always)]
    #[must_use]
    pub(crate) fn enter(&self) -> bool {
        // Relaxed: partner is T3, ordered by the fences.
        self.inside.store(true, Ordering::Relaxed);
        light_fence(self.paired);
        // Relaxed: partner is T1, ordered by the fences.
        self.alert.load(Ordering::Relaxed) != 0
    }

    /// In the slow path, before G4: for kernels without membarrier. Returns whether sysmon wants the P.
    pub(crate) fn enter_fenced(&self) -> bool {
        // G5. Relaxed (both): the fence below orders it, partner is T2. FENCED is never cleared, and all loads are of
        // one word: no later load of this M misses it.
        if self.alert.load(Ordering::Relaxed) & FENCED != 0 {
            self.passes_fences.store(true, Ordering::Relaxed);
        }
        fence(Ordering::SeqCst);
        // Relaxed: partner is T1, ordered by the fences.
        let alert = self.alert.load(Ordering::Relaxed);
        if alert & (WATCHED | LOOK) != 0 {
            // Relaxed: partner of WATCHED is `is_watched`; LOOK has none.
            self.alert.fetch_and(!(WATCHED | LOOK), Ordering::Relaxed);
        }
        alert & WANTED != 0
    }

    /// By any thread: the M writes events at its entries from here on, or no longer.
    pub(crate) fn set_traced(&self, on: bool) {
        // Relaxed (both): partner is the load in `enter`; an entry that does not see it yet counts as before it.
        if on {
            self.alert.fetch_or(TRACED, Ordering::Relaxed);
        } else {
            self.alert.fetch_and(!TRACED, Ordering::Relaxed);
        }
    }

    /// In the slow path: returns whether the M writes events, and whether nothing else is wanted of it. In the second case
    /// G4 may be skipped: a T1 that the loads here and in `enter` do not see comes after them.
    pub(crate) fn is_traced(&self) -> (bool, bool) {
        // Relaxed: as the load in `enter`, which comes before it and is of the same word.
        let alert = self.alert.load(Ordering::Relaxed);
        (alert & TRACED != 0, alert == TRACED)
    }

    /// By sysmon: the M shall look at its signal stack at its next entry.
    pub(crate) fn ask_for_look(&self) {
        // Relaxed: partner is the load in `enter`; an entry that does not see it yet counts as before it.
        self.alert.fetch_or(LOOK, Ordering::Relaxed);
    }

    /// By sysmon: the next entry shall be seen.
    pub(crate) fn watch(&self) {
        // Relaxed: partner is the load in `enter`; an entry that does not see it yet counts as before it.
        self.alert.fetch_or(WATCHED, Ordering::Relaxed);
    }

    /// There has been an entry, or sysmon does not need to know any more.
    pub(crate) fn unwatch(&self) {
        // Relaxed: partner is the load in `is_watched`.
        self.alert.fetch_and(!WATCHED, Ordering::Relaxed);
    }

    /// Returns whether there has been no entry since `watch`.
    pub(crate) fn is_watched(&self) -> bool {
        // Relaxed: partner is `unwatch`.
        self.alert.load(Ordering::Relaxed) & WATCHED != 0
    }

    /// Under the takers' lock: returns whether the P was taken and the M has not noticed. Then the M is outside, or
    /// waits for the lock.
    pub(crate) fn is_taken(&self) -> bool {
        // Relaxed: under the lock.
        self.taken.load(Ordering::Relaxed)
    }

    /// G4, under the takers' lock: returns whether the P was taken. Then the M has no P.
    pub(crate) fn settle(&self) -> bool {
        // Relaxed (both): under the lock.
        self.alert.fetch_and(!WANTED, Ordering::Relaxed);
        self.taken.swap(false, Ordering::Relaxed)
    }

    /// G3.
    #[inline(always)]
    pub(crate) fn leave(&self) {
        // Release: partner is the Acquire load in T3.
        self.inside.store(false, Ordering::Release);
    }

    /// Returns whether the M is inside. For the M itself.
    #[inline(always)]
    pub(crate) fn is_inside(&self) -> bool {
        // Relaxed: this M's own store.
        self.inside.load(Ordering::Relaxed)
    }

    /// T1 to T4 by sysmon, under the takers' lock: true if the P is the caller's. `holds` returns whether the M still
    /// holds it, and is called while the M is outside and stays there.
    pub(crate) fn take_if(&self, holds: impl FnOnce() -> bool) -> bool {
        if !self.shut() {
            return false;
        }
        let taken = holds();
        if taken {
            // Relaxed: under the lock.
            self.taken.store(true, Ordering::Relaxed);
        } else {
            self.forgo();
        }
        taken
    }

    /// T1 to T3 by sysmon, under the takers' lock: true if the M is outside and will not enter without G4. The caller
    /// opens the gate with `forgo`, unless the M has lost its P.
    pub(crate) fn shut(&self) -> bool {
        // Relaxed: partner is G2, ordered by the fences.
        self.alert.fetch_or(WANTED, Ordering::Relaxed);
        // Acquire: partner is G3.
        if !self.fence_the_m() || self.inside.load(Ordering::Acquire) {
            self.forgo();
            return false;
        }
        true
    }

    /// T2: true if between now and T1 the M has passed a fence, or will at its next entry.
    fn fence_the_m(&self) -> bool {
        // Relaxed: partner is G5; the fence orders what follows.
        if self.passes_fences.load(Ordering::Relaxed) {
            fence(Ordering::SeqCst);
            return true;
        }
        let done = heavy_fence(self.paired);
        if !done {
            // Relaxed: partner is G2; an entry that does not see it yet counts as before it.
            self.alert.fetch_or(FENCED, Ordering::Relaxed);
        }
        done
    }

    /// T3: the P stays where it is.
    pub(crate) fn forgo(&self) {
        // Relaxed: an M that still sees the alert takes the lock and finds nothing taken.
        self.alert.fetch_and(!WANTED, Ordering::Relaxed);
    }
}
