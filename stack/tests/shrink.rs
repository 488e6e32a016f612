//! Memory that stacks do not need goes back to the kernel. A process of its own, because the shared lists are looked at.

mod common;

use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{MIB, descend, on_stack, page};
use goroutines_stack::{Stack, acquire, give_back_idle, release};

fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Pages of the stack that are in memory.
fn resident(stack: &Stack) -> usize {
    pages(stack.top() as usize - stack.limit(), stack.top() as usize)
}

fn pages(from: usize, to: usize) -> usize {
    let low = from & !(page() - 1);
    let starts = (low..to).step_by(page());
    starts.filter(|start| common::is_resident(*start)).count()
}

#[test]
fn a_parked_stack_keeps_what_is_above_its_stack_pointer_only() {
    let _turn = alone();
    for (class, deep) in [(MIB, 50 << 10), (MIB, 150 << 10), (MIB, 900 << 10)] {
        let stack = acquire(class).unwrap();
        on_stack(&stack, || descend(deep));
        let committed = stack.committed();
        assert!(resident(&stack) > deep / page());
        // SAFETY: inside the stack, on which nothing runs.
        unsafe { stack.top().sub(700).write_volatile(7) };
        // SAFETY: nothing waits on the stack but that byte.
        unsafe { stack.trim(stack.top().sub(700)) };
        assert!(resident(&stack) <= 2);
        // SAFETY: inside the stack, on which nothing runs, and above what `trim` may take.
        assert_eq!(unsafe { stack.top().sub(700).read_volatile() }, 7);
        // It is as usable as it was, and no guard has come back.
        assert_eq!(stack.committed(), committed);
        on_stack(&stack, || descend(deep));
        assert_eq!(stack.committed(), committed);
    }
}

#[test]
fn a_stack_pointer_that_is_not_of_this_stack_trims_nothing() {
    let _turn = alone();
    let stack = acquire(MIB).unwrap();
    on_stack(&stack, || descend(50 << 10));
    let before = resident(&stack);
    let elsewhere = 0_u8;
    // SAFETY: nothing waits on the stack.
    unsafe { stack.trim(&raw const elsewhere) };
    // SAFETY: nothing waits on the stack: no byte of it is needed.
    unsafe { stack.trim(stack.top().sub(stack.limit())) };
    assert_eq!(resident(&stack), before);
}

#[test]
fn windows_that_nobody_takes_give_back_even_their_first_page() {
    let _turn = alone();
    let stacks: Vec<Stack> = (0..100).map(|_| acquire(MIB).unwrap()).collect();
    let bounds: Vec<(usize, usize)> = stacks
        .iter()
        .map(|stack| (stack.top() as usize - stack.limit(), stack.top() as usize))
        .collect();
    for stack in &stacks {
        on_stack(stack, || descend(30 << 10));
    }
    stacks.into_iter().for_each(release);
    let in_memory = || {
        bounds
            .iter()
            .map(|&(low, high)| pages(low, high))
            .sum::<usize>()
    };
    let used = 100 * ((28 << 10) / page()).max(1);
    assert!(in_memory() >= used);
    assert!(
        give_back_idle(),
        "there are windows that the next call finds idle"
    );
    assert!(
        in_memory() >= used,
        "the stacks were not idle for a while yet"
    );
    // The one that is used meanwhile stays warm.
    drop(acquire(MIB).unwrap());
    give_back_idle();
    assert!(in_memory() <= 9, "{} pages", in_memory());
    assert!(in_memory() > 0, "the warm one");
    drop(acquire(MIB).unwrap());
    give_back_idle();
    give_back_idle();
    assert_eq!(in_memory(), 0);
    assert!(!give_back_idle(), "nothing is left to find");
    // None is lost: all of them are taken again before a fresh one.
    let again: Vec<Stack> = (0..100).map(|_| acquire(MIB).unwrap()).collect();
    let tops: Vec<usize> = again.iter().map(|stack| stack.top() as usize).collect();
    assert!(bounds.iter().all(|(_, top)| tops.contains(top)));
    again.iter().for_each(|stack| {
        on_stack(stack, || descend(30 << 10));
    });
}
