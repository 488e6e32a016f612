//! The heap block of a channel, and how many handles there are on each side.
//!
//! ```text
//!  last sender:    senders 1 -> 0, disconnect, destroy: false -> true   (the other side is alive)
//!  last receiver:  receivers 1 -> 0, disconnect, destroy: true          ... frees the block
//! ```
//!
//! The side that comes second frees, after its own disconnect: neither side uses the channel then.

use std::{
    mem::offset_of,
    process,
    ptr::{self, NonNull},
};

use super::{
    buffer::Buffer,
    door::{AtomicBool, AtomicUsize, ChannelCounts, ChannelHead, Ordering},
    locked::Channel,
    side::Side,
};

#[repr(C)]
pub(super) struct Counter<T> {
    /// For reports: right before the channel (channel_head.rs of the scheduler).
    head: ChannelHead,
    pub(super) channel: Channel<T>,
    senders: AtomicUsize,
    receivers: AtomicUsize,
    destroy: AtomicBool,
}

/// One counted reference: a pointer to the channel in its block, of which every operation has need. Neither cloned nor dropped
/// by itself: the handles do both.
pub(crate) struct Handle<T>(NonNull<Channel<T>>);

/// Two handles, one for each side, on a new block.
pub(crate) fn new<T>(channel: Channel<T>) -> (Handle<T>, Handle<T>) {
    let handle = new_block(channel, 1);
    (Handle(handle.0), handle)
}

/// The one handle of a channel that never has senders.
pub(crate) fn new_receiver<T>(channel: Channel<T>) -> Handle<T> {
    new_block(channel, 0)
}

fn new_block<T>(channel: Channel<T>, senders: usize) -> Handle<T> {
    const { assert!(offset_of!(Counter<T>, channel) == size_of::<ChannelHead>()) };
    let block = Box::into_raw(Box::new(Counter {
        // SAFETY: it is the head of a block with a channel of these messages; `look_at` locks only if the lock is free, and
        // allocates nothing.
        head: unsafe { ChannelHead::new(look_at::<T>) },
        channel,
        senders: AtomicUsize::new(senders),
        receivers: AtomicUsize::new(1),
        destroy: AtomicBool::new(senders == 0),
    }));
    // Reports find it by the address of its channel.
    let _ = block.expose_provenance();
    // SAFETY: from a box, so it is not null and has a channel; the pointer may be used for the whole block.
    Handle(unsafe { NonNull::new_unchecked(&raw mut (*block).channel) })
}

/// What a report is told of the channel at `address`.
///
/// # Safety
///
/// It is a `Channel<T>` in a block of this file, which stays meanwhile.
unsafe fn look_at<T>(address: usize) -> ChannelCounts {
    let block = address - offset_of!(Counter<T>, channel);
    // SAFETY: the caller's promise; `new_block` has exposed the provenance of the block.
    let block = unsafe { &*ptr::with_exposed_provenance::<Counter<T>>(block) };
    let locked = block.channel.try_lock();
    ChannelCounts {
        len: locked.as_ref().map(|core| core.len()),
        capacity: block.channel.capacity,
        // Relaxed: numbers for people.
        senders: block.senders.load(Ordering::Relaxed),
        receivers: block.receivers.load(Ordering::Relaxed),
        is_never: locked.is_some_and(|core| matches!(core.buffer, Buffer::Never)),
    }
}

impl<T> Handle<T> {
    /// The block.
    #[inline(always)]
    fn block(&self) -> NonNull<Counter<T>> {
        // SAFETY: the channel is the field of a block, which `new_block` has made.
        unsafe { self.0.byte_sub(offset_of!(Counter<T>, channel)).cast() }
    }

    #[inline(always)]
    fn counter(&self) -> &Counter<T> {
        // SAFETY: the block lives until both sides are released, and we are a part of one.
        unsafe { self.block().as_ref() }
    }

    #[inline(always)]
    pub(crate) fn channel(&self) -> &Channel<T> {
        // SAFETY: the channel lives as long as its block, until both sides are released.
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn is_same(&self, other: &Handle<T>) -> bool {
        self.0 == other.0
    }

    fn count(&self, side: Side) -> &AtomicUsize {
        match side {
            Side::Sender => &self.counter().senders,
            Side::Receiver => &self.counter().receivers,
        }
    }

    /// One more handle on this side.
    pub(crate) fn acquire(&self, side: Side) -> Handle<T> {
        // Relaxed: `self` keeps the count above 0; nothing is read that it would order.
        let before = self.count(side).fetch_add(1, Ordering::Relaxed);
        // Only a program that leaks handles without end gets here; it stops before the count wraps.
        if before > isize::MAX as usize {
            process::abort();
        }
        Handle(self.0)
    }

    /// Gives this handle up: the last of its side disconnects the channel.
    ///
    /// # Safety
    ///
    /// The handle is on `side`, and is not used again.
    pub(crate) unsafe fn release(&self, side: Side) {
        // AcqRel: Release's partner is the Acquire of the last one here, which sees all that the
        // others of its side did.
        if self.count(side).fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        let left_over = match side {
            Side::Sender => {
                self.channel().disconnect_senders();
                None
            }
            Side::Receiver => Some(self.channel().disconnect_receivers()),
        };
        // AcqRel: partner is the same swap of the other side; the second sees the first one's end.
        if self.counter().destroy.swap(true, Ordering::AcqRel) {
            // SAFETY: from a box in `new_block`; both sides have given it up.
            drop(unsafe { Box::from_raw(self.block().as_ptr()) });
        }
        // Messages last: their drop is the user's code, and may panic.
        drop(left_over);
    }
}
