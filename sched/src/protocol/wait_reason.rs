//! What a goroutine waits for, as a dump prints it: a reason, and the object that it waits on.
//!
//! Every park is given a [`WaitFor`]. It stores the reason beside the status (status.rs), and the address of the object
//! in the G. A new kind of wait gets a reason of its own; none is used for two. Nothing depends on the address but
//! reports.

use std::fmt;

/// One table: the variants and their texts.
macro_rules! wait_reasons {
    ($($(#[$doc:meta])* $name:ident = $words:literal,)*) => {
        /// What a parked goroutine or OS thread waits for.
        ///
        /// # Examples
        ///
        /// ```
        /// use goroutines_sched::WaitReason;
        ///
        /// assert_eq!(WaitReason::ChanReceive.to_string(), "chan receive");
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum WaitReason {
            $($(#[$doc])* $name,)*
        }

        impl WaitReason {
            /// All reasons, in the order of their numbers.
            pub const ALL: &[WaitReason] = &[$(WaitReason::$name),*];

            /// The words of all, with commas between and a NUL at the end: for debuggers.
            #[cfg(not(goroutines_loom))]
            pub(crate) const NAMES: &str = {
                const ALL: &str = concat!($($words, ","),*);
                const BYTES: [u8; ALL.len()] = {
                    let mut bytes = *ALL.as_bytes().first_chunk().unwrap();
                    bytes[ALL.len() - 1] = 0;
                    bytes
                };
                match std::str::from_utf8(&BYTES) {
                    Ok(names) => names,
                    Err(_) => unreachable!(),
                }
            };

            fn words(self) -> &'static str {
                match self {
                    $(WaitReason::$name => $words,)*
                }
            }
        }
    };
}

wait_reasons! {
    /// A receiver, or room for its message in a channel.
    ChanSend = "chan send",
    /// A message of a channel, or the next moment of a clock.
    ChanReceive = "chan receive",
    /// The first of several operations on channels.
    Select = "select",
    /// A mutex.
    MutexLock = "mutex lock",
    /// A read-write lock, to read.
    RwLockRead = "rwlock read",
    /// A read-write lock, to write.
    RwLockWrite = "rwlock write",
    /// The notification of a condition variable.
    CondvarWait = "condvar wait",
    /// Permits of a semaphore.
    SemaphoreAcquire = "semaphore acquire",
    /// The handles of a wait group that are not dropped yet.
    WaitGroupWait = "wait group wait",
    /// The others at a barrier.
    BarrierWait = "barrier wait",
    /// An initialisation that another goroutine runs.
    Once = "once",
    /// The end of a goroutine, or of the second closure of a fork-join, which it runs.
    Join = "join",
    /// A moment.
    Sleep = "sleep",
    /// The token that `unpark` gives.
    Park = "park",
    /// The goroutines of a scope.
    Scope = "scope",
    /// The waker of a future.
    Future = "future",
    /// The end of a blocking call, in which it keeps its thread.
    BlockingCall = "blocking call",
    /// A descriptor that can be read or written.
    Io = "IO wait",
    /// The addresses of a name.
    Lookup = "name lookup",
    /// The end of a change of the number of Ps.
    SetProcs = "set procs",
}

/// What a park waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitFor {
    /// The kind of the wait.
    pub reason: WaitReason,
    /// The address of the channel, lock, goroutine or the like that it waits on; 0 where there is none, or several.
    pub object: usize,
}

impl From<WaitReason> for WaitFor {
    #[inline(always)]
    fn from(reason: WaitReason) -> WaitFor {
        WaitFor { reason, object: 0 }
    }
}

impl WaitReason {
    /// This reason, and the object that the caller waits on. With `ChanSend` and `ChanReceive` that is a channel
    /// behind a [`ChannelHead`](crate::ChannelHead): a report reads it.
    ///
    /// # Examples
    ///
    /// ```
    /// use goroutines_sched::WaitReason;
    ///
    /// let lock = 7;
    /// let wait = WaitReason::MutexLock.on(&lock);
    /// assert_eq!(wait.object, (&raw const lock).addr());
    /// ```
    #[inline(always)]
    #[must_use]
    pub fn on<T>(self, object: &T) -> WaitFor {
        WaitFor {
            reason: self,
            object: std::ptr::from_ref(object).addr(),
        }
    }

    /// The number of the reason, from 1 on; 0 stands for none.
    #[inline(always)]
    pub(crate) const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The reason with this number; `None` for 0.
    pub(crate) fn from_number(number: u8) -> Option<WaitReason> {
        let at = usize::from(number).checked_sub(1)?;
        WaitReason::ALL.get(at).copied()
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

#[cfg(all(test, not(goroutines_loom)))]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_reason_is_found_by_its_number() {
        assert_eq!(WaitReason::from_number(0), None);
        for (at, &reason) in WaitReason::ALL.iter().enumerate() {
            assert_eq!(usize::from(reason.number()), at + 1);
            assert_eq!(WaitReason::from_number(reason.number()), Some(reason));
        }
        let behind = WaitReason::ALL.len() as u8 + 1;
        assert_eq!(WaitReason::from_number(behind), None);
    }

    #[test]
    fn each_reason_has_words_of_its_own() {
        let words: HashSet<String> = WaitReason::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(words.len(), WaitReason::ALL.len());
        assert!(words.iter().all(|words| !words.is_empty()));
        assert_eq!(format!("{:>14}", WaitReason::ChanSend), "     chan send");
    }
}
