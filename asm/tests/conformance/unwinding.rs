//! Unwinding: panics that are caught, and backtraces that end in `root` or continue by a link.

use crate::fiber::{Fiber, Inside, Stack};
use crate::unwinder;
use goroutines_asm::{Context, Native, Port, prepare_linked, switch};
use std::cell::Cell;
use std::ffi::c_void;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::slice;

/// Counts how often it is dropped.
struct Dropped<'a>(&'a Cell<usize>);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn panic_is_caught_on_the_new_stack() {
    #[inline(never)]
    fn nested(inside: Inside, drops: &Cell<usize>, depth: usize) -> usize {
        let _dropped = Dropped(drops);
        if depth == 0 {
            panic_any(inside.suspend(1));
        }
        nested(inside, drops, depth - 1) + 1
    }
    let mut fiber = Fiber::new(|inside, _| {
        let drops = Cell::new(0);
        let payload =
            catch_unwind(AssertUnwindSafe(|| nested(inside, &drops, 20))).expect_err("it panics");
        assert_eq!(drops.get(), 21, "unwinding drops what the frames own");
        *payload
            .downcast::<usize>()
            .expect("the payload of panic_any")
    });
    assert_eq!(fiber.resume(0), 1);
    assert_eq!(fiber.resume(77), 77);
    assert!(fiber.is_done());
}

#[test]
fn panic_outside_leaves_a_suspended_context_alone() {
    let mut fiber = Fiber::new(|inside, got| inside.suspend(got + 1) + 2);
    let caught = catch_unwind(AssertUnwindSafe(|| panic_any(fiber.resume(10))));
    assert_eq!(
        *caught
            .expect_err("it panics")
            .downcast::<usize>()
            .expect("a usize"),
        11
    );
    assert_eq!(fiber.resume(20), 22);
}

/// The functions of the running stack, innermost first.
fn backtrace() -> Vec<*const u8> {
    extern "C" fn frame(context: *mut c_void, functions: *mut c_void) -> i32 {
        // SAFETY: `functions` is the vector below; a return address lies behind its call, hence the 1.
        unsafe {
            let Some(pc) = unwinder::ip(context).0.checked_sub(1) else {
                return 0; // libgcc's mark that the stack has ended
            };
            let functions = &mut *functions.cast::<Vec<*const u8>>();
            functions.push(unwinder::function(pc) as *const u8);
            if functions.len() < 200 { 0 } else { 5 }
        }
    }
    let mut functions = Vec::new();
    // SAFETY: the callback gets the vector back as its argument.
    unsafe { unwinder::_Unwind_Backtrace(frame, (&raw mut functions).cast()) };
    functions
}

#[test]
fn backtrace_ends_at_root() {
    #[inline(never)]
    fn nested(depth: usize) -> (Vec<*const u8>, String) {
        if depth == 0 {
            return (
                backtrace(),
                std::backtrace::Backtrace::force_capture().to_string(),
            );
        }
        black_box(nested(black_box(depth - 1)))
    }
    let stack = Stack::new();
    // SAFETY: within the stack.
    let top = unsafe { stack.top().sub(4096) };
    // What an unwinder finds that does not stop: return addresses that look right.
    let beyond: fn() -> Vec<*const u8> = backtrace;
    // SAFETY: the words between the lowered top and the end of the stack.
    unsafe { slice::from_raw_parts_mut(top.cast::<usize>(), 4096 / size_of::<usize>()) }
        .fill(beyond as usize + 8);

    let mut fiber = Fiber::with_top(stack, top, |_, _| {
        let (functions, text) = nested(10);
        assert!(functions.len() > 2, "no backtrace: {functions:?}");
        assert_eq!(
            functions.last(),
            Some(&Native::root()),
            "the last of {functions:?}"
        );
        assert_eq!(
            functions
                .iter()
                .filter(|function| **function == Native::root())
                .count(),
            1
        );
        let mut names = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("at "));
        let last = names.next_back().unwrap_or_default();
        assert!(last.ends_with("::root"), "the last line of\n{text}");
        functions.len()
    });
    assert!(fiber.resume(0) < 100, "as long as the stack is deep");
}

/// What a linked context needs: the link at its top, right above the code's frames.
#[repr(C, align(16))]
struct Linked {
    back: Context,
    own: Context,
    functions: Vec<*const u8>,
    text: String,
}

