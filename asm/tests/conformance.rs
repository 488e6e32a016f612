//! The promises of a port (see src/port.rs), each a test; the last one is in tests/step. Nothing here knows a CPU.

mod fiber;

use fiber::{Fiber, GUARD, Inside, SIZE, Stack};
use goroutines_asm::{
    Context, Native, Port, prefetch, prepare, prepare_linked, set_thread_word, switch, thread_word,
};
use std::cell::Cell;
use std::ffi::c_void;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::{iter, mem, ptr, slice, thread};

// ------------------------------------------------------------------------------------------------ argument

const PATTERNS: [usize; 6] = [
    0,
    1,
    usize::MAX,
    1 << 63,
    0x5555_5555_5555_5555,
    0xdead_beef_0bad_cafe,
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

// ------------------------------------------------------------------------------------------------ registers

/// A different value for each register, side and round.
fn values(seed: u64) -> Vec<u64> {
    let tag = |i: usize| ((seed << 32) | (i as u64 + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..Native::CALLEE_SAVED.len()).map(tag).collect()
}

/// The names of the registers that came back with another value.
fn lost(seed: u64, found: &[u64]) -> Vec<&'static str> {
    let pairs = iter::zip(values(seed), found).map(|(sent, found)| sent != *found);
    iter::zip(Native::CALLEE_SAVED, pairs)
        .filter_map(|(name, differs)| differs.then_some(*name))
        .collect()
}

/// Returns whether the frame pointer is the same on both sides of a switch inlined here.
///
/// The probe cannot tell where functions keep a frame record: they restore the frame pointer of their caller themselves.
#[inline(never)]
fn frame_pointer_survives(save: *mut Context, load: Context) -> bool {
    let before = Native::frame_pointer();
    // SAFETY: `load` is where the other side was saved, and it waits there.
    unsafe { switch(save, load, 0) };
    before == Native::frame_pointer()
}

/// Both sides fill all registers with values of their own before each switch, so what one forgets the other overwrites.
#[test]
fn every_callee_saved_register_survives() {
    let mut fiber = Fiber::new(|inside, _| {
        for round in 0..100 {
            let mut registers = values(1000 + round);
            inside.suspend_probed(0, &mut registers);
            assert_eq!(
                lost(1000 + round, &registers),
                [""; 0],
                "lost inside, round {round}"
            );
            let (save, load) = inside.contexts();
            assert!(
                frame_pointer_survives(save, load),
                "the frame pointer is lost inside"
            );
        }
        0
    });
    for round in 0..=100 {
        let mut registers = values(round);
        fiber.resume_probed(0, &mut registers);
        assert_eq!(
            lost(round, &registers),
            [""; 0],
            "lost outside, round {round}"
        );
        if !fiber.is_done() {
            let (save, load, _) = fiber.begin(0);
            assert!(
                frame_pointer_survives(save, load),
                "the frame pointer is lost outside"
            );
        }
    }
    assert!(fiber.is_done());
}

/// Calls a function that uses all registers it may, then switches away.
fn overwrite_registers(inside: Inside, mut got: usize) -> usize {
    loop {
        let words: [u64; 40] = black_box([!0; 40]);
        let floats: [f64; 40] = black_box([-1.0; 40]);
        let sum = words
            .iter()
            .map(|word| word.rotate_left(3))
            .fold(0, u64::wrapping_add);
        let product = floats
            .iter()
            .map(|float| float.sqrt())
            .fold(1.0, |product, float| product * float);
        black_box((sum, product));
        got = inside.suspend(got);
    }
}

/// More values than there are registers, all alive across an inlined switch.
#[test]
fn live_values_survive_an_inlined_switch() {
    fn forty<T: Copy>(value: impl Fn(usize) -> T) -> [T; 40] {
        black_box(std::array::from_fn(value))
    }
    let mut fiber = Fiber::new(overwrite_registers);
    for round in 0..50 {
        let words = forty(|i| (i + round) as u64);
        let floats = forty(|i| i as f64 * 0.5 + round as f64);
        let singles = forty(|i| i as f32 - round as f32);
        // Computed before the switch and needed after it: what fits stays in registers, if the compiler may.
        let words = words.map(|word| word * 3);
        let floats = floats.map(|float| float * 3.0);
        let singles = singles.map(|single| single * 3.0);
        assert_eq!(fiber.resume(round), round);
        for i in 0..40 {
            assert_eq!(words[i], (i + round) as u64 * 3);
            assert_eq!(floats[i], (i as f64 * 0.5 + round as f64) * 3.0);
            assert_eq!(singles[i], (i as f32 - round as f32) * 3.0);
        }
    }
}

/// A computation that keeps on its stack whatever it finds in callee-saved registers.
struct Hoarder {
    outside: Context,
    inside: Context,
    registers: Vec<u64>,
}

unsafe extern "C" fn hoard(hoarder: usize) -> ! {
    let hoarder = hoarder as *mut Hoarder;
    loop {
        // SAFETY: outside waits. The probe saves all registers as they are, here at first where the entry begins, then where
        // an inlined switch has come back.
        unsafe {
            let registers = (*hoarder).registers.as_mut_ptr();
            Native::probe(&raw mut (*hoarder).inside, (*hoarder).outside, 0, registers);
            switch(&raw mut (*hoarder).inside, (*hoarder).outside, 0);
        }
    }
}

/// Whoever looks for addresses on a stack finds those of its own code alone.
#[test]
fn registers_bring_nothing_of_the_code_that_ran() {
    let stack = Stack::new();
    let mut hoarder = Hoarder {
        outside: Context::NULL,
        // SAFETY: a fresh stack, which outlives the last switch.
        inside: unsafe { prepare(stack.top(), hoard) },
        registers: values(1),
    };
    let shared = &raw mut hoarder;
    for round in 2..12 {
        let mut registers = values(round);
        // SAFETY: inside is fresh or waits in a switch to us; a word for every register.
        unsafe {
            let (save, load) = (&raw mut (*shared).outside, (*shared).inside);
            Native::probe(save, load, shared as usize, registers.as_mut_ptr());
        }
        // SAFETY: the live part of a stack that is suspended.
        let live = unsafe {
            let low = (*shared).inside.sp().cast::<usize>();
            slice::from_raw_parts(low, stack.top().cast::<usize>().offset_from(low) as usize)
        };
        let sent = values(round);
        let brought = iter::zip(Native::CALLEE_SAVED, &sent)
            .filter(|(name, value)| !is_vector(name) && live.contains(&(**value as usize)))
            .map(|(name, _)| *name);
        assert_eq!(
            brought.collect::<Vec<_>>(),
            [""; 0],
            "brought to another stack, round {round}"
        );
    }
}

/// Holds no addresses.
fn is_vector(register: &str) -> bool {
    register.starts_with(['d', 'f', 'v'])
}

// ------------------------------------------------------------------------------------------------ alignment

#[repr(align(16))]
struct Aligned(#[allow(dead_code, reason = "only its address counts")] [u8; 16]);

/// The address of a local for which the compiler relies on the alignment of the stack pointer.
#[inline(never)]
fn address_of_aligned_local() -> usize {
    let local = Aligned([0; 16]);
    black_box(&raw const local) as usize
}

/// What an entry that is not wrapped by a fiber has seen, and where it goes back to.
struct Seen {
    outside: Cell<Context>,
    values: [Cell<usize>; 3],
}

impl Seen {
    fn new() -> Self {
        Self {
            outside: Cell::new(Context::NULL),
            values: [const { Cell::new(0) }; 3],
        }
    }

    /// Leaves the entry for good.
    fn leave(&self) -> ! {
        let mut own = Context::NULL;
        // SAFETY: whoever entered waits in the switch that wrote `outside`.
        unsafe { switch(&raw mut own, self.outside.get(), 0) };
        unreachable!("an entry was resumed after it had left")
    }
}

#[test]
fn entry_starts_with_an_aligned_stack() {
    unsafe extern "C" fn start(seen: usize) -> ! {
        let local = Aligned([0; 16]);
        // SAFETY: the address of a `Seen` that waits for us.
        let seen = unsafe { &*(seen as *const Seen) };
        seen.values[0].set(black_box(&raw const local) as usize);
        seen.values[1].set(address_of_aligned_local());
        seen.leave()
    }
    for below in (0..16).map(|i| i * Native::STACK_ALIGN) {
        let stack = Stack::new();
        let seen = Seen::new();
        // SAFETY: the lowered top is still aligned and inside the stack; the fresh context is entered once.
        unsafe {
            switch(
                seen.outside.as_ptr(),
                prepare(stack.top().sub(below), start),
                &raw const seen as usize,
            )
        };
        for address in [&seen.values[0], &seen.values[1]] {
            assert_eq!(
                address.get() % 16,
                0,
                "the stack of an entry is misaligned, top lowered by {below}"
            );
        }
    }
}

// ------------------------------------------------------------------------------------------------ unwinding

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

unsafe extern "C" {
    // The unwinder that std itself uses.
    fn _Unwind_Backtrace(
        trace: extern "C-unwind" fn(*mut c_void, *mut c_void) -> i32,
        arg: *mut c_void,
    ) -> i32;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
    fn _Unwind_FindEnclosingFunction(pc: *mut c_void) -> *mut c_void;
}

/// The functions of the running stack, innermost first.
fn backtrace() -> Vec<*const u8> {
    extern "C-unwind" fn frame(context: *mut c_void, functions: *mut c_void) -> i32 {
        // SAFETY: `functions` is the vector below; a return address lies behind its call, hence the 1.
        unsafe {
            let Some(pc) = _Unwind_GetIP(context).checked_sub(1) else {
                return 0; // libgcc's mark that the stack has ended
            };
            let functions = &mut *functions.cast::<Vec<*const u8>>();
            functions.push(_Unwind_FindEnclosingFunction(pc as *mut c_void).cast());
            if functions.len() < 200 { 0 } else { 5 }
        }
    }
    let mut functions = Vec::new();
    // SAFETY: the callback gets the vector back as its argument.
    unsafe { _Unwind_Backtrace(frame, (&raw mut functions).cast()) };
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
    unsafe { slice::from_raw_parts_mut(top.cast::<usize>(), 4096 / 8) }.fill(beyond as usize + 8);

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

/// Follows the records from ten calls further in; returns how many there are before the one that is no record, and it.
#[inline(never)]
fn walk(depth: usize) -> (usize, usize) {
    if depth > 0 {
        return black_box(walk(black_box(depth - 1)));
    }
    let mut records = 0;
    let mut frame = Native::frame_pointer().cast::<usize>();
    while records < 100 && frame as usize > 0x10000 && frame.is_aligned() {
        records += 1;
        // SAFETY: the tests call this only in builds with frame pointers, where each record holds the address of the next.
        frame = unsafe { frame.read() } as *const usize;
    }
    (records, frame as usize)
}

#[test]
fn frame_pointer_chain_ends_in_zero() {
    unsafe extern "C" fn start(seen: usize) -> ! {
        let frame = Native::frame_pointer();
        // SAFETY: the address of a `Seen` that waits for us.
        let seen = unsafe { &*(seen as *const Seen) };
        seen.values[0].set(frame as usize);
        // Built without frame pointers, an entry finds the zero itself, and compiled code has no chain to follow.
        if !frame.is_null() {
            let (records, end) = walk(10);
            seen.values[1].set(end);
            seen.values[2].set(records);
        }
        seen.leave()
    }
    let stack = Stack::new();
    let seen = Seen::new();
    // The probe enters with something in the frame pointer that ends no chain.
    let mut record = [0x1111_usize; 2];
    let mut registers = vec![record.as_mut_ptr() as u64; Native::CALLEE_SAVED.len()];
    let (save, arg) = (seen.outside.as_ptr(), &raw const seen as usize);
    // SAFETY: a fresh context, entered once; a word for every register.
    unsafe {
        Native::probe(
            save,
            prepare(stack.top(), start),
            arg,
            registers.as_mut_ptr(),
        )
    };

    let [frame, end, records] = seen.values.map(Cell::into_inner);
    let bounds = stack.low() as usize..stack.top() as usize;
    assert!(
        frame == 0 || bounds.contains(&frame),
        "the first record is at {frame:#x}"
    );
    assert!(
        frame == 0 || (11..20).contains(&records),
        "{records} records, ending in {end:#x}"
    );
    assert_eq!(end, 0, "the chain does not end in zero");
}

// ------------------------------------------------------------------------------------------------ memory below sp

const PATTERN: u8 = 0xa5;

#[test]
fn suspension_uses_at_most_a_frame_below_sp() {
    let mut fiber = Fiber::new(|inside, _| {
        let (save, load) = inside.contexts();
        // No call in this loop: whatever is written below the stack pointer is written by the switch.
        loop {
            let sp = Native::stack_pointer() as usize;
            // SAFETY: outside waits in its switch, always at the same depth: `load` stays what it was.
            let go_on = unsafe { switch(save, load, sp) };
            if go_on == 0 {
                return 0;
            }
        }
    });
    assert_eq!(
        fiber.stack.top() as usize - fiber.context().sp() as usize,
        size_of::<<Native as Port>::Frame>()
    );

    let mut resume = {
        #[inline(never)]
        |arg| (fiber.resume(arg), fiber.context(), fiber.stack.low())
    };
    let (_, first, low) = resume(1);
    let below = first.sp() as usize - low as usize;
    // SAFETY: nothing below the stack pointer of a suspended context is in use.
    unsafe { low.write_bytes(PATTERN, below) };
    let (sp, context, _) = resume(1);
    assert_eq!(context, first, "each round suspends at the same depth");
    // SAFETY: inside the stack, whose fiber is suspended.
    let untouched = unsafe { slice::from_raw_parts(low, below) };
    assert_eq!(
        untouched.iter().rposition(|byte| *byte != PATTERN),
        None,
        "written below the frame"
    );
    let used = sp - context.sp() as usize;
    assert!(
        used <= size_of::<<Native as Port>::Frame>(),
        "{used} bytes used below the stack pointer"
    );
    resume(0);
    assert!(fiber.is_done());
}

/// A leaf function but for the switch: its array would lie in the red zone, did the switch not forbid it.
#[inline(never)]
fn leaf(save: *mut Context, load: *const Context, seed: usize) -> usize {
    let mut data = [seed; 12];
    black_box(&mut data);
    // SAFETY: `load` is where the other side was saved, and it waits there.
    let got = unsafe { switch(save, *load, seed) };
    black_box(&mut data);
    let mut intact = 1;
    let mut i = 0;
    while i < 12 {
        // SAFETY: in bounds. Without a check there is no call to a panic, and the function stays a leaf.
        intact &= usize::from(unsafe { *(&raw const data).cast::<usize>().add(i) } == seed);
        i += 1;
    }
    intact & usize::from(got == seed + 1)
}

#[test]
fn red_zone_is_intact() {
    const { assert!(Native::RED_ZONE <= 128) };
    let mut fiber = Fiber::new(|inside, first| {
        let (save, load) = inside.contexts();
        for seed in first.. {
            if leaf(save, &raw const load, seed) == 0 {
                return seed;
            }
        }
        unreachable!()
    });
    for seed in 100..1100 {
        assert_eq!(fiber.resume(seed), seed);
        assert!(
            !fiber.is_done(),
            "data below the stack pointer was overwritten"
        );
    }
}

// ------------------------------------------------------------------------------------------------ threads

fn thread_id() -> usize {
    // SAFETY: no precondition.
    unsafe { libc::syscall(libc::SYS_gettid) as usize }
}

#[test]
fn resumes_on_another_thread() {
    let mut fiber = Fiber::new(|inside, _| {
        let mut seen = 0;
        // One loop, so that the compiler may keep what it likes from before the switch.
        loop {
            assert_eq!(
                thread_word() as usize,
                thread_id(),
                "the word of the thread we were on before"
            );
            seen += 1;
            if inside.suspend(seen) == 0 {
                return thread_id();
            }
            assert_eq!(
                thread_word() as usize,
                thread_id(),
                "the word of the thread we were on before"
            );
        }
    });
    for round in 1..=20 {
        fiber = thread::spawn(move || {
            assert!(thread_word().is_null(), "the word of a new thread is null");
            set_thread_word(thread_id() as *mut ());
            assert_eq!(fiber.resume(1), round);
            fiber
        })
        .join()
        .expect("the thread's asserts hold");
    }
    let before = thread_word();
    set_thread_word(thread_id() as *mut ());
    assert_eq!(fiber.resume(0), thread_id());
    set_thread_word(before);
}

#[test]
fn thread_words_are_separate() {
    let write = |value: usize| {
        set_thread_word(value as *mut ());
        thread::yield_now();
        assert_eq!(thread_word() as usize, value);
    };
    thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || (1..1000).for_each(|round| write((thread << 16) | round)));
        }
    });
}

