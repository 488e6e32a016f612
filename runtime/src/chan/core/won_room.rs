//! Room in the buffer that a select has won: its message comes later, or not at all.

use std::mem::MaybeUninit;

use super::{
    blocks::free_block,
    locked::Channel,
    steps::{SendStep, Waiting},
    waiter::End,
};

impl<T> Channel<T> {
    /// Sends the message at `msg` without waiting: there is room for it, which a select has won.
    ///
    /// # Safety
    ///
    /// As for [`Channel::send`]; the room is the caller's, and used up.
    pub(crate) unsafe fn send_to_room(&self, msg: *const T) -> End {
        loop {
            let mut core = self.lock();
            core.main_mut().give_back();
            match core.send_step() {
                SendStep::Deliver(receiver) => {
                    drop(core);
                    // SAFETY: a receiver; the message is the caller's to give.
                    unsafe { receiver.deliver(msg) };
                    self.settle();
                    return End::Served;
                }
                SendStep::PutAhead(receiver) => {
                    // SAFETY: a receiver; the message is the caller's to give, and the step says that there
                    // is room ahead.
                    unsafe { core.put_ahead(receiver, msg) };
                    self.settle();
                    return End::Served;
                }
                SendStep::Push => {
                    // SAFETY: the step says that there is room; the message is the caller's to give.
                    unsafe { core.buffer.push(msg) };
                    return End::Served;
                }
                SendStep::PushBehind => {
                    // SAFETY: the step says that messages are ahead and that the buffer behind has room; the
                    // message is the caller's to give.
                    unsafe { core.push_behind(msg) };
                    return End::Served;
                }
                SendStep::Disconnected => return End::Disconnected,
                SendStep::BringBlock => {
                    drop(core);
                    self.bring_block();
                }
                SendStep::BringAhead => {
                    core.main_mut().reserve();
                    drop(core);
                    self.bring_ahead();
                }
                SendStep::Tell(watcher) => {
                    core.main_mut().reserve();
                    drop(core);
                    watcher.wake_last(End::Served);
                }
                SendStep::Wait => unreachable!("goroutines: the room that a select won is gone"),
            }
        }
    }

    /// Gives up the room that a select has won.
    pub(crate) fn give_back_room(&self) {
        self.lock().main_mut().give_back();
        self.settle();
    }

    /// After room was given up, or a message became unclaimed: serves the waiters that can have it.
    pub(super) fn settle(&self) {
        while self.lock().refill_from_others() || self.hand_over() {}
    }

    /// Gives the first waiter in `recvq` an unclaimed message.
    fn hand_over(&self) -> bool {
        let mut core = self.lock();
        if !core.has_unclaimed() || core.recvq.is_empty() {
            return false;
        }
        if !core.ahead.has_room() {
            drop(core);
            self.bring_ahead();
            return true;
        }
        let mut spent = None;
        if !core.is_ahead() {
            let mut msg = MaybeUninit::uninit();
            // SAFETY: the buffer has a message, since none is ahead of it, where there is room.
            unsafe {
                spent = core.buffer.pop(msg.as_mut_ptr());
                core.push_ahead(msg.as_ptr());
            }
        }
        let has_handed = match core.step_to(Waiting::InLine) {
            Some(SendStep::PutAhead(receiver)) => {
                // SAFETY: a receiver; a message is there.
                unsafe { core.give_oldest(receiver) };
                true
            }
            Some(SendStep::Tell(watcher)) => {
                drop(core);
                watcher.wake_last(End::Served);
                true
            }
            // The waiters have left. (There is room, and messages are ahead: it is no other step.)
            _ => {
                drop(core);
                false
            }
        };
        free_block(spent);
        has_handed
    }
}
