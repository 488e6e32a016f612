//! M: an OS thread as the scheduler sees it.
//!
//! The Ms of the scheduler run goroutines while they have a P; their OS stack is their g0. Any other OS thread that
//! uses the runtime gets an M as well, without a P and with a G that stands for the thread (see attach.rs), so that
//! every caller has a current G.

use std::{
    cell::{Cell, RefCell, UnsafeCell},
    ffi::c_int,
    ops::Range,
    ptr,
    sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering},
};

use goroutines_stack::{AddressRange, SignalStack};

use crate::{
    gmp::{
        g::GRef,
        mode,
        p::P,
        signal_stack,
        spin_habit::SpinHabit,
        trace_event::EventKind,
        tracer::{self, Tracer},
    },
    protocol::{gate::Gate, inbox::Inbox, lending::SyscallTick, parker::Parker},
    sys::{asm::Context, epoll, tasks, thread_stack, tls::Tls},
};

/// A mark that no M has.
const NOBODY: usize = 1;

/// How often an M leaves a goroutine to others where goroutines are forced to migrate (migrate.rs). Fits below an M's
/// address, which is aligned to 128.
const REFUSALS: usize = 127;

const _: () = assert!(align_of::<M>() > REFUSALS);

/// A goroutine that waits while it unwinds.
pub(crate) struct Unwinder {
    pub(crate) g: GRef,
    /// How many panics of it were moved away; 0: the thread counts them.
    pub(crate) moved: u32,
}

/// What the thread of an M may still run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fitness {
    /// Any goroutine.
    Any,
    /// A goroutine ended locked to it: only goroutines that no other M may run.
    Tainted,
    /// Nothing: it ends.
    Over,
}

#[repr(align(128))]
pub(crate) struct M {
    /// Where g0 resumes when the running goroutine leaves.
    pub(crate) g0: Cell<Context>,
    /// The G that runs here; none while g0 itself does.
    pub(crate) current: Cell<Option<GRef>>,
    p: Cell<*const P>,
    /// The gate at which its P can be taken away (see gate.rs).
    pub(crate) gate: Gate,
    /// The round in which it has run for a whole slice, 0 for none (see checkpoint.rs).
    pub(crate) overdue: AtomicU64,
    /// Whether this M is the spinner (see idle.rs).
    pub(crate) spinning: Cell<bool>,
    /// Whether it spins when it runs out of work.
    pub(crate) spin_habit: SpinHabit,
    /// The state of its pseudo-random numbers; 0 before the first (see random.rs).
    pub(crate) random: Cell<u32>,
    /// On a plain thread: where its stack ends; 0 before the first question.
    pub(crate) stack_low: Cell<usize>,
    /// On a plain thread that has not ended: its name in the C library. For whoever has the list of switch/attach.rs locked.
    pub(crate) pthread: Cell<Option<libc::pthread_t>>,
    /// The bounds of its g0, for AddressSanitizer; nothing without it.
    pub(crate) g0_bounds: crate::sys::tools::Bounds,
    /// The clock of the CPU time that its thread uses.
    cpu_clock: AtomicI32,
    /// The kernel's number of its thread.
    pub(super) thread: AtomicI32,
    /// The signal stack of its thread, where handlers with SA_ONSTACK run; empty on a plain thread's M.
    pub(crate) signal_stack: Cell<AddressRange>,
    /// The number of the last look that its thread has done (sysmon/handlers.rs).
    pub(crate) looked: Cell<u32>,
    /// Its thread's `errno`; dangling on a plain thread's M, which runs no goroutines.
    errno: Cell<*mut c_int>,
    /// The number that it leaves in the low bits of its address in [`M::mark`].
    tag: usize,
    /// The mark that [`M::home_mark`] returns.
    home_mark: Cell<usize>,
    /// Its thread's thread-local storage.
    tls: UnsafeCell<Tls>,
    /// Goroutines that only this M may run.
    pub(crate) inbox: Inbox,
    /// Whether one of those goes before the queue of the P.
    pub(crate) bound_first: Cell<bool>,
    /// Whether the ring goes first in its next fair round (see fairness.rs).
    pub(crate) turn_of_ring: Cell<bool>,
    /// How many goroutines are locked to it.
    pub(crate) lockers: Cell<u32>,
    /// How many goroutines are bound to it.
    pub(crate) tied: Cell<u32>,
    /// Goroutines that wait here while they unwind, beside others that are bound to it (see unwinding.rs).
    pub(crate) unwinders: RefCell<Vec<Unwinder>>,
    /// The P that its goroutine has lent, in a blocking call; none where sysmon had taken it before (see
    /// blocking.rs).
    pub(crate) lent: Cell<Option<(&'static P, SyscallTick)>>,
    /// What its thread may still be used for (see locked.rs).
    pub(crate) fitness: Cell<Fitness>,
    /// What it sleeps on without a P.
    pub(crate) parker: Parker,
    /// The P it is woken with; bit 0: it becomes the spinner.
    handed: AtomicUsize,
    /// Goroutines that its sleep in the kernel's poll has claimed, and that are in no queue yet.
    pub(crate) found: RefCell<Vec<GRef>>,
    /// What its thread is to answer when a signal asks it (observe/running.rs); null: nothing.
    pub(crate) asked: AtomicPtr<()>,
    /// Where its g0's stack lies; empty on a plain thread's M.
    g0_stack: Cell<(usize, usize)>,
    /// What writes its events (see tracer.rs).
    pub(crate) tracer: Tracer,
    /// Whether it leaves its loop for the other copy, and the goroutine that it runs first there (schedule/mod.rs).
    pub(crate) leaves_loop: Cell<bool>,
    pub(crate) carried: Cell<Option<GRef>>,
}

// SAFETY: the cells, and what `errno` points at, are touched by the M's own thread only; `tls` changes only in
// `settle`, when no other thread reads it; the other fields are Sync.
unsafe impl Sync for M {}

impl M {
    pub(crate) fn new(current: Option<GRef>) -> M {
        M {
            g0: Cell::new(Context::NULL),
            current: Cell::new(current),
            p: Cell::new(ptr::null()),
            gate: Gate::new(mode::is_fenced()),
            overdue: AtomicU64::new(0),
            spinning: Cell::new(false),
            spin_habit: SpinHabit::new(),
            random: Cell::new(0),
            stack_low: Cell::new(0),
            pthread: Cell::new(None),
            g0_bounds: crate::sys::tools::Bounds::new(),
            cpu_clock: AtomicI32::new(libc::CLOCK_MONOTONIC),
            thread: AtomicI32::new(0),
            signal_stack: Cell::new(AddressRange::default()),
            looked: Cell::new(0),
            errno: Cell::new(ptr::dangling_mut()),
            tag: if mode::is_forced() { REFUSALS } else { 0 },
            home_mark: Cell::new(NOBODY),
            tls: UnsafeCell::new(Tls::none()),
            inbox: Inbox::new(),
            bound_first: Cell::new(false),
            turn_of_ring: Cell::new(false),
            lockers: Cell::new(0),
            tied: Cell::new(0),
            unwinders: RefCell::new(Vec::new()),
            lent: Cell::new(None),
            fitness: Cell::new(Fitness::Any),
            parker: Parker::new(),
            handed: AtomicUsize::new(0),
            found: RefCell::new(Vec::new()),
            asked: AtomicPtr::new(ptr::null_mut()),
            g0_stack: Cell::new((0, 0)),
            tracer: Tracer::new(current.is_some()),
            leaves_loop: Cell::new(false),
            carried: Cell::new(None),
        }
    }

