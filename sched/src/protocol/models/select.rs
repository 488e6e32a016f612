//! A select that waits in two channels at once: it gets one message, and no other is lost. The steps are those of
//! choose.rs.

use std::ops::Deref;

use loom::{
    cell::UnsafeCell,
    sync::{Arc, atomic::Ordering},
    thread,
};

use super::{Entry, Parked, explore};
use crate::protocol::{byte_lock::ByteLock, park_state::ParkState, timers::Timers};

const BY_TIMER: u32 = 8;
const LOOK_AGAIN: u32 = 9;

/// What the lock of a channel protects.
#[derive(Default)]
struct Core {
    /// The node of the select: the number of its wait.
    node: Option<u32>,
    buffer: Option<u32>,
}

struct Channel {
    lock: ByteLock,
    core: UnsafeCell<Core>,
}

impl Channel {
    fn new() -> Channel {
        Channel {
            lock: ByteLock::new(),
            core: UnsafeCell::new(Core::default()),
        }
    }

    fn locked<R>(&self, f: impl FnOnce(&mut Core) -> R) -> R {
        self.lock.lock();
        // SAFETY: the lock is held; loom checks it.
        let result = self.core.with_mut(|core| f(unsafe { &mut *core }));
        // SAFETY: locked above.
        unsafe { self.lock.unlock() };
        result
    }
}

/// Two channels and a select that receives from both.
struct World {
    channels: [Channel; 2],
    landing: ParkState,
    timers: Timers<Entry>,
    /// The place of the message: plain memory, which loom watches.
    place: UnsafeCell<Option<u32>>,
    g: Parked,
}

impl Deref for World {
    type Target = Parked;

    fn deref(&self) -> &Parked {
        &self.g
    }
}

impl World {
    fn new() -> Arc<World> {
        Arc::new(World {
            channels: [Channel::new(), Channel::new()],
            landing: ParkState::new(),
            timers: Timers::new(),
            place: UnsafeCell::new(None),
            g: Parked::new(),
        })
    }

    /// W1 to W3, with the message 10 + `at`; without a receiver it is buffered.
    fn send(&self, at: u32) {
        let won = self.channels[at as usize].locked(|core| {
            let node = core.node.take();
            let won = node.is_some_and(|number| self.wait_seq.claim(number, at));
            if !won {
                core.buffer = Some(10 + at);
            }
            won
        });
        if won {
            // SAFETY: the winner of the ticket owns the place; loom checks it.
            self.place
                .with_mut(|place| unsafe { assert_eq!((*place).replace(10 + at), None) });
            if self.landing.wake() {
                self.ready();
            }
        }
    }

    fn fire(&self) {
        self.timers.fire(100, |Entry(number)| {
            let won = self.wait_seq.claim(number, BY_TIMER);
            if won {
                self.ready();
            }
            won
        });
    }

    /// C3 to C7: what was received, `None` if the timer came first.
    fn select(&self, with_timer: bool) -> Option<u32> {
        let number = self.wait_seq.open();
        for channel in &self.channels {
            let found = channel.locked(|core| {
                if core.buffer.is_none() {
                    core.node = Some(number);
                }
                core.buffer.is_some()
            });
            if found {
                if self.wait_seq.claim(number, LOOK_AGAIN) {
                    self.withdraw();
                    return channel.locked(|core| core.buffer.take());
                }
                break;
            }
        }
        self.save();
        let parked = if with_timer {
            self.timers
                .insert_and(1, Entry(number), || self.landing.park())
        } else {
            self.landing.park()
        };
        if parked {
            assert!(self.parker.wait(|| None));
        }
        self.withdraw();
        match self.wait_seq.outcome() {
            BY_TIMER => None,
            at => {
                // SAFETY: the waker that ended the wait has done its part; loom checks it.
                let msg = self.place.with_mut(|place| unsafe { (*place).take() });
                assert_eq!(msg, Some(10 + at), "woken before the message was there");
                msg
            }
        }
    }

    /// C5.
    fn withdraw(&self) {
        for channel in &self.channels {
            channel.locked(|core| core.node = None);
        }
    }

    /// The messages that are buffered in the end.
    fn left(&self) -> Vec<u32> {
        let left = self
            .channels
            .iter()
            .filter_map(|c| c.locked(|core| core.buffer));
        left.collect()
    }
}

fn spawn(world: &Arc<World>, f: impl FnOnce(&World) + 'static) -> thread::JoinHandle<()> {
    let world = world.clone();
    thread::spawn(move || f(&world))
}

#[test]
fn a_select_gets_one_message_and_the_other_stays() {
    explore(Some(3), || {
        let world = World::new();
        let senders = [0, 1].map(|at| spawn(&world, move |world| world.send(at)));
        let got = world.select(false);
        for sender in senders {
            sender.join().unwrap();
        }
        let mut all = world.left();
        all.extend(got);
        all.sort_unstable();
        assert!(got.is_some());
        assert_eq!(all, [10, 11]);
        assert!(world.readied.load(Ordering::Relaxed) <= 1);
    });
}

#[test]
fn a_select_that_times_out_while_it_is_served_loses_nothing() {
    explore(Some(3), || {
        let world = World::new();
        let sender = spawn(&world, |world| world.send(1));
        let timer = spawn(&world, |world| world.fire());
        let got = world.select(true);
        sender.join().unwrap();
        timer.join().unwrap();
        let mut all = world.left();
        all.extend(got);
        assert_eq!(all, [11], "received, or still there");
        assert!(world.readied.load(Ordering::Relaxed) <= 1);
    });
}

#[test]
fn a_landing_wakes_whoever_comes_first() {
    explore(None, || {
        let world = World::new();
        let number = world.wait_seq.open();
        let waker = spawn(&world, move |world| {
            assert!(world.wait_seq.claim(number, 0));
            // SAFETY: the winner of the ticket owns the place; loom checks it.
            world.place.with_mut(|place| unsafe { *place = Some(3) });
            if world.landing.wake() {
                world.ready();
            }
        });
        world.save();
        if world.landing.park() {
            assert!(world.parker.wait(|| None));
        }
        // SAFETY: after the waker's last step; loom checks it.
        world
            .place
            .with_mut(|place| unsafe { assert_eq!((*place).take(), Some(3)) });
        waker.join().unwrap();
    });
}
