//! Windows are handed out once, come back warm, and none is lost.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

mod common;

use common::MIB;
use goroutines_stack::{Cache, Class, Stack, acquire, release, reserve, unreserve};

/// The shared lists are the process's: tests that look at their order take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn base(stack: &Stack) -> usize {
    (stack.top() as usize - 1) & !(stack.class().window() - 1)
}

#[test]
fn windows_do_not_overlap_and_are_aligned() {
    let _turn = alone();
    for &class in Class::usable() {
        let count = common::at_most(1000, class);
        let stacks: Vec<Stack> = (0..count).map(|_| acquire(class).unwrap()).collect();
        let bases: HashSet<usize> = stacks.iter().map(base).collect();
        assert_eq!(bases.len(), count);
        for stack in &stacks {
            assert_eq!(stack.class(), class);
            assert_eq!(stack.top() as usize % 16, 0);
            assert!(stack.contains(stack.top() as usize - 1));
            assert!(stack.contains(base(stack)));
            assert!(!stack.contains(base(stack) - 1));
            assert!(!stack.contains(base(stack) + class.window()));
        }
    }
}

#[test]
fn tops_have_sixteen_colours_and_leave_two_kilobytes_of_the_first_page() {
    let _turn = alone();
    let stacks: Vec<Stack> = (0..256).map(|_| acquire(MIB).unwrap()).collect();
    let offsets: HashSet<usize> = stacks.iter().map(|s| s.top() as usize % 4096).collect();
    assert_eq!(offsets.len(), 16);
    for offset in offsets {
        let left = if offset == 0 { 4096 } else { offset };
        assert!((2048..=4096).contains(&left), "{left}");
    }
}

#[test]
fn a_cache_is_last_in_first_out() {
    let _turn = alone();
    let mut cache = Cache::new();
    let stacks: Vec<Stack> = (0..10).map(|_| cache.acquire(MIB).unwrap()).collect();
    let tops: Vec<usize> = stacks.iter().map(|s| s.top() as usize).collect();
    for stack in stacks {
        cache.release(stack);
    }
    for &top in tops.iter().rev() {
        let stack = cache.acquire(MIB).unwrap();
        assert_eq!(stack.top() as usize, top);
        std::mem::forget(stack); // Lost on purpose: it must not come back while the order is looked at.
    }
}

#[test]
fn a_full_cache_keeps_the_warmest_and_passes_the_rest_on() {
    let _turn = alone();
    let mut cache = Cache::new();
    let stacks: Vec<Stack> = (0..200).map(|_| cache.acquire(MIB).unwrap()).collect();
    let warmest: Vec<usize> = stacks[168..].iter().rev().map(base).collect();
    let all: HashSet<usize> = stacks.iter().map(base).collect();
    for stack in stacks {
        cache.release(stack);
    }
    // It keeps 64, some of them fresh, and passes 16 on at a time: the last 32 are certainly there, warmest first.
    let kept: Vec<Stack> = (0..32).map(|_| cache.acquire(MIB).unwrap()).collect();
    assert_eq!(kept.iter().map(base).collect::<Vec<_>>(), warmest);
    // At least 136 of 200 are on the shared list, where others find them.
    let others: Vec<Stack> = (0..136).map(|_| acquire(MIB).unwrap()).collect();
    assert!(others.iter().all(|s| all.contains(&base(s))));
}

#[test]
fn a_drained_cache_gives_everything_back() {
    let _turn = alone();
    let mut cache = Cache::new();
    let stacks: Vec<Stack> = (0..40).map(|_| cache.acquire(MIB).unwrap()).collect();
    let before: HashSet<usize> = stacks.iter().map(base).collect();
    stacks.into_iter().for_each(|stack| cache.release(stack));
    cache.drain();
    let after: Vec<Stack> = (0..40).map(|_| acquire(MIB).unwrap()).collect();
    assert!(after.iter().all(|s| before.contains(&base(s))));
}

#[test]
fn a_dropped_stack_is_the_next_one_acquired() {
    let _turn = alone();
    let stack = acquire(MIB).unwrap();
    let top = stack.top();
    drop(stack);
    let stack = acquire(MIB).unwrap();
    assert_eq!(stack.top(), top);
    release(stack);
    assert_eq!(acquire(MIB).unwrap().top(), top);
}

#[test]
fn no_window_is_handed_out_twice_at_once() {
    let _turn = alone();
    let in_use = Mutex::new(HashSet::new());
    std::thread::scope(|scope| {
        for seed in 0..4usize {
            let in_use = &in_use;
            scope.spawn(move || {
                let mut cache = Cache::new();
                let mut held = Vec::new();
                for i in 0..3000 {
                    let wave = (i / 150 + seed) % 2 == 0;
                    if wave {
                        let stack = match i % 7 {
                            0 => acquire(MIB).unwrap(),
                            _ => cache.acquire(MIB).unwrap(),
                        };
                        assert!(in_use.lock().unwrap().insert(base(&stack)));
                        held.push(stack);
                    } else if let Some(stack) = held.pop() {
                        assert!(in_use.lock().unwrap().remove(&base(&stack)));
                        match i % 7 {
                            0 => release(stack),
                            _ => cache.release(stack),
                        }
                    }
                }
                let mut in_use = in_use.lock().unwrap();
                held.iter()
                    .for_each(|stack| assert!(in_use.remove(&base(stack))));
            });
        }
    });
    assert!(in_use.lock().unwrap().is_empty());
}

#[test]
fn admissions_can_be_given_back_but_not_more_than_were_granted() {
    let _turn = alone();
    reserve(MIB, 10).unwrap();
    unreserve(MIB, 10);
    let panic = std::panic::catch_unwind(|| unreserve(MIB, 1)).unwrap_err();
    let text = panic.downcast::<String>().unwrap();
    assert!(
        text.contains("unreserve: 1 stacks of 1048576 bytes"),
        "{text}"
    );
    reserve(MIB, 1).unwrap();
    unreserve(MIB, 1);
}

#[test]
fn an_impossible_reservation_is_an_error_and_admits_nothing() {
    let _turn = alone();
    for windows in [isize::MAX.cast_unsigned() / 2, usize::MAX] {
        let error = reserve(MIB, windows).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::OutOfMemory);
        let text = error.to_string();
        assert!(text.contains("goroutine stacks of 1048576 bytes"), "{text}");
        assert!(text.contains("RLIMIT_AS"), "{text}");
    }
    reserve(MIB, 1).unwrap();
    unreserve(MIB, 1);
    acquire(MIB).unwrap();
}
