//! The caller that is about to wait: what a park needs to know of it, looked up once.
//!
//! A wait queue needs the caller's G before the park, and the park needs the G, its M, and whether it may leave its
//! thread. Looking these up twice costs a channel some ten instructions a wait.

use std::{fmt, marker::PhantomData};

use crate::{
    gmp::{g::GRef, m::M},
    park::park_if,
    protocol::wait_reason::WaitFor,
    switch::{
        attach,
        current::{may_leave, nobody_runs},
        thread_word::current_m,
    },
};

/// The caller, which is about to wait: [`current`](crate::current), and what a park needs to know of it.
#[must_use = "it is there to be parked"]
pub struct Caller {
    g: GRef,
    /// `None` where it waits with its thread.
    m: Option<&'static M>,
    _not_send: PhantomData<*const ()>,
}

/// See [`Caller`].
///
/// # Panics
///
/// As [`current`](crate::current).
#[inline(always)]
pub fn caller() -> Caller {
    let m = match current_m() {
        Some(m) => m,
        None => attach::attach(),
    };
    let g = match m.current.get() {
        Some(g) => g,
        None => nobody_runs(),
    };
    Caller {
        g,
        m: may_leave(g).then_some(m),
        _not_send: PhantomData,
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Caller").field(&self.g).finish()
    }
}

impl Caller {
    /// The G of the caller.
    #[inline(always)]
    pub fn g(&self) -> GRef {
        self.g
    }

    /// As [`park`](crate::park()), for this caller.
    ///
    /// # Parks
    ///
    /// As [`park`](crate::park()).
    ///
    /// # Safety
    ///
    /// As for [`park`](crate::park()), and: nothing has parked since this `Caller` was made.
    #[inline(always)]
    pub unsafe fn park<C: FnOnce() -> bool>(self, wait: impl Into<WaitFor>, commit: C) {
        // SAFETY: nothing has parked since `caller`, so `g` still runs on `m`; it may leave its thread where there is
        // an `m`. `park_if` asks of the commit what `park` does.
        unsafe {
            park_if(self.m.map(|m| (m, self.g)), Some(wait.into()), move |_| {
                commit()
            })
        }
    }
}
