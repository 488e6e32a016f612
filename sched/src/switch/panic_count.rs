//! Changing the number of panics that a thread has counted, up by one and down by one, through std's own functions.
//!
//! std counts the panics that are under way on a thread in a thread-local, which `thread::panicking` reads, and those
//! of all threads in a global, which is 0 while no thread panics. There is no call that sets them. But a panic is
//! counted where it begins and discounted where it is caught, each on the thread where it happens. A [`Charge`] is a
//! panic that has begun and is not caught yet, on a stack of its own:
//!
//! ```text
//!  make    catch_unwind(resume_unwind), until a destructor on the way switches back      + 1 on this thread
//!  spend   switches to the destructor, which returns; the panic is caught                - 1 on this thread
//! ```
//!
//! Both are calls of std that each thread may make at any time, on any stack, and neither runs a panic hook. The
//! frames in between are this file's: they keep no address of a thread-local, so that a charge can be made on one
//! thread and spent on another. The unwinder keeps a panic's state in its exception and on its stack. So a destructor
//! may switch to another stack and come back later: each goroutine that waits while it unwinds does that.
//!
//! The global count is the sum of all threads' counts at any time, because both change together. A thread that makes
//! a charge for another one counts one too many until it spends one that the other makes in return. That thread is
//! the starter (starter.rs), which never reads its count.
//!
//! One thing is lost: std's knowledge that a panic hook runs, if the hook waits. A second panic in it then starts the
//! hook again, where std ends the process.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Mutex,
    thread,
};

use goroutines_stack::{self as stack, Class, Stack, Step};

use crate::{
    protocol::{parker::Parker, sync::lock},
    switch,
    sys::{asm::Context, fatal, tools},
};

/// Whether the count of a thread can be moved: not where panics end the process, nor under AddressSanitizer, which
/// does not know the stacks.
pub(crate) const MOVABLE: bool = cfg!(panic = "unwind") && !cfg!(feature = "asan");

/// A panic that was counted and not discounted (see the essay). One that is dropped and not spent stays counted.
pub(crate) struct Charge(Box<Halfway>);

struct Halfway {
    stack: Stack,
    /// Where the panic resumes.
    inside: Cell<Context>,
    /// Where the thread that made it, or spends it, resumes.
    outside: Cell<Context>,
}

// SAFETY: its stack and contexts are used by its owner, one at a time, and no frame on the stack refers to a thread.
unsafe impl Send for Charge {}

impl Charge {
    /// Counts one panic more on this thread.
    pub(crate) fn make(class: Class) -> Charge {
        // Paged: the fault handler grows only stacks of goroutines and segments.
        let stack = match stack::acquire_at(class, Step::PAGED) {
            Ok(stack) => stack,
            Err(error) => fatal::fatal(format_args!(
                "no memory for the panic count of a goroutine that waits while it unwinds: {error}"
            )),
        };
        tools::begin(&stack);
        // SAFETY: its top is the 16-aligned end of a stack on which nothing lives.
        let inside = unsafe { switch::prepare_on(&stack, run) };
        let halfway = Box::new(Halfway {
            stack,
            inside: Cell::new(inside),
            outside: Cell::new(Context::NULL),
        });
        halfway.enter();
        debug_assert!(thread::panicking());
        Charge(halfway)
    }

    /// Counts one panic less on this thread, which has counted at least one.
    pub(crate) fn spend(self) {
        debug_assert!(thread::panicking());
        self.0.enter();
        stack::release(self.0.stack);
    }
}

impl Halfway {
    /// Runs the code on the stack until it leaves.
    fn enter(&self) {
        let word = std::ptr::from_ref(self).expose_provenance();
        // SAFETY: `inside` was prepared, or saved in `leave`, and is entered once for each time; the box that `self` is in
        // stays until the stack was left.
        unsafe { switch::cross(&self.outside, self.inside.get(), word) };
    }

    /// Back to the code that entered.
    fn leave(&self) {
        // SAFETY: `outside` was saved in `enter`, which has not resumed since.
        unsafe { switch::cross(&self.inside, self.outside.get(), 0) };
    }
}

/// The first function on the stack of a charge.
///
/// # Safety
///
/// Only as the entry of a prepared context; `word` is the address of the [`Halfway`].
unsafe extern "C" fn run(word: usize) -> ! {
    struct Pause<'a>(&'a Halfway);
    impl Drop for Pause<'_> {
        fn drop(&mut self) {
            self.0.leave();
        }
    }
    // SAFETY: `enter` passes the address of a box that stays until this has left for the last time.
    let halfway = unsafe { &*std::ptr::with_exposed_provenance::<Halfway>(word) };
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _pause = Pause(halfway);
        resume_unwind(Box::new(()));
    }));
    drop(caught);
    halfway.leave();
    fatal::throw(format_args!("a panic ran on after its end"));
}

/// A charge that a thread waits for.
pub(crate) struct Order {
    made: Mutex<Option<Charge>>,
    parker: Parker,
}

impl Order {
    pub(crate) fn new() -> Order {
        Order {
            made: Mutex::new(None),
            parker: Parker::new(),
        }
    }

    /// V1 of unwinding.rs.
    pub(crate) fn deliver(&self, charge: Charge) {
        *lock(&self.made) = Some(charge);
        self.parker.notify();
    }

    /// Waits for the charge after V1.
    pub(crate) fn wait(&self) -> Charge {
        self.parker.wait(|| None);
        match lock(&self.made).take() {
            Some(charge) => charge,
            None => fatal::throw(format_args!("a delivered order has no charge")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_is_counted_where_it_is_made_and_discounted_where_it_is_spent() {
        let class = Class::DEFAULT;
        assert!(!thread::panicking());
        let charges: Vec<Charge> = (0..3).map(|_| Charge::make(class)).collect();
        assert!(thread::panicking());
        let elsewhere = thread::spawn(move || {
            assert!(!thread::panicking());
            // As many of its own, so that there is something to discount.
            let own: Vec<Charge> = (0..3).map(|_| Charge::make(class)).collect();
            for charge in charges {
                assert!(thread::panicking());
                charge.spend();
            }
            assert!(!thread::panicking());
            own
        });
        let own = elsewhere.join().unwrap();
        for charge in own {
            assert!(thread::panicking());
            charge.spend();
        }
        assert!(!thread::panicking());
    }

    #[test]
    fn panics_go_on_as_usual_beside_charges() {
        let charge = Charge::make(Class::DEFAULT);
        let caught = catch_unwind(|| resume_unwind(Box::new(7)));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&7));
        assert!(thread::panicking());
        charge.spend();
        assert!(!thread::panicking());
    }
}
