//! How an OS thread sleeps until it is notified.
//!
//! ```text
//!            wait: EMPTY -> ASLEEP, futex ──────────┐
//!   EMPTY ──────────────────────────────► ASLEEP    │ notify: -> NOTIFIED, futex wake
//!     ▲  ◄───── time is up ─────────────────┘       │
//!     │                                             ▼
//!     └───────────── wait returns ◄──────────── NOTIFIED ◄── notify (no sleeper: no system call)
//! ```
//!
//! One token, one waiter, any number of notifiers. A token given before the wait is kept. A waiter may also sleep in
//! the kernel's poll: it is POLLING then in place of ASLEEP, and the notifier that sees this interrupts the poll.

use crate::protocol::sync::{Futex, Ordering};

const EMPTY: u32 = 0;
const NOTIFIED: u32 = 1;
const ASLEEP: u32 = 2;
const POLLING: u32 = 3;

pub(crate) struct Parker {
    futex: Futex,
}

impl Parker {
    #[cfg(not(goroutines_loom))]
    pub(crate) const fn new() -> Parker {
        Parker {
            futex: Futex::new(EMPTY),
        }
    }

    #[cfg(goroutines_loom)]
    pub(crate) fn new() -> Parker {
        Parker {
            futex: Futex::new(EMPTY),
        }
    }

    /// Sleeps until [`Parker::notify`] and uses the token up: true. With a timeout, false when the time passed first.
    /// `remaining` returns the nanoseconds left, and is called again after each wake-up.
    pub(crate) fn wait(&self, mut remaining: impl FnMut() -> Option<u64>) -> bool {
        let word = self.futex.word();
        // EMPTY -> ASLEEP. Relaxed: nothing is published here. Acquire on failure: partner
        // is the Release swap in `notify`.
        if word
            .compare_exchange(EMPTY, ASLEEP, Ordering::Relaxed, Ordering::Acquire)
            .is_err()
        {
            self.use_up();
            return true;
        }
        loop {
            let timeout = remaining();
            if timeout == Some(0) {
                // ASLEEP -> EMPTY, unless the token came in the last moment. Acquire on failure:
                // partner is the Release swap in `notify`.
                let gave_up =
                    word.compare_exchange(ASLEEP, EMPTY, Ordering::Relaxed, Ordering::Acquire);
                if gave_up.is_ok() {
                    return false;
                }
            } else {
                self.futex.wait(ASLEEP, timeout);
            }
            // Acquire: partner is the Release swap in `notify`.
            if word.load(Ordering::Acquire) == NOTIFIED {
                self.use_up();
                return true;
            }
        }
    }

    /// Runs `sleep`, which a notifier interrupts, unless the token is there already. Returns whether the token is
    /// there, and uses it up.
    pub(crate) fn poll(&self, sleep: impl FnOnce()) -> bool {
        let word = self.futex.word();
        // EMPTY -> POLLING. Relaxed: nothing is published here. Acquire on failure: partner is the Release swap in
        // `notify_or`.
        let begun = word.compare_exchange(EMPTY, POLLING, Ordering::Relaxed, Ordering::Acquire);
        if begun.is_ok() {
            sleep();
            // POLLING -> EMPTY. Relaxed: nothing is published here. Acquire on failure: partner is the Release swap
            // in `notify_or`.
            let none = word.compare_exchange(POLLING, EMPTY, Ordering::Relaxed, Ordering::Acquire);
            if none.is_ok() {
                return false;
            }
        }
        self.use_up();
        true
    }

    /// NOTIFIED -> EMPTY: uses up the one token of all notifiers until now.
    fn use_up(&self) {
        // Acquire, in one step: partner is the swap in `notify_or`. A second notifier may have come since the waiter saw
        // the first. Its token is used up here too, so the waiter sees what the second one did before it.
        self.futex.word().swap(EMPTY, Ordering::Acquire);
    }

    /// Gives the token, and wakes the waiter if it sleeps.
    pub(crate) fn notify(&self) {
        self.notify_or(|| ());
    }

    /// As [`Parker::notify`], for a waiter that may be in [`Parker::poll`]: `interrupt` ends its sleep.
    pub(crate) fn notify_or(&self, interrupt: impl FnOnce()) {
        // * -> NOTIFIED. Release: partner is the Acquire in `wait` and `poll`.
        match self.futex.word().swap(NOTIFIED, Ordering::Release) {
            ASLEEP => self.futex.wake_one(),
            POLLING => interrupt(),
            _ => {}
        }
    }
}
