//! What an unwinder finds from an instruction, and whether that is right.

use crate::cpu;
use crate::unwinder::{self, function};
use goroutines_asm::{Native, Port, interrupted};
use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many sets of values the probes of the scenes use.
const SEEDS: usize = 8;

/// What the probe of `seed` has in the register of that index.
pub(crate) const fn value(seed: usize, register: usize) -> u64 {
    let tag = (((seed as u64) << 32) | (register as u64 + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // Different in the lower half as well, which may be all that a register holds.
    tag ^ (tag >> 32)
}

/// All registers of the probe of `seed`.
pub(crate) fn values(seed: usize) -> [u64; Native::CALLEE_SAVED.len()] {
    assert!((1..SEEDS).contains(&seed));
    std::array::from_fn(|register| value(seed, register))
}

const MANY: usize = 300;
const BAD: usize = 32;

/// The running walk and the sum of all. Relaxed everywhere: handler and test are one thread.
struct Walk {
    driver: AtomicUsize,
    interrupted: AtomicUsize,
    start: AtomicUsize,
    frames: AtomicUsize,
    last: AtomicUsize,
    drivers: AtomicUsize,
    roots: AtomicUsize,
    lost: AtomicUsize,
    in_body: AtomicUsize,
    in_root: AtomicUsize,
    in_linked_root: AtomicUsize,
    elsewhere: AtomicUsize,
    probes: AtomicUsize,
    registers: AtomicUsize,
    bad: AtomicUsize,
    where_bad: [AtomicUsize; BAD],
}

static WALK: Walk = Walk {
    driver: AtomicUsize::new(0),
    interrupted: AtomicUsize::new(0),
    start: AtomicUsize::new(0),
    frames: AtomicUsize::new(0),
    last: AtomicUsize::new(0),
    drivers: AtomicUsize::new(0),
    roots: AtomicUsize::new(0),
    lost: AtomicUsize::new(0),
    in_body: AtomicUsize::new(0),
    in_root: AtomicUsize::new(0),
    in_linked_root: AtomicUsize::new(0),
    elsewhere: AtomicUsize::new(0),
    probes: AtomicUsize::new(0),
    registers: AtomicUsize::new(0),
    bad: AtomicUsize::new(0),
    where_bad: [const { AtomicUsize::new(0) }; BAD],
};

/// What all walks have found.
#[derive(Debug)]
#[allow(dead_code, reason = "the example prints it")]
pub(crate) struct Found {
    pub(crate) in_body: usize,
    pub(crate) in_root: usize,
    pub(crate) in_linked_root: usize,
    pub(crate) elsewhere: usize,
    /// How many frames of probes were found with all registers right, and how many registers were compared there.
    pub(crate) probes: usize,
    pub(crate) registers: usize,
    /// Where walks that were wrong began: the function, and how far in it.
    pub(crate) bad: Vec<(&'static str, usize)>,
}

/// Begins to count anew; `driver` is the function from which all scenes are called.
pub(crate) fn reset(driver: usize) {
    for counter in [
        &WALK.in_body,
        &WALK.in_root,
        &WALK.in_linked_root,
        &WALK.elsewhere,
        &WALK.probes,
        &WALK.registers,
        &WALK.bad,
    ] {
        counter.store(0, Relaxed);
    }
    WALK.driver.store(driver, Relaxed);
}

pub(crate) fn found() -> Found {
    let place = |pc: &AtomicUsize| {
        let pc = pc.load(Relaxed);
        let function = function(pc);
        (name(function), pc - function)
    };
    let bad = WALK.bad.load(Relaxed).min(BAD);
    Found {
        in_body: WALK.in_body.load(Relaxed),
        in_root: WALK.in_root.load(Relaxed),
        in_linked_root: WALK.in_linked_root.load(Relaxed),
        elsewhere: WALK.elsewhere.load(Relaxed),
        probes: WALK.probes.load(Relaxed),
        registers: WALK.registers.load(Relaxed),
        bad: WALK.where_bad[..bad].iter().map(place).collect(),
    }
}

fn name(function: usize) -> &'static str {
    match function {
        _ if function == Native::body::<0>() as usize => "switch_body",
        _ if function == Native::ROOT as usize => "root",
        _ if function == Native::LINKED_ROOT as usize => "linked_root",
        _ if function == Native::PROBE as usize => "probe",
        0 => "no function",
        _ => "another",
    }
}

/// Before the handler unwinds. `context` is the kernel's, of the code that was stopped.
///
/// # Safety
///
/// The handler has not returned.
pub(crate) unsafe fn begin(context: *mut libc::ucontext_t) {
    // SAFETY: the kernel's structure, of a handler that has not returned.
    let (found, registers) = unsafe { (interrupted(context.cast()), cpu::registers(&*context)) };
    assert_eq!([found.ip, found.sp, found.fp, found.link], registers);
    for word in [
        &WALK.start,
        &WALK.frames,
        &WALK.last,
        &WALK.drivers,
        &WALK.roots,
        &WALK.lost,
    ] {
        word.store(0, Relaxed);
    }
    WALK.interrupted.store(found.ip, Relaxed);
}

/// For each frame. Those of the handler come first; the first that was interrupted is where the walk begins. Not all unwinders
/// mark it, on CPUs that say they were stopped behind the instruction.
pub(crate) extern "C" fn visit(context: *mut c_void, _: *mut c_void) -> i32 {
    // SAFETY: the unwinder's own context.
    let (ip, is_exact) = unsafe { unwinder::ip(context) };
    let begins = WALK.start.load(Relaxed) == 0;
    if begins && !is_exact && ip != WALK.interrupted.load(Relaxed) {
        return 0;
    }
    if ip == 0 {
        return 0; // libgcc's mark that the stack has ended
    }
    let place = if is_exact { ip } else { ip - 1 };
    if begins {
        WALK.start.store(place, Relaxed);
    }
    let function = function(place);
    WALK.last.store(function, Relaxed);
    if function == WALK.driver.load(Relaxed) {
        WALK.drivers.fetch_add(1, Relaxed);
    }
    if function == Native::ROOT as usize {
        WALK.roots.fetch_add(1, Relaxed);
    }
    if function == Native::PROBE as usize && !is_exact && !begins {
        compare(context);
    }
    if WALK.frames.fetch_add(1, Relaxed) < MANY {
        0
    } else {
        5
    }
}

/// A probe that waits for its call has the values of one seed in all registers.
fn compare(context: *mut c_void) {
    let Some(compared) = (1..SEEDS).find_map(|seed| all_of(context, seed)) else {
        // Where tables need not be right nobody asks for this.
        WALK.lost.fetch_add(1, Relaxed);
        return;
    };
    WALK.probes.fetch_add(1, Relaxed);
    WALK.registers.fetch_add(compared, Relaxed);
}

/// Returns how many registers the unwinder found, if each has the value of `seed`.
fn all_of(context: *mut c_void, seed: usize) -> Option<usize> {
    let names = Native::CALLEE_SAVED.iter().enumerate();
    let numbers = names.filter_map(|(index, name)| Some((index, cpu::number(name)?)));
    let mut compared = 0;
    for (index, number) in numbers {
        // SAFETY: the unwinder's own context, and one of its registers.
        if unsafe { unwinder::register(context, number) } != value(seed, index) as usize {
            return None;
        }
        compared += 1;
    }
    Some(compared)
}

/// When the handler has unwound.
pub(crate) fn end() {
    let pc = WALK.start.load(Relaxed);
    let at = function(pc);
    let counter = match name(at) {
        "switch_body" => &WALK.in_body,
        "root" => &WALK.in_root,
        "linked_root" => &WALK.in_linked_root,
        _ => &WALK.elsewhere,
    };
    counter.fetch_add(1, Relaxed);
    let (drivers, roots) = (WALK.drivers.load(Relaxed), WALK.roots.load(Relaxed));
    let ended_in_root = roots == 1 && WALK.last.load(Relaxed) == Native::ROOT as usize;
    // On one side or the other, to its end. The linker's own code has no tables; walks that begin there end there.
    let right = match at {
        0 => WALK.frames.load(Relaxed) <= 1,
        _ if name(at) == "switch_body" && !Native::UNWINDS_IN_SWITCH => {
            WALK.frames.load(Relaxed) == 1
        }
        _ => ended_in_root && drivers == 0 || roots == 0 && drivers == 1,
    };
    let strict = function(WALK.driver.load(Relaxed)) != 0;
    let whole = WALK.frames.load(Relaxed) < MANY && WALK.lost.load(Relaxed) == 0;
    if strict && !(right && whole) {
        let number = WALK.bad.fetch_add(1, Relaxed);
        if let Some(place) = WALK.where_bad.get(number) {
            place.store(pc, Relaxed);
        }
    }
}
