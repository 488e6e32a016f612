//! aarch64, AAPCS64.
//!
//! ```text
//!   suspended                   running                        fresh (prepared)
//!
//!   higher addresses
//!   |  frames of     |          |  frames of     |
//!   |  the code      |          |  the code      |                              top, 16-aligned
//!   +----------------+ Context  +----------------+ sp          +----------------+ Context
//!   | unused         |          :  no red zone   :             | unused         | keeps sp a multiple of 16
//!   | resume         |          :                :             | resume = root  |
//!   | x29            |                                         | x29    = 0     | ends the frame-pointer chain
//!   | x19            |                                         | x19    = entry |
//!   +----------------+ sp()                                    +----------------+ sp()
//! ```
//!
//! A switch away stores [`Frame`] below the stack pointer, a switch back loads it and jumps to `resume`: behind the jump
//! in the inlined code, or behind the first instruction of [`root`] for a fresh context, which then finds `entry` in x19,
//! its argument in x0, x29 zero and sp at `top`. Registers on the way: x0 carries the argument, x1 is `save`, x2 is
//! `load`, x3 holds where the suspended code goes on, x4 is free, x5 is the jump's target.
//!
//! Linux delivers signals right below sp, so sp moves before the frame is written and after it has been read: then the
//! frame may be overwritten at once, and with it what a segment's backtrace goes on with. The tables therefore tell of
//! the resumed code as soon as sp has moved. They are explained in `arch/mod.rs`.
//!
//! Not saved: FPCR. The code has no landing pads for branch target identification (BTI).

use crate::port::{Probe, Root, Saved, compiled_switch};
use crate::{Context, Entry, Port};
use core::arch::{asm, naked_asm};
use core::mem::offset_of;

/// The port to aarch64.
#[derive(Debug)]
pub enum Native {}

/// What a suspended context keeps below its stack pointer, lowest address first.
#[repr(C, align(16))]
#[derive(Debug)]
pub struct Frame {
    x19: usize,
    x29: usize,
    resume: usize,
}

/// Where the code of a root begins: behind a trap, so that an unwinder that looks its address up minus one is in it.
const ROOT_BEGINS: usize = 4;

// SAFETY: `switch_body` goes on at `resume`; `root` and `linked_root` look for `entry` in x19.
unsafe impl Saved for Frame {
    #[inline(always)]
    fn fresh(root: Root, entry: Entry) -> Self {
        Self {
            x19: entry as usize,
            x29: 0,
            resume: root as usize + ROOT_BEGINS,
        }
    }
}

// The pairs that `switch_body` stores and loads are in this order.
const _: () = assert!(offset_of!(Frame, x19) == 0 && offset_of!(Frame, x29) == 8);
const _: () = assert!(offset_of!(Frame, resume) == 16 && size_of::<Frame>() == 32);

