//! Stacks of goroutines that stay parked lose the memory that they do not need, and nothing else.

use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use goroutines::{Config, chan, go, yield_now};
use goroutines_tests::{start_with, until};

const IDLE: Duration = Duration::from_millis(20);

fn start() {
    start_with(Config::new().procs(2).stack_idle(IDLE));
}

/// Uses `bytes` of stack and returns an address in its frame.
#[inline(never)]
fn dig(bytes: usize) -> usize {
    #[inline(never)]
    fn down(goal: usize, value: u8) -> usize {
        let frame = black_box([value; 200]);
        let here = frame.as_ptr() as usize;
        let lowest = if here > goal { down(goal, value) } else { here };
        assert!(black_box(frame).iter().all(|&byte| byte == value));
        lowest
    }
    let top = black_box(0_u8);
    let top = &raw const top as usize;
    down(top - bytes, bytes as u8);
    top
}

/// How many of the pages of `[low, high)` are in memory.
fn resident(low: usize, high: usize) -> usize {
    let (low, high) = (low & !4095, (high + 4095) & !4095);
    let mut vec = vec![0_u8; (high - low) / 4096];
    // SAFETY: mincore writes one byte for each page.
    let failed = unsafe { libc::mincore(low as *mut _, high - low, vec.as_mut_ptr()) };
    assert_eq!(failed, 0);
    vec.iter().filter(|&&byte| byte & 1 == 1).count()
}

#[test]
fn parked_stacks_shrink_to_what_is_alive_and_resume_unharmed() {
    start();
    const N: usize = 200;
    const DEEP: usize = 120 << 10;
    let (gate, closed) = chan::bounded::<()>(0);
    let (tell, told) = chan::unbounded();
    let all: Vec<_> = (0..N)
        .map(|i| {
            let (closed, tell) = (closed.clone(), tell.clone());
            go(move || {
                let live = black_box([i; 100]);
                tell.send(dig(DEEP)).unwrap();
                closed.recv().unwrap_err();
                assert!(black_box(live).iter().all(|&word| word == i));
                dig(DEEP);
                i
            })
        })
        .collect();
    let tops: Vec<usize> = told.iter().take(N).collect();
    let pages = || {
        tops.iter()
            .map(|&top| resident(top - DEEP, top))
            .sum::<usize>()
    };
    // Two pages each: the frames of the wait may lie across the end of one.
    until("the shrinking of all stacks", || pages() <= 2 * N);
    drop(gate);
    let sum: usize = all.into_iter().map(|one| one.join().unwrap()).sum();
    assert_eq!(sum, N * (N - 1) / 2);
    // And the stacks that are not used any more lose the rest, but for the few in the caches of the Ps.
    until("the end of idle memory", || pages() <= 2 * 64 * 20);
}

#[test]
fn a_goroutine_may_resume_while_its_stack_shrinks() {
    start();
    // Waits of about the idle time, so that many end in the middle of a look.
    static OVER: AtomicBool = AtomicBool::new(false);
    let all: Vec<_> = (0..500_usize)
        .map(|i| {
            go(move || {
                let mut live = black_box([i; 300]);
                let mut round = i;
                // Relaxed: when it ends does not matter.
                while !OVER.load(Ordering::Relaxed) {
                    dig(1000 + round * 7919 % 40_000);
                    goroutines::sleep(IDLE + Duration::from_micros((round * 37 % 25_000) as u64));
                    assert!(black_box(&live).iter().all(|&word| word == round));
                    round += 1;
                    live = black_box([round; 300]);
                    if round.is_multiple_of(10) {
                        yield_now();
                    }
                }
            })
        })
        .collect();
    thread::sleep(Duration::from_secs(3));
    OVER.store(true, Ordering::Relaxed); // Relaxed: see there.
    all.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn a_goroutine_that_blocks_its_thread_while_it_unwinds_keeps_its_stack() {
    start();
    struct Waits;
    impl Drop for Waits {
        fn drop(&mut self) {
            let live = black_box([7_u8; 20_000]);
            goroutines::sleep(IDLE * 8);
            assert!(black_box(live).iter().all(|&byte| byte == 7));
        }
    }
    let one = go(|| {
        goroutines::sleep(IDLE * 4); // An old context, high up on the stack.
        let _waits = Waits;
        std::panic::resume_unwind(Box::new(17_u8));
    });
    assert_eq!(*one.join().unwrap_err().downcast::<u8>().unwrap(), 17);
}
