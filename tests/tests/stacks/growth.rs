//! Stacks grow at every kind of function entry, and growing is no scheduling point.
//!
//! Each goroutine here starts with 2 KB. What it does is repeated at many depths, so that the guard is met by each of the
//! frames in turn.

use std::{
    backtrace::Backtrace,
    ffi::{c_int, c_void},
    hint::black_box,
    panic,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use goroutines::Builder;
use goroutines_sched::{growth_faults, rounds};
use goroutines_tests::{deep, start};

/// Whether this process has soft guards: see `GOROUTINE_GUARD`.
fn soft_guards() -> bool {
    let before = growth_faults();
    let deep = Builder::new()
        .stack_start(2048)
        .spawn(|| deep(20 << 10, || ()));
    deep.unwrap().join().unwrap();
    growth_faults() > before
}

/// Runs `f` in a goroutine that starts with 2 KB, at depths from nothing to 20 KB, and looks that the stack grew in all
/// of them together and that nothing was scheduled.
fn grows(f: fn()) {
    // One test at a time: where others wait for the P, sysmon takes it from a goroutine that computes for long.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    start(1);
    if !soft_guards() {
        eprintln!("no soft guards here: nothing to see");
        return;
    }
    let mut faults = 0;
    for depth in (0..20 << 10).step_by(331) {
        // sysmon may take the P from a thread that the kernel stops, which is not the growth's doing and does not
        // happen each time.
        let mut tries = (0..20).filter_map(|_| grown(depth, f));
        faults += tries.next().expect("something was scheduled each time");
    }
    assert!(faults > 0, "no stack grew");
}

/// Runs `f` at `depth` in a goroutine that starts with 2 KB. Returns the growth faults, or nothing if the scheduler ran in
/// between.
fn grown(depth: usize, f: fn()) -> Option<u64> {
    let goroutine = Builder::new().stack_start(2048).stack_size(8 << 20);
    let grown = goroutine.spawn(move || {
        let before = (thread::current().id(), rounds(), growth_faults());
        deep(depth, f);
        let after = (thread::current().id(), rounds(), growth_faults());
        assert!(before.1.is_some());
        // One P: whatever grows while the goroutine runs is its stack.
        ((before.0, before.1) == (after.0, after.1)).then(|| after.2 - before.2)
    });
    grown.unwrap().join().unwrap()
}

#[test]
fn plain_calls() {
    #[inline(never)]
    fn fibonacci(n: u64) -> u64 {
        if n < 2 {
            n
        } else {
            fibonacci(n - 1) + fibonacci(n - 2)
        }
    }
    grows(|| assert_eq!(fibonacci(black_box(15)), 610));
}

#[test]
fn deep_recursion() {
    #[inline(never)]
    fn sum(n: u64) -> u64 {
        let frame = black_box([n; 10]);
        if n == 0 { 0 } else { sum(n - 1) + frame[3] }
    }
    grows(|| assert_eq!(sum(5000), 5000 * 5001 / 2));
}

#[test]
fn frames_over_a_page() {
    #[inline(never)]
    fn large<const N: usize>() -> usize {
        let mut frame = [1_u8; N];
        black_box(&mut frame)
            .iter()
            .map(|&byte| usize::from(byte))
            .sum()
    }
    grows(|| {
        assert_eq!(large::<4000>(), 4000);
        assert_eq!(large::<9000>(), 9000);
        assert_eq!(large::<100_000>(), 100_000);
        assert_eq!(large::<1_000_000>(), 1_000_000);
    });
}

unsafe extern "C" {
    fn qsort(base: *mut c_void, n: usize, size: usize, compare: Compare);
    fn bsearch(
        key: *const c_void,
        base: *const c_void,
        n: usize,
        size: usize,
        compare: Compare,
    ) -> *mut c_void;
}

type Compare = extern "C" fn(*const c_void, *const c_void) -> c_int;

#[test]
fn frames_of_c() {
    extern "C" fn compare(a: *const c_void, b: *const c_void) -> c_int {
        // SAFETY: the array below holds `u32`s.
        let (a, b) = unsafe { (*a.cast::<u32>(), *b.cast::<u32>()) };
        a.cmp(&b) as c_int
    }
    grows(|| {
        let mut values: Vec<u32> = (0..500).map(|i| i * 7919 % 500).collect();
        // SAFETY: the array has 500 elements of four bytes.
        unsafe { qsort(values.as_mut_ptr().cast(), values.len(), 4, compare) };
        assert!(values.is_sorted());
    });
}

#[test]
fn chains_of_callbacks_between_c_and_rust() {
    /// C's qsort calls this, which calls C's bsearch, which calls it again, and so on.
    extern "C" fn compare(a: *const c_void, b: *const c_void) -> c_int {
        // SAFETY: both callers below pass `u32`s.
        let (a, b) = unsafe { (*a.cast::<u32>(), *b.cast::<u32>()) };
        let depth = a.max(b);
        match depth {
            0 | 1 => {}
            _ if depth % 2 == 0 => sort(depth - 1),
            _ => find(depth - 1),
        }
        a.cmp(&b) as c_int
    }
    fn sort(depth: u32) {
        let mut values = [depth, depth - 1];
        // SAFETY: the array has two elements of four bytes.
        unsafe { qsort(values.as_mut_ptr().cast(), 2, 4, compare) };
        assert_eq!(values, [depth - 1, depth]);
    }
    fn find(depth: u32) {
        let value = depth;
        let key = (&raw const value).cast();
        // SAFETY: the array is one element of four bytes.
        let found = unsafe { bsearch(key, key, 1, 4, compare) };
        assert_eq!(found.cast_const(), key);
    }
    grows(|| sort(60));
}

#[test]
fn a_panic_and_its_backtrace() {
    grows(|| {
        let caught = panic::catch_unwind(|| {
            let trace = Backtrace::force_capture();
            assert!(trace.to_string().contains("growth"), "{trace}");
            panic::resume_unwind(Box::new(17_u32));
        });
        assert_eq!(*caught.unwrap_err().downcast::<u32>().unwrap(), 17);
    });
}

#[test]
fn a_destructor_while_unwinding() {
    static DROPPED: AtomicU32 = AtomicU32::new(0);
    struct Digs(u32);
    impl Drop for Digs {
        fn drop(&mut self) {
            assert!(thread::panicking());
            deep(10 << 10, || DROPPED.fetch_add(self.0, Ordering::Relaxed)); // Relaxed: one goroutine at a time.
        }
    }
    grows(|| {
        DROPPED.store(0, Ordering::Relaxed); // Relaxed: as above.
        let caught = panic::catch_unwind(|| {
            let _outer = Digs(1);
            let _inner = Digs(10);
            deep(3 << 10, || panic::resume_unwind(Box::new(())));
        });
        assert!(caught.is_err());
        assert_eq!(DROPPED.load(Ordering::Relaxed), 11); // Relaxed: as above.
    });
}

#[test]
fn a_start_of_nothing_is_refused() {
    start(1);
    let error = Builder::new().stack_start(0).spawn(|| ()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert!(
        error.to_string().contains("Builder::stack_start"),
        "{error}"
    );
}
