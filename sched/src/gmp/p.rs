//! P: a processor. It is the right to run goroutines, with everything that its owner uses without a lock.

use std::{
    cell::{Cell, UnsafeCell},
    ptr,
    sync::atomic::AtomicPtr,
};

use goroutines_stack::Cache;

use crate::{
    gmp::{counters::ProcCounters, g::FreeList, job::OwnDeque, m::M, ticket::Ticket},
    protocol::{
        lending::Lending,
        ring::Ring,
        sync::{AtomicBool, AtomicU64, Ordering},
        timers::Timers,
    },
    sys::xorshift,
};

/// Every so many rounds the global queue comes first. A prime, so that it does not fall in step with periodic
/// programs.
pub(crate) const FAIR_ROUND: u32 = 61;

#[repr(align(128))]
pub(crate) struct P {
    /// Runnable goroutines; thieves take from it.
    pub(crate) ring: Ring,
    /// Timers of sleeping goroutines; an M without work fires what is due.
    pub(crate) timers: Timers<Ticket>,
    /// The state of the P while its M is in a blocking call.
    pub(crate) lending: Lending,
    /// Counts scheduling rounds. Written by the owner, read by thieves to see whether the P makes progress.
    tick: AtomicU64,
    /// Rounds up to the next one in which the global queue comes first. For the owner.
    to_fair: Cell<u32>,
    /// Whether goroutines that never ran go first when it takes from the global queue next. For the owner.
    turn_of_fresh: Cell<bool>,
    /// The word of the goroutine that came from the global queue into the ring last, as a hint; 0: none. For the owner.
    pub(crate) admitted: Cell<usize>,
    /// The M that holds it; null while it is idle, lent, or being passed on.
    owner: AtomicPtr<M>,
    /// Its index among the Ps.
    pub(crate) number: usize,
    /// Whether it shall leave (see procs.rs).
    leaving: AtomicBool,
    /// Whether its owner shall give the colder of its stacks to the shared lists (see shrink.rs).
    shed: AtomicBool,
    pub(crate) counters: ProcCounters,
    local: UnsafeCell<Local>,
}

/// The part of a P that only its owner touches.
pub(crate) struct Local {
    pub(crate) stacks: Cache,
    pub(crate) free: FreeList,
    /// Goroutine numbers that are not used yet.
    pub(crate) ids: std::ops::Range<u64>,
    /// A deque of jobs for the next goroutine that begins a fork-join here.
    pub(crate) deque: Option<OwnDeque>,
    /// State of the generator that picks where stealing starts.
    pub(crate) random: u32,
}

// SAFETY: everything but `local`, `to_fair`, `turn_of_fresh` and `admitted` is Sync by itself; these are reached by the
// owner of the P only, and ownership passes between threads through the idle lists' lock and the parkers'
// Release/Acquire.
unsafe impl Sync for P {}
// SAFETY: nothing in a P belongs to the thread that made it; it is reached by one owner after the other.
unsafe impl Send for P {}

