//! Stacks grow while code runs on them, and nothing on them notices.

mod common;

use std::hint::black_box;
use std::sync::atomic::{AtomicPtr, Ordering};

use common::{MIB, below, descend, guarded, on_stack, page, soft_guards};
use goroutines_stack::{Cache, Class, Stack, Step, acquire, acquire_at, growth_faults, release};

const LARGE: Class = common::MIB;

/// Whether the page that holds the byte `below` bytes under the top is in memory.
fn resident(stack: &Stack, below: usize) -> bool {
    common::is_resident(stack.top() as usize - below)
}

/// Writes a byte `below` bytes under the top, as code on the stack could.
fn poke(stack: &Stack, below: usize, value: u8) {
    // SAFETY: the callers stay inside the window and far below their own frames.
    unsafe { stack.top().sub(below).write_volatile(value) };
}

fn peek(stack: &Stack, below: usize) -> u8 {
    // SAFETY: the callers stay inside the window, whose bytes are initialised: by `poke`, or zero as the kernel gave them.
    unsafe { stack.top().sub(below).read_volatile() }
}

#[test]
fn growth_keeps_addresses_and_contents() {
    let stack = guarded(LARGE);
    let before = growth_faults();
    let lowest = on_stack(&stack, || descend(500 << 10));
    assert!(stack.contains(lowest));
    assert!(stack.top() as usize - lowest > 500 << 10);
    assert_eq!(stack.committed(), stack.limit());
    if soft_guards() {
        let steps = growth_faults() - before; // Other tests may add some.
        assert!(steps >= 2, "64 KiB, 256 KiB, to the end: {steps} faults");
    }
}

#[test]
fn growth_goes_step_by_step() {
    if !soft_guards() {
        return;
    }
    let stack = guarded(LARGE);
    let mut seen = vec![stack.committed()];
    for used in [70 << 10, 200 << 10, 300 << 10] {
        on_stack(&stack, || descend(used));
        seen.push(stack.committed());
    }
    let colour = (stack.top() as usize).wrapping_neg() % page();
    let steps = [64 << 10, 256 << 10, 256 << 10, (1 << 20) - (64 << 10)];
    assert_eq!(seen, steps.map(|end| end - colour));
}

#[test]
fn a_strict_start_goes_on_in_the_same_steps_and_counts_exactly() {
    if !soft_guards() || page() != 4096 {
        return;
    }
    // A used stack first: what an earlier goroutine left must not blur the steps.
    let used = acquire(LARGE).unwrap();
    on_stack(&used, || descend(60 << 10));
    release(used);
    let stack = acquire_at(LARGE, Step::STRICT).unwrap();
    assert!(stack.committed() >= 2048);
    assert!(
        !resident(&stack, 10 << 10),
        "the rest of the first 64 KiB went to the kernel"
    );
    let mut seen = vec![stack.committed()];
    for used in [6 << 10, 30 << 10, 100 << 10, 300 << 10] {
        on_stack(&stack, || descend(used));
        seen.push(stack.committed());
    }
    let colour = (stack.top() as usize).wrapping_neg() % page();
    let steps = [
        4 << 10,
        16 << 10,
        64 << 10,
        256 << 10,
        (1 << 20) - (64 << 10),
    ];
    assert_eq!(seen, steps.map(|end| end - colour));
}

#[test]
fn each_step_of_a_strict_start_is_one_fault_at_its_end() {
    if !soft_guards() || page() != 4096 {
        return;
    }
    let stack = acquire_at(LARGE, Step::STRICT).unwrap();
    for end in [4 << 10, 16 << 10, 64 << 10, 256 << 10_usize] {
        let colour = (stack.top() as usize).wrapping_neg() % page();
        let committed = stack.committed();
        assert_eq!(committed, end - colour);
        if end > 4 << 10 {
            // The last byte of the step is there; the code that runs the job needs the whole first page.
            on_stack(&stack, || poke(&stack, committed, 1));
            assert_eq!(stack.committed(), committed);
        }
        on_stack(&stack, || poke(&stack, committed + 1, 1));
        assert!(stack.committed() > committed);
    }
    assert_eq!(stack.committed(), stack.limit());
}

