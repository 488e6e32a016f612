//! What each goroutine and thread waits for, and which goroutine or thread could end the wait: the edges of the wait-for
//! graph.
//!
//! | wait | the other | known by |
//! |---|---|---|
//! | the end of a goroutine, or of the second closure of a fork-join | the goroutine that runs it | the object of the wait, which is its G |
//! | a mutex, a read-write lock | its holder, or the writer that is inside | the lock's owner (gmp/lock_owner.rs) |
//! | an initialisation | the one that runs it | the same |
//! | anything else | unknown | a message, a permit or a token may come from anywhere |
//!
//! An owner is a G, or a place on a stack. Such places are looked up in the stacks and segments of all goroutines, and in the
//! stacks of plain threads. Goroutines that share a run window (window.rs) have the same addresses: where there is one of
//! them, it is probably the holder.
//!
//! A lock is read while its waiter is held (hold.rs): its waiter borrows it, so it stays. A waiter that keeps its thread
//! cannot be held. There the word is read by the kernel (sys/peek.rs), and counts only if the waiter waits for the same
//! afterwards.

use std::{collections::HashMap, ops::Range, ptr};

use crate::{
    global::sched::{self, Sched},
    gmp::{
        g::{G, GRef},
        lock_owner::{Found, LockOwner},
        m::M,
        segment::Link,
        window::Window,
    },
    protocol::{
        hold::{self, BATCH},
        status::Status,
        wait_reason::WaitReason,
    },
    switch::attach,
    sys::{membarrier, peek, tasks},
};

/// A goroutine, or a plain thread that waits in a call of the runtime.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Waiter {
    pub(crate) g: GRef,
    /// Its number; 0 for a thread.
    pub id: u64,
    /// The kernel's number of the thread; 0 for a goroutine.
    pub thread: libc::pid_t,
}

/// How sure it is that one waits for the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Certainty {
    /// Only the other can end this wait.
    Exact,
    /// The other shares its addresses with goroutines that have ended, or may have forgotten a guard.
    Probable,
    /// It is not known which could end the wait.
    Unknown,
}

/// What one waits for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Wait {
    /// What waits.
    pub from: Waiter,
    /// The name of the goroutine or thread, where it is known.
    pub name: Option<String>,
    /// Why.
    pub reason: WaitReason,
    /// The address of what it waits on; 0 where there is none, or several.
    pub object: usize,
    /// What could end the wait; `None` where that is unknown.
    pub on: Option<Waiter>,
    /// How sure that is.
    pub certainty: Certainty,
    /// Whether the wait may also end otherwise: at a deadline, by a context, by another case of a select.
    pub has_way_out: bool,
}

impl Waiter {
    pub(crate) fn goroutine(g: GRef) -> Waiter {
        Waiter {
            g,
            id: g.id(),
            thread: 0,
        }
    }

    pub(crate) fn thread(m: &M, g: GRef) -> Waiter {
        Waiter {
            g,
            id: 0,
            thread: m.thread(),
        }
    }
}

/// All that waits, as it was seen one after the other. Without `all`, only waits of which the other side can be known.
/// Empty before the start of the runtime.
#[must_use]
pub fn waits(all: bool) -> Vec<Wait> {
    let mut look = Look::new(all);
    if let Some(sched) = sched::get() {
        look.at_goroutines(sched);
        look.at_threads();
        look.find_holders(sched);
    }
    look.waits
}

/// The waits of plain threads in calls of the runtime, without what holds the locks that they wait for.
#[must_use]
pub fn waits_of_threads() -> Vec<Wait> {
    let mut look = Look::new(true);
    look.at_threads();
    look.waits
}

/// One look at all that waits.
struct Look {
    all: bool,
    waits: Vec<Wait>,
    /// Places on stacks that hold locks: the place, and which wait is for that lock.
    places: Vec<(usize, usize)>,
    /// The segments of goroutines that were held.
    segments: Vec<(Range<usize>, GRef)>,
}

