//! Moving what a thread has counted of panics: up by one, and down by one, by std's own means.
//!
//! std counts the panics that are under way on a thread in a thread-local, which `thread::panicking` asks, and those of
//! all threads in a global, which tells when there is nothing to ask. There is no call that sets them. But a panic is
//! counted where it begins and discounted where it is caught, on the thread where each happens. A [`Charge`] is a panic
//! that is half way through, on a stack of its own:
//!
//! ```text
//!  make    catch_unwind(resume_unwind), until a destructor on the way switches back      + 1 on this thread
//!  spend   switches to the destructor, which returns; the panic is caught                - 1 on this thread
//! ```
//!
//! Both are calls of std that each thread may make at any time, on whatever stack, and neither runs a panic hook. The
//! frames in between are this file's: they keep no address of a thread-local, so that a charge can be made on one thread
//! and spent on another. What the unwinder keeps of a panic lies in its exception and on its stack, which is why a
//! destructor may take another way out and come back later: that is what each goroutine does that waits while it unwinds.
//!
//! The global count is the sum of all threads' at any time, because both move together. A thread that makes a charge
//! for another one counts one too many until it spends one that the other makes in return. That is the starter
//! (starter.rs), which asks for its count nowhere.
//!
//! What is not kept: that the hook of the panic is what runs, if a hook waits. A second panic in it then starts the hook
//! anew, where std ends the process.

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

/// Can the count of a thread be moved? Not where panics end the process, nor under AddressSanitizer, which would have to
/// be told of the stacks.
pub(crate) const MOVABLE: bool = cfg!(panic = "unwind") && !cfg!(feature = "asan");

/// See the essay. One that is dropped and not spent is counted for ever.
pub(crate) struct Charge(Box<Halfway>);

struct Halfway {
    stack: Stack,
    /// Where the panic goes on.
    inside: Cell<Context>,
    /// Where whoever made it, or spends it, goes on.
    outside: Cell<Context>,
}

// SAFETY: its stack and contexts are used by who has it, one at a time, and no frame on the stack belongs to a thread.
unsafe impl Send for Charge {}

impl Charge {
    /// Counts one panic more on this thread.
    pub(crate) fn make(class: Class) -> Charge {
        // Paged: nobody grows a stack that is no goroutine's and no segment's.
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

    /// Counts one panic less on this thread, which counts one at least.
    pub(crate) fn spend(self) {
        debug_assert!(thread::panicking());
        self.0.enter();
        stack::release(self.0.stack);
    }
}

impl Halfway {
    /// Runs what is on the stack until it leaves.
    fn enter(&self) {
        let word = std::ptr::from_ref(self).expose_provenance();
        // SAFETY: `inside` was prepared, or saved in `leave`, and is entered once for each time; the box that `self` is in
        // stays until the stack was left.
        unsafe { switch::cross(&self.outside, self.inside.get(), word) };
    }

    /// Back to whoever has entered.
    fn leave(&self) {
        // SAFETY: `outside` was saved in `enter`, which has not gone on since.
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

/// A charge that somebody waits for.
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

    /// V1 has been: waits for it.
    pub(crate) fn wait(&self) -> Charge {
        self.parker.wait(|| None);
        match lock(&self.made).take() {
            Some(charge) => charge,
            None => fatal::throw(format_args!("an order was called delivered and is not")),
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
