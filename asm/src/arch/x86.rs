//! i686, System V ABI. `common.rs` has the drawing.
//!
//! | | |
//! |---|---|
//! | [`Frame`] | esi (the base register), ebp, `resume` |
//! | during a switch | eax carries the argument, edi is `save`, edx is `load`, ecx holds where the suspended code resumes and then the jump's target, ebx is free |
//! | not saved | MXCSR and the x87 control word |
//!
//! The CPU has no addresses relative to the instruction: [`here`] returns where it was called from. A call that nothing
//! returns from, or a return without one, would shift the predictions of all returns after it.
//!
//! Linux delivers signals right below esp, so esp moves with each word of the frame that is written, and after it has been
//! read: then the frame may be overwritten at once. The tables therefore tell of the resumed code as soon as esp has moved.

use super::common::{Native, frame, prefetch, register, roots};
use crate::port::{Probe, Root, compiled_switch};
use crate::{Context, Port, SignalLayout};
use core::arch::x86::{__cpuid, _rdtsc};
use core::arch::{asm, naked_asm};

// `resume` behind a trap: an unwinder looks it up minus one, and is to find the root.
frame!(align(4) base, fp, resume; root + 2);

/// An access to the thread word, which lies ecx bytes from gs. There is a call, hence no `nostack`.
macro_rules! at_word {
    ($access:literal, $($operands:tt)*) => {
        asm!("call {here}", "addl $_GLOBAL_OFFSET_TABLE_, %ecx", "movl {name}.thread_word@gotntpoff(%ecx), %ecx", $access,
            here = sym here, name = sym root, out("ecx") _, options(att_syntax), $($operands)*)
    };
}

// SAFETY: `switch` declares clobbered, or saves, every register of the ABI; tests/conformance runs all promises.
unsafe impl Port for Native {
    type Frame = Frame;
    const NAME: &'static str = "x86";
    // uc_flags, uc_link, uc_stack: 20 bytes; then words: four segment registers, edi, esi, ebp, esp, and eip the fifteenth.
    const SIGNAL_CONTEXT: SignalLayout = SignalLayout::words_from(20, [14, 7, 6, 14]);
    const RED_ZONE: usize = 0;
    const STACK_ALIGN: usize = 16;
    const CALLEE_SAVED: &'static [&'static str] = &["ebx", "esi", "edi", "ebp"];
    const ROOT: Root = root;
    const LINKED_ROOT: Root = linked_root;
    const PROBE: Probe = probe;
    // A trap of 2 bytes and instructions of 3, 1, 2 and 2; before them 3, 3, 3, 2 and 3; in the body a push is 1, a load 3.
    const ROOT_LENGTH: usize = 10;
    const LINKED_ROOT_LENGTH: usize = 24;
    const BODY_LENGTH: usize = 3 + 3 * 3 + 6 * 2;

    #[inline(always)]
    unsafe fn switch<const PLACE: usize>(save: *mut Context, load: Context, arg: usize) -> usize {
        let received;
        // SAFETY: moving esp is allowed as `nostack` is not given. Every register is an operand, a clobber, or restored
        // from the frame before the code at 3 runs. `load` is a frame that nothing else uses (`Port::switch`).
        unsafe {
            asm!(
                "call {here}",
                "2: addl $(3f - 2b), %ecx", // the other syntax has no differences of labels
                "jmp {body}",
                "3:",
                here = sym here,
                body = sym switch_body::<PLACE>,
                inlateout("eax") arg => received,
                inlateout("edi") save => _,
                in("edx") load.top_of_frame(),
                // What a call may overwrite: eax, ecx, edx, all vector, mask, x87 and MMX registers.
                clobber_abi("C"),
                // What a call may not overwrite, except esi and ebp, which the compiler reserves, and edi above.
                out("ebx") _,
                options(att_syntax),
            );
        }
        received
    }

    fn body<const PLACE: usize>() -> *const u8 {
        switch_body::<PLACE> as *const u8
    }

    register!(stack_pointer, "mov {}, esp");
    register!(frame_pointer, "mov {}, ebp");
    prefetch!("prefetcht0 [{} - {}]");

    #[inline(always)]
    fn ticks() -> u64 {
        // SAFETY: the instruction reads a counter, which Linux lets programs read, into registers.
        unsafe { _rdtsc() }
    }

    fn ticks_are_steady() -> bool {
        // Leaf 0x8000_0007, edx bit 8: the counter is invariant.
        const LEAF: u32 = 0x8000_0007;
        __cpuid(0x8000_0000).eax >= LEAF && __cpuid(LEAF).edx & 1 << 8 != 0
    }

    #[inline(always)]
    fn thread_word() -> *mut () {
        let word;
        // SAFETY: reads the word of word.rs, to which there is no Rust reference. Not `pure`: two reads may differ.
        unsafe { at_word!("movl %gs:(%ecx), %eax", out("eax") word, options(nomem)) };
        word
    }

    #[inline(always)]
    fn set_thread_word(word: *mut ()) {
        // SAFETY: writes the word of word.rs, which belongs to this thread and to which there is no Rust reference.
        unsafe { at_word!("movl %eax, %gs:(%ecx)", in("eax") word) };
    }
}

