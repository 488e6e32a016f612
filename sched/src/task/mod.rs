//! The wing `task`: a goroutine as its user sees it. Imported by the public functions.
//!
//! | file | what it has |
//! |---|---|
//! | mod.rs, join_future.rs | spawning, and the handle, also as a future |
//! | pinned.rs, stack_pin.rs | goroutines that stay on a thread, stacks that stay in their window |
//! | inherited.rs, local_key.rs, unpark.rs | what a goroutine passes on, what it has for itself, how it is unparked |
//! | set_procs.rs | changing the number of Ps, and waiting for that |
//!
//! Essays: [`join_future`], [`inherited`].

#![cfg(not(loom))]

pub(crate) mod inherited;
pub(crate) mod join_future;
pub(crate) mod local_key;
pub(crate) mod pinned;
pub(crate) mod set_procs;
pub(crate) mod stack_pin;
pub(crate) mod unpark;

use std::{cell::Cell, io, marker::PhantomData, thread, time::Instant};

use goroutines_stack::{self as stack, Class, Step};

use crate::{
    global::{
        g_pool::free,
        ready, retake,
        sched::{self, Sched},
    },
    gmp::{
        counters::ALL,
        g::GRef,
        identity::Identity,
        join::{JOINED, SharedWait},
        m::M,
        p::P,
        payload::{self, Outcome, entry_of},
    },
    park::{arm, caller::caller, park_until},
    protocol::wait_reason::WaitReason,
    switch::{signal_check, thread_word::current_m},
};

/// What a builder says of a goroutine.
#[derive(Debug, Default)]
pub struct Options {
    /// Its name, for messages.
    pub name: Option<Box<str>>,
    /// How far its stack may grow; `None`: what the process was started with.
    pub class: Option<Class>,
    /// Where its stack starts; `None`: what the process was started with.
    pub start: Option<Step>,
    /// Shall its stack be copied out of a window that it shares? See `Builder::copy_stack` of the
    /// public crate for what that asks of its code. `None`: what the process was started with, unless the
    /// builder says something else of its stack.
    pub copied: Option<bool>,
}

/// Makes a goroutine that runs `f`, behind those that are runnable already.
///
/// # Errors
///
/// When there is no memory or address space for its descriptor or its stack. Nothing was made then,
/// and `f` was dropped.
///
/// # Panics
///
/// When the runtime has not been started.
#[inline]
#[track_caller]
pub fn spawn<F, T>(options: Options, f: F) -> io::Result<Task<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // SAFETY: what `f` and its result borrow lives as long as the program.
    unsafe { spawn_unchecked(options, f) }
}

/// As [`spawn`], for closures that borrow.
///
/// # Errors
///
/// As for [`spawn`].
///
/// # Panics
///
/// As [`spawn`].
///
/// # Safety
///
/// Until the goroutine has ended and its result was taken or dropped, all that `f` and the result borrow stays: the
/// caller waits for both, also when it unwinds.
#[inline]
#[track_caller]
pub unsafe fn spawn_unchecked<F, T>(options: Options, f: F) -> io::Result<Task<T>>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let Some(sched) = sched::get() else {
        not_started();
    };
    signal_check::check_not_g0();
    let m = current_m();
    let inside = retake::enter_if(m);
    let p = m.and_then(M::p);
    match make(sched, p, options, entry_of::<F, T>(), f) {
        Ok(g) => {
            ready::spawned(p, g);
            Ok(Task::of(g))
        }
        Err((error, f)) => {
            // Its destructor is the user's code, and may park.
            drop(inside);
            drop(f);
            Err(error)
        }
    }
}

/// A goroutine that `entry` runs `f` on, not ready yet. The caller is inside the gate; `p` is its M's. On an error `f`
/// comes back.
#[inline(always)]
pub(crate) fn make<F>(
    sched: &'static Sched,
    p: Option<&P>,
    options: Options,
    entry: &'static payload::Entry,
    f: F,
) -> Result<GRef, (io::Error, F)> {
    let g = match sched.new_g(p) {
        Ok(g) => g,
        Err(error) => return Err((error, f)),
    };
    let desc = g.get();
    let Options {
        name,
        class,
        start,
        copied,
    } = &options;
    if (class.is_some() || start.is_some() || copied.is_some() || name.is_some())
        && let Err(error) = apply(g, p, options)
    {
        return Err((error, f));
    }
    inherited::pass_on(desc);
    desc.entry.set(Some(entry));
    // SAFETY: `g` came from the list of dead Gs, so it is ours and its payload is empty.
    unsafe { payload::put(desc.payload(), f) };
    desc.join.reset();
    desc.spawned();
    match p {
        Some(p) => p.counters.spawned.add_own(1),
        None => ALL.spawned.add(),
    }
    Ok(g)
}

/// Does a builder ask for a stack of its own where the others' are copied?
fn own_in_spite_of_default(options: &Options) -> bool {
    sched::own().copies && (options.copied == Some(false) || options.class.is_some())
}

