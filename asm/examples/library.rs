//! A shared library that switches, and has a thread word of its own: for tests/library.rs.

use goroutines_asm::{Context, prepare, set_thread_word, switch, thread_word};

/// The library's thread word on the calling thread.
#[unsafe(no_mangle)]
pub extern "C" fn library_word() -> usize {
    thread_word() as usize
}

/// Sets the library's thread word on the calling thread.
#[unsafe(no_mangle)]
pub extern "C" fn library_set_word(word: usize) {
    set_thread_word(word as *mut ());
}

/// Adds `number` to itself on another stack, and the thread word.
#[unsafe(no_mangle)]
pub extern "C" fn library_double(number: usize) -> usize {
    struct Call {
        caller: Context,
        number: usize,
    }
    unsafe extern "C" fn entry(call: usize) -> ! {
        // SAFETY: the address of `call` below, whose `caller` the switch to us has written.
        let call = unsafe { &*(call as *const Call) };
        let mut own = Context::NULL;
        // SAFETY: the code that switched here waits in its switch, and does not resume this context.
        unsafe { switch(&raw mut own, call.caller, call.number * 2 + library_word()) };
        unreachable!()
    }
    let mut stack = vec![0_u128; 4096];
    let mut call = Call {
        caller: Context::NULL,
        number,
    };
    let call = &raw mut call;
    // SAFETY: an aligned stack of 64 KiB that lives until the entry has switched back for good.
    unsafe {
        switch(
            &raw mut (*call).caller,
            prepare(stack.as_mut_ptr_range().end.cast(), entry),
            call as usize,
        )
    }
}
