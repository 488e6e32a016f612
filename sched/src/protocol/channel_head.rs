//! What a report reads of a channel, of which it knows only the address.
//!
//! ```text
//!                         ┌ the block of a channel ─┐
//!                         │ head: ChannelHead     ──┼──► a function that knows T
//!  wait object of a G ──► │ lock, queues, buffer    │
//!                         │ counts of handles       │
//!                         └─────────────────────────┘
//! ```
//!
//! The block is that of runtime/src/chan/core/counter.rs. A goroutine that waits to send or to receive borrows the channel. So
//! the channel stays while the goroutine is held (hold.rs), and a report reads it only then.

/// What there is in a channel, and how many hold it, at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChannelCounts {
    /// How many messages are buffered. `None`: the channel was locked.
    pub len: Option<usize>,
    /// How many messages can be buffered. `None`: without bound.
    pub capacity: Option<usize>,
    /// How many handles there are to send with. A clock has none.
    pub senders: usize,
    /// How many handles there are to receive with.
    pub receivers: usize,
    /// Whether nothing is ever sent on it (`chan::never`).
    pub is_never: bool,
}

/// The function with which a report reads a channel. It lies right before each channel, and so is aligned as that may be: on a
/// CPU of 32 bits words of 64 bits are.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub struct ChannelHead {
    look: unsafe fn(usize) -> ChannelCounts,
}

impl ChannelHead {
    /// The head of a channel that `look`, which is given the address of the channel, knows how to read.
    ///
    /// # Safety
    ///
    /// `look` is sound for the address of a channel behind this head that is alive; it waits for no lock, and allocates
    /// nothing.
    pub const unsafe fn new(look: unsafe fn(usize) -> ChannelCounts) -> ChannelHead {
        ChannelHead { look }
    }

    /// Reads the channel at `address`.
    ///
    /// # Safety
    ///
    /// A channel lies there, right behind its head, and stays meanwhile; the provenance of the block is exposed.
    #[cfg(not(goroutines_loom))]
    pub(crate) unsafe fn read(address: usize) -> ChannelCounts {
        let head = address - size_of::<ChannelHead>();
        let head = std::ptr::with_exposed_provenance::<ChannelHead>(head);
        // SAFETY: the caller's promise; the head is written once, before the channel has an address.
        unsafe { ((*head).look)(address) }
    }
}
