//! What waits on channels at a deadlock.
//!
//! Elsewhere a channel is read while its waiter is held (hold.rs), which a plain thread, and a goroutine that keeps its thread,
//! cannot be. At a deadlock nothing needs to be held: nothing runs that could end a wait.

use crate::{
    global::sched,
    gmp::g::GRef,
    observe::{
        deadlock,
        edges::{Waiter, name_of},
    },
    protocol::{
        channel_head::{ChannelCounts, ChannelHead},
        wait_reason::WaitReason,
    },
    switch::attach,
};

/// What waits to send or to receive on a channel.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChannelWait {
    /// What waits.
    pub from: Waiter,
    /// The name of the goroutine or thread, where it is known.
    pub name: Option<String>,
    /// `ChanSend` or `ChanReceive`.
    pub reason: WaitReason,
    /// The address of the channel.
    pub object: usize,
    /// What there is in it.
    pub counts: ChannelCounts,
}

/// All goroutines and threads that wait to send or to receive on one channel, while a deadlock is reported; else none.
#[must_use]
pub fn channel_waits() -> Vec<ChannelWait> {
    let mut found = Vec::new();
    let Some(sched) = sched::get().filter(|_| deadlock::is_told_now()) else {
        return found;
    };
    for g in sched.all_gs.iter() {
        found.extend(wait_of(Waiter::goroutine(GRef::new(g))));
    }
    let mut threads = Vec::new();
    attach::threads(&mut |m, g| threads.push(Waiter::thread(m, g)));
    found.extend(threads.into_iter().filter_map(wait_of));
    found
}

fn wait_of(from: Waiter) -> Option<ChannelWait> {
    let g = from.g.get();
    let reason = g.status().reason().filter(|_| g.status().is_parked())?;
    let object = from.g.wait_object();
    if !matches!(reason, WaitReason::ChanSend | WaitReason::ChanReceive) || object == 0 {
        return None;
    }
    Some(ChannelWait {
        // Nothing runs, as if it were held.
        name: name_of(from, true),
        from,
        reason,
        object,
        // SAFETY: with these reasons a G waits on a channel that it borrows. The deadlock that is told says that nothing can
        // end this wait, so the channel stays; its block has exposed its provenance.
        counts: unsafe { ChannelHead::read(object) },
    })
}
