//! The sources of Gs, to which they return: the free list of a P, the shared one, and the slab.

use std::{
    io, iter,
    mem::MaybeUninit,
    ptr,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use goroutines_stack::{self as stack, Slab};

use crate::{
    global::{
        retake,
        sched::{self, Sched},
    },
    gmp::{
        debug_table,
        g::{FreeList, G, GRef, Kind},
        m::M,
        p::{Local, P},
        payload::{self, Entry},
        trace_event::EventKind,
    },
    protocol::sync::lock,
    switch::thread_word::current_m,
    sys::fatal,
};

/// Gs that are made at a time, and that move between a P's list and the shared one at a time.
const G_BATCH: usize = 64;

/// Up to this many batches of Gs the shrinker is started only by an M that becomes idle.
const FEW: usize = 4;

/// Goroutine numbers that a P takes at a time.
const ID_BATCH: u64 = 64;

/// The dead Gs that are on no P's list, and the numbers of goroutines.
pub(crate) struct GPool {
    free: Mutex<FreeList>,
    slab: Slab<G>,
    next_id: AtomicU64,
}

// SAFETY: `slab` and the list are used under the lock of `free`.
unsafe impl Sync for GPool {}
// SAFETY: nothing in it refers to a thread.
unsafe impl Send for GPool {}

impl GPool {
    pub(crate) fn new() -> GPool {
        GPool {
            free: Mutex::new(FreeList::new()),
            slab: Slab::new(),
            next_id: AtomicU64::new(1),
        }
    }
}

impl Sched {
    /// A dead G for a new goroutine; its number is set.
    ///
    /// # Errors
    ///
    /// When there is no memory for descriptors, or no address space for their stacks.
    #[inline]
    pub(crate) fn new_g(&'static self, p: Option<&P>) -> io::Result<GRef> {
        let Some(p) = p else {
            return self.new_g_shared();
        };
        // SAFETY: the calling goroutine runs on the M that owns `p`, and nothing below parks.
        let local = unsafe { p.local() };
        if local.free.len() == 0 || local.ids.is_empty() {
            self.restock(local)?;
        }
        let Some(g) = local.free.pop() else {
            fatal::throw(format_args!("a stocked list of Gs is empty"));
        };
        g.get().id.set(local.ids.start);
        local.ids.start += 1;
        Ok(g)
    }

    /// Before [`Sched::new_g`], while a trace is on: the event of the goroutine that it will make on `m`, which is inside
    /// the gate. Without a P there is none yet: `make` writes it.
    #[cold]
    pub(crate) fn note_new(&'static self, m: &M, entry: &'static Entry) {
        let Some(p) = m.p() else { return };
        // SAFETY: the calling goroutine runs on the M that owns `p`, and nothing below parks.
        let local = unsafe { p.local() };
        let stocked = local.free.len() != 0 && !local.ids.is_empty();
        if stocked || self.restock(local).is_ok() {
            let entry = ptr::from_ref(entry).addr() as u64;
            m.emit_more(EventKind::New, local.ids.start, iter::once((entry, 0)));
        }
    }

    /// Makes sure that `local` has a dead G and a number for it.
    #[cold]
    #[inline(never)]
    fn restock(&'static self, local: &mut Local) -> io::Result<()> {
        if local.free.len() == 0 {
            local.free.refill(&mut *self.stocked()?, G_BATCH);
        }
        if local.ids.is_empty() {
            // Relaxed: numbers only have to differ.
            let first = self.gs.next_id.fetch_add(ID_BATCH, Ordering::Relaxed);
            local.ids = first..first + ID_BATCH;
        }
        Ok(())
    }

    #[cold]
    fn new_g_shared(&self) -> io::Result<GRef> {
        match self.stocked()?.pop() {
            Some(g) => {
                // Relaxed: numbers only have to differ.
                g.get()
                    .id
                    .set(self.gs.next_id.fetch_add(1, Ordering::Relaxed));
                Ok(g)
            }
            None => fatal::throw(format_args!("a stocked list of Gs is empty")),
        }
    }

    /// The shared list of dead Gs, locked, with at least one G in it.
    fn stocked(&self) -> io::Result<MutexGuard<'_, FreeList>> {
        let mut shared = lock(&self.gs.free);
        if shared.len() == 0 {
            // A G gets its stack at its first run; from here on the address space for it is reserved.
            stack::reserve(self.class, G_BATCH)?;
            let slots = match self.gs.slab.grow(G_BATCH) {
                Ok(slots) => slots,
                Err(error) => {
                    stack::unreserve(self.class, G_BATCH);
                    return Err(error);
                }
            };
            let new = written(slots);
            new.iter().for_each(|g| shared.push(GRef::new(g)));
            debug_table::add(new);
            if self.all_gs.add(new) > FEW {
                self.rouse_shrinker();
            }
        }
        Ok(shared)
    }

    /// Takes back all of `free`.
    pub(crate) fn free_all(&self, free: &mut FreeList) {
        let count = free.len();
        lock(&self.gs.free).refill(free, count);
    }

    /// Takes back a dead G to which no reference is left, for a caller without a P.
    #[cold]
    pub(crate) fn free_g_shared(&self, g: GRef) {
        lock(&self.gs.free).push(g);
    }

    /// The list of dead Gs of a P is full: moves some to the shared list.
    #[cold]
    pub(crate) fn share_free(&self, free: &mut FreeList) {
        lock(&self.gs.free).refill(free, 2 * G_BATCH);
    }
}

impl P {
    /// Takes back a dead G to which no reference is left. Owner only.
    #[inline]
    pub(crate) fn free_g(&self, g: GRef) {
        // SAFETY: the caller runs on the M that owns this P, and nothing below parks.
        let free = unsafe { &mut self.local().free };
        free.push(g);
        if free.len() > 4 * G_BATCH {
            sched::running().share_free(free);
        }
    }
}

/// Makes dead Gs of new slots.
fn written(slots: &'static mut [MaybeUninit<G>]) -> &'static [G] {
    for slot in &mut *slots {
        slot.write(G::new(Kind::Goroutine));
    }
    // SAFETY: each slot was written above.
    unsafe { slots.assume_init_ref() }
}

/// Begins a new life of `g`, in which it runs `entry` on `value`.
///
/// # Safety
///
/// `g` came from [`Sched::new_g`] and is not used by others yet; `entry` takes a `V` out of the payload.
#[inline(always)]
pub(crate) unsafe fn begin<V>(g: GRef, entry: &'static Entry, value: V) {
    let desc = g.get();
    desc.entry.set(Some(entry));
    // SAFETY: a G from the list of dead ones has an empty payload, and the caller owns it.
    unsafe { payload::put(desc.payload(), value) };
    desc.join.reset();
    desc.spawned();
}

/// Frees the descriptor of a finished goroutine, with its identity.
#[inline]
pub(crate) fn free(g: GRef) {
    let m = current_m();
    let _inside = retake::enter_if(m);
    free_to(m.and_then(M::p), g);
}

#[inline]
pub(crate) fn free_to(p: Option<&P>, g: GRef) {
    // SAFETY: the caller has the last reference to `g`.
    unsafe { g.get().identity.clear() };
    match p {
        Some(p) => p.free_g(g),
        None => sched::running().free_g_shared(g),
    }
}