unsafe extern "C" fn linked_entry(linked: usize) -> ! {
    #[inline(never)]
    fn nested_on_the_linked_stack(depth: usize) -> (Vec<*const u8>, String) {
        if depth == 0 {
            let text = std::backtrace::Backtrace::force_capture().to_string();
            return (backtrace(), text);
        }
        black_box(nested_on_the_linked_stack(black_box(depth - 1)))
    }
    let linked = linked as *mut Linked;
    // SAFETY: the test waits, and reads what we write when we are done.
    unsafe {
        ((*linked).functions, (*linked).text) = nested_on_the_linked_stack(10);
        switch(&raw mut (*linked).own, (*linked).back, 0);
    }
    unreachable!("a context that has ended is not resumed");
}

#[test]
fn backtrace_follows_the_link() {
    #[inline(never)]
    fn nested_on_the_older_stack(depth: usize, linked: *mut Linked) -> usize {
        if depth > 0 {
            return black_box(nested_on_the_older_stack(black_box(depth - 1), linked));
        }
        // SAFETY: the link lies at the top; we are suspended in it until the entry has switched back.
        unsafe {
            let inside = prepare_linked(linked.cast(), linked_entry);
            switch(&raw mut (*linked).back, inside, linked as usize)
        }
    }
    let stack = Stack::new();
    // SAFETY: within the stack, and aligned as it is.
    let linked = unsafe { stack.top().cast::<Linked>().sub(1) };
    let empty = Linked {
        back: Context::NULL,
        own: Context::NULL,
        functions: Vec::new(),
        text: String::new(),
    };
    // SAFETY: nothing else lives there.
    unsafe { linked.write(empty) };
    let mut fiber = Fiber::new(|_, linked| nested_on_the_older_stack(10, linked as *mut Linked));
    fiber.resume(linked as usize);
    // SAFETY: the entry is done; the value is moved out once.
    let linked = unsafe { linked.read() };
    let count = |name| linked.text.matches(name).count();
    assert_eq!(count("nested_on_the_linked_stack"), 11, "{}", linked.text);
    assert_eq!(count("nested_on_the_older_stack"), 11, "{}", linked.text);
    assert_eq!(
        linked.functions.last(),
        Some(&Native::root()),
        "{}",
        linked.text
    );
}

/// What a context that is suspended in [`suspends`] and its owner share.
struct Ends {
    inside: Context,
    outside: Context,
}

unsafe extern "C" fn suspends(ends: usize) -> ! {
    let ends = ends as *mut Ends;
    // SAFETY: the test waits in its switch to us, and never resumes us.
    unsafe { switch(&raw mut (*ends).inside, (*ends).outside, 0) };
    unreachable!("it is not resumed");
}

#[test]
fn suspended_context_tells_where_it_resumes() {
    // The function that has the instruction before `pc`.
    let function = |pc: usize| unwinder::function(pc - 1) as *mut c_void;
    for (range, code) in [
        (Native::root_range(), Native::ROOT as *const c_void),
        (Native::linked_root_range(), Native::LINKED_ROOT as *const _),
        (Native::body_range::<0>(), Native::body::<0>().cast()),
        (Native::body_range::<2>(), Native::body::<2>().cast()),
    ] {
        let code = code.cast_mut();
        assert_eq!(function(range.start + 1), code);
        assert_eq!(function(range.end), code);
        assert_ne!(function(range.end + 1), code, "the range is too short");
    }
    let stack = Stack::new();
    let top = stack.top();
    // SAFETY: the top of a stack that nothing else uses; the entry suspends at once.
    let fresh = unsafe { goroutines_asm::prepare(top, suspends) };
    // SAFETY: it was prepared and has not run.
    let start = unsafe { fresh.suspended(fresh.sp()) };
    assert!(Native::root_range().contains(&start.ip), "{start:x?}");
    assert_eq!((start.sp, start.fp), (top.addr() - Native::HEADROOM, 0));

    let mut ends = Ends {
        inside: fresh,
        outside: Context::NULL,
    };
    let shared = &raw mut ends;
    // SAFETY: `inside` is fresh, and comes back through `outside`, which this switch writes.
    let inside = unsafe {
        switch(&raw mut (*shared).outside, fresh, shared as usize);
        (*shared).inside
    };
    // A copy tells the same: the frame may lie elsewhere.
    let low = inside.sp().addr();
    // SAFETY: the live part of the stack, on which nothing runs now.
    let copy = unsafe { slice::from_raw_parts(inside.sp(), top.addr() - low) }.to_vec();
    // SAFETY: it is suspended for good; both places have its frame.
    let [there, copied] =
        [inside.sp().cast_const(), copy.as_ptr()].map(|frame| unsafe { inside.suspended(frame) });
    assert_eq!(there, copied);
    assert_eq!(function(there.ip), suspends as *mut c_void, "{there:x?}");
    assert!((low..top.addr()).contains(&there.sp), "{there:x?}");
}
