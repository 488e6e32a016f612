//! The handler of SIGPROF.
//!
//! It interrupts code anywhere, so it allocates nothing and takes no lock. All that it uses was made by the profile's thread,
//! and stays until no handler can use it any more
//! (door.rs). The handler stays installed after the first profile, because signals may be on their way; the default of
//! SIGPROF ends the process.
//!
//! A timer is told by the word that its signal carries: the address of the slot of its thread, or of the session.

use std::{
    ffi::{c_int, c_void},
    io, mem, ptr,
    sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering},
};

use goroutines_sched::Interrupted;

use crate::{
    door::{Door, Opened},
    modules::Unwinder,
    profile::Amount,
    profiler::ProfileError,
    record::{Record, Recorder, Who},
    walker::Walker,
};

pub(super) const SIGNAL: c_int = libc::SIGPROF;

/// Recorders that threads without their own share.
const SHARED: usize = 4;

/// Where handlers find the session of the profile that runs.
static SESSION: Door<Shared> = Door::new();

/// A thread with a timer of its own.
struct Slot {
    /// The kernel's number; 0: free.
    thread: AtomicI32,
    /// Null before the first use.
    recorder: AtomicPtr<Recorder<Walker>>,
}

/// What handlers use.
struct Shared {
    /// Nanoseconds for which a sample stands.
    period: u64,
    unwinder: AtomicPtr<Unwinder>,
    slots: Box<[Slot]>,
    /// For threads without a slot.
    recorders: Box<[Recorder<Walker>]>,
    /// Samples for which none of those was free.
    lost: AtomicU64,
}

/// A profile's side of it. One at a time.
pub(super) struct Session {
    shared: Opened<Shared>,
}

impl Session {
    /// # Errors
    ///
    /// When there is no memory.
    pub(super) fn begin(slots: usize, period: u64) -> io::Result<Session> {
        let slot = |_| Slot {
            thread: AtomicI32::new(0),
            recorder: AtomicPtr::new(ptr::null_mut()),
        };
        let recorders: Vec<_> = (0..SHARED)
            .map(|_| Walker::new().map(Recorder::new))
            .collect::<io::Result<_>>()?;
        let shared = SESSION.open(Shared {
            period,
            unwinder: AtomicPtr::new(ptr::null_mut()),
            slots: (0..slots).map(slot).collect(),
            recorders: recorders.into(),
            lost: AtomicU64::new(0),
        });
        Ok(Session { shared })
    }

    /// Handlers walk with `unwinder` from now on. It and those before it stay until the session has stopped.
    pub(super) fn publish(&self, unwinder: *mut Unwinder) {
        // Release: partner is the load in `sample`.
        self.shared.unwinder.store(unwinder, Ordering::Release);
    }

    /// What the signal of the process's timer carries.
    pub(super) fn mark(&self) -> *mut c_void {
        self.shared.address().cast()
    }

    /// A slot for `thread`, with what the signal of its timer is to carry; `None` if all are taken, or there
    /// is no memory.
    pub(super) fn claim(&mut self, thread: libc::pid_t) -> Option<(usize, *mut c_void)> {
        // Relaxed: only the profile's thread changes it.
        let is_free = |slot: &Slot| slot.thread.load(Ordering::Relaxed) == 0;
        let number = self.shared.slots.iter().position(is_free)?;
        let slot = &self.shared.slots[number];
        // Relaxed: only the profile's thread changes it.
        if slot.recorder.load(Ordering::Relaxed).is_null() {
            let recorder = Box::into_raw(Box::new(Recorder::new(Walker::new().ok()?)));
            // Relaxed: published by the next store.
            slot.recorder.store(recorder, Ordering::Relaxed);
        }
        // Release: partner is the load in `is_of`.
        slot.thread.store(thread, Ordering::Release);
        Some((number, ptr::from_ref(slot).cast_mut().cast()))
    }

    /// The thread of the slot has ended, or gets no timer.
    pub(super) fn release(&mut self, number: usize) {
        // Release: as in `claim`.
        self.shared.slots[number].thread.store(0, Ordering::Release);
    }

    /// Calls `each` for the records that were made.
    pub(super) fn drain(&mut self, mut each: impl FnMut(&Record)) {
        let shared = &*self.shared;
        let slots = shared.slots.iter().filter_map(|slot| slot.recorder());
        for recorder in slots.chain(shared.recorders.iter()) {
            // SAFETY: the session is borrowed alone, and only it drains.
            unsafe { recorder.drain(&mut each) };
        }
    }

    /// How many samples there was no room for.
    pub(super) fn lost(&self) -> u64 {
        let shared = &*self.shared;
        let slots = shared.slots.iter().filter_map(|slot| slot.recorder());
        let recorders = slots.chain(shared.recorders.iter());
        // Relaxed: a count.
        recorders.map(Recorder::lost).sum::<u64>() + shared.lost.load(Ordering::Relaxed)
    }

