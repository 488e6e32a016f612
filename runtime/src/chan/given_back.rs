//! Messages that were delivered to a future and came back, because it was dropped: they lie before what is buffered.

use std::{collections::LinkedList, mem};

use super::{
    buffer::{Buffer, Room},
    channel::Channel,
    waiter::{Taken, take},
};

/// What came back, in the order of the deliveries, and the buffer behind it. There is at least one message.
pub(super) struct GivenBack<T> {
    messages: LinkedList<(u64, T)>,
    pub(super) behind: Buffer<T>,
}

impl<T> GivenBack<T> {
    #[cold]
    #[inline(never)]
    pub(super) fn len(&self) -> usize {
        self.messages.len() + self.behind.len()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn room(&self) -> Room {
        self.behind.room()
    }

    /// # Safety
    ///
    /// As for [`Buffer::push`].
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn push(&mut self, msg: *const T) {
        // SAFETY: passed on.
        unsafe { self.behind.push(msg) };
    }
}

impl<T> Buffer<T> {
    /// Moves the first message that came back to `out`, if there is one.
    ///
    /// # Safety
    ///
    /// `out` may be written, and what is there then is the caller's.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn pop_given_back(&mut self, out: *mut T) -> bool {
        let Buffer::GivenBack(all) = self else {
            return false;
        };
        let first = all.messages.pop_front();
        if all.messages.is_empty() {
            let behind = mem::replace(&mut all.behind, Buffer::None);
            *self = behind;
        }
        let Some((_, message)) = first else {
            unreachable!("goroutines: a buffer says that messages came back, and has none");
        };
        // SAFETY: says the caller.
        unsafe { out.write(message) };
        true
    }

    /// Puts the one message of `one` where its turn is; `layer` is for the first that comes back.
    fn put_back(&mut self, turn: u64, one: &mut LinkedList<(u64, T)>, layer: Box<GivenBack<T>>) {
        if !matches!(self, Buffer::GivenBack(_)) {
            let behind = mem::replace(self, Buffer::GivenBack(layer));
            if let Buffer::GivenBack(all) = self {
                all.behind = behind;
            }
        }
        if let Buffer::GivenBack(all) = self {
            let before = all.messages.iter().take_while(|(t, _)| *t < turn).count();
            let mut later = all.messages.split_off(before);
            all.messages.append(one);
            all.messages.append(&mut later);
        }
    }
}

impl<T> Channel<T> {
    /// A message that was delivered to nobody, in this turn.
    pub(super) fn put_back(&self, turn: u64, message: T) {
        // Made here, because nothing is allocated under the lock.
        let mut one = LinkedList::from([(turn, message)]);
        let layer = Box::new(GivenBack {
            messages: LinkedList::new(),
            behind: Buffer::None,
        });
        let mut core = self.lock();
        let receiver: Option<Taken<T>> = take(&mut core.recvq);
        let Some(receiver) = receiver else {
            return core.buffer.put_back(turn, &mut one, layer);
        };
        drop(core);
        if let Some((_, message)) = one.pop_front() {
            let message = mem::ManuallyDrop::new(message);
            // SAFETY: `recvq` holds receivers; the message is given up.
            unsafe { receiver.deliver(&raw const *message) };
        }
    }
}
