//! The same programs on our switch and on corosensei's: everything they do must be the same.
//!
//! A program is a function that suspends through a closure and does not know what runs it. The driver feeds both with the
//! same numbers and compares the events one by one.
#![cfg(not(any(target_arch = "s390x", target_arch = "powerpc64")))]

mod fiber;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use fiber::{Fiber, SIZE};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};

/// Suspends with a value, and returns what the next resumption brings.
type Suspend<'a> = &'a mut dyn FnMut(usize) -> usize;
/// Gets the first number and returns the last.
type Program = fn(Suspend<'_>, usize) -> usize;

/// What a resumption leads to.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    Suspended(usize),
    Returned(usize),
    Panicked(usize),
}

trait Runner {
    fn new(program: Program) -> Self;
    fn run(&mut self, number: usize) -> Event;

    /// The next event; a panic of the program is one.
    fn next(&mut self, number: usize) -> Event {
        catch_unwind(AssertUnwindSafe(|| self.run(number))).unwrap_or_else(|payload| {
            Event::Panicked(*payload.downcast().expect("the programs' payload"))
        })
    }
}

impl Runner for Fiber {
    fn new(program: Program) -> Self {
        Fiber::new(move |inside, first| program(&mut |value| inside.suspend(value), first))
    }

    fn run(&mut self, number: usize) -> Event {
        let value = self.resume(number);
        if self.is_done() {
            Event::Returned(value)
        } else {
            Event::Suspended(value)
        }
    }
}

type Oracle = Coroutine<usize, usize, usize>;

impl Runner for Oracle {
    fn new(program: Program) -> Self {
        let stack = DefaultStack::new(SIZE).expect("memory for a stack");
        Coroutine::with_stack(stack, move |yielder, first| {
            program(&mut |value| yielder.suspend(value), first)
        })
    }

    fn run(&mut self, number: usize) -> Event {
        match self.resume(number) {
            CoroutineResult::Yield(value) => Event::Suspended(value),
            CoroutineResult::Return(value) => Event::Returned(value),
        }
    }
}

/// A small generator of numbers (xorshift).
struct Numbers(u64);

impl Iterator for Numbers {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Some(self.0 as usize)
    }
}

/// Runs a program to its end under `R`, at most `limit` resumptions.
fn events<R: Runner>(program: Program, limit: usize) -> Vec<Event> {
    let mut runner = R::new(program);
    let mut events = Vec::new();
    for number in Numbers(0x2545_f491_4f6c_dd1d).take(limit) {
        events.push(runner.next(number));
        if !matches!(events.last(), Some(Event::Suspended(_))) {
            break;
        }
    }
    events
}

#[track_caller]
fn same(program: Program, limit: usize) -> Vec<Event> {
    let (ours, theirs) = (
        events::<Fiber>(program, limit),
        events::<Oracle>(program, limit),
    );
    assert_eq!(ours, theirs);
    assert!(ours.len() > 1, "the program suspends");
    ours
}

fn fibonacci(suspend: Suspend<'_>, first: usize) -> usize {
    let (mut a, mut b) = (0_usize, first);
    for _ in 0..1000 {
        let got = suspend(a);
        (a, b) = (b, a.wrapping_add(b) ^ (got & 1));
    }
    b
}

#[test]
fn generator() {
    assert_eq!(same(fibonacci, 2000).len(), 1001);
}

/// Suspends on the way down and up, at a depth that the numbers decide.
fn tree(suspend: Suspend<'_>, first: usize) -> usize {
    #[inline(never)]
    fn node(suspend: Suspend<'_>, depth: usize, number: usize) -> usize {
        let mut local = black_box([number; 8]);
        if depth == 0 {
            return suspend(number);
        }
        let left = if number & 1 == 0 {
            suspend(depth)
        } else {
            number >> 1
        };
        local[depth % 8] ^= node(suspend, depth - 1, left);
        let right = if number & 2 == 0 {
            suspend(!depth)
        } else {
            number >> 2
        };
        local[(depth + 1) % 8] ^= node(suspend, depth - 1, right);
        local
            .into_iter()
            .fold(depth, |sum, word| sum.rotate_left(5) ^ word)
    }
    node(suspend, 11, first)
}

#[test]
fn recursion_with_switches_at_different_depths() {
    assert!(same(tree, usize::MAX).len() > 2048);
}

