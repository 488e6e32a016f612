//! Goroutines and threads that wait, by each of the ways to park.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::mpsc,
    thread,
    time::Duration,
};

use goroutines::{Builder, blocking, go};
use goroutines_sched::{GRef, WaitReason, current};

use crate::until;

/// The kind of waiter, and so by which of the ways to park it waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// It leaves its stack.
    Goroutine,
    /// Its stack is copied out meanwhile.
    Copied,
    /// It keeps its thread.
    Unwinding,
    /// It gives the thread to another that is bound to it.
    UnwindingPinned,
    /// It keeps its thread as well.
    InBlockingCall,
    /// Its call is interrupted for the wait.
    InBlockingCallPinned,
    /// It is no goroutine.
    Thread,
}

/// All of them.
pub const EVERYBODY: [Who; 7] = [
    Who::Goroutine,
    Who::Copied,
    Who::Unwinding,
    Who::UnwindingPinned,
    Who::InBlockingCall,
    Who::InBlockingCallPinned,
    Who::Thread,
];

/// A goroutine or thread that waits, or is about to.
#[derive(Debug)]
pub struct Waiting {
    who: Who,
    g: GRef,
    /// Its reason after the wait.
    after: mpsc::Receiver<Option<WaitReason>>,
}

impl Who {
    /// Begins to run `wait`, and is not waited for.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn begins(self, wait: impl FnOnce() + Send + 'static) -> Waiting {
        let (say_g, g) = mpsc::channel();
        let (say_after, after) = mpsc::channel();
        let all = move || {
            say_g.send(current()).unwrap();
            wait();
            say_after.send(current().wait_reason()).unwrap();
        };
        self.runs(all);
        let g = g.recv().unwrap();
        Waiting {
            who: self,
            g,
            after,
        }
    }

    /// What this starts is not joined: some of it waits for ever.
    fn runs(self, all: impl FnOnce() + Send + 'static) {
        match self {
            Who::Goroutine => drop(go(all)),
            // SAFETY: what waits links nothing on this stack that others reach, but by the runtime's own means.
            Who::Copied => drop(unsafe { Builder::new().copy_stack() }.spawn(all)),
            Who::Unwinding => drop(go(|| unwind(all))),
            Who::UnwindingPinned => beside_another(|| unwind(all)),
            Who::InBlockingCallPinned => beside_another(|| blocking(all)),
            Who::InBlockingCall => drop(go(|| blocking(all))),
            Who::Thread => drop(thread::spawn(all)),
        }
    }

    /// The reason of one that does not wait.
    fn at_large(self) -> Option<WaitReason> {
        matches!(self, Who::InBlockingCall | Who::InBlockingCallPinned)
            .then_some(WaitReason::BlockingCall)
    }
}

/// Runs `f` in a goroutine that shares its thread with one that waits for it.
fn beside_another(f: impl FnOnce() + Send + 'static) {
    drop(go(|| {
        let pinned = Builder::new().pinned().spawn(f);
        pinned.unwrap().join().unwrap();
    }));
}

/// Calls `f` while the caller unwinds.
fn unwind(f: impl FnOnce()) {
    struct Last<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Last<F> {
        fn drop(&mut self) {
            assert!(thread::panicking());
            self.0.take().unwrap()();
        }
    }
    let last = Last(Some(f));
    let caught = panic::catch_unwind(AssertUnwindSafe(|| {
        let _last = last;
        panic::resume_unwind(Box::new(()));
    }));
    assert!(caught.is_err());
}

impl Waiting {
    /// Waits until it waits for `reason`.
    ///
    /// # Panics
    ///
    /// When it does not within a minute, or not for long.
    #[track_caller]
    pub fn waits_for(&self, reason: WaitReason) {
        let who = self.who;
        let waits = || self.g.wait_reason() == Some(reason);
        until(&format!("{who:?} waits for {reason:?}"), waits);
        thread::sleep(Duration::from_millis(2));
        assert!(
            waits(),
            "{who:?} waited for {reason:?}, and does not any more"
        );
    }

    /// The address of the object that it waits on; 0 where it does not wait.
    pub fn waits_on(&self) -> usize {
        self.g.wait_object()
    }

    /// The reason of its wait, if it waits.
    pub fn wait_reason(&self) -> Option<WaitReason> {
        self.g.wait_reason()
    }

    /// Waits until its wait is over.
    ///
    /// # Panics
    ///
    /// When it has a reason to wait then, or is not over within a minute.
    #[track_caller]
    pub fn runs_again(self) {
        let after = self.after.recv_timeout(Duration::from_secs(60));
        assert_eq!(after, Ok(self.who.at_large()), "{:?}", self.who);
    }
}
