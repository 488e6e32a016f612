//! The wing `gmp`: the descriptors. G, M and P, and what belongs to one of them.
//!
//! Imported by all wings after `protocol`. A file here defines what a goroutine, a thread or a processor has, and the
//! operations on that alone. An operation that needs the scheduler is a step of a later wing.
//!
//! | file | what it has |
//! |---|---|
//! | g.rs, payload.rs, join.rs, ticket.rs, shared.rs | a G: its cells, its closure or result, its end, the right to wake it |
//! | identity.rs, locals.rs | what few goroutines have, and what outlives them |
//! | segment.rs, window.rs | further stacks, and stacks that are shared and copied |
//! | m.rs, signal_stack.rs, p.rs | an M and its thread's signal stack, a P |
//! | spin_habit.rs | whether an M spins before it sleeps |
//! | poll_desc.rs, io_waiter.rs | the record of a socket for which a goroutine or future has waited, and its waiters |
//! | lock_owner.rs | the holder of a lock |
//! | job.rs | the second closure of a fork-join, in its owner's frame |
//! | flag_waker.rs | a goroutine or thread and the flag that its wakers set |
//! | all_gs.rs, debug_table.rs | all Gs; the table by which debuggers find them |
//! | counters.rs, mode.rs | counters; what is decided once before the first M |
//!
//! Two circles of imports are left in the crate, and both are here: records that point at each other, m.rs and p.rs (an
//! M holds a P, which names its owner), and g.rs with identity.rs, ticket.rs and window.rs (a G has an identity and a
//! window; a ticket and what is resident in a window name a G).
//!
//! Essays: [`g`] (its layout), [`debug_table`], [`identity`], [`locals`], [`window`] (copy stacks).

#![cfg(not(goroutines_loom))]

pub(crate) mod all_gs;
pub(crate) mod counters;
pub(crate) mod debug_table;
pub(crate) mod flag_waker;
pub(crate) mod g;
pub(crate) mod identity;
pub(crate) mod io_waiter;
pub(crate) mod job;
pub(crate) mod join;
pub(crate) mod life_cycle;
pub(crate) mod locals;
pub(crate) mod lock_owner;
pub(crate) mod m;
pub(crate) mod mode;
pub(crate) mod p;
pub(crate) mod payload;
pub(crate) mod poll_desc;
pub(crate) mod segment;
pub(crate) mod shared;
pub(crate) mod signal_stack;
pub(crate) mod spin_habit;
pub(crate) mod ticket;
pub(crate) mod trace_event;
pub(crate) mod tracer;
pub(crate) mod window;
