//! The two sides of a channel.

use super::door::WaitReason;

/// Which side of a channel a handle is on.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Sender,
    Receiver,
}

impl Side {
    /// The reason of a wait on this side.
    #[inline(always)]
    pub(super) fn wait_reason(self) -> WaitReason {
        match self {
            Side::Sender => WaitReason::ChanSend,
            Side::Receiver => WaitReason::ChanReceive,
        }
    }

    pub(super) fn other(self) -> Side {
        match self {
            Side::Sender => Side::Receiver,
            Side::Receiver => Side::Sender,
        }
    }
}