// ------------------------------------------------------------------------------------------------ faults

static GUARD_LOW: AtomicUsize = AtomicUsize::new(0);
static FAULT: AtomicUsize = AtomicUsize::new(0);
static HITS: AtomicUsize = AtomicUsize::new(0);
static HANDLER_SP: AtomicUsize = AtomicUsize::new(0);
static PROTECT_FAILED: AtomicI32 = AtomicI32::new(0);

/// Notes the address and opens the guard: the instruction runs again, and the code that hit it continues.
///
/// The statics' orderings have no partner: handler and test are one thread.
extern "C" fn on_fault(_signal: i32, info: *mut libc::siginfo_t, _ucontext: *mut c_void) {
    // SAFETY: the kernel passes a valid siginfo.
    let address = unsafe { (*info).si_addr() } as usize;
    let guard = GUARD_LOW.load(Relaxed);
    if HITS.fetch_add(1, Relaxed) > 0 || !(guard..guard + GUARD).contains(&address) {
        // SAFETY: the instruction faults once more, and with the default action the process dies of it.
        unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
        return;
    }
    FAULT.store(address, Relaxed);
    HANDLER_SP.store(Native::stack_pointer() as usize, Relaxed);
    // SAFETY: the guard of the test's stack.
    let result = unsafe {
        libc::mprotect(
            guard as *mut c_void,
            GUARD,
            libc::PROT_READ | libc::PROT_WRITE,
        )
    };
    PROTECT_FAILED.store(result, Relaxed);
}