    /// No handler uses an unwinder that was published from here on.
    pub(super) fn stop(&mut self) {
        self.shared.close();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let recorder = *self.recorder.get_mut();
        if !recorder.is_null() {
            // SAFETY: from `Box::into_raw` in `claim`; the slot is freed, so no handler uses it.
            drop(unsafe { Box::from_raw(recorder) });
        }
    }
}

impl Slot {
    fn recorder(&self) -> Option<&Recorder<Walker>> {
        // Relaxed: a handler has read `thread` before, whose partner is in `claim` (`is_of`); the profile's thread has written
        // it itself.
        // SAFETY: null or a recorder that is freed with the slot.
        unsafe { self.recorder.load(Ordering::Relaxed).as_ref() }
    }

    fn is_of(&self, thread: libc::pid_t) -> bool {
        // Acquire: partner is the Release in `claim`.
        self.thread.load(Ordering::Acquire) == thread
    }
}

/// Installs the handler, unless it is.
pub(super) fn install() -> Result<(), ProfileError> {
    // SAFETY: all zeroes is a valid `sigaction`, and sigaction writes a whole one.
    let mut before: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: as above; null: nothing is installed.
    if unsafe { libc::sigaction(SIGNAL, ptr::null(), &raw mut before) } != 0 {
        return Err(io::Error::last_os_error().into());
    }
    let ours = handler as *const () as usize;
    match before.sa_sigaction {
        it if it == ours => return Ok(()),
        libc::SIG_DFL | libc::SIG_IGN => {}
        _ => return Err(ProfileError::SignalInUse),
    }
    // SAFETY: all zeroes is a valid `sigaction`: an empty mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = ours;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the handler has the type that SA_SIGINFO announces, and is async-signal-safe.
    match unsafe { libc::sigaction(SIGNAL, &raw const action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().into()),
    }
}

/// What the kernel passes with the signal of a timer; the layout of a `siginfo_t` of SI_TIMER.
#[repr(C)]
struct Fired {
    signal: c_int,
    errno: c_int,
    code: c_int,
    _timer: c_int,
    _timer_id: c_int,
    /// How often it has fired since, unseen.
    overrun: c_int,
    value: *mut c_void,
}

const _: () = assert!(mem::offset_of!(Fired, value) == 24);
const _: () = assert!(size_of::<Fired>() <= size_of::<libc::siginfo_t>());

extern "C" fn handler(_signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: returns the address of this thread's `errno`, which lives as long as the thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { errno.read() };
    SESSION.enter(|shared| {
        // SAFETY: the kernel passes a siginfo that is valid until this returns.
        let info = unsafe { &*info };
        if info.si_code == libc::SI_TIMER {
            // SAFETY: with this code the siginfo is a timer's. The context is the kernel's.
            unsafe { shared.fired(&*ptr::from_ref(info).cast::<Fired>(), context) };
        }
    });
    // SAFETY: as above.
    unsafe { errno.write(before) };
}

impl Shared {
    /// # Safety
    ///
    /// `context` is what the kernel has passed to the handler that calls this.
    unsafe fn fired(&self, fired: &Fired, context: *const c_void) {
        // SAFETY: gettid has no arguments and no preconditions.
        let thread = unsafe { libc::gettid() };
        let count = 1 + u64::try_from(fired.overrun).unwrap_or(0);
        let amount = Amount {
            count,
            nanoseconds: count * self.period,
        };
        let sample = |record: &mut Record, walker: &mut Walker| {
            // SAFETY: the caller's context.
            unsafe { self.sample(context, record, walker) };
        };
        if fired.value.cast_const() != ptr::from_ref(self).cast() {
            // A timer that is not the profile's carries another word.
            let slots = self.slots.iter();
            let slot = slots.filter(|slot| ptr::from_ref(*slot).cast() == fired.value.cast_const());
            let mut slot = slot.filter(|slot| slot.is_of(thread));
            if let Some(recorder) = slot.next().and_then(Slot::recorder) {
                recorder.record(amount, sample);
            }
            return;
        }
        if self.slots.iter().any(|slot| slot.is_of(thread)) {
            return;
        }
        if !self.recorders.iter().any(|it| it.record(amount, sample)) {
            // Relaxed: a count.
            self.lost.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// # Safety
    ///
    /// As for [`fired`](Shared::fired).
    unsafe fn sample(&self, context: *const c_void, record: &mut Record, walker: &mut Walker) {
        // SAFETY: the caller's context; the value does not leave the handler.
        let mut code = unsafe { Interrupted::of(context) };
        record.who = if code.is_goroutine() {
            Who::goroutine(code.goroutine(), code.spawned_as(), code.name())
        } else if code.is_scheduler() {
            Who::Scheduler
        } else {
            Who::Thread
        };
        // Acquire: partner is `publish`.
        // SAFETY: null, or an unwinder that stays until the session has stopped.
        let unwinder = unsafe { self.unwinder.load(Ordering::Acquire).as_ref() };
        walker.walk(unwinder, &mut code, &mut record.walk);
    }
}