/// What is not the default. A stack of another class is taken at once, because only the default
/// class has been admitted with the descriptor; so is one that starts at a given step, because
/// the G has no place to remember that.
#[cold]
fn apply(g: GRef, p: Option<&P>, options: Options) -> io::Result<()> {
    let default = sched::own().class;
    let class = options.class.unwrap_or(default);
    if options.copied == Some(true) {
        match sched::own().windows.assign(default) {
            Ok(window) => g.get().window.set(Some(window)),
            Err(error) => {
                free(g);
                return Err(error);
            }
        }
    } else if class != default || options.start.is_some() || own_in_spite_of_default(&options) {
        let start = options.start.unwrap_or_else(stack::default_start);
        let acquired = match p {
            // SAFETY: the caller runs on the M that owns `p`, and nothing here parks.
            Some(p) => unsafe { p.local() }.stacks.acquire_at(class, start),
            None => stack::acquire_at(class, start),
        };
        match acquired {
            // SAFETY: the G is dead and ours.
            Ok(stack) => unsafe { *g.get().stack.get() = Some(stack) },
            Err(error) => {
                free(g);
                return Err(error);
            }
        }
    }
    if let Some(name) = options.name {
        let g = g.get();
        g.identity.get_or_make(|| Identity::named(g.id.get(), name));
    }
    Ok(())
}

#[cold]
#[track_caller]
fn not_started() -> ! {
    panic!(
        "goroutines::go: the runtime is not running; call `unsafe {{ goroutines::start() }}` once, \
         at the top of main"
    );
}

/// The right to a goroutine's result. Dropping it detaches the goroutine.
#[derive(Debug)]
pub struct Task<T> {
    g: GRef,
    _result: PhantomData<fn() -> T>,
}

// SAFETY: the handle gives out a T once, to whoever holds it; T is Send (see `spawn`).
unsafe impl<T: Send> Send for Task<T> {}
// SAFETY: a shared handle only tells whether the goroutine has finished, and its name.
unsafe impl<T> Sync for Task<T> {}

impl<T> Task<T> {
    /// The handle of `g`, which has just been made and returns a `T`.
    #[inline]
    pub(crate) fn of(g: GRef) -> Task<T> {
        Task {
            g,
            _result: PhantomData,
        }
    }

    pub(crate) fn g(&self) -> GRef {
        self.g
    }

    /// For who has put something into the join word: the goroutine is not detached.
    pub(crate) fn give_up(self) -> GRef {
        let g = self.g;
        std::mem::forget(self);
        g
    }

    /// Waits for the end of the goroutine and returns its result, or what it panicked with.
    ///
    /// # Parks
    ///
    /// Until the goroutine has ended.
    #[inline]
    pub fn join(self) -> thread::Result<T> {
        let join = &self.g.get().join;
        if !join.is_done() {
            let waiter = caller();
            let g = waiter.g();
            // SAFETY: `wait` says true exactly when the end of the goroutine will make us ready, and
            // is the last thing that the commit does. Nothing parks before.
            unsafe { waiter.park(WaitReason::Join, move || join.wait(g)) };
        }
        debug_assert!(join.is_done());
        let g = self.g;
        std::mem::forget(self);
        // SAFETY: the goroutine is done, so its G is the handle's; the payload is its outcome.
        let outcome = unsafe { payload::take::<Outcome<T>>(g.get().payload()) };
        free(g);
        outcome
    }

    /// As [`join`](Task::join), but until `deadline` at most: then the handle comes back.
    ///
    /// # Parks
    ///
    /// Until the goroutine has ended, or `deadline`.
    ///
    /// # Errors
    ///
    /// The handle, when the goroutine has not ended by then.
    pub fn join_until(self, deadline: Option<Instant>) -> Result<thread::Result<T>, Task<T>> {
        let join = &self.g.get().join;
        if !join.is_done() {
            let ticket = arm();
            let wait = SharedWait::new(ticket);
            let registered = Cell::new(true);
            let commit = || {
                let waits = join.wait_shared(&wait);
                if !waits {
                    // It has just ended, and nobody else knows the ticket.
                    registered.set(false);
                    ticket.claim(JOINED);
                }
                waits
            };
            // SAFETY: the ticket is the caller's last. The end of the goroutine claims it if it finds it, the timer
            // claims it, and who does makes the caller ready. Where `wait_shared` says true it is the last step.
            unsafe { park_until(WaitReason::Join, ticket, deadline, commit) };
            if !wait.withdraw(join, registered.get()) {
                return Err(self);
            }
        }
        Ok(self.join())
    }

    /// Has the goroutine ended?
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.g.get().join.is_done()
    }

    /// The goroutine's number, counted from 1.
    pub fn id(&self) -> u64 {
        self.g.id()
    }

    /// The goroutine's name.
    pub fn name(&self) -> Option<&str> {
        self.g.get().identity.get().and_then(Identity::name)
    }

    /// Who the goroutine is.
    pub fn identity(&self) -> &Identity {
        let g = self.g.get(); // which is not freed while there is this handle
        g.identity.get_or_make(|| Identity::of(g))
    }
}

impl<T> Drop for Task<T> {
    #[inline]
    fn drop(&mut self) {
        if self.g.get().join.detach() {
            return;
        }
        // It has finished: its result is ours.
        let g = self.g;
        // SAFETY: `detach` has failed, so the goroutine is done and its G the handle's; the payload is its outcome.
        let outcome = unsafe { payload::take::<Outcome<T>>(g.get().payload()) };
        free(g);
        drop(outcome);
    }
}
