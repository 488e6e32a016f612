//! Registers: none that a caller relies on is lost, none brings what the code that ran has kept in it.

use crate::fiber::{Fiber, Inside, Stack};
use goroutines_asm::{Chain, Context, Native, Port, prepare, switch};
use std::hint::black_box;
use std::{iter, slice};

/// A different value for each register, side and round.
fn values(seed: u64) -> Vec<u64> {
    let tag = |i: usize| ((seed << 32) | (i as u64 + 1)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // Different in the lower half as well, which may be all that a register holds.
    let fold = |tag: u64| tag ^ (tag >> 32);
    (0..Native::CALLEE_SAVED.len()).map(tag).map(fold).collect()
}

/// The names of the registers that came back with another value.
fn lost(seed: u64, found: &[u64]) -> Vec<&'static str> {
    let pairs = iter::zip(values(seed), found).map(|(sent, found)| sent != *found);
    iter::zip(Native::CALLEE_SAVED, pairs)
        .filter_map(|(name, differs)| differs.then_some(*name))
        .collect()
}

/// Returns whether the frame pointer is the same on both sides of a switch inlined here.
///
/// The probe cannot tell where functions keep a frame record: they restore the frame pointer of their caller themselves.
/// The local is aligned by hand, for which most compilers need a frame pointer; a register that does not point into the frame
/// may hold anything.
#[inline(never)]
fn frame_pointer_survives(save: *mut Context, load: Context) -> bool {
    #[repr(align(64))]
    struct Wide(#[allow(dead_code, reason = "only its alignment counts")] u8);
    let mut wide = Wide(0);
    black_box(&mut wide);
    let before = Native::frame_pointer();
    let sp = Native::stack_pointer() as usize;
    // SAFETY: `load` is where the other side was saved, and it waits there.
    unsafe { switch(save, load, 0) };
    // Where frame pointers are no chain, one is a copy of the stack pointer.
    let is_one = match Native::CHAIN {
        Chain::FramePointers => (sp..sp + 4096).contains(&(before as usize)),
        _ => before as usize == sp,
    };
    before == Native::frame_pointer() || !is_one
}

/// Both sides fill all registers with values of their own before each switch, so what one forgets the other overwrites.
#[test]
fn every_callee_saved_register_survives() {
    let mut fiber = Fiber::new(|inside, _| {
        for round in 0..100 {
            let mut registers = values(1000 + round);
            inside.suspend_probed(0, &mut registers);
            assert_eq!(
                lost(1000 + round, &registers),
                [""; 0],
                "lost inside, round {round}"
            );
            let (save, load) = inside.contexts();
            assert!(
                frame_pointer_survives(save, load),
                "the frame pointer is lost inside"
            );
        }
        0
    });
    for round in 0..=100 {
        let mut registers = values(round);
        fiber.resume_probed(0, &mut registers);
        assert_eq!(
            lost(round, &registers),
            [""; 0],
            "lost outside, round {round}"
        );
        if !fiber.is_done() {
            let (save, load, _) = fiber.begin(0);
            assert!(
                frame_pointer_survives(save, load),
                "the frame pointer is lost outside"
            );
        }
    }
    assert!(fiber.is_done());
}

/// Calls a function that uses all registers it may, then switches away.
fn overwrite_registers(inside: Inside, mut got: usize) -> usize {
    loop {
        let words: [u64; 40] = black_box([!0; 40]);
        let floats: [f64; 40] = black_box([-1.0; 40]);
        let sum = words
            .iter()
            .map(|word| word.rotate_left(3))
            .fold(0, u64::wrapping_add);
        let product = floats
            .iter()
            .map(|float| float.sqrt())
            .fold(1.0, |product, float| product * float);
        black_box((sum, product));
        got = inside.suspend(got);
    }
}

/// More values than there are registers, all alive across an inlined switch.
#[test]
fn live_values_survive_an_inlined_switch() {
    fn forty<T: Copy>(value: impl Fn(usize) -> T) -> [T; 40] {
        black_box(std::array::from_fn(value))
    }
    let mut fiber = Fiber::new(overwrite_registers);
    for round in 0..50 {
        let words = forty(|i| (i + round) as u64);
        let floats = forty(|i| i as f64 * 0.5 + round as f64);
        let singles = forty(|i| i as f32 - round as f32);
        // Computed before the switch and needed after it: what fits stays in registers, if the compiler may.
        let words = words.map(|word| word * 3);
        let floats = floats.map(|float| float * 3.0);
        let singles = singles.map(|single| single * 3.0);
        assert_eq!(fiber.resume(round), round);
        for i in 0..40 {
            assert_eq!(words[i], (i + round) as u64 * 3);
            assert_eq!(floats[i], (i as f64 * 0.5 + round as f64) * 3.0);
            assert_eq!(singles[i], (i as f32 - round as f32) * 3.0);
        }
    }
}

/// A computation that keeps on its stack whatever it finds in callee-saved registers.
struct Hoarder {
    outside: Context,
    inside: Context,
    registers: Vec<u64>,
}

unsafe extern "C" fn hoard(hoarder: usize) -> ! {
    let hoarder = hoarder as *mut Hoarder;
    loop {
        // SAFETY: outside waits. The probe saves all registers as they are, here at first where the entry begins, then where
        // an inlined switch has come back.
        unsafe {
            let registers = (*hoarder).registers.as_mut_ptr();
            Native::probe(&raw mut (*hoarder).inside, (*hoarder).outside, 0, registers);
            switch(&raw mut (*hoarder).inside, (*hoarder).outside, 0);
        }
    }
}

/// Whoever looks for addresses on a stack finds those of its own code alone.
#[test]
fn registers_bring_nothing_of_the_code_that_ran() {
    let stack = Stack::new();
    let mut hoarder = Hoarder {
        outside: Context::NULL,
        // SAFETY: a fresh stack, which outlives the last switch.
        inside: unsafe { prepare(stack.top(), hoard) },
        registers: values(1),
    };
    let shared = &raw mut hoarder;
    for round in 2..12 {
        let mut registers = values(round);
        // SAFETY: inside is fresh or waits in a switch to us; a word for every register.
        unsafe {
            let (save, load) = (&raw mut (*shared).outside, (*shared).inside);
            Native::probe(save, load, shared as usize, registers.as_mut_ptr());
        }
        // SAFETY: the live part of a stack that is suspended.
        let live = unsafe {
            let low = (*shared).inside.sp().cast::<usize>();
            slice::from_raw_parts(low, stack.top().cast::<usize>().offset_from(low) as usize)
        };
        let sent = values(round);
        let brought = iter::zip(Native::CALLEE_SAVED, &sent)
            .filter(|(name, value)| !is_vector(name) && live.contains(&(**value as usize)))
            .map(|(name, _)| *name);
        assert_eq!(
            brought.collect::<Vec<_>>(),
            [""; 0],
            "brought to another stack, round {round}"
        );
    }
}

/// Holds no addresses.
fn is_vector(register: &str) -> bool {
    register.starts_with(['d', 'f', 'v'])
}
