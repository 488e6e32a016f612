//! Fork-join: [`join`] runs two closures, and the second one elsewhere if an M has nothing to do.
//!
//! The second closure, `b`, is a *job* in the caller's frame (job.rs). The caller offers it and runs the first one:
//!
//! ```text
//! owner: a goroutine or thread                  an M without work
//! put the job's address into its deque
//! an M sleeps and none searches: wake one
//! run a                                         steal the oldest job, make a goroutine for it,
//! pop: the own job: run b here, no more            run that at once:
//!      nothing is left: b was stolen               run b, put its outcome into the frame,
//!        park until it is done                     the word DONE, and make the owner ready if it waits
//! return both results
//! ```
//!
//! **The deque belongs to the goroutine** (job_deque.rs), not to its P. Between the push and the pop of a job its goroutine
//! may park in `a`, and come back on another M with another P, while others use the P. But a goroutine's own calls are
//! nested, so the youngest job of its deque is that of its innermost call that has not come to the pop. The pop therefore
//! finds the own job, or finds that it was stolen, and with it all older ones: the deque is empty.
//!
//! **No address of a frame outlives it.** An address is in the deque from the push to the pop or to the steal, and one of
//! these comes before the frame ends. A thief touches a job only after the CAS that makes it the thief's, and the frame
//! stays until the job is done (job_word.rs). Deques themselves are never freed.
//!
//! **Closures that suspend the stack by other means**, as coroutines of other crates do, could return from calls in another
//! order, or on another goroutine. The owner checks at the pop that it is who it was, and that the job is its own; if not,
//! the process ends.
//!
//! **Copied stacks**: others use the frame while the goroutine is parked, so the stack is pinned (stack_pin.rs) during the
//! outermost call. A goroutine for a job has a stack of its own.
//!
//! **Panics**: `a` is caught, because the frame must stay while `b` may run. If nobody has taken `b`, it is dropped.
//! Otherwise it is waited for. Then `a`'s panic goes on; a second one is dropped.

use std::{
    any::{self, Any},
    cell::UnsafeCell,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    ptr, thread,
};

use crate::{
    global::{
        ready::ready,
        sched::{self, Sched},
    },
    gmp::{
        g::GRef,
        job::{JobHead, OwnDeque},
        payload::{self, Entry, Outcome},
    },
    park::caller::caller,
    protocol::wait_reason::{WaitFor, WaitReason},
    switch::{current::current, fork_check, signal_check},
    sys::fatal,
    task::{
        inherited::inherited,
        stack_pin::{StackPin, pin_stack},
    },
};

/// A job, in the frame of its owner.
#[repr(C)]
struct Job<B, RB> {
    head: JobHead,
    body: UnsafeCell<Body<B, RB>>,
}

enum Body<B, RB> {
    Closure(B),
    Outcome(thread::Result<RB>),
    Nothing,
}

impl<B: FnOnce() -> RB, RB> Job<B, RB> {
    const ENTRY: Entry = Entry::of_function::<()>(run_stolen::<B, RB>, any::type_name::<B>);

    #[inline(always)]
    fn new(b: B) -> Job<B, RB> {
        Job {
            head: JobHead::new(&Self::ENTRY, inherited()),
            body: UnsafeCell::new(Body::Closure(b)),
        }
    }

    /// # Safety
    ///
    /// The job is the caller's: not offered, popped, stolen by it, or done; and it has its closure.
    #[inline(always)]
    unsafe fn closure(&self) -> B {
        // SAFETY: no other thread touches the body, as the caller owes.
        match unsafe { mem::replace(&mut *self.body.get(), Body::Nothing) } {
            Body::Closure(b) => b,
            _ => fatal::throw(format_args!("a job without its closure")),
        }
    }
}

/// Runs `a`, and `b` at the same time if an M has nothing to do, else after it. See `join` of the public crate.
///
/// # Parks
///
/// While another goroutine runs `b` and `a` is done.
///
/// # Panics
///
/// When `a` or `b` does.
#[inline]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let Some(sched) = sched::get() else {
        return (a(), b());
    };
    let g = current();
    match g.get().rest.0.deque.get() {
        Some(deque) => fork(sched, g, deque, a, b),
        None => outermost(sched, g, a, b),
    }
}

/// The end of the outermost call of a goroutine or thread, also by a panic.
struct Outermost {
    sched: &'static Sched,
    g: GRef,
    deque: OwnDeque,
    _stays: StackPin,
}

#[inline(never)]
fn outermost<A, B, RA, RB>(sched: &'static Sched, g: GRef, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    signal_check::check_not_g0();
    fork_check::check();
    let Some(deque) = sched.take_deque() else {
        return (a(), b());
    };
    g.get().rest.0.deque.set(Some(deque));
    let _end = Outermost {
        sched,
        g,
        deque,
        _stays: pin_stack(),
    };
    fork(sched, g, deque, a, b)
}

