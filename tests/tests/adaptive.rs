//! A spawn site learns how much stack its goroutines need.

use std::hint::black_box;

use goroutines::{Builder, chan, go};
use goroutines_sched::growth_faults;
use goroutines_tests::start;

/// Uses `bytes` of stack.
fn dig(bytes: usize) -> usize {
    #[inline(never)]
    fn down(goal: usize) -> usize {
        let frame = black_box([goal; 50]);
        let here = frame.as_ptr() as usize;
        if here > goal {
            down(goal).max(frame[7])
        } else {
            here
        }
    }
    let top = black_box(0_u8);
    down(&raw const top as usize - bytes)
}

/// Growth faults while `f` runs. The tests of this file are one test, so that nobody else's count.
fn faults(f: impl FnOnce()) -> u64 {
    let before = growth_faults();
    f();
    growth_faults() - before
}

fn soft_guards() -> bool {
    faults(|| {
        go(|| dig(70 << 10)).join().unwrap();
    }) == 1
}

#[test]
fn a_site_learns_what_it_needs_and_forgets_it_again() {
    start(1);
    if !soft_guards() {
        eprintln!("no soft guards here: nothing to learn");
        return;
    }
    one_after_the_other();
    many_at_once();
    later_steps_of_larger_windows();
    it_falls_again();
}

fn one_after_the_other() {
    let rounds = |n: usize| {
        for _ in 0..n {
            go(|| dig(100 << 10)).join().unwrap();
        }
    };
    assert_eq!(faults(|| rounds(1)), 1, "the first one grows");
    assert_eq!(faults(|| rounds(1000)), 0, "the others start there");
    // Others are not affected: they start, and grow, as ever.
    assert_eq!(faults(|| drop(go(|| dig(90 << 10)).join())), 1);
}

fn many_at_once() {
    let wave = |n: usize| {
        let (gate, closed) = chan::bounded::<()>(0);
        let (tell, told) = chan::unbounded();
        let all: Vec<_> = (0..n)
            .map(|_| {
                let (closed, tell) = (closed.clone(), tell.clone());
                go(move || {
                    dig(100 << 10);
                    tell.send(()).unwrap();
                    closed.recv().unwrap_err();
                })
            })
            .collect();
        told.iter().take(n).for_each(drop);
        drop(gate);
        all.into_iter().for_each(|one| one.join().unwrap());
    };
    assert_eq!(faults(|| wave(500)), 500, "none has ended while they grow");
    assert_eq!(faults(|| wave(500)), 0);
}

fn later_steps_of_larger_windows() {
    let round = || {
        let one = Builder::new().stack_size(64 << 20).spawn(|| dig(3 << 20));
        one.unwrap().join().unwrap();
    };
    assert_eq!(faults(round), 3, "64 KiB, 256 KiB, 1 MiB");
    assert_eq!(faults(|| (0..20).for_each(|_| round())), 0);
}

fn it_falls_again() {
    let round = |bytes: usize| {
        go(move || dig(bytes)).join().unwrap();
    };
    assert_eq!(faults(|| round(100 << 10)), 1);
    assert_eq!(faults(|| round(100 << 10)), 0);
    // Now and then it is needed: that keeps it.
    let seldom = || {
        for i in 0..2000 {
            round(if i % 2 == 0 { 100 << 10 } else { 100 });
        }
    };
    assert_eq!(faults(seldom), 0);
    // Never any more: it falls, and is learned again when it is needed again.
    for _ in 0..5000 {
        round(100);
    }
    assert_eq!(faults(|| round(100 << 10)), 1, "it has not fallen");
    assert_eq!(faults(|| round(100 << 10)), 0);
}