/// Floating point and wide integers, alive across every switch.
fn arithmetic(suspend: Suspend<'_>, first: usize) -> usize {
    let (mut x, mut y, mut wide) = (first as f64, 1.5_f32, first as u128);
    for _ in 0..500 {
        let got = suspend(x.to_bits() as usize);
        x = (x + got as f64).sqrt().mul_add(1.25, f64::from(y));
        y = (y * 1.01 + (got & 7) as f32).fract();
        wide = wide.wrapping_mul(0x1_0000_0001_0000_0001) + got as u128;
    }
    (x.to_bits() as usize) ^ (y.to_bits() as usize) ^ (wide >> 64) as usize
}

/// Without NEON, corosensei's list of clobbers for arm lacks d8 to d15: its clobbers q4 to q7 are ignored then.
const ORACLE_KEEPS_FLOATS: bool = cfg!(not(target_arch = "arm"));

#[test]
fn values_of_all_kinds() {
    if !ORACLE_KEEPS_FLOATS {
        assert_eq!(events::<Fiber>(arithmetic, 1000).len(), 501);
        return;
    }
    assert_eq!(same(arithmetic, 1000).len(), 501);
}

fn panics(suspend: Suspend<'_>, first: usize) -> usize {
    let mut got = first;
    for round in 0..10 {
        got = suspend(got ^ round);
    }
    panic_any(got)
}

#[test]
fn panic_reaches_who_resumed() {
    let events = same(panics, 100);
    assert!(
        matches!(events.last(), Some(Event::Panicked(_))),
        "{events:?}"
    );
    assert_eq!(events.len(), 11);
}

/// Catches a panic from deep inside and suspends in the middle of the clean-up, again and again.
fn recovers(suspend: Suspend<'_>, first: usize) -> usize {
    struct Bomb(usize);
    let mut sum = first;
    for round in 0..50 {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let got = suspend(round);
            #[inline(never)]
            fn deep(depth: usize, got: usize) -> usize {
                if depth == 0 {
                    panic_any(Bomb(got));
                }
                deep(depth - 1, got) + 1
            }
            deep(got % 20, got)
        }));
        let bomb = caught
            .expect_err("it panics")
            .downcast::<Bomb>()
            .expect("a bomb");
        sum = suspend(sum.wrapping_add(bomb.0));
    }
    sum
}

#[test]
fn panics_caught_inside_between_switches() {
    assert_eq!(same(recovers, 1000).len(), 101);
}

/// Resumes another program of its own kind: contexts inside contexts.
fn nested<R: Runner>(suspend: Suspend<'_>, first: usize) -> usize {
    let mut inner = R::new(tree);
    let mut got = first;
    for _ in 0..300 {
        match inner.next(got) {
            Event::Suspended(value) => got = suspend(value),
            event => unreachable!("{event:?}: the tree has more than 300 nodes"),
        }
    }
    // The inner one is finished, for corosensei unwinds what is dropped half way.
    loop {
        match inner.next(got) {
            Event::Suspended(value) => got = value.rotate_left(9),
            Event::Returned(value) => return value,
            Event::Panicked(value) => unreachable!("the tree does not panic: {value}"),
        }
    }
}

#[test]
fn contexts_inside_contexts() {
    let (ours, theirs) = (
        events::<Fiber>(nested::<Fiber>, 1000),
        events::<Oracle>(nested::<Oracle>, 1000),
    );
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 301);
}

/// Many at a time, resumed in an order the numbers decide, each at its own place.
#[test]
fn many_in_random_order() {
    fn interleaved<R: Runner>() -> Vec<(usize, Event)> {
        let third = match ORACLE_KEEPS_FLOATS {
            true => arithmetic,
            false => fibonacci,
        };
        let programs: [Program; 4] = [fibonacci, tree, third, panics];
        let mut running: Vec<_> = (0..64).map(|i| (i, R::new(programs[i % 4]))).collect();
        let mut events = Vec::new();
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        while !running.is_empty() && events.len() < 100_000 {
            let chosen = numbers.next().unwrap_or_default() % running.len();
            let number = numbers.next().unwrap_or_default();
            let (name, runner) = &mut running[chosen];
            events.push((*name, runner.next(number)));
            if !matches!(events.last(), Some((_, Event::Suspended(_)))) {
                running.swap_remove(chosen);
            }
        }
        assert!(running.is_empty(), "all end within the limit");
        events
    }
    assert!(
        interleaved::<Fiber>() == interleaved::<Oracle>(),
        "the events differ"
    );
}