#[test]
fn a_strict_stack_comes_back_without_its_guard() {
    let mut cache = Cache::new();
    for deep in [0, 5 << 10, 40 << 10, 500 << 10] {
        let stack = cache.acquire_at(LARGE, Step::STRICT).unwrap();
        on_stack(&stack, || descend(deep));
        cache.release(stack);
        let stack = cache.acquire(LARGE).unwrap();
        let before = growth_faults();
        on_stack(&stack, || descend(900 << 10));
        assert_eq!(stack.committed(), stack.limit());
        assert!(growth_faults() - before < 20, "of other tests");
        cache.release(stack);
    }
}

#[test]
fn a_later_start_grows_without_faults() {
    for (bytes, deep) in [(200 << 10, 190 << 10), (1 << 20, 900 << 10)] {
        let start = Step::for_start(bytes).unwrap();
        let stack = acquire_at(LARGE, start).unwrap();
        let committed = stack.committed();
        assert!(committed >= deep);
        on_stack(&stack, || descend(deep));
        assert_eq!(stack.committed(), committed);
    }
}

#[test]
fn every_class_can_be_used_down_to_its_hard_guard() {
    for &class in Class::usable() {
        let stack = acquire(class).unwrap();
        on_stack(&stack, || descend((stack.limit() / 10 * 6).min(20 << 20)));
        on_stack(&stack, || poke(&stack, stack.limit(), 1));
        assert_eq!(peek(&stack, stack.limit()), 1);
    }
}

#[test]
fn a_frame_larger_than_a_step_grows_through_its_probes() {
    #[inline(never)]
    fn large() -> u8 {
        let mut frame = [7u8; 300_000];
        black_box(&mut frame)[299_999]
    }
    let stack = guarded(MIB);
    assert_eq!(on_stack(&stack, large), 7);
    assert_eq!(stack.committed(), stack.limit());
}

#[test]
fn c_frames_grow() {
    // libc's qsort calls back into Rust, which sorts again, one level deeper: C and Rust frames in turn.
    extern "C" fn compare(a: *const libc::c_void, b: *const libc::c_void) -> libc::c_int {
        // SAFETY: `sort` gives qsort an array of `u32`.
        let (a, b) = unsafe { (*a.cast::<u32>(), *b.cast::<u32>()) };
        let depth = a.max(b);
        if depth > 1 {
            sort(depth - 1);
        }
        a.cmp(&b) as libc::c_int
    }
    fn sort(depth: u32) {
        let mut values = [depth, depth - 1];
        let frame = black_box([depth; 100]);
        // SAFETY: the array has two elements of four bytes, and `compare` expects such elements.
        unsafe { libc::qsort(values.as_mut_ptr().cast(), 2, 4, Some(compare)) };
        assert_eq!(values, [depth - 1, depth]);
        assert!(black_box(frame).iter().all(|&word| word == depth));
    }
    let stack = guarded(MIB);
    on_stack(&stack, || sort(100));
    assert!(
        stack.committed() > 64 << 10,
        "100 levels were not deep enough"
    );
}

#[test]
fn a_guard_is_not_placed_in_a_frame_that_stepped_over_one() {
    if !soft_guards() {
        return;
    }
    // What C code without stack probes does: a frame over two steps, of which nothing was touched yet, or was swapped out.
    let stack = guarded(LARGE);
    let deep = 300 << 10;
    below(&stack, deep, || poke(&stack, (64 << 10) + 2 * 1024, 1));
    assert_eq!(stack.committed(), stack.limit(), "a guard in the frame");
    // Far below the stack pointer there is room for one.
    let stack = acquire_at(LARGE, Step::STRICT).unwrap();
    below(&stack, 32 << 10, || poke(&stack, 6 << 10, 1));
    assert!((60 << 10..=64 << 10).contains(&stack.committed()));
    // What lay there is dead, whatever the kernel knows of it.
    let stack = guarded(LARGE);
    poke(&stack, (256 << 10) + 2 * 1024, 9);
    on_stack(&stack, || descend(100 << 10));
    assert!((252 << 10..=256 << 10).contains(&stack.committed()));
}