/// Runs `hit` on a fiber, given the address of its guard; returns the guard's and the fault's address.
fn fault_of(hit: fn(usize) -> usize) -> (usize, usize) {
    const SIGNAL_STACK: usize = 64 << 10;
    let mut signal_stack = vec![0_u8; SIGNAL_STACK];
    let mut fiber = Fiber::new(move |_, guard| hit(guard));
    let guard = fiber.stack.guard() as usize;
    GUARD_LOW.store(guard, Relaxed);
    FAULT.store(0, Relaxed);
    HITS.store(0, Relaxed);
    // SAFETY: plain system calls with structures that outlive them; the old handler and signal stack are put back
    // before ours end.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction =
            on_fault as extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void) as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        let ours = libc::stack_t {
            ss_sp: signal_stack.as_mut_ptr().cast(),
            ss_flags: 0,
            ss_size: SIGNAL_STACK,
        };
        let (mut old_action, mut old_stack) = (mem::zeroed(), mem::zeroed());
        assert_eq!(libc::sigaltstack(&ours, &mut old_stack), 0);
        assert_eq!(libc::sigaction(libc::SIGSEGV, &action, &mut old_action), 0);
        fiber.resume(guard);
        assert_eq!(
            libc::sigaction(libc::SIGSEGV, &old_action, ptr::null_mut()),
            0
        );
        assert_eq!(libc::sigaltstack(&old_stack, ptr::null_mut()), 0);
    }
    assert_eq!(
        (HITS.load(Relaxed), PROTECT_FAILED.load(Relaxed)),
        (1, 0),
        "one fault, after which the fiber went on"
    );
    let handler = HANDLER_SP.load(Relaxed);
    assert!(
        signal_stack
            .as_ptr_range()
            .contains(&(handler as *const u8)),
        "the handler has a stack of its own"
    );
    (guard, FAULT.load(SeqCst))
}

