//! [`std::time`], and sleeping: a program that changes `use std::time` to `use goroutines::time` still works.
//!
//! A sleeping goroutine is an entry in a heap of its P and nothing more. Every call that waits has a variant with a
//! timeout or a deadline (`recv_timeout`, `send_deadline`, [`park_timeout`](crate::thread::park_timeout),
//! [`JoinHandle::join_timeout`](crate::JoinHandle::join_timeout)); [`timeout`] gives one to all that a function calls. A call that returns before its timeout removes its
//! timer.
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::time::{Duration, Instant, sleep};
//!
//! let start = Instant::now();
//! let sleepers: Vec<_> = (0..100)
//!     .map(|_| goroutines::go(|| sleep(Duration::from_millis(10))))
//!     .collect();
//! sleepers.into_iter().for_each(|one| one.join().unwrap());
//! assert!(start.elapsed() >= Duration::from_millis(10));
//! ```

#[doc(no_inline)]
pub use std::time::{
    Duration, Instant, SystemTime, SystemTimeError, TryFromFloatSecsError, UNIX_EPOCH,
};

pub use crate::{
    thread::{sleep, sleep_until},
    timeout::{Elapsed, timeout},
};
