//! Stacks keep the memory that was used on them for the next goroutines: deep calls fault once, not each time.

use std::hint::black_box;

use goroutines::{Builder, chan, go};
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

/// Page faults of this process while `f` runs. The tests of this file are one test, so that no others' count.
fn faults(f: impl FnOnce()) -> i64 {
    let now = || {
        // SAFETY: all zeroes is a valid rusage, which getrusage fills.
        unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &raw mut usage), 0);
            usage.ru_minflt
        }
    };
    let before = now();
    f();
    now() - before
}

#[test]
fn memory_of_stacks_is_there_for_the_next_goroutines() {
    if std::env::var_os("GOROUTINE_STACK_START").is_some() {
        eprintln!("guarded stacks give their memory back when they start again");
        return;
    }
    start(1);
    one_after_the_other();
    many_at_once();
    larger_windows();
}

const DEEP: usize = 400 << 10;
const PAGES: i64 = (DEEP / 4096) as i64;

fn one_after_the_other() {
    let rounds = |n: usize| {
        for _ in 0..n {
            go(|| dig(DEEP)).join().unwrap();
        }
    };
    assert!(faults(|| rounds(1)) >= PAGES, "the first one");
    assert!(faults(|| rounds(1000)) < 3 * PAGES, "the others");
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
    let first = faults(|| wave(500));
    assert!(first >= 400 * 25, "each uses 25 pages: {first}");
    let second = faults(|| wave(500));
    assert!(second < first / 4, "{second} after {first}");
}

fn larger_windows() {
    // From a goroutine: its P has the stack of the one before at hand.
    let rounds = |n: usize| {
        let spawner = go(move || {
            for _ in 0..n {
                let one = Builder::new().stack_size(64 << 20).spawn(|| dig(3 << 20));
                one.unwrap().join().unwrap();
            }
        });
        spawner.join().unwrap();
    };
    assert!(faults(|| rounds(1)) >= 700);
    let more = faults(|| rounds(20));
    assert!(more < 2 * 700, "{more} in 20 rounds");
}