#[test]
fn a_fault_from_another_stack_leaves_no_guard_behind() {
    if !soft_guards() {
        return;
    }
    // A handler on the signal stack touches the guard of the stack that it interrupted, whose depth is not known then.
    static PLACE: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
    extern "C" fn handler(_: libc::c_int) {
        // SAFETY: the address that is stored below, in a guarded stack.
        unsafe { PLACE.load(Ordering::Relaxed).write_volatile(1) };
    }
    let stack = guarded(LARGE);
    let place = stack.top().wrapping_sub((64 << 10) + 2 * 1024);
    PLACE.store(place, Ordering::Relaxed);
    on_stack(&stack, || {
        // SAFETY: the action has the type that its flags announce; the signal goes to this thread.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_ONSTACK;
            assert_eq!(
                libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut()),
                0
            );
            assert_eq!(libc::raise(libc::SIGUSR2), 0);
        }
    });
    assert_eq!(peek(&stack, (64 << 10) + 2 * 1024), 1);
    assert_eq!(stack.committed(), stack.limit());
}

#[test]
fn a_reserved_part_has_no_guard_and_touches_no_memory() {
    let stack = acquire_at(LARGE, Step::STRICT).unwrap();
    // SAFETY: nothing lives on the stack.
    unsafe { stack.trim(stack.top().sub(64)) }; // What another test has used.
    let before = growth_faults();
    let deep = (40 << 10).max(3 * page());
    on_stack(&stack, || {
        // SAFETY: this runs on the stack, far above.
        unsafe { stack.reserve(stack.top().wrapping_sub(deep)).unwrap() };
    });
    assert!(stack.committed() >= deep);
    assert!(!resident(&stack, deep / 4 * 3));
    let committed = stack.committed();
    on_stack(&stack, || descend(deep - 2048));
    // SAFETY: nothing runs on it; it is there already.
    unsafe { stack.reserve(stack.top().wrapping_sub(2048)).unwrap() };
    assert_eq!(stack.committed(), committed);
    assert!(growth_faults() - before < 20, "of other tests");
    let paged = acquire(LARGE).unwrap();
    // SAFETY: nothing runs on the stack.
    unsafe { paged.reserve(paged.top().wrapping_sub(900 << 10)).unwrap() };
    assert_eq!(paged.committed(), paged.limit());
}

#[test]
fn a_stack_that_nobody_asked_a_start_for_has_no_soft_guard() {
    for &class in Class::usable() {
        let stack = acquire(class).unwrap();
        assert_eq!(stack.committed(), stack.limit());
    }
    let mut cache = Cache::new();
    let strict = cache.acquire_at(LARGE, Step::STRICT).unwrap();
    cache.release(strict);
    let paged = cache.acquire(LARGE).unwrap();
    assert_eq!(paged.committed(), paged.limit());
}

#[test]
fn a_growth_fault_preserves_errno() {
    let stack = guarded(MIB);
    let errno = on_stack(&stack, || {
        nix::errno::Errno::set_raw(4242);
        poke(&stack, (64 << 10) + 2 * 1024, 1);
        nix::errno::Errno::last_raw()
    });
    assert!(stack.committed() > 64 << 10, "it did not fault");
    assert_eq!(errno, 4242);
}