impl Drop for Outermost {
    fn drop(&mut self) {
        check_owner(self.g, self.deque);
        self.g.get().rest.0.deque.set(None);
        self.sched.give_deque_back(self.deque);
    }
}

/// `g` is the caller, with this deque.
#[inline]
fn fork<A, B, RA, RB>(sched: &'static Sched, g: GRef, deque: OwnDeque, a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let job = Job::new(b);
    let word = ptr::from_ref(&job).expose_provenance();
    let offered = deque.offer(word);
    if offered {
        sched.job_offered();
    }
    let of_a = catch_unwind(AssertUnwindSafe(a));
    if offered && !take_back(g, deque, word) {
        wait(&job.head);
        // SAFETY: the job is done, so its body is this caller's.
        let of_b = unsafe { mem::replace(&mut *job.body.get(), Body::Nothing) };
        return both(of_a, of_b);
    }
    // SAFETY: the job was not offered, or it was popped, so it never was and never will be another's.
    let b = unsafe { job.closure() };
    match of_a {
        Ok(of_a) => (of_a, b()),
        Err(payload) => {
            drop_quietly(b);
            resume_unwind(payload)
        }
    }
}

/// Takes the caller's youngest job back; false if it was stolen.
#[inline(always)]
fn take_back(g: GRef, deque: OwnDeque, word: usize) -> bool {
    check_owner(g, deque);
    match deque.get().pop() {
        Some(popped) if popped == word => true,
        Some(_) => not_nested(),
        None => false,
    }
}

/// The code that called `join` goes on as the goroutine that it was.
#[inline(always)]
fn check_owner(g: GRef, deque: OwnDeque) {
    if current() != g || !g.get().rest.0.deque.get().is_some_and(|own| own.is(deque)) {
        not_nested();
    }
}

#[cold]
#[inline(never)]
fn not_nested() -> ! {
    fatal::fatal(format_args!(
        "goroutines::join: a closure has returned on another goroutine than the one that called join, or before a \
         call of join inside it; do not suspend it with coroutines of other crates"
    ));
}

/// The job was stolen: waits until it is done.
#[cold]
#[inline(never)]
fn wait(head: &JobHead) {
    if head.word.is_done() {
        return;
    }
    let waiter = caller();
    let g = waiter.g();
    let wait = WaitFor {
        reason: WaitReason::Join,
        object: head.taker(),
    };
    // SAFETY: `wait` of the word returns true exactly when the goroutine that runs the job will make the caller ready,
    // and is the last thing that the commit does. Nothing parks before.
    unsafe { waiter.park(wait, move || head.word.wait(g.to_word())) };
    if !head.word.is_done() {
        fatal::throw(format_args!(
            "a goroutine was woken for a job that is not done"
        ));
    }
}

/// The results of both closures, of which the second ran elsewhere.
#[cold]
#[inline(never)]
fn both<B, RA, RB>(of_a: thread::Result<RA>, of_b: Body<B, RB>) -> (RA, RB) {
    let Body::Outcome(of_b) = of_b else {
        fatal::throw(format_args!("a job without an outcome"));
    };
    match (of_a, of_b) {
        (Ok(of_a), Ok(of_b)) => (of_a, of_b),
        (Ok(_), Err(payload)) => resume_unwind(payload),
        (Err(payload), of_b) => {
            drop_quietly(of_b);
            resume_unwind(payload)
        }
    }
}

/// Drops `value`; a panic of its destructor gives way to the one that is to go on.
#[cold]
fn drop_quietly<V>(value: V) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // Its destructor could panic again.
        mem::forget::<Box<dyn Any + Send>>(second);
    }
}

/// The first function of a goroutine that runs a stolen job.
///
/// # Safety
///
/// `place` is the payload of the goroutine that runs here, with the address of a `Job<B, RB>`, which this goroutine alone
/// may run.
unsafe fn run_stolen<B: FnOnce() -> RB, RB>(place: *mut u8) {
    // SAFETY: the thief put the address there (schedule/steal_job.rs).
    let address = unsafe { payload::take::<usize>(place) };
    // SAFETY: the address was exposed in `fork`, and the frame does not end before the job is done.
    let job = unsafe { &*ptr::with_exposed_provenance::<Job<B, RB>>(address) };
    // SAFETY: the job was stolen for this goroutine.
    let b = unsafe { job.closure() };
    let outcome = Body::Outcome(catch_unwind(AssertUnwindSafe(b)));
    // SAFETY: the owner does not touch the body before the word is DONE. The payload is empty, since the address was
    // taken out, and this goroutine owns its G.
    unsafe {
        *job.body.get() = outcome;
        payload::put::<Outcome<()>>(place, Ok(()));
    }
    // Nothing of the frame is touched after this.
    if let Some(owner) = job.head.word.finish() {
        // SAFETY: the owner's commit has put its word there, as its last step, so it has parked; `finish` took it once.
        unsafe { ready(GRef::from_word(owner)) };
    }
}
