//! A library that knows nothing of goroutines and trusts, as it may, that a function stays on its thread.
//!
//! A crate of its own, so that what it does is compiled as a dependency is: the compiler keeps the address of a
//! thread-local over a call. Each function calls `pause` in the middle and returns whether the world was still in
//! order afterwards: whether what it finds in the thread-local belongs to the thread it is on.

use std::{cell::Cell, thread::LocalKey};

thread_local! {
    static THREAD: Cell<i32> = const { Cell::new(0) };
    static SCOPED: Cell<usize> = const { Cell::new(0) };
}

/// The number of the thread, from the kernel: it is not cached.
pub fn thread() -> i32 {
    // SAFETY: takes nothing and answers with a number.
    unsafe { libc::gettid() }
}

/// A borrow that `LocalKey::with` gave is held over the call.
pub fn borrow(pause: fn()) -> bool {
    THREAD.with(|mine| {
        mine.set(thread());
        pause();
        mine.get() == thread()
    })
}

/// No borrow: the compiler alone knows the address, and uses it again.
pub fn cached_address(pause: fn()) -> bool {
    THREAD.set(thread());
    pause();
    let said = THREAD.get();
    // 0 on a thread where no call came before: then it was read anew.
    said == thread() || said == 0
}

/// A value for the length of a call, as in the crate `scoped-tls`.
pub fn scoped(pause: fn()) -> bool {
    struct Reset {
        key: &'static LocalKey<Cell<usize>>,
        before: usize,
    }
    impl Drop for Reset {
        fn drop(&mut self) {
            self.key.set(self.before);
        }
    }
    let value = 0;
    let mine = std::ptr::from_ref(&value).addr();
    let reset = Reset {
        key: &SCOPED,
        before: SCOPED.replace(mine),
    };
    pause();
    let kept = scoped_value() == mine;
    drop(reset);
    kept
}

/// What the code inside of [`scoped`] finds, on the thread where it looks.
#[inline(never)]
fn scoped_value() -> usize {
    SCOPED.get()
}

/// A destructor that pauses while a panic unwinds: it must stay on its thread, whose count of panics is up.
pub fn unwinding(pause: fn()) -> bool {
    struct Pauses(fn());
    impl Drop for Pauses {
        fn drop(&mut self) {
            let before = thread();
            (self.0)();
            THREAD.set(i32::from(before == thread() && std::thread::panicking()));
        }
    }
    let unwound = std::panic::catch_unwind(|| {
        let _pauses = Pauses(pause);
        std::panic::resume_unwind(Box::new(()));
    });
    unwound.is_err() && THREAD.get() == 1 && !std::thread::panicking()
}
