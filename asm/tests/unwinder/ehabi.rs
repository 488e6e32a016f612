//! The unwinder of arm. It does not tell functions: those of the program are read from its symbols.

use std::ffi::c_void;
use std::fs;
use std::sync::OnceLock;

unsafe extern "C" {
    fn _Unwind_VRS_Get(
        context: *mut c_void,
        class: i32,
        register: u32,
        representation: i32,
        value: *mut u32,
    ) -> i32;
}

/// Where the frame goes on; that it was interrupted there is not told.
///
/// # Safety
///
/// `context` is what a visitor was called with.
pub(crate) unsafe fn ip(context: *mut c_void) -> (usize, bool) {
    // SAFETY: the context is that of a visitor, and all arm CPUs have r15. Its lowest bit tells Thumb code.
    (unsafe { register(context, 15) & !1 }, false)
}

/// A core register of the frame.
///
/// # Safety
///
/// As for [`ip`]; the CPU has the register.
pub(crate) unsafe fn register(context: *mut c_void, number: i32) -> usize {
    let mut value = 0;
    // SAFETY: the unwinder's own context; class 0 is that of core registers, representation 0 a word.
    unsafe { _Unwind_VRS_Get(context, 0, number as u32, 0, &raw mut value) };
    value as usize
}

/// Start and end of the program's functions, in order.
static FUNCTIONS: OnceLock<Vec<(usize, usize)>> = OnceLock::new();

/// Reads the symbols, before signal handlers ask.
pub(crate) fn get_ready() {
    FUNCTIONS.get_or_init(functions);
}

/// The function of the program that holds the instruction at `pc`; 0 if there is none.
pub(crate) fn function(pc: usize) -> usize {
    let functions = FUNCTIONS.get_or_init(functions);
    let behind = functions.partition_point(|(start, _)| *start <= pc);
    match behind.checked_sub(1).map(|index| functions[index]) {
        Some((start, end)) if pc < end => start,
        _ => 0,
    }
}

fn functions() -> Vec<(usize, usize)> {
    /// The first object that is told is the program.
    unsafe extern "C" fn first(info: *mut libc::dl_phdr_info, _: usize, base: *mut c_void) -> i32 {
        // SAFETY: the loader's structure, and the variable below.
        unsafe { *base.cast::<usize>() = (*info).dlpi_addr as usize };
        1
    }
    let mut base = 0_usize;
    // SAFETY: the callback gets the variable.
    unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut base).cast()) };
    let file = fs::read("/proc/self/exe").expect("the program's file");
    let at = |place: usize, size: usize| {
        let mut bytes = [0; 4];
        bytes[..size].copy_from_slice(&file[place..place + size]);
        u32::from_le_bytes(bytes) as usize
    };
    // An ELF file of 32 bits: e_shoff at 32, e_shentsize at 46, e_shnum at 48.
    let (sections, size, count) = (at(32, 4), at(46, 2), at(48, 2));
    let mut found = Vec::new();
    for section in (0..count).map(|index| sections + index * size) {
        const SYMTAB: usize = 2;
        if at(section + 4, 4) != SYMTAB {
            continue;
        }
        let (start, length) = (at(section + 16, 4), at(section + 20, 4));
        // st_value at 4, st_size at 8, the type in the lower half of st_info at 12.
        for symbol in (start..start + length).step_by(16) {
            const FUNCTION: usize = 2;
            let value = base + (at(symbol + 4, 4) & !1);
            let length = at(symbol + 8, 4);
            if at(symbol + 12, 1) & 15 == FUNCTION && length > 0 {
                found.push((value, value + length));
            }
        }
    }
    found.sort_unstable();
    assert!(!found.is_empty(), "the program has no symbols");
    found
}