#[test]
fn guard_hit_reports_the_right_address() {
    for offset in [0, 1, 4097, GUARD - 1] {
        POKE.store(offset, Relaxed);
        let (guard, fault) = fault_of(|guard| {
            // SAFETY: inaccessible until the handler opens it, then ours.
            unsafe { ((guard + POKE.load(Relaxed)) as *mut u8).write_volatile(1) };
            0
        });
        assert_eq!(fault, guard + offset, "the address that was written");
    }

    /// Needs more than the stack has, and less than the stack and its guard.
    #[inline(never)]
    fn recurse(low: usize) -> usize {
        let frame = black_box([low; 16]);
        if (&raw const frame as usize) < low {
            1
        } else {
            recurse(low) + black_box(&frame)[3] - low
        }
    }
    let (guard, fault) = fault_of(|guard| recurse(guard + GUARD - 1024));
    assert!(
        (guard + GUARD - 4096..guard + GUARD).contains(&fault),
        "hit {fault:#x}, the guard is at {guard:#x}"
    );
}

/// How far into the guard `guard_hit_reports_the_right_address` writes.
static POKE: AtomicUsize = AtomicUsize::new(0);

// ------------------------------------------------------------------------------------------------ the rest

#[test]
fn prefetch_takes_any_address() {
    let stack = Stack::new();
    for address in [
        ptr::null(),
        stack.guard(),
        stack.low(),
        usize::MAX as *const u8,
        (1_usize << 63) as *const u8,
    ] {
        prefetch(address);
    }
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
