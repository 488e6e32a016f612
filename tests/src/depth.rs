//! Code that runs at a depth of the stack.

use std::{
    hint::black_box,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    thread,
};

use goroutines_asm::{Context, prepare, stack_pointer, switch};

/// Runs `f` below `bytes` of stack, in frames that were touched one after the other.
pub fn deep<R>(bytes: usize, f: impl FnOnce() -> R) -> R {
    #[inline(never)]
    fn down<R>(goal: usize, f: impl FnOnce() -> R) -> R {
        let frame = black_box([goal as u8; 100]);
        let here = frame.as_ptr() as usize;
        let result = if here > goal { down(goal, f) } else { f() };
        assert!(black_box(frame).iter().all(|&byte| byte == goal as u8));
        result
    }
    let top = black_box(0_u8);
    down(&raw const top as usize - bytes, f)
}

/// A call whose stack pointer is far below: what it runs, and where it comes back to.
struct Call<F, R> {
    f: Option<F>,
    result: Option<thread::Result<R>>,
    caller: Context,
}

/// Runs `f` below `bytes` of stack that nothing touches: as C code does that was compiled without stack probes and has a
/// frame of that size. The stack has that much, and what `f` needs.
pub fn below<F: FnOnce() -> R, R>(bytes: usize, f: F) -> R {
    let mut call = Call {
        f: Some(f),
        result: None,
        caller: Context::NULL,
    };
    let call_ptr = &raw mut call;
    let top = stack_pointer().wrapping_sub(bytes).map_addr(|sp| sp & !15);
    // SAFETY: nothing is in use below the stack pointer but this function's callees, far above `top`; `enter` switches back
    // to `caller` exactly once, and `call` stays until then.
    unsafe {
        let fresh = prepare(top.cast_mut(), enter::<F, R>);
        switch(&raw mut (*call_ptr).caller, fresh, call_ptr as usize);
    }
    match call.result.expect("it has run") {
        Ok(result) => result,
        Err(payload) => resume_unwind(payload),
    }
}

/// # Safety
///
/// As the entry that `below` prepares; `call` is the address of its call.
unsafe extern "C" fn enter<F: FnOnce() -> R, R>(call: usize) -> ! {
    let call = call as *mut Call<F, R>;
    // SAFETY: `below` waits in its switch, so the call is this function's until it switches back.
    unsafe {
        let f = (*call).f.take().expect("it is run once");
        (*call).result = Some(catch_unwind(AssertUnwindSafe(f)));
        let mut left = Context::NULL;
        switch(&raw mut left, (*call).caller, 0);
    }
    unreachable!("nobody resumes it")
}
