//! The wing `protocol`: the words on which two sides meet, and the steps that Ms take on them.
//!
//! Imported by every wing but `sys`. It imports nothing but itself; atomics, locks and the futex come from [`sync`],
//! the only file that imports from `sys`, and only where no model runs. The models compile exactly this folder, with
//! loom's types in [`sync`], and run it in every interleaving (models). So a word and the steps of both its sides lie
//! here, also where they belong to another wing by subject; the steps ask the rest of the scheduler through the
//! traits of [`steps`].
//!
//! | protocol | file |
//! |---|---|
//! | run queues and `runnext` | ring.rs |
//! | idle Ms and Ps, which M is woken for work, which M keeps the time | idle.rs, steps |
//! | goroutines that only one M may run, or should | inbox.rs, home_wait.rs |
//! | a P taken from an M that does not know; one lent to a blocking call | gate.rs, lending.rs |
//! | the number of Ps | p_numbers.rs |
//! | a wait that several wakers may end; a wait in several queues | wait_seq.rs, park_state.rs |
//! | the end of a goroutine and its handle | join_word.rs |
//! | a fork-join: jobs that others may take, and the end of one that was taken | job_deque.rs, job_deques.rs, job_word.rs |
//! | `unpark`, wakers, sleeping threads | park_token.rs, wake_flag.rs, parker.rs |
//! | timers | timers.rs |
//! | sysmon asleep, requests to threads of the runtime | sysmon_sleep.rs, requests.rs |
//! | the owner of a G, and what it waits for | status.rs, wait_reason.rs, channel_head.rs |
//! | stacks that shrink, or are read; run windows | shrink_word.rs, hold.rs, window_lock.rs |
//! | the known state of a socket, and its waiters | readiness.rs, io_line.rs, io_nodes.rs, waker_list.rs |
//! | a lock of a byte | byte_lock.rs |
//! | events that one thread writes and others copy | trace_ring.rs |

pub(crate) mod byte_lock;
pub(crate) mod channel_head;
pub(crate) mod gate;
pub(crate) mod hold;
pub(crate) mod home_wait;
pub(crate) mod idle;
pub(crate) mod inbox;
pub(crate) mod io_line;
pub(crate) mod io_nodes;
pub(crate) mod job_deque;
pub(crate) mod job_deques;
pub(crate) mod job_word;
pub(crate) mod join_word;
pub(crate) mod lending;
pub(crate) mod p_numbers;
pub(crate) mod park_state;
pub(crate) mod park_token;
pub(crate) mod parker;
pub(crate) mod readiness;
pub(crate) mod requests;
pub(crate) mod ring;
pub(crate) mod shrink_word;
pub(crate) mod status;
pub(crate) mod steps;
pub(crate) mod sync;
pub(crate) mod sysmon_sleep;
pub(crate) mod timers;
pub(crate) mod trace_ring;
pub(crate) mod wait_reason;
pub(crate) mod wait_seq;
pub(crate) mod wake_flag;
pub(crate) mod waker_list;
pub(crate) mod window_lock;

#[cfg(all(test, goroutines_loom))]
mod models;
