//! The core of a channel: what the lock protects, how each side waits, and how a message is passed.
//!
//! The loom models of sched compile this folder, whole, with another `door`. So its files import from each other and from
//! there, and nothing else that synchronises. A file imports only from those before it:
//!
//! ```text
//! door < side < timeout < ring < blocks < clock < buffer < waiter < state < ahead < steps < boxed_wait < locked
//!     < channel < promise < won_room < future_wait < timekeeper < counter
//! ```
//!
//! # The protocol
//!
//! ```text
//! Invariants, whenever the lock is free ("waiter": a node whose wait is still open):
//!
//! I1  recvq and sendq are not both non-empty. (A select may wait in both; it is its own counterpart
//!     in neither. Waiters that watch, and engaged ones, do not count. Where selects have reserved all of a buffer, further
//!     senders may wait although receivers do: the messages of those selects come first.)
//! I2  A receiver waits only if nothing is buffered, and only if every message ahead of the buffer has a
//!     future that was told of it.
//! I3  A sender waits only if the buffer is full; without a buffer, only if no receiver waits.
//! I4  Messages of one sender are received in the order in which it sent them: what lies ahead of the
//!     buffer is older than what is in it, and both and the queues are FIFO. A receiver takes what is
//!     ahead, then what is buffered, then from a sender; and what a waiting sender has goes to the end
//!     of the buffer in the moment a place becomes free.
//! I5  A message is in exactly one place: with its sender (on its stack, in its boxed wait, in its future's
//!     node), ahead of the buffer, in the buffer, in a select's stash, or with its receiver (on its stack,
//!     in its boxed wait). The code that moves it owns both ends: by the lock, or by having taken the waiter
//!     out of its queue. A waiting future that receives has no message: it takes one when it is polled.
//! I6  When receivers_gone is set and the channel was not closed by hand, nothing is buffered or ahead of
//!     the buffer, for ever. With receivers_gone no waiter enters sendq, with senders_gone none enters
//!     recvq; those that are there are woken.
//! I7  There are as many promises as receivers in engaged, plus unmet (promise.rs).
//!
//! Send                                             Receive
//! S1  lock                                         R1  lock
//! S2  receivers gone: unlock, give back            R2  a message is ahead or buffered: pop it; a waiting
//! S3  a receiver waits: take it out, unlock,           sender: take it out, its message into the free
//!     write into its slot, ready(it)                   place; unlock, ready(it)
//!     a future waits, or messages are ahead: the   R3  a sender waits: take it out, unlock, read its
//!     message to the end of those; take the            slot, ready(it)
//!     receiver out: the oldest into its slot, or       a select waits: promise.rs
//!     tell the future; unlock, wake it             R4  senders gone: unlock, tell
//! S4  room: push, unlock                           R5  else: own node into recvq; park(commit: unlock)
//! S5  else: own node, message in its slot, into    R6  woken: the slot is full, or disconnected
//!     sendq; park(commit: unlock)
//! S6  woken: served, or disconnected and the
//!     message still there
//!
//! A waiter can be taken out only with the lock, which its commit gives up once its context is saved:
//! so no counterpart writes to the stack of, or wakes, a goroutine that still runs. From the moment it was
//! taken out it is the taker's until `ready`: messages are copied without the lock.
//!
//! With a timeout (and in a select) the node holds a ticket. The taker must win the ticket, still under
//! the lock, or else drop the node and take the next: a message is only ever moved to or from a waiter
//! that will not also time out. The one that timed out takes the lock, to know that no taker looks at
//! its node any more, and unlinks it if it is still in.
//!
//! Under the lock: no user code (no clone, no drop, no panic of a message or a waker), no park, no goroutine is made
//! ready, and no allocation, except that a wait with a deadline may make the P's timer heap grow. A message is
//! moved, never looked at. Nothing takes longer because many wait: a waiter that leaves a queue unlinks itself, a
//! future is dropped in constant time, and when a side is gone its waiters are taken out some at a time. A search
//! passes each node once: a waiter that has left already is taken out, and one that watches is told. (Only the looks
//! of `Select::ready` pass others that watch; those leave when an operation looks for a counterpart.)
//!
//! On one P an unbuffered stream costs one switch and two locks a message: the receiver that was given
//! message 1 finds the sender already waiting with message 2, takes it and makes the sender ready,
//! and keeps its turn. `send` and `recv` are inlined down to the call of the park: so there are at most
//! two frames whose return the CPU mispredicts after the switch.
//!
//! Select: one ticket in the nodes of several channels, each with the number of its case. Its steps are
//! in select/choose.rs, its view of a channel in select/case.rs.
//!
//! - A receive that a select has won is done: the message lies in its stash. A send is won before there is a
//!   message, because the expression is evaluated only then: what is won is room in the buffer (`Ring::reserve`),
//!   or, without a buffer, a promise (promise.rs).
//! - Room that is reserved counts as full for senders and as empty for receivers: I2 and I3 hold with it. When the
//!   message comes it goes to a waiting receiver, or into the room.
//! - Neither side holds anything of the other's meanwhile, and no handle: an operation may be dropped on a thread to
//!   which no message may go.
//! - Waiters that only watch (`Select::ready`) take part in none of the invariants. They are told, and leave the queue,
//!   whenever an operation looks for a counterpart there, or a select comes to wait on the other side.
//!
//! `after`, `at` and `tick` are channels whose buffer is a clock (clock.rs, timekeeper.rs). `close` sets both sides gone,
//! but the buffer stays, until it was received or the receivers are gone.
//!
//! Futures: future_wait.rs says how they wait, ahead.rs where their messages are.
//! ```

use super::door;

pub(super) mod ahead;
pub(super) mod blocks;
pub(super) mod boxed_wait;
pub(super) mod buffer;
pub(super) mod channel;
pub(super) mod clock;
pub(super) mod counter;
pub(super) mod future_wait;
pub(super) mod locked;
pub(super) mod promise;
pub(super) mod ring;
pub(super) mod side;
pub(super) mod state;
pub(super) mod steps;
pub(super) mod timekeeper;
pub(super) mod timeout;
pub(super) mod waiter;
pub(super) mod won_room;
