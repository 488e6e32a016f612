//! The promises of a port (see src/port.rs), each a test; the last one is in tests/step. Nothing here knows a CPU.

mod entry;
#[path = "../fiber/mod.rs"]
mod fiber;
mod memory;
mod registers;
mod threads;
#[path = "../unwinder/mod.rs"]
mod unwinder;
mod unwinding;

use fiber::{Fiber, SIZE, Stack};
use goroutines_asm::{Context, Native, Port, prepare, switch};

const PATTERNS: [usize; 6] = [
    0,
    1,
    usize::MAX,
    usize::MAX ^ usize::MAX >> 1,
    usize::MAX / 3,
    0xdead_beef_0bad_cafe_u64 as usize,
];

#[test]
fn argument_is_carried_both_ways() {
    let mut fiber = Fiber::new(|inside, mut got| {
        for _ in 0..1000 {
            got = inside.suspend(got.rotate_left(7) ^ 3);
        }
        got
    });
    for pattern in PATTERNS.into_iter().cycle().take(1000) {
        assert_eq!(fiber.resume(pattern), pattern.rotate_left(7) ^ 3);
    }
    assert_eq!(fiber.resume(5), 5);
    assert!(fiber.is_done());
}

#[test]
fn argument_reaches_the_entry_itself() {
    unsafe extern "C" fn echo(arg: usize) -> ! {
        let mut own = Context::NULL;
        // SAFETY: the argument is the address of `main`, written by the switch to us.
        unsafe { switch(&raw mut own, *(arg as *const Context), !arg) };
        unreachable!()
    }
    let stack = Stack::new();
    let mut main = Context::NULL;
    let save = &raw mut main;
    // SAFETY: the stack is fresh; `main` is read by the entry after the switch has written it.
    let got = unsafe { switch(save, prepare(stack.top(), echo), save as usize) };
    assert_eq!(got, !(save as usize));
}

#[test]
fn port_is_named_after_its_cpu() {
    assert_eq!(Native::NAME, std::env::consts::ARCH);
}

#[test]
fn null_is_no_context() {
    assert!(Context::NULL.is_null() && Context::NULL.sp().is_null());
    let fiber = Fiber::new(|_, _| 0);
    assert!(!fiber.context().is_null());
    assert!((fiber.stack.low()..fiber.stack.top()).contains(&fiber.context().sp()));
    const { assert!(SIZE.is_multiple_of(4096)) };
}