#[test]
fn a_panic_unwinds_through_a_grown_stack() {
    #[inline(never)]
    fn dig(depth: usize) -> usize {
        let frame = black_box([depth; 64]);
        assert!(depth > 0, "the bottom");
        dig(depth - 1) + frame[0]
    }
    let stack = guarded(MIB);
    let caught = std::panic::catch_unwind(|| on_stack(&stack, || dig(120)));
    let text = *caught.unwrap_err().downcast::<&str>().unwrap();
    assert_eq!(text, "the bottom");
    assert!(stack.committed() > 64 << 10);
}

#[test]
fn a_stack_grows_on_another_thread_than_it_started_on() {
    let stack = guarded(LARGE);
    on_stack(&stack, || descend(1 << 10));
    let stack = std::thread::spawn(move || {
        on_stack(&stack, || descend(100 << 10));
        stack
    })
    .join()
    .unwrap();
    on_stack(&stack, || descend(400 << 10));
    assert_eq!(stack.committed(), stack.limit());
}

#[test]
fn a_reused_stack_keeps_its_memory_for_the_next() {
    for &class in &Class::usable()[1..] {
        let mut cache = Cache::new();
        let stack = cache.acquire(class).unwrap();
        let top = stack.top() as usize;
        on_stack(&stack, || descend(100 << 10));
        cache.release(stack);
        let stack = cache.acquire(class).unwrap();
        assert_eq!(stack.top() as usize, top, "the cache is last in, first out");
        assert!(resident(&stack, 90 << 10));
    }
}

#[test]
fn a_stack_that_starts_guarded_again_begins_with_what_it_was_asked_for() {
    if !soft_guards() {
        return;
    }
    let mut cache = Cache::new();
    let stack = cache.acquire_at(LARGE, Step::STRICT).unwrap();
    on_stack(&stack, || descend(100 << 10)); // The guard now stands 256 KiB down.
    cache.release(stack);
    let stack = cache.acquire_at(LARGE, Step::STRICT).unwrap();
    assert!(stack.committed() <= page());
    assert!(!resident(&stack, 90 << 10), "the memory went to the kernel");
    let old_guard = (256 << 10) + 2 * 1024;
    poke(&stack, old_guard, 5);
    assert_eq!(peek(&stack, old_guard), 5);
}

#[test]
fn what_a_stack_was_used_for_is_seen_at_a_depth() {
    let stack = acquire(LARGE).unwrap();
    // SAFETY: nothing lives on the stack.
    unsafe { stack.trim(stack.top().sub(64)) }; // What another test has used.
    let part = (10 << 10).max(page());
    on_stack(&stack, || descend(10 * part));
    assert!(stack.has_used_beyond(part));
    assert!(stack.has_used_beyond(9 * part));
    assert!(!stack.has_used_beyond(30 * part));
    for beyond in [stack.limit(), stack.limit() + 1, usize::MAX] {
        assert!(!stack.has_used_beyond(beyond));
    }
}

#[test]
fn a_fresh_stack_costs_no_page_until_it_is_used() {
    let stack = acquire(MIB).unwrap();
    let used = (0..stack.limit() - 64).step_by(page());
    let count = |stack: &Stack| used.clone().filter(|&i| resident(stack, i + 1)).count();
    // The stack may have been used before, by another test: then it may have memory.
    release(stack);
    let fresh: Vec<Stack> = (0..200).map(|_| acquire(MIB).unwrap()).collect();
    let last = fresh.last().unwrap();
    assert_eq!(count(last), 0);
    on_stack(last, || ());
    assert_eq!(count(last), 1);
}

#[test]
fn many_threads_grow_and_reuse_stacks_at_once() {
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            scope.spawn(move || {
                let mut cache = Cache::new();
                for round in 0..100_usize {
                    let class = Class::usable()[(round + thread) % 3];
                    let stack = cache.acquire(class).unwrap();
                    let deep = stack.limit() / (2 + round % 5);
                    let lowest = on_stack(&stack, || descend(deep));
                    assert!(stack.contains(lowest));
                    match round % 4 {
                        0 => release(stack),
                        _ => cache.release(stack),
                    }
                }
            });
        }
    });
}
