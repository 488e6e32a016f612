use std::{
    hint::black_box,
    mem, panic, ptr,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use goroutines_sched::{Suspended, call_on, read_memory};

use super::*;
use crate::{
    modules,
    unwind::{Cache, Unwinder},
    walk::{End, Pieces, Walk, pieces},
};

/// The stack of this thread, which waits meanwhile.
struct Waiting;

impl Pieces for Waiting {
    fn read(&self, address: u64) -> Option<u64> {
        let mut word = [0];
        read_memory(usize::try_from(address).ok()?, &mut word).then_some(word[0] as u64)
    }

    fn older(&mut self) -> Option<Suspended> {
        None
    }
}

/// A stack of which nothing can be read above some address.
struct Short(u64);

impl Pieces for Short {
    fn read(&self, address: u64) -> Option<u64> {
        Waiting.read(address).filter(|_| address < self.0)
    }

    fn older(&mut self) -> Option<Suspended> {
        None
    }
}

fn knowing_all<U: Unwind>() -> U {
    let mut unwinder = U::new();
    modules::all()
        .into_iter()
        .for_each(|module| unwinder.add(module));
    unwinder
}

/// Calls `look` with where its caller goes on.
fn looking(mut look: impl FnMut(Registers)) {
    let mut stack = vec![0_u128; 16 << 10];
    let mut call = |outside: Suspended| {
        let Suspended { ip, sp, fp } = outside;
        look(Registers {
            ip,
            sp,
            fp,
            link: ip,
        });
    };
    // SAFETY: the memory is this function's, and aligned. What is called panics only where the test has failed.
    unsafe { call_on(stack.as_mut_ptr_range().end.cast(), &mut call) };
}

/// What each of the unwinders has found.
static FOUND: Mutex<Option<[Walk; 2]>> = Mutex::new(None);

/// Walks the stack of its caller with the unwinder of this CPU and with the one for all.
#[inline(never)]
fn walk_twice() {
    let (chosen, any): (Unwinder, Cfi) = (knowing_all(), knowing_all());
    let (mut one, mut other) = (Walk::new(End::Deep, 1000), Walk::new(End::Deep, 1000));
    looking(|start| {
        pieces(
            &chosen,
            &mut Cache::default(),
            &mut Waiting,
            start,
            &mut one,
        );
        pieces(
            &any,
            &mut Context::default(),
            &mut Waiting,
            start,
            &mut other,
        );
    });
    *found() = Some([one, other]);
}

fn found() -> MutexGuard<'static, Option<[Walk; 2]>> {
    FOUND.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What both have found under `call`, on a thread of its own. One at a time.
fn found_under(call: fn()) -> [Walk; 2] {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    thread::spawn(call).join().unwrap();
    found().take().expect("the walks were made")
}

/// Frames of all sizes, and then `call`.
#[inline(never)]
fn recurse(depth: usize, call: fn()) -> usize {
    let frame = vec![depth; depth];
    match depth {
        0 => call(),
        _ => drop(panic::catch_unwind(|| recurse(depth - 1, call))),
    }
    let array = black_box([depth; 100]);
    frame.iter().sum::<usize>() + array[depth % 100]
}

/// Frames of a C library.
fn through_c() {
    extern "C" fn compare(_: *const libc::c_void, _: *const libc::c_void) -> libc::c_int {
        if found().is_none() {
            recurse(5, walk_twice);
        }
        0
    }
    let mut values = [2, 1];
    // SAFETY: two elements of four bytes.
    unsafe { libc::qsort(values.as_mut_ptr().cast(), 2, 4, Some(compare)) };
}

/// The frame of a signal, whose tables are expressions.
fn under_a_signal() {
    extern "C" fn handler(_: libc::c_int) {
        recurse(3, walk_twice);
    }
    // SAFETY: a zeroed action is valid; the handler is a function of one argument. The signal goes to this thread, in a
    // place where it may do all that others do.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR2, &action, ptr::null_mut()), 0);
        assert_eq!(libc::raise(libc::SIGUSR2), 0);
    }
}

/// Checks that the unwinder for all finds what lies under `call`: at least so many frames, down to that of the thread.
/// Returns what that of this CPU has found.
fn check(call: fn(), least: usize) -> [Walk; 2] {
    let [chosen, any] = found_under(call);
    if !UNWIND_REGISTERS.has_tables {
        assert!(matches!(any.end, End::Lost(_)), "{:?}", any.end);
        return [chosen, any];
    }
    let (kept, left_out) = any.addresses();
    assert!(kept.len() + left_out > least, "{kept:x?}");
    assert!(any.is_outermost, "ends at {:x?}", any.end);
    [chosen, any]
}

fn is_same([chosen, any]: &[Walk; 2]) -> bool {
    chosen == any
}

#[test]
fn the_frames_of_a_recursion_are_those_that_the_unwinder_of_this_cpu_finds() {
    let recursion = || _ = recurse(20, walk_twice);
    assert!(is_same(&check(recursion, 40)));
}

#[test]
fn frames_of_the_c_library_are_passed() {
    assert!(is_same(&check(through_c, 12)));
}

#[test]
fn the_frame_of_a_signal_is_passed() {
    // Not all unwinders know the tables of such frames.
    check(|| _ = recurse(20, under_a_signal), 60);
}

#[test]
fn a_word_that_cannot_be_read_ends_the_walk() {
    if !UNWIND_REGISTERS.has_tables {
        return;
    }
    let any: Cfi = knowing_all();
    let mut counts = Vec::new();
    looking(|start| {
        for bytes in [0, 200, 2000] {
            let mut walk = Walk::new(End::Deep, 1000);
            let mut short = Short(start.sp as u64 + bytes);
            pieces(&any, &mut Context::default(), &mut short, start, &mut walk);
            assert!(matches!(walk.end, End::Lost(_)), "{:?}", walk.end);
            counts.push(walk.addresses().0.len());
        }
    });
    assert!(counts.is_sorted() && counts[0] < counts[2], "{counts:?}");
}

#[test]
fn code_without_tables_is_unknown() {
    let start = Registers {
        ip: 16,
        sp: 4096,
        fp: 0,
        link: 32,
    };
    let place = Place {
        ip: 16,
        is_return: false,
    };
    let mut registers = Cfi::begin(start);
    let any: Cfi = knowing_all();
    let caller = any.caller(place, &mut registers, &mut Context::default(), &mut |_| {
        Some(64)
    });
    assert_eq!(caller, Caller::Unknown);
    let nothing = Place {
        ip: 0,
        is_return: true,
    };
    let caller = any.caller(
        nothing,
        &mut registers,
        &mut Context::default(),
        &mut |_| Some(64),
    );
    assert_eq!(caller, Caller::Unknown);
}
