//! Who is about to wait: what a park has to know of it, asked once.
//!
//! A wait queue needs the caller's G before the park, and the park needs the G, its M, and whether it may leave its
//! thread. Asked for twice this costs a channel some ten instructions a wait.

use std::{fmt, marker::PhantomData};

use crate::{
    gmp::{g::GRef, m::M},
    park::park_if,
    protocol::wait_reason::WaitReason,
    switch::{
        attach,
        current::{may_leave, nobody_runs},
        thread_word::current_m,
    },
};

/// Who is about to wait here: as [`current`](crate::current), and what a park has to know of it, asked once.
#[must_use = "it is there to be parked"]
pub struct Caller {
    g: GRef,
    /// None where it waits with its thread.
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
    /// Who it is.
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
    /// As for [`park`](crate::park()), and: nothing has parked since this caller was asked for.
    #[inline(always)]
    pub unsafe fn park<C: FnOnce() -> bool>(self, reason: WaitReason, commit: C) {
        // SAFETY: nothing has parked since `caller`, so `g` still runs on `m`; it may leave its thread where `m` is
        // there. Of the commit `park_if` asks what `park` does.
        unsafe { park_if(self.m.map(|m| (m, self.g)), Some(reason), move |_| commit()) }
    }
}
