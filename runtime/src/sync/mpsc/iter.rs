//! The receiver as an iterator.

use super::receiver::Receiver;
use crate::chan::receiver_iterators;

/// Waits for each message, until the channel is empty and every sender is gone: see [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T: 'a> {
    pub(super) rx: &'a Receiver<T>,
}

/// Takes the messages that are there: see [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T: 'a> {
    pub(super) rx: &'a Receiver<T>,
}

/// As [`Iter`], and owns its receiver.
#[derive(Debug)]
pub struct IntoIter<T> {
    rx: Receiver<T>,
}

receiver_iterators!(rx);
