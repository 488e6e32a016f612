//! Calling a function on another stack: for signal handlers, whose own may be too small for what they do, and for walks of the
//! stack of the caller.

use std::cell::Cell;

use crate::{
    switch,
    sys::asm::{self, Context, Suspended},
};

struct Call<'a> {
    f: &'a mut dyn FnMut(Suspended),
    inside: Cell<Context>,
    outside: Cell<Context>,
}

/// Calls `f` on the stack that ends at `top`, with where the caller's goes on after it. Async-signal-safe, if `f` is.
///
/// # Safety
///
/// `top` is aligned to 16, and below it there is memory enough for `f`, which nothing else uses until this returns. `f` does
/// not panic, and does not call the scheduler.
pub unsafe fn call_on(top: *mut u8, f: &mut dyn FnMut(Suspended)) {
    let mut call = Call {
        f,
        inside: Cell::new(Context::NULL),
        outside: Cell::new(Context::NULL),
    };
    let call = &raw mut call;
    // SAFETY: the caller's stack, on which nothing lives. It is entered once, with the call, which lives until `f` has
    // returned.
    unsafe {
        let fresh = asm::prepare(top, run);
        switch::cross(&(*call).outside, fresh, call.expose_provenance());
    }
}

unsafe extern "C" fn run(call: usize) -> ! {
    let call: *mut Call<'_> = std::ptr::with_exposed_provenance_mut(call);
    // SAFETY: the call of `call_on`, which waits in its switch to this function: that has saved the context outside, which is
    // entered after `f`.
    unsafe {
        let outside = (*call).outside.get();
        ((*call).f)(outside.suspended(outside.sp()));
        switch::cross(&(*call).inside, (*call).outside.get(), 0);
    }
    crate::sys::fatal::throw(format_args!("a call on another stack ran on after its end"));
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    #[test]
    fn a_call_runs_on_the_other_stack_and_returns() {
        let mut stack = vec![0_u128; 4096];
        let range = stack.as_mut_ptr_range();
        let range_of = |range: &Range<*mut u128>| range.start.addr()..range.end.addr();
        let mut sum = 1;
        for add in 1..4 {
            let mut add = |outside: Suspended| {
                assert!(!range_of(&range).contains(&outside.sp));
                let here = 0_u8;
                assert!(range_of(&range).contains(&(&raw const here).addr()));
                sum += add;
            };
            // SAFETY: the end of a vector that only this call uses. The assertion holds.
            unsafe { call_on(range.end.cast(), &mut add) };
        }
        assert_eq!(sum, 7);
    }
}
