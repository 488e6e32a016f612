//! Channels, the rendezvous and the ring: each message goes over once, no waiter is left asleep, and a sender that
//! gives up, or whose other side disconnects, still has its message.
//!
//! As for the locks, these are the sources that run: see [`locks`](super::locks). No channel here has a clock or
//! a context.
//! What futures do is in [`futures`], what selects promise in [`promises`]; how a select waits in several channels has a
//! model of its own.

use std::sync::Arc;

use loom::{
    cell::UnsafeCell,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use self::core::{
    counter::{self, Handle},
    locked::Channel,
    side::Side,
    timeout::Timeout,
    waiter::End,
};
use super::explore;
use door::Instant;

#[allow(dead_code, reason = "not all of it is modelled")]
#[path = "../../../../runtime/src/chan/core/mod.rs"]
mod core;
mod door;
mod futures;
mod promises;

const PREEMPTIONS: usize = 2;

/// What the threads of one run share.
struct World {
    alive: AtomicUsize,
    /// The content of each message: plain memory, which loom watches.
    contents: [UnsafeCell<u32>; 4],
}

struct Msg {
    number: usize,
    world: Arc<World>,
}

impl Msg {
    fn new(world: &Arc<World>, number: usize) -> Msg {
        // Relaxed: a count.
        world.alive.fetch_add(1, Ordering::Relaxed);
        // SAFETY: no other thread reads it before the message has gone over; loom checks it.
        world.contents[number].with_mut(|content| unsafe { *content += 7 });
        Msg {
            number,
            world: Arc::clone(world),
        }
    }

    /// The number of the message, after reading what its sender wrote.
    fn open(self) -> usize {
        // SAFETY: the sender wrote it before; loom checks it.
        self.world.contents[self.number].with(|content| assert_eq!(unsafe { *content }, 7));
        self.number
    }
}

impl Drop for Msg {
    fn drop(&mut self) {
        // Relaxed: a count. One that is dropped twice makes it wrap.
        self.world.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A handle, like the public ones.
struct Port {
    handle: Handle<Msg>,
    side: Side,
    world: Arc<World>,
}

// SAFETY: as for the public handles; loom checks what is reached through it.
unsafe impl Send for Port {}

impl Clone for Port {
    fn clone(&self) -> Port {
        Port {
            handle: self.handle.acquire(self.side),
            side: self.side,
            world: Arc::clone(&self.world),
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // SAFETY: the handle belongs to this side and is not used afterwards.
        unsafe { self.handle.release(self.side) };
    }
}

const SOON: Timeout = Timeout::Until(Instant::Later);

impl Port {
    /// Sends message `number`; a message that did not go over must still be there.
    fn send(&self, number: usize, timeout: Timeout) -> End {
        let mut msg = std::mem::ManuallyDrop::new(Msg::new(&self.world, number));
        // SAFETY: a message, given up if it was sent.
        let end = unsafe { self.handle.channel().send(&raw mut *msg, timeout) };
        if end != End::Served {
            assert_eq!(std::mem::ManuallyDrop::into_inner(msg).open(), number);
        }
        end
    }

    fn recv(&self, timeout: Timeout) -> Result<usize, End> {
        let mut msg = std::mem::MaybeUninit::uninit();
        // SAFETY: the place may be written.
        match unsafe { self.handle.channel().recv(msg.as_mut_ptr(), timeout) } {
            // SAFETY: `recv` has written the message, and the caller owns it.
            End::Served => Ok(unsafe { msg.assume_init() }.open()),
            end => Err(end),
        }
    }

    /// Receives until the other side has disconnected.
    fn recv_all(&self) -> Vec<usize> {
        std::iter::from_fn(|| self.recv(Timeout::Never).ok()).collect()
    }
}

/// Both ends of a new channel in a new world.
fn ports(capacity: usize) -> [Port; 2] {
    let world = Arc::new(World {
        alive: AtomicUsize::new(0),
        contents: [0; 4].map(UnsafeCell::new),
    });
    let (tx, rx) = counter::new(Channel::bounded(capacity));
    [(tx, Side::Sender), (rx, Side::Receiver)].map(|(handle, side)| Port {
        handle,
        side,
        world: Arc::clone(&world),
    })
}

type Program = fn(Port) -> Vec<usize>;

/// Runs each of `senders` and `receivers` on a thread of its own (the last receiver here) over a channel of this
/// capacity. Each program is given a handle and returns the messages that it sent, or received. `check` is given
/// these, those of the senders sorted and those of each receiver as they came. In the end no message and no waiter
/// may be left.
fn meet(
    capacity: usize,
    senders: &'static [Program],
    receivers: &'static [Program],
    check: fn(Vec<usize>, Vec<Vec<usize>>),
) {
    explore(Some(PREEMPTIONS), move || {
        let [tx, rx] = ports(capacity);
        let world = Arc::clone(&rx.world);
        let spawn = |program: Program, port: &Port| {
            let port = port.clone();
            thread::spawn(move || program(port))
        };
        let (here, there) = receivers.split_last().unwrap();
        let senders: Vec<_> = senders.iter().map(|&one| spawn(one, &tx)).collect();
        let there: Vec<_> = there.iter().map(|&one| spawn(one, &rx)).collect();
        drop(tx);
        let here = here(rx);
        let mut sent: Vec<_> = senders
            .into_iter()
            .flat_map(|one| one.join().unwrap())
            .collect();
        let mut received: Vec<_> = there.into_iter().map(|one| one.join().unwrap()).collect();
        received.push(here);
        // Relaxed: after the joins.
        let alive = world.alive.load(Ordering::Relaxed);
        assert_eq!(alive, 0, "messages were leaked, or dropped twice");
        sent.sort_unstable();
        check(sent, received);
    });
}

fn sorted(lists: Vec<Vec<usize>>) -> Vec<usize> {
    let mut all: Vec<_> = lists.into_iter().flatten().collect();
    all.sort_unstable();
    all
}

/// Sends it, and must not fail.
fn send_one<const NUMBER: usize>(tx: Port) -> Vec<usize> {
    assert_eq!(tx.send(NUMBER, Timeout::Never), End::Served);
    vec![NUMBER]
}

fn send_two(tx: Port) -> Vec<usize> {
    for n in [0, 1] {
        assert_eq!(tx.send(n, Timeout::Never), End::Served);
    }
    vec![0, 1]
}

/// Sends it, if a receiver waits for it.
fn offer<const NUMBER: usize>(tx: Port) -> Vec<usize> {
    match tx.send(NUMBER, Timeout::Never) {
        End::Served => vec![NUMBER],
        end => {
            assert_eq!(end, End::Disconnected);
            vec![]
        }
    }
}

fn offer_soon<const NUMBER: usize>(tx: Port) -> Vec<usize> {
    match tx.send(NUMBER, SOON) {
        End::Served => vec![NUMBER],
        _ => vec![],
    }
}

fn recv_all(rx: Port) -> Vec<usize> {
    rx.recv_all()
}

fn recv_one(rx: Port) -> Vec<usize> {
    rx.recv(Timeout::Never).into_iter().collect()
}

fn recv_soon(rx: Port) -> Vec<usize> {
    rx.recv(SOON).into_iter().collect()
}

fn recv_none(_rx: Port) -> Vec<usize> {
    vec![]
}

/// What was sent was received, once.
fn all(sent: Vec<usize>, received: Vec<Vec<usize>>) {
    assert_eq!(sorted(received), sent);
}

/// As [`all`]; and 0 before 1, where one receiver got both.
fn all_in_order(sent: Vec<usize>, received: Vec<Vec<usize>>) {
    for list in &received {
        let order: Vec<_> = list.iter().filter(|&&n| n < 2).collect();
        assert!(order.is_sorted(), "{received:?}");
    }
    all(sent, received);
}

/// Some may have been dropped with the channel; all that came were sent.
fn no_others(sent: Vec<usize>, received: Vec<Vec<usize>>) {
    let received = sorted(received);
    assert!(received.iter().all(|n| sent.contains(n)));
    assert!(received.is_sorted_by(|a, b| a < b), "{received:?}");
}

#[test]
fn at_a_rendezvous_each_message_goes_over_once() {
    meet(0, &[send_two], &[recv_all], all_in_order);
    meet(0, &[send_one::<0>, send_one::<1>], &[recv_all], all);
    meet(0, &[send_two], &[recv_all, recv_all], all_in_order);
}

#[test]
fn at_a_rendezvous_who_gives_up_has_its_message_and_the_other_has_none() {
    meet(0, &[offer_soon::<0>], &[recv_soon], all);
    meet(0, &[offer_soon::<0>, send_one::<1>], &[recv_all], all);
    meet(0, &[offer::<0>], &[recv_soon, recv_one], all);
}

#[test]
fn at_a_rendezvous_who_waits_learns_that_the_other_side_is_gone() {
    meet(0, &[offer::<0>, offer::<1>], &[recv_none], all);
    meet(0, &[offer::<0>, offer::<1>], &[recv_one], all);
    meet(0, &[|_| vec![]], &[recv_one, recv_one], all);
    meet(0, &[offer_soon::<0>], &[recv_one, recv_none], all);
}

#[test]
fn through_a_ring_each_message_goes_once_and_in_order() {
    meet(1, &[send_two], &[recv_all], all_in_order);
    meet(1, &[send_two, send_one::<2>], &[recv_all], all_in_order);
    meet(1, &[send_two], &[recv_all, recv_all], all_in_order);
    meet(2, &[send_two, send_one::<2>], &[recv_all], all_in_order);
}

#[test]
fn who_gives_up_on_a_full_ring_has_its_message_and_leaves_no_gap() {
    meet(1, &[send_two, offer_soon::<2>], &[recv_all], all_in_order);
    meet(1, &[offer_soon::<0>], &[recv_soon, recv_all], all);
}

#[test]
fn a_ring_without_receivers_gives_back_or_drops_what_was_sent() {
    meet(1, &[offer::<0>, offer::<1>], &[recv_none], no_others);
    meet(1, &[offer::<0>, offer::<1>], &[recv_one], no_others);
    meet(1, &[offer::<0>, offer_soon::<1>], &[recv_one], no_others);
}

/// A receiver may never come back: the place that it has made free is for a sender that waits.
#[test]
fn who_takes_a_message_from_a_full_ring_lets_the_next_one_in() {
    for capacity in [1, 2] {
        explore(Some(PREEMPTIONS), move || {
            let [tx, rx] = ports(capacity);
            let sender = thread::spawn(move || {
                for n in 0..=capacity {
                    assert_eq!(tx.send(n, Timeout::Never), End::Served);
                }
            });
            assert_eq!(rx.recv(Timeout::Never), Ok(0));
            sender.join().unwrap();
            assert_eq!(rx.recv_all().len(), capacity);
        });
    }
}

/// Handles of one side that are dropped at the same time as those of the other: the last one frees, after all the
/// others have finished with their counts.
#[test]
fn the_last_handle_frees_after_every_other_is_through() {
    explore(Some(PREEMPTIONS), || {
        let [tx, rx] = ports(1);
        let others = [tx.clone(), rx.clone()].map(|port| thread::spawn(move || drop(port)));
        drop((tx, rx));
        for other in others {
            other.join().unwrap();
        }
    });
}
