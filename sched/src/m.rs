//! M: an OS thread as the scheduler sees it.
//!
//! The Ms of the scheduler run goroutines while they have a P; their OS stack is their g0. Any other
//! OS thread that uses the runtime gets an M as well, without a P and with a G that stands for the
//! thread (see thread.rs), so that "who am I" has one answer for everybody.

use std::{
    cell::Cell,
    ptr,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use crate::{g::GRef, gate::Gate, p::P, parker::Parker, switch::Context};

#[repr(align(128))]
pub(crate) struct M {
    /// Where g0 goes on when the running goroutine leaves.
    pub(crate) g0: Cell<Context>,
    /// Who runs here; none while g0 itself does.
    pub(crate) current: Cell<Option<GRef>>,
    p: Cell<*const P>,
    /// Where its P can be taken away (see gate.rs).
    pub(crate) gate: Gate,
    /// The round in which it has lasted a slice, 0 for none (see checkpoint.rs).
    pub(crate) overdue: AtomicU64,
    /// Is this M the spinner (see idle.rs)?
    pub(crate) spinning: Cell<bool>,
    /// On a plain thread: where its stack ends; 0 while nobody has asked.
    pub(crate) stack_low: Cell<usize>,
    /// For AddressSanitizer.
    #[cfg(feature = "asan")]
    pub(crate) g0_bounds: crate::tools::Bounds,
    /// The clock of the CPU time that its thread uses.
    cpu_clock: Cell<libc::clockid_t>,
    /// What it sleeps on without a P.
    pub(crate) parker: Parker,
    /// The P it is woken with; bit 0: as the spinner.
    handed: AtomicUsize,
}

// SAFETY: the cells are touched by the M's own thread only, but for `cpu_clock`, which is set before the
// M gets a P for the first time and so before others look; `parker` and `handed` are Sync.
unsafe impl Sync for M {}

impl M {
    pub(crate) fn new(current: Option<GRef>) -> M {
        M {
            g0: Cell::new(Context::NULL),
            current: Cell::new(current),
            p: Cell::new(ptr::null()),
            gate: Gate::new(crate::taking::fenced()),
            overdue: AtomicU64::new(0),
            spinning: Cell::new(false),
            stack_low: Cell::new(0),
            #[cfg(feature = "asan")]
            g0_bounds: crate::tools::Bounds::new(),
            cpu_clock: Cell::new(libc::CLOCK_MONOTONIC),
            parker: Parker::new(),
            handed: AtomicUsize::new(0),
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
    pub(crate) fn own_p(&self) -> &'static P {
        match self.p() {
            Some(p) => p,
            None => crate::fatal::throw(format_args!("an M runs goroutines without a P")),
        }
    }

    /// Takes over `p`, which is nobody else's.
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

    /// This thread is the M's: its CPU time can be asked for from now on.
    pub(crate) fn adopt_thread(&self) {
        let mut clock = libc::CLOCK_MONOTONIC;
        // SAFETY: the thread is alive, it is the caller; `clock` is a live clockid. Where the kernel
        // knows no such clock, the time that passes is taken for CPU time.
        unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
        self.cpu_clock.set(clock);
    }

    /// The CPU time that the thread has used, in nanoseconds. Anybody may ask.
    pub(crate) fn cpu_time(&self) -> u64 {
        crate::os::clock::read(self.cpu_clock.get())
    }

    /// This M in the lists of idle.rs.
    pub(crate) fn id(&'static self) -> usize {
        ptr::from_ref(self) as usize
    }

    /// # Safety
    ///
    /// `id` came from [`M::id`].
    pub(crate) unsafe fn from_id(id: usize) -> &'static M {
        // SAFETY: Ms are leaked, and the caller's word is the address of one.
        unsafe { &*(id as *const M) }
    }

    /// Gives `p` to this sleeping M and wakes it.
    pub(crate) fn hand(&self, p: &'static P, as_spinner: bool) {
        let word = p.id() | usize::from(as_spinner);
        // Relaxed: published by the Release in `notify`.
        self.handed.store(word, Ordering::Relaxed);
        self.parker.notify();
    }

    /// Takes over what it was woken with. Only after the parker gave its token.
    pub(crate) fn accept(&'static self) {
        // Relaxed: ordered by the parker's Acquire.
        let word = self.handed.swap(0, Ordering::Relaxed);
        if word == 0 {
            crate::fatal::throw(format_args!("an M was woken without a P"));
        }
        self.spinning.set(word & 1 == 1);
        self.gate.unwatch();
        // SAFETY: `hand` stored a P's id, with bit 0 free for the flag.
        self.set_p(unsafe { P::from_id(word & !1) });
    }
}

impl P {
    /// This P in the lists of idle.rs: its address.
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