impl Look {
    fn new(all: bool) -> Look {
        Look {
            all,
            waits: Vec::new(),
            places: Vec::new(),
            segments: Vec::new(),
        }
    }

    fn at_goroutines(&mut self, sched: &Sched) {
        let mut able = membarrier::is_there();
        let mut batch: Vec<&'static G> = Vec::with_capacity(BATCH);
        let mut gs = sched.all_gs.iter();
        loop {
            let alive = gs.by_ref().filter(|g| g.status().get() != Status::Dead);
            batch.extend(alive.take(BATCH));
            if able {
                let _right = sched.all_gs.right_to_words();
                able = hold::hold(&batch, |place, is_held| self.at(batch[place], is_held));
            } else {
                batch.iter().for_each(|g| self.at(g, false));
            }
            if batch.len() < BATCH {
                return;
            }
            batch.clear();
        }
    }

    fn at(&mut self, g: &'static G, is_held: bool) {
        if is_held {
            each_segment(g, |segment| {
                self.segments.push((segment, GRef::new(g)));
            });
        }
        self.add(Waiter::goroutine(GRef::new(g)), is_held);
    }

    fn at_threads(&mut self) {
        // Looked at afterwards: a look may have to find a thread, and the list is locked meanwhile.
        let mut threads = Vec::new();
        attach::threads(&mut |m, g| threads.push((m, g)));
        threads.iter().for_each(|&(m, g)| self.at_thread(m, g));
    }

    fn at_thread(&mut self, m: &M, g: GRef) {
        self.add(Waiter::thread(m, g), false);
    }

    fn add(&mut self, from: Waiter, is_held: bool) {
        let Some(seen) = Seen::of(from.g, is_held) else {
            return;
        };
        if !self.all && !seen.can_be_known() {
            return;
        }
        let on = match seen.holder {
            Found::Nobody => None,
            // SAFETY: what `Seen` has found is a G.
            Found::G(word) => Some(unsafe { GRef::from_word(word) }),
            Found::Place(place) => {
                self.places.push((place, self.waits.len()));
                None
            }
        };
        let certainty = match on {
            Some(_) => Certainty::Exact,
            None => Certainty::Unknown,
        };
        self.waits.push(Wait {
            name: name_of(from, is_held),
            from,
            reason: seen.reason,
            object: seen.object,
            on: on.map(waiter_of),
            certainty,
            has_way_out: seen.has_way_out,
        });
    }

    /// Finds on which stacks the places are.
    fn find_holders(&mut self, sched: &Sched) {
        if self.places.is_empty() {
            return;
        }
        self.places.sort_unstable();
        for (range, g) in std::mem::take(&mut self.segments) {
            self.holds(&range, Waiter::goroutine(g), Certainty::Exact);
        }
        let mut windows: HashMap<*const Window, Option<GRef>> = HashMap::new();
        for g in sched.all_gs.iter() {
            if g.status().get() == Status::Dead {
                continue;
            }
            let this = GRef::new(g);
            if let Some(range) = g.stack.range() {
                self.holds(&range, Waiter::goroutine(this), Certainty::Exact);
            } else if let Some(window) = g.window.get() {
                let only = windows.entry(ptr::from_ref(window)).or_insert(Some(this));
                *only = only.filter(|&only| only == this);
            }
        }
        for (window, only) in windows {
            if let Some(g) = only {
                // SAFETY: windows are never freed.
                let range = unsafe { &*window }.stack().range();
                self.holds(&range, Waiter::goroutine(g), Certainty::Probable);
            }
        }
        attach::stacks(&mut |m, g, range| {
            self.holds(&range, Waiter::thread(m, g), Certainty::Exact);
        });
    }

    /// `holder` holds the locks whose places are in `range`.
    fn holds(&mut self, range: &Range<usize>, holder: Waiter, certainty: Certainty) {
        let first = self
            .places
            .partition_point(|&(place, _)| place < range.start);
        for &(place, wait) in &self.places[first..] {
            if place >= range.end {
                break;
            }
            let wait = &mut self.waits[wait];
            (wait.on, wait.certainty) = (Some(holder), certainty);
        }
    }
}

