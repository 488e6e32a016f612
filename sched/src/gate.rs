//! The gate between a goroutine's own code and the runtime, at which its P can be taken away.
//!
//! A goroutine that computes for long, or blocks its thread without saying so, holds a P that others
//! wait for, and its M does not know. sysmon takes the P although the M takes part in nothing: what an M
//! does with its P it does *inside* the gate, and an M that is outside does not touch it.
//!
//! ```text
//! M, at every entry into the runtime           sysmon, under the takers' lock, for a P that stands still
//! G1 inside = true      plain store            T1 alert = true
//!    compiler fence                            T2 membarrier: every thread of the process passes a fence
//! G2 alert? slow: see G4                       T3 inside, or the P is another M's now: alert = false,
//!    ... uses its P ...                           give up: the M is alive
//! G3 inside = false     release store          T4 taken = true; the P goes to another M; alert stays
//!
//! G4 under the takers' lock: taken? then the M has that P no more, and takes an idle one if there
//!    is one; taken = alert = false; go on
//! ```
//!
//! The M's side costs two plain stores and a load; the price, 5-30 us, is paid by sysmon. After T2
//! either sysmon sees G1, or the M's load at G2 sees T1:
//! - *G1 before the barrier*: T3 sees `inside` and gives up. The M may have seen the alert; then G4 waits
//!   for the lock, and finds nothing taken.
//! - *G1 after the barrier*: G2 sees the alert, and G4 waits until sysmon is done.
//!
//! What the M did with its P before G3 is visible to the new owner: T3's load of `inside` acquires it.
//!
//! Where the kernel refuses membarrier, the alert is raised for good: every entry then takes the slow
//! path, which has a real fence.

use crate::sync::{AtomicBool, AtomicU32, Ordering, heavy_fence, light_fence};

/// sysmon wants the P.
const WANTED: u32 = 1;
/// Every entry must pass a real fence (no membarrier).
const FENCED: u32 = 2;
/// sysmon wants to know of the next entry (hogs.rs).
const WATCHED: u32 = 4;

pub(crate) struct Gate {
    inside: AtomicBool,
    alert: AtomicU32,
    /// Under the takers' lock; also read by the M without it, as a hint.
    taken: AtomicBool,
    /// Is there a membarrier?
    paired: bool,
}

impl Gate {
    /// Inside.
    pub(crate) fn new(fenced: bool) -> Gate {
        Gate {
            inside: AtomicBool::new(true),
            alert: AtomicU32::new(if fenced { FENCED } else { 0 }),
            taken: AtomicBool::new(false),
            paired: !fenced,
        }
    }

    /// G1 and G2: true if the slow path must be taken. Not when it is inside already.
    #[inline(always)]
    #[must_use]
    pub(crate) fn enter(&self) -> bool {
        // Relaxed: partner is T3, ordered by the fences.
        self.inside.store(true, Ordering::Relaxed);
        light_fence(self.paired);
        // Relaxed: partner is T1, ordered by the fences.
        self.alert.load(Ordering::Relaxed) != 0
    }

    /// In the slow path, before G4: for kernels without membarrier. True if sysmon wants the P.
    pub(crate) fn enter_fenced(&self) -> bool {
        crate::sync::fence(Ordering::SeqCst);
        // Relaxed: partner is T1, ordered by the fences.
        let alert = self.alert.load(Ordering::Relaxed);
        if alert & WATCHED != 0 {
            self.unwatch();
        }
        alert & WANTED != 0
    }

    /// By sysmon: the next entry shall be seen.
    pub(crate) fn watch(&self) {
        // Relaxed: partner is the load in `enter`; an entry that does not see it yet counts as before it.
        self.alert.fetch_or(WATCHED, Ordering::Relaxed);
    }

    /// There has been an entry, or it does not matter any more.
    pub(crate) fn unwatch(&self) {
        // Relaxed: partner is the load in `is_watched`.
        self.alert.fetch_and(!WATCHED, Ordering::Relaxed);
    }

    /// Has there been no entry since `watch`?
    pub(crate) fn is_watched(&self) -> bool {
        // Relaxed: partner is `unwatch`.
        self.alert.load(Ordering::Relaxed) & WATCHED != 0
    }

    /// Under the takers' lock: was the P taken, and the M has not noticed? Then it is outside, or waits for the lock.
    pub(crate) fn is_taken(&self) -> bool {
        // Relaxed: under the lock.
        self.taken.load(Ordering::Relaxed)
    }

    /// G4, under the takers' lock: was the P taken? Then the M has none any more.
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

    /// Is the M inside? For the M itself.
    #[inline(always)]
    pub(crate) fn is_inside(&self) -> bool {
        // Relaxed: our own store.
        self.inside.load(Ordering::Relaxed)
    }

    /// T1 to T3 by sysmon, under the takers' lock: true if the M is outside and will not come in
    /// without G4. The caller then asks whether the P is still this M's, and calls `take` or `forgo`.
    pub(crate) fn shut(&self) -> bool {
        // Relaxed: partner is G2, ordered by the fences.
        self.alert.fetch_or(WANTED, Ordering::Relaxed);
        heavy_fence();
        // Acquire: partner is G3.
        if self.inside.load(Ordering::Acquire) {
            self.forgo();
            return false;
        }
        true
    }

    /// T3: the P stays where it is.
    pub(crate) fn forgo(&self) {
        // Relaxed: an M that still sees the alert takes the lock and finds nothing taken.
        self.alert.fetch_and(!WANTED, Ordering::Relaxed);
    }

    /// T4.
    pub(crate) fn take(&self) {
        // Relaxed: under the lock.
        self.taken.store(true, Ordering::Relaxed);
    }
}
