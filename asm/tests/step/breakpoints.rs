//! Stops at one instruction after another: breakpoints, written over the code.

use crate::{below, cpu, scenes, unwinder, walk};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed};
use std::{io, ptr, slice};

/// An instruction of the program.
pub(crate) struct Instruction {
    /// How long it is, in bytes.
    pub(crate) length: usize,
    /// What is written over it: not longer; nothing where the compiler's own tables are imprecise.
    pub(crate) breakpoint: &'static [u8],
}

/// Bytes of the longest breakpoint.
const LONGEST: usize = 4;

/// Where we stop, what stands there then, and what the program has there. Relaxed everywhere: handler and test are one thread.
static PLACE: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
static BREAKPOINT: [AtomicUsize; LONGEST] = [const { AtomicUsize::new(0) }; LONGEST];
static INSTRUCTION: [AtomicUsize; LONGEST] = [const { AtomicUsize::new(0) }; LONGEST];
static LENGTH: AtomicUsize = AtomicUsize::new(0);
static IS_ON: AtomicBool = AtomicBool::new(false);

/// Not a part of the functions that are stopped: half of a breakpoint is another instruction.
#[inline(never)]
fn write(bytes: &[AtomicUsize; LONGEST]) {
    let place = PLACE.load(Relaxed);
    for (at, byte) in bytes[..LENGTH.load(Relaxed)].iter().enumerate() {
        // SAFETY: `everywhere` has made the page writable, and no other thread runs this code.
        unsafe { place.add(at).write_volatile(byte.load(Relaxed) as u8) };
    }
    cpu::code_has_changed(place);
}

/// Notes what stands at `place` and will; returns how long the instruction is.
fn choose(place: *mut u8) -> usize {
    let Instruction { length, breakpoint } = cpu::instruction(place);
    assert!(breakpoint.len() <= length.min(LONGEST));
    // SAFETY: the instruction is at least as long.
    let bytes = unsafe { slice::from_raw_parts(place, breakpoint.len()) };
    for (at, byte) in breakpoint.iter().enumerate() {
        BREAKPOINT[at].store(usize::from(*byte), Relaxed);
        INSTRUCTION[at].store(usize::from(bytes[at]), Relaxed);
    }
    LENGTH.store(breakpoint.len(), Relaxed);
    PLACE.store(place, Relaxed);
    length
}

/// Makes the instruction at `place` writable, which may lie on two pages.
fn open(place: usize) {
    // SAFETY: sysconf has no preconditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    for page in [place, place + LONGEST - 1].map(|address| address & !(size - 1)) {
        let access = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        // SAFETY: the page holds code of this program, and stays readable and executable.
        let result = unsafe { libc::mprotect(page as *mut c_void, size, access) };
        assert_eq!(result, 0, "mprotect: {}", io::Error::last_os_error());
    }
}

/// Calls `scenes` for each instruction of all functions that count, with stops at that instruction.
pub(crate) fn everywhere(scenes: &mut dyn FnMut()) {
    for function in scenes::functions() {
        let mut place = function;
        while unwinder::function(place) == function {
            open(place);
            let length = choose(place as *mut u8);
            if LENGTH.load(Relaxed) > 0 {
                scenes();
                write(&INSTRUCTION);
            }
            place += length;
        }
    }
}

/// Where we stop.
#[allow(dead_code, reason = "most CPUs tell")]
pub(crate) fn place() -> usize {
    PLACE.load(Relaxed) as usize
}

pub(crate) fn on() {
    IS_ON.store(true, Relaxed);
    write(&BREAKPOINT);
}

pub(crate) fn off() {
    IS_ON.store(false, Relaxed);
    write(&INSTRUCTION);
}

/// Stops at the place again.
pub(crate) fn again() {
    if IS_ON.load(Relaxed) {
        write(&BREAKPOINT);
    }
}

/// The handler calls this before it unwinds. `context` is the kernel's, of the code that was stopped.
pub(crate) unsafe extern "C" fn begin(context: *mut libc::ucontext_t) {
    // SAFETY: the context of a handler that has not returned.
    let [ip, ..] = cpu::registers(unsafe { &*context });
    let place = PLACE.load(Relaxed) as usize;
    if !(place..=place + LENGTH.load(Relaxed)).contains(&ip) {
        // SAFETY: it has no preconditions. A trap of the program itself would be met again and again.
        unsafe { libc::abort() };
    }
    // SAFETY: the context of a handler that has not returned.
    unsafe {
        walk::begin(context);
        below::overwrite(&*context);
    }
}

/// The handler calls this when it has unwound.
pub(crate) unsafe extern "C" fn end(context: *mut libc::ucontext_t) {
    // SAFETY: the context of a handler that has not returned.
    unsafe { below::restore(&*context) };
    walk::end();
    write(&INSTRUCTION);
}
