//! Requests to valgrind: the reports that a tool needs which watches the stack pointer.
//!
//! A request is a sequence of instructions that does nothing on a CPU and that valgrind, which translates
//! the program, takes for a call. Six words go with it: the request's number and its arguments. Outside
//! valgrind, and on a CPU for which the sequence is not written, every answer is 0.
//!
//! ```text
//!   words ──► | number | argument 1 | ... | argument 5 |
//!   answer    0, or what valgrind returned
//! ```

use crate::{Native, Port};

const STACK_REGISTER: usize = 0x1501;
const STACK_DEREGISTER: usize = 0x1502;
const RUNNING_ON_VALGRIND: usize = 0x1001;
/// The first number of memcheck's own requests: `MC` in the upper half.
const MEMCHECK: usize = (b'M' as usize) << 24 | (b'C' as usize) << 16;
const MAKE_MEM_UNDEFINED: usize = MEMCHECK + 1;

fn request(number: usize, first: usize, second: usize) -> usize {
    Native::client_request(&[number, first, second, 0, 0, 0])
}

/// Returns whether the program runs under valgrind.
#[must_use]
pub fn is_running() -> bool {
    request(RUNNING_ON_VALGRIND, 0, 0) != 0
}

/// Says that the bytes from `low` to `top` are a stack: a stack pointer that moves into them has been
/// switched, and what was live on the old stack stays so. Returns the stack's number.
pub fn register_stack(low: *const u8, top: *const u8) -> usize {
    request(STACK_REGISTER, low.addr(), top.addr())
}

/// Takes a [`register_stack`] back.
pub fn deregister_stack(number: usize) {
    request(STACK_DEREGISTER, number, 0);
}

/// Says that `len` bytes at `start` may be used again; what is in them counts as uninitialised.
pub fn make_undefined(start: *const u8, len: usize) {
    request(MAKE_MEM_UNDEFINED, start.addr(), len);
}