    /// The P this M holds.
    #[inline(always)]
    pub(crate) fn p(&self) -> Option<&'static P> {
        // SAFETY: `p` is null or was set from a `&'static P`.
        unsafe { self.p.get().as_ref() }
    }

    /// The P this M holds, where it is known to hold one: on its g0.
    #[inline(always)]
    pub(crate) fn held_p(&self) -> &'static P {
        match self.p() {
            Some(p) => p,
            None => crate::sys::fatal::throw(format_args!("an M runs goroutines without a P")),
        }
    }

    /// Takes over `p`, which no other M holds.
    pub(crate) fn set_p(&'static self, p: &'static P) {
        p.set_owner(Some(self));
        self.p.set(p);
    }

    /// Gives up the P it holds, if it does.
    pub(crate) fn give_up_p(&self) -> Option<&'static P> {
        let p = self.p();
        if let Some(p) = p {
            p.set_owner(None);
        }
        self.p.set(ptr::null());
        p
    }

    /// Its P was taken away and may have a new owner already.
    pub(crate) fn lose_p(&self) {
        self.p.set(ptr::null());
    }

    /// The calling thread, whose signal stack this is, becomes the M's: its CPU time can be read from now on.
    pub(crate) fn adopt_thread(&self, signal_stack: &SignalStack) {
        self.signal_stack.set(signal_stack.addresses());
        let stack = thread_stack::own().unwrap_or(0..0);
        self.g0_stack.set((stack.start, stack.end));
        self.note_thread(tasks::own());
        let mut clock = libc::CLOCK_MONOTONIC;
        // SAFETY: the thread is alive, because it is the caller; `clock` is a live clockid. Where the kernel has no
        // such clock, elapsed time is taken for CPU time.
        unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
        // Relaxed: a hint for other threads, which may read the record of a thread that has ended.
        self.cpu_clock.store(clock, Ordering::Relaxed);
    }

    /// Where its g0's stack lies; for its own thread. Empty where the system does not say. Async-signal-safe.
    pub(crate) fn g0_stack(&self) -> Range<usize> {
        let (start, end) = self.g0_stack.get();
        start..end
    }

    /// The kernel's number of its thread; 0: it has ended.
    pub(crate) fn note_thread(&self, thread: libc::pid_t) {
        // Relaxed: as for `cpu_clock`.
        self.thread.store(thread, Ordering::Relaxed);
    }

    /// The CPU time that the thread has used, in nanoseconds. For any thread.
    pub(crate) fn cpu_time(&self) -> u64 {
        // Relaxed: see `adopt_thread`.
        crate::sys::clock::read(self.cpu_clock.load(Ordering::Relaxed))
    }

    /// Returns whether the kernel calls the thread runnable (state R): it runs or waits for a CPU. For any thread;
    /// about 10 us.
    pub(crate) fn is_runnable(&self) -> bool {
        crate::sys::proc_stat::is_runnable(self.thread())
    }

    /// The kernel's number of its thread.
    pub(crate) fn thread(&self) -> libc::pid_t {
        // Relaxed: see `adopt_thread`.
        self.thread.load(Ordering::Relaxed)
    }

    /// The word of this M in the lists of idle.rs.
    pub(crate) fn id(&'static self) -> usize {
        ptr::from_ref(self) as usize
    }

    /// What a G keeps of the M that runs it: the M's id, or, where goroutines are forced to migrate, its id with a
    /// tag in the low bits (see migrate.rs).
    #[inline(always)]
    pub(crate) fn mark(&'static self) -> usize {
        self.id() | self.tag
    }

    /// The id of the M whose [`mark`](M::mark) this is, also when it was counted down.
    pub(crate) fn id_of(mark: usize) -> usize {
        mark & !REFUSALS
    }

    /// The M whose [`mark`](M::mark) this is, also when it was counted down.
    ///
    /// # Safety
    ///
    /// `mark` is one, and not 0.
    pub(crate) unsafe fn home_of(mark: usize) -> &'static M {
        // SAFETY: a mark is the id of an M with a count below its alignment, which `id_of` takes off.
        unsafe { M::from_id(M::id_of(mark)) }
    }

    /// The [`G::last`](crate::gmp::g::G::last) of a goroutine that may resume here without further checks: the mark
    /// that this M leaves, or, where goroutines are forced to migrate, one that no G has.
    #[inline(always)]
    pub(crate) fn home_mark(&self) -> usize {
        self.home_mark.get()
    }

    /// The calling thread, which will run goroutines, is this M's from here on.
    ///
    /// # Safety
    ///
    /// The thread has no other M, and no goroutine has this M as the one that ran it last.
    pub(crate) unsafe fn settle(&'static self) {
        self.home_mark
            .set(if self.tag == 0 { self.id() } else { NOBODY });
        // SAFETY: returns an address that is valid as long as the thread lives.
        self.errno.set(unsafe { libc::__errno_location() });
        // SAFETY: no other thread reads it: others do so for goroutines that this M ran last, and there are none.
        unsafe { *self.tls.get() = mode::storage() };
    }

    /// Its thread's thread-local storage; for the owner of a goroutine that ran here last.
    pub(crate) fn tls(&self) -> &Tls {
        // SAFETY: it changes only in `settle`, when there are no such goroutines.
        unsafe { &*self.tls.get() }
    }

    /// Gives the thread the `errno` of the goroutine that it is about to run; only on g0.
    #[inline(always)]
    pub(crate) fn set_errno(&self, errno: c_int) {
        // SAFETY: g0 runs goroutines, so this is one of the scheduler's Ms, and its own thread.
        unsafe { self.errno.get().write(errno) };
    }

    /// The `errno` of the goroutine that has just left; only on g0.
    #[inline(always)]
    pub(crate) fn errno(&self) -> c_int {
        // SAFETY: g0 runs goroutines, so `settle` has set the address of this thread's `errno`.
        unsafe { self.errno.get().read() }
    }

    /// # Safety
    ///
    /// `id` came from [`M::id`].
    pub(crate) unsafe fn from_id(id: usize) -> &'static M {
        // SAFETY: Ms are leaked, and the caller's word is the address of one.
        unsafe { &*(id as *const M) }
    }

    /// Passes `p` to this sleeping M and wakes it.
    pub(crate) fn wake_with(&self, p: &'static P, as_spinner: bool) {
        let word = p.id() | usize::from(as_spinner);
        // Relaxed: published by the Release in `notify`.
        self.handed.store(word, Ordering::Relaxed);
        self.parker.notify_or(epoll::kick);
    }

    /// Takes over the P it was woken with. Only after the parker gave its token.
    pub(crate) fn accept(&'static self) {
        // Relaxed: ordered by the parker's Acquire.
        let word = self.handed.swap(0, Ordering::Relaxed);
        if word == 0 {
            crate::sys::fatal::throw(format_args!("an M was woken without a P"));
        }
        self.spinning.set(word & 1 == 1);
        self.gate.unwatch();
        signal_stack::look_if_due(self);
        // SAFETY: `wake_with` stored a P's id, with bit 0 free for the flag.
        self.set_p(unsafe { P::from_id(word & !1) });
        self.note_start_p();
    }

    /// It has taken a P: an event.
    pub(crate) fn note_start_p(&self) {
        if tracer::is_on()
            && let Some(p) = self.p()
        {
            self.emit(EventKind::StartP, p.number as u64);
        }
    }
}