// SAFETY: `switch` declares clobbered, or saves, every register of the ABI; tests/conformance.rs runs all promises.
unsafe impl Port for Native {
    type Frame = Frame;
    const NAME: &'static str = "aarch64";
    // uc_flags, uc_link, uc_stack, and uc_sigmask with its reserve: 168 bytes, and 8 up to the alignment of mcontext_t;
    // there the fault's address and x0 to x30 come before sp.
    const SP_IN_SIGNAL_CONTEXT: usize = 176 + 8 + 31 * 8;
    const RED_ZONE: usize = 0;
    const STACK_ALIGN: usize = 16;
    const CALLEE_SAVED: &'static [&'static str] = &[
        "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "d8", "d9",
        "d10", "d11", "d12", "d13", "d14", "d15",
    ];

    const ROOT: Root = root;
    const LINKED_ROOT: Root = linked_root;
    const PROBE: Probe = probe;

    #[inline(always)]
    unsafe fn switch<const PLACE: usize>(save: *mut Context, load: Context, arg: usize) -> usize {
        let received;
        // SAFETY: moving sp is allowed as `nostack` is not given. Every register is an operand, a clobber, or restored
        // from our frame before the code at 2 runs. The caller answers for `load` being a frame that nobody else uses.
        unsafe {
            asm!(
                "adr x3, 2f",
                "b {body}",
                "2:",
                body = sym switch_body::<PLACE>,
                inlateout("x0") arg => received,
                in("x1") save,
                in("x2") load.top_of_frame(),
                // What a call may overwrite: x0-x18, x30, and v0-v31 (of v8-v15 the upper halves; all counts as lost).
                clobber_abi("C"),
                // What a call may not overwrite, except x19 and x29, which the compiler reserves.
                out("x20") _,
                out("x21") _,
                out("x22") _,
                out("x23") _,
                out("x24") _,
                out("x25") _,
                out("x26") _,
                out("x27") _,
                out("x28") _,
            );
        }
        received
    }

    fn body<const PLACE: usize>() -> *const u8 {
        switch_body::<PLACE> as *const u8
    }

    #[inline(always)]
    fn stack_pointer() -> *const u8 {
        let address;
        // SAFETY: copies a register.
        unsafe { asm!("mov {}, sp", out(reg) address, options(nomem, nostack, preserves_flags)) };
        address
    }

    #[inline(always)]
    fn frame_pointer() -> *const u8 {
        let address;
        // SAFETY: copies a register.
        unsafe { asm!("mov {}, x29", out(reg) address, options(nomem, nostack, preserves_flags)) };
        address
    }

    #[inline(always)]
    fn thread_word() -> *mut () {
        let word;
        // SAFETY: reads the eight bytes of word.rs, which no Rust reference can reach (hence `nomem`); not `pure`, because
        // two reads differ when a switch between them moved us to another thread.
        unsafe {
            asm!(
                "adrp {offset}, :gottprel:{name}.thread_word",
                "ldr {offset}, [{offset}, :gottprel_lo12:{name}.thread_word]",
                "mrs {word}, tpidr_el0",
                "ldr {word}, [{word}, {offset}]",
                name = sym root,
                offset = out(reg) _,
                word = out(reg) word,
                options(nomem, nostack, preserves_flags),
            );
        }
        word
    }

    #[inline(always)]
    fn set_thread_word(word: *mut ()) {
        // SAFETY: writes the eight bytes of word.rs, which belong to this thread and to no Rust reference. Not `nomem`:
        // what `word` points at is reached through a later read.
        unsafe {
            asm!(
                "adrp {offset}, :gottprel:{name}.thread_word",
                "ldr {offset}, [{offset}, :gottprel_lo12:{name}.thread_word]",
                "mrs {thread}, tpidr_el0",
                "str {word}, [{thread}, {offset}]",
                name = sym root,
                offset = out(reg) _,
                thread = out(reg) _,
                word = in(reg) word,
                options(nostack, preserves_flags),
            );
        }
    }

    #[inline(always)]
    fn prefetch<const BELOW: usize>(addr: *const u8) {
        // SAFETY: a prefetch changes nothing a program can observe and ignores bad addresses.
        unsafe {
            asm!("prfum pstl1keep, [{}, #-{}]", in(reg) addr.addr(), const BELOW, options(nomem, nostack, preserves_flags))
        };
    }

    #[cfg(feature = "valgrind")]
    fn client_request(request: &[usize; 6]) -> usize {
        let mut answer = 0;
        // SAFETY: the rotations add up to 128 bits and the last instruction copies a register to itself: nothing changes
        // on a CPU. Valgrind reads the words behind x4 and writes x3.
        unsafe {
            asm!(
                "ror x12, x12, #3",
                "ror x12, x12, #13",
                "ror x12, x12, #51",
                "ror x12, x12, #61",
                "orr x10, x10, x10",
                in("x4") request.as_ptr(),
                inlateout("x3") answer,
                options(nostack),
            );
        }
        answer
    }
}

/// The switch. Jumped to, not called; to an unwinder it is a call that the suspended code made, to return at x3, and at
/// its last instruction one that the resumed code made.
#[unsafe(naked)]
unsafe extern "C" fn switch_body<const PLACE: usize>() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_register x30, x3",
        "mov x4, sp",
        "stp x19, x29, [sp, #-32]!",
        ".cfi_def_cfa_offset 32",
        ".cfi_offset x29, -24",
        ".cfi_offset x19, -32",
        "str x3, [sp, #16]",
        "str x4, [x1]",
        "ldr x5, [x2, #-16]",
        "ldp x19, x29, [x2, #-32]",
        // Nearly free, and nothing of the code that ran here gets into frames of the code that goes on: who looks for
        // addresses on a stack finds its own alone.
        "mov x20, xzr",
        "mov x21, xzr",
        "mov x22, xzr",
        "mov x23, xzr",
        "mov x24, xzr",
        "mov x25, xzr",
        "mov x26, xzr",
        "mov x27, xzr",
        "mov x28, xzr",
        "mov sp, x2",
        // Here the resumed code's: "Where the frame can be overwritten" in mod.rs.
        ".cfi_def_cfa sp, 0",
        ".cfi_register x30, x5",
        ".cfi_same_value x29",
        ".cfi_same_value x19",
        "br x5",
        ".cfi_endproc",
    )
}