/// Leaves in ecx where it returns to.
#[unsafe(naked)]
unsafe extern "C" fn here() {
    naked_asm!(".cfi_startproc", "mov ecx, [esp]", "ret", ".cfi_endproc")
}

/// The switch. Jumped to, not called; to an unwinder it is a call that the suspended code made, to return at ecx, and at
/// its last instruction one that the resumed code made.
#[unsafe(naked)]
unsafe extern "C" fn switch_body<const PLACE: usize>() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_def_cfa esp, 0",
        ".cfi_register eip, ecx",
        "mov ebx, esp",
        ".irp register, ecx,ebp,esi",
        "push \\register",
        ".cfi_adjust_cfa_offset 4",
        ".endr",
        ".cfi_offset eip, -4; .cfi_offset ebp, -8; .cfi_offset esi, -12",
        "mov [edi], ebx",
        "mov ecx, [edx - 4]; mov ebp, [edx - 8]; mov esi, [edx - 12]",
        // "Why registers are cleared" in port.rs. It is nearly free.
        "xor ebx, ebx; xor edi, edi",
        "mov esp, edx",
        // Here the resumed code's: "Where the frame can be overwritten" in mod.rs.
        ".cfi_def_cfa esp, 0",
        ".cfi_register eip, ecx",
        ".cfi_same_value ebp; .cfi_same_value esi",
        "jmp ecx",
        ".cfi_endproc",
    )
}

// The first trap never runs. Behind that of a linked root comes its record, by which its caller is found.
roots! {
    begin: "ud2";
    code: "sub esp, 12", "push eax", "call esi", "ud2";
    outermost: ".cfi_undefined eip";
    linked: ".cfi_escape 0x0f, 3, 0x74, 0, 0x06", ".cfi_offset eip, -4", ".cfi_offset ebp, -8", ".cfi_offset esi, -12";
    record: "mov ecx, [esp]",
        "push [ecx - 4]", ".cfi_escape 0x0f, 3, 0x74, 4, 0x06",
        "push [ecx - 8]", ".cfi_escape 0x0f, 3, 0x74, 8, 0x06",
        "mov ebp, esp", ".cfi_escape 0x0f, 3, 0x75, 8, 0x06",
        "sub esp, 8";
}

/// [`Port::probe`]. The callee-saved registers of the caller are kept on the stack meanwhile.
#[unsafe(naked)]
unsafe extern "C" fn probe(_: *mut Context, _: Context, _: usize, _: *mut u64) -> usize {
    naked_asm!(
        ".cfi_startproc",
        ".irp register, ebx,esi,edi,ebp",
        "push \\register",
        ".cfi_adjust_cfa_offset 4",
        ".cfi_rel_offset \\register, 0",
        ".endr",
        "mov ecx, [esp + 32]", // `registers`
        ".rept 3",
        "push [esp + 28]", // the other arguments, the last one first; the call below is aligned
        ".cfi_adjust_cfa_offset 4",
        ".endr",
        "mov ebx, [ecx]; mov esi, [ecx + 8]; mov edi, [ecx + 16]; mov ebp, [ecx + 24]",
        "call {switch}",
        "add esp, 12",
        ".cfi_adjust_cfa_offset -12",
        "mov ecx, [esp + 32]",
        "mov [ecx], ebx; mov [ecx + 8], esi; mov [ecx + 16], edi; mov [ecx + 24], ebp",
        ".irp register, ebp,edi,esi,ebx",
        "pop \\register",
        ".cfi_adjust_cfa_offset -4",
        ".cfi_restore \\register",
        ".endr",
        "ret",
        ".cfi_endproc",
        switch = sym compiled_switch,
    )
}
