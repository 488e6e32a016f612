//! `park` and `unpark` of one goroutine or thread, by its identity. The protocol is in park_token.rs.

use std::time::Instant;

use crate::{
    global::ready::ready,
    gmp::{identity::Identity, ticket::TIMED_OUT},
    park::{arm, park_until},
    protocol::wait_reason::WaitReason,
    switch::current::current,
};

/// The outcome with which an `unpark` claims the wait of its owner.
const UNPARKED: u32 = 0;

impl Identity {
    /// The identity of the caller.
    pub fn current() -> Identity {
        Identity::own().clone()
    }

    /// The identity of the caller, valid while the caller runs.
    pub(crate) fn own() -> &'static Identity {
        let g = current().get();
        g.identity.get_or_make(|| Identity::of(g))
    }

    /// Gives the owner the token that ends its [`park_until_unparked`], the current one or the next. Does nothing if
    /// the owner has ended.
    pub fn unpark(&self) {
        let woken = self.token().give(|ticket| ticket.claim(UNPARKED));
        if let Some(ticket) = woken {
            // SAFETY: its wait was claimed here, after it had parked: its commit unlocks the token.
            unsafe { ready(ticket.g()) };
        }
    }
}

/// Waits until the caller is given its token with [`Identity::unpark`], at most until `deadline`, and uses the token
/// up. Returns at once if the token is there.
///
/// # Parks
///
/// Only the goroutine. A plain OS thread sleeps.
pub fn park_until_unparked(deadline: Option<Instant>) {
    let token = Identity::own().token();
    if token.take_or_lock() {
        return;
    }
    let ticket = arm();
    // SAFETY: the lock is held. The ticket is the caller's last; the timer and one `unpark` try to claim it, and the
    // one that does makes the caller ready. An `unpark` finds it only after the commit has unlocked, as its last step.
    let outcome = unsafe {
        token.wait(ticket);
        park_until(WaitReason::Park, ticket, deadline, || {
            token.commit();
            true
        })
    };
    if outcome == TIMED_OUT {
        token.time_is_up();
    }
}
