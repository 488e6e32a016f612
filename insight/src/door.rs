//! A value that is used where nothing may wait for anything, and freed when nobody uses it any more.
//!
//! ```text
//!  a user                                the owner
//!  E1 inside + 1                         F1 current = null
//!  E2 read current; null: E4             F2 wait until inside is 0
//!  E3 use the value                      F3 free the value
//!  E4 inside - 1
//! ```
//!
//! All are sequentially consistent: a user whose E1 comes after F2 has read zero, reads null at E2.

use std::{
    ops::Deref,
    ptr,
    sync::atomic::{AtomicPtr, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// Where users find the value.
pub(crate) struct Door<T> {
    current: AtomicPtr<T>,
    /// Users who may use a value.
    inside: AtomicUsize,
}

impl<T: Sync> Door<T> {
    pub(crate) const fn new() -> Door<T> {
        Door {
            current: AtomicPtr::new(ptr::null_mut()),
            inside: AtomicUsize::new(0),
        }
    }

    /// Lets `f` use the value, if there is one. Async-signal-safe, if `f` is. `f` does not panic.
    pub(crate) fn enter(&self, f: impl FnOnce(&T)) {
        self.inside.fetch_add(1, Ordering::SeqCst);
        // SAFETY: null, or a value that stays until E4 (F2).
        if let Some(value) = unsafe { self.current.load(Ordering::SeqCst).as_ref() } {
            f(value);
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    /// Users find `value` from now on. One at a time.
    pub(crate) fn open(&'static self, value: T) -> Opened<T> {
        let value = Box::into_raw(Box::new(value));
        self.current.store(value, Ordering::SeqCst);
        Opened { door: self, value }
    }
}

/// The owner of the value of a door. Dropped, the door is closed and the value freed.
pub(crate) struct Opened<T: 'static> {
    door: &'static Door<T>,
    value: *mut T,
}

// SAFETY: the value is shared with users on any thread, and freed by the owner wherever that is.
unsafe impl<T: Send + Sync> Send for Opened<T> {}

impl<T> Opened<T> {
    /// F1 and F2: from here on nobody but the owner uses the value.
    pub(crate) fn close(&mut self) {
        self.door.current.store(ptr::null_mut(), Ordering::SeqCst);
        while self.door.inside.load(Ordering::SeqCst) != 0 {
            thread::sleep(Duration::from_micros(50));
        }
    }

    /// The address of the value.
    pub(crate) fn address(&self) -> *mut T {
        self.value
    }
}

impl<T> Deref for Opened<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: freed in `drop` only.
        unsafe { &*self.value }
    }
}

impl<T> Drop for Opened<T> {
    fn drop(&mut self) {
        self.close();
        // F3. SAFETY: from `Box::into_raw` in `open`; nobody uses it any more.
        drop(unsafe { Box::from_raw(self.value) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    static ALIVE: AtomicUsize = AtomicUsize::new(0);

    struct Counted;

    impl Counted {
        fn new() -> Counted {
            // Relaxed: a count.
            ALIVE.fetch_add(1, Ordering::Relaxed);
            Counted
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            // Relaxed: a count.
            ALIVE.fetch_sub(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_value_is_used_while_the_door_is_open_and_never_after_it_was_freed() {
        static DOOR: Door<Counted> = Door::new();
        let ended = AtomicBool::new(false);
        let used = AtomicUsize::new(0);
        DOOR.enter(|_| panic!("it was not opened"));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    // Relaxed (all): the test's own counts.
                    while !ended.load(Ordering::Relaxed) {
                        DOOR.enter(|_| {
                            assert_eq!(ALIVE.load(Ordering::Relaxed), 1);
                            used.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                });
            }
            for _ in 0..200 {
                let opened = DOOR.open(Counted::new());
                let before = used.load(Ordering::Relaxed);
                while used.load(Ordering::Relaxed) == before {
                    thread::yield_now();
                }
                drop(opened);
                assert_eq!(ALIVE.load(Ordering::Relaxed), 0);
            }
            ended.store(true, Ordering::Relaxed);
        });
        DOOR.enter(|_| panic!("it was closed"));
    }
}
