//! Locks and meeting points. Names and shapes are those of `std::sync`; [`WaitGroup`] is that of
//! `crossbeam-utils`.
//!
//! Whoever waits here parks its goroutine and not its thread. Everything works from plain OS threads
//! as well.

pub(crate) mod waitq;