impl P {
    /// A new P, built in its final place: its ring is larger than what is left of some stacks.
    pub(crate) fn leaked(number: usize, shared: bool) -> &'static P {
        let mut place = Box::<P>::new_uninit();
        let p = place.as_mut_ptr();
        // SAFETY: the box is this function's; each field is written once.
        unsafe {
            Ring::make_at(&raw mut (*p).ring, shared);
            (&raw mut (*p).timers).write(Timers::new());
            (&raw mut (*p).lending).write(Lending::new());
            (&raw mut (*p).tick).write(AtomicU64::new(0));
            (&raw mut (*p).to_fair).write(Cell::new(FAIR_ROUND));
            (&raw mut (*p).turn_of_fresh).write(Cell::new(false));
            (&raw mut (*p).admitted).write(Cell::new(0));
            (&raw mut (*p).owner).write(AtomicPtr::new(ptr::null_mut()));
            (&raw mut (*p).number).write(number);
            (&raw mut (*p).leaving).write(AtomicBool::new(false));
            (&raw mut (*p).shed).write(AtomicBool::new(false));
            (&raw mut (*p).counters).write(ProcCounters::new());
            // An `UnsafeCell` has the layout of its content.
            let local = (&raw mut (*p).local).cast::<Local>();
            Cache::make_at(&raw mut (*local).stacks);
            (&raw mut (*local).free).write(FreeList::new());
            (&raw mut (*local).ids).write(0..0);
            (&raw mut (*local).deque).write(None);
            (&raw mut (*local).random).write(0x9e37_79b9 ^ (number as u32 + 1));
        }
        // SAFETY: the fields below were written above, and the compiler knows that there are no others.
        let p = Box::leak(unsafe { place.assume_init() });
        let P {
            ring: _,
            timers: _,
            lending: _,
            tick: _,
            to_fair: _,
            turn_of_fresh: _,
            admitted: _,
            owner: _,
            number: _,
            leaving: _,
            shed: _,
            counters: _,
            local,
        } = &mut *p;
        let Local {
            stacks: _,
            free: _,
            ids: _,
            deque: _,
            random: _,
        } = local.get_mut();
        p
    }

    /// The owner's part.
    ///
    /// # Safety
    ///
    /// The calling M owns this P, and no other reference from this method is in use.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn local(&self) -> &mut Local {
        // SAFETY: the cell is reached here alone, and the caller is the owner and has no other reference to it.
        unsafe { &mut *self.local.get() }
    }

    /// Returns whether anything is runnable here, `runnext` included. A snapshot for others.
    pub(crate) fn has_work(&self) -> bool {
        !self.ring.is_empty() || self.ring.has_next()
    }

    /// How many goroutines are queued here, `runnext` included. A snapshot.
    pub(crate) fn queued(&self) -> usize {
        self.ring.len_from_outside() as usize + usize::from(self.ring.has_next())
    }

    /// C3 of procs.rs.
    pub(crate) fn set_leaving(&self, leaving: bool) {
        // Relaxed: partner is the load in `is_leaving`.
        self.leaving.store(leaving, Ordering::Relaxed);
    }

    /// Returns whether it shall be put down. A hint: the idle lists decide whether it leaves then.
    pub(crate) fn is_leaving(&self) -> bool {
        // Relaxed: partner is the store in `set_leaving`; an M that misses it looks again.
        self.leaving.load(Ordering::Relaxed)
    }

    /// The owner shall give the colder of its stacks to the shared lists in its next round without work.
    pub(crate) fn ask_to_shed(&self) {
        // Relaxed: partner is the load in `shall_shed`; a late answer does no harm.
        self.shed.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn shall_shed(&self) -> bool {
        // Relaxed: partner is the store in `ask_to_shed`.
        self.shed.load(Ordering::Relaxed)
    }

    /// Gives the colder of its stacks to the shared lists, whose unused memory goes back to the kernel. Owner only.
    #[cold]
    pub(crate) fn shed_stacks(&self) {
        self.shed.store(false, Ordering::Relaxed); // Relaxed: partner is the store in `ask_to_shed`.
        // SAFETY: the caller owns this P, and nothing below parks.
        unsafe { self.local() }.stacks.shed();
    }

    pub(crate) fn set_owner(&self, m: Option<&'static M>) {
        let m = m.map_or(ptr::null_mut(), |m| ptr::from_ref(m).cast_mut());
        // Release: partner is the load in `owner`.
        self.owner.store(m, Ordering::Release);
    }

    /// The M that holds it. A snapshot: it stays true only while that M's gate is shut.
    pub(crate) fn owner(&self) -> Option<&'static M> {
        // Acquire: partner is the store in `set_owner`.
        let m = self.owner.load(Ordering::Acquire);
        // SAFETY: the owner is null or was set from a `&'static M`.
        unsafe { m.as_ref() }
    }

    /// Counts a scheduling round; owner only.
    #[inline(always)]
    pub(crate) fn next_tick(&self) {
        // Relaxed (both): only the owner writes; thieves compare two readings.
        let tick = self.tick.load(Ordering::Relaxed).wrapping_add(1);
        self.tick.store(tick, Ordering::Relaxed);
    }

    /// Returns whether this round, in which the P looks for work, is one in which the global queue comes first. Owner
    /// only, once a round. (A countdown costs a quarter of a division of the tick.)
    #[inline(always)]
    pub(crate) fn is_fair_round(&self) -> bool {
        let left = self.to_fair.get() - 1;
        self.to_fair.set(left);
        if left != 0 {
            return false;
        }
        self.to_fair.set(FAIR_ROUND);
        true
    }

    /// Returns whether it is the turn of goroutines that never ran, which passes with each call; owner only.
    pub(crate) fn turn_of_fresh(&self) -> bool {
        let turn = self.turn_of_fresh.get();
        self.turn_of_fresh.set(!turn);
        turn
    }

    /// Makes the next round in which it looks for work a fair one; owner only.
    pub(crate) fn call_fair_round(&self) {
        self.to_fair.set(1);
    }

    /// The count of scheduling rounds, as seen from outside.
    pub(crate) fn tick(&self) -> u64 {
        // Relaxed: see `next_tick`.
        self.tick.load(Ordering::Relaxed)
    }
}

impl P {
    /// The word of this P in the lists of idle.rs: its address.
    pub(crate) fn id(&'static self) -> usize {
        ptr::from_ref(self) as usize
    }

    /// # Safety
    ///
    /// `id` came from [`P::id`].
    pub(crate) unsafe fn from_id(id: usize) -> &'static P {
        // SAFETY: Ps belong to the scheduler, which is never freed; the caller's word is one's address.
        unsafe { &*(id as *const P) }
    }
}

impl Local {
    /// A pseudo-random number.
    pub(crate) fn random(&mut self) -> u32 {
        self.random = xorshift::after(self.random);
        self.random
    }
}