/// The wait of one, at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) reason: WaitReason,
    pub(crate) object: usize,
    pub(crate) holder: Found,
    pub(crate) has_way_out: bool,
}

impl Seen {
    /// `None` if it does not wait, or goes on meanwhile.
    pub(crate) fn of(g: GRef, is_held: bool) -> Option<Seen> {
        let (status, reason, object) = wait_of(g)?;
        let holder = match reason {
            _ if object == 0 => Found::Nobody,
            // A join waits on a G (task/handle.rs, task/fork_join.rs).
            WaitReason::Join => Found::G(object),
            _ if !is_lock(reason) => Found::Nobody,
            _ if is_held => {
                // SAFETY: a wait for a lock is on its owner, and the waiter, which is held, borrows the lock.
                let owner = unsafe { &*ptr::with_exposed_provenance::<LockOwner>(object) };
                owner.found()
            }
            // If it still waits for the same, what was read was the lock. The word of a lock that is gone may be any
            // number: a G counts only if it is one.
            _ => match peek::word(object).map(LockOwner::found_in) {
                Some(Found::G(g)) if !is_g(g) => Found::Nobody,
                Some(found) => found,
                None => Found::Nobody,
            },
        };
        let seen = Seen {
            reason,
            object,
            holder,
            has_way_out: status == Status::Timed || g.get().wait_seq.is_any_open(),
        };
        (is_held || wait_of(g) == Some((status, reason, object))).then_some(seen)
    }

    fn can_be_known(&self) -> bool {
        self.reason == WaitReason::Join || is_lock(self.reason)
    }
}

fn wait_of(g: GRef) -> Option<(Status, WaitReason, usize)> {
    let status = g.get().status();
    let parked = status.is_parked().then(|| status.get())?;
    // Marks of the shrinker are no change.
    let parked = match parked {
        Status::Marked | Status::Shrunk => Status::Waiting,
        other => other,
    };
    Some((parked, status.reason()?, g.wait_object()))
}

/// Returns whether what a wait for this reason waits on is a [`LockOwner`].
fn is_lock(reason: WaitReason) -> bool {
    matches!(
        reason,
        WaitReason::MutexLock | WaitReason::RwLockRead | WaitReason::RwLockWrite | WaitReason::Once
    )
}

/// Returns whether there is a G at this address. It is not read.
fn is_g(word: usize) -> bool {
    let is_it = |g: &G| ptr::from_ref(g).addr() == word;
    let mut found = sched::get().is_some_and(|sched| sched.all_gs.any(is_it));
    attach::threads(&mut |_, g| found |= is_it(g.get()));
    found
}

/// The waiter that `g` stands for.
fn waiter_of(g: GRef) -> Waiter {
    let mut found = Waiter::goroutine(g);
    if found.id == 0 {
        attach::threads(&mut |m, other| {
            if other == g {
                found = Waiter::thread(m, g);
            }
        });
    }
    found
}

pub(crate) fn name_of(from: Waiter, is_held: bool) -> Option<String> {
    if from.thread != 0 {
        return tasks::name(from.thread);
    }
    let identity = is_held.then(|| from.g.get().identity.get()).flatten()?;
    identity.name().map(str::to_owned)
}

/// The windows of the segments of `g`, the spare included. `g` is held.
pub(crate) fn each_segment(g: &G, mut visit: impl FnMut(Range<usize>)) {
    let mut link: Link = g.segments.running();
    let spare = match link {
        Some(segment) => segment.spare.get(),
        None => g.segments.idle(),
    };
    if let Some(spare) = spare {
        visit(spare.stack.range());
    }
    while let Some(segment) = link {
        visit(segment.stack.range());
        link = segment.prev.get();
    }
}