/// The first frame of a linked context: [`root`], but its caller is the suspended code whose [`Context`] is at `top`.
///
/// The canonical frame address is where that code had its stack pointer, right above its [`Frame`]: the word at our
/// stack pointer. The escape is `DW_CFA_def_cfa_expression`, 3 bytes: `DW_OP_breg31` (sp) 0, `DW_OP_deref`.
#[unsafe(naked)]
unsafe extern "C" fn linked_root() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_escape 0x0f, 3, 0x8f, 0, 0x06",
        ".cfi_offset x30, -16",
        ".cfi_offset x29, -24",
        ".cfi_offset x19, -32",
        "brk #1", // never runs: ROOT_BEGINS
        "blr x19",
        "brk #1", // an entry does not return
        ".cfi_endproc",
    )
}

/// The first frame of every context. Entered by the jump of a switch, with the registers of a fresh [`Frame`].
///
/// The return address is declared undefined: that is how an unwinder recognises the outermost frame.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn root() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined x30",
        "brk #1", // never runs: ROOT_BEGINS
        "blr x19",
        "brk #1", // an entry does not return
        ".cfi_endproc",
    )
}

/// [`Port::probe`]. The callee-saved registers of the caller are kept on the stack meanwhile.
#[unsafe(naked)]
unsafe extern "C" fn probe(
    save: *mut Context,
    load: Context,
    arg: usize,
    registers: *mut u64,
) -> usize {
    naked_asm!(
        ".cfi_startproc",
        "stp x29, x30, [sp, #-176]!",
        ".cfi_adjust_cfa_offset 176",
        ".cfi_offset x29, -176",
        ".cfi_offset x30, -168",
        "stp x19, x20, [sp, #16]",
        ".cfi_offset x19, -160",
        ".cfi_offset x20, -152",
        "stp x21, x22, [sp, #32]",
        ".cfi_offset x21, -144",
        ".cfi_offset x22, -136",
        "stp x23, x24, [sp, #48]",
        ".cfi_offset x23, -128",
        ".cfi_offset x24, -120",
        "stp x25, x26, [sp, #64]",
        ".cfi_offset x25, -112",
        ".cfi_offset x26, -104",
        "stp x27, x28, [sp, #80]",
        ".cfi_offset x27, -96",
        ".cfi_offset x28, -88",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "str x3, [sp, #160]", // `registers`
        "ldp x19, x20, [x3]",
        "ldp x21, x22, [x3, #16]",
        "ldp x23, x24, [x3, #32]",
        "ldp x25, x26, [x3, #48]",
        "ldp x27, x28, [x3, #64]",
        "ldr x29, [x3, #80]",
        "ldp d8, d9, [x3, #88]",
        "ldp d10, d11, [x3, #104]",
        "ldp d12, d13, [x3, #120]",
        "ldp d14, d15, [x3, #136]",
        "bl {switch}",
        "ldr x3, [sp, #160]",
        "stp x19, x20, [x3]",
        "stp x21, x22, [x3, #16]",
        "stp x23, x24, [x3, #32]",
        "stp x25, x26, [x3, #48]",
        "stp x27, x28, [x3, #64]",
        "str x29, [x3, #80]",
        "stp d8, d9, [x3, #88]",
        "stp d10, d11, [x3, #104]",
        "stp d12, d13, [x3, #120]",
        "stp d14, d15, [x3, #136]",
        "ldp x19, x20, [sp, #16]",
        ".cfi_restore x19",
        ".cfi_restore x20",
        "ldp x21, x22, [sp, #32]",
        ".cfi_restore x21",
        ".cfi_restore x22",
        "ldp x23, x24, [sp, #48]",
        ".cfi_restore x23",
        ".cfi_restore x24",
        "ldp x25, x26, [sp, #64]",
        ".cfi_restore x25",
        ".cfi_restore x26",
        "ldp x27, x28, [sp, #80]",
        ".cfi_restore x27",
        ".cfi_restore x28",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "ldp x29, x30, [sp], #176",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore x29",
        ".cfi_restore x30",
        "ret",
        ".cfi_endproc",
        switch = sym compiled_switch,
    )
}
