//! x86_64, System V ABI.
//!
//! ```text
//!   suspended                   running                        fresh (prepared)
//!
//!   higher addresses
//!   |  frames of     |          |  frames of     |
//!   |  the code      |          |  the code      |                              top, 16-aligned
//!   +----------------+ Context  +----------------+ rsp         +----------------+ Context
//!   | rbp            |          :  red zone, 128 :             | rbp    = 0     | ends the frame-pointer chain
//!   | rbx            |          :                :             | rbx    = entry |
//!   | resume         |                                         | resume = root  |
//!   +----------------+ sp()                                    +----------------+ sp()
//! ```
//!
//! A switch away writes the three words of [`Frame`], a switch back reads them and jumps to `resume`: behind the jump in
//! the inlined code, or at [`root`] for a fresh context, which then finds `entry` in rbx, its argument in rax, rbp zero
//! and rsp at `top`. Registers on the way: rax carries the argument, rdi is `save`, rsi is `load`, r8 holds where the
//! suspended code goes on.
//!
//! rsp moves once, from one stack to the other. The frame lies below it on either side, in the red zone: signals skip
//! these 128 bytes, and the compiler keeps nothing there as `nostack` is not given. The tables for unwinders are
//! explained in `arch/mod.rs`.
//!
//! Not saved: MXCSR and the x87 control word. The sixteen additional registers of APX are not known to the compiler's
//! list of clobbers; a program built with `-C target-feature=+egpr` is not supported.

use crate::port::{Probe, Root, Saved, compiled_switch};
use crate::{Context, Entry, Port};
use core::arch::{asm, naked_asm};
use core::mem::offset_of;

/// The port to x86_64.
#[derive(Debug)]
pub enum Native {}

/// What a suspended context keeps below its stack pointer, lowest address first.
#[repr(C)]
#[derive(Debug)]
pub struct Frame {
    resume: Root,
    rbx: usize,
    rbp: usize,
}

// SAFETY: `switch_body` goes on at `resume`; `root` and `linked_root` look for `entry` in rbx.
unsafe impl Saved for Frame {
    #[inline(always)]
    fn fresh(root: Root, entry: Entry) -> Self {
        Self {
            resume: root,
            rbx: entry as usize,
            rbp: 0,
        }
    }
}

// What `switch_body` and the tables of `linked_root` count with.
const _: () = assert!(offset_of!(Frame, resume) == 0 && offset_of!(Frame, rbx) == 8);
const _: () = assert!(offset_of!(Frame, rbp) == 16 && size_of::<Frame>() == 24);

// SAFETY: `switch` declares clobbered, or saves, every register of the ABI; tests/conformance.rs runs all promises.
unsafe impl Port for Native {
    type Frame = Frame;
    const NAME: &'static str = "x86_64";
    // uc_flags, uc_link, uc_stack: 40 bytes; then 64-bit registers, rsp the sixteenth.
    const SP_IN_SIGNAL_CONTEXT: usize = 40 + 15 * 8;
    const RED_ZONE: usize = 128;
    const STACK_ALIGN: usize = 16;
    const CALLEE_SAVED: &'static [&'static str] = &["rbx", "rbp", "r12", "r13", "r14", "r15"];

    const ROOT: Root = root;
    const LINKED_ROOT: Root = linked_root;
    const PROBE: Probe = probe;

    #[inline(always)]
    unsafe fn switch<const PLACE: usize>(save: *mut Context, load: Context, arg: usize) -> usize {
        let received;
        // SAFETY: `nostack` is not given, so the red zone is free for our frame. Every register is an operand, a clobber, or
        // restored from the frame before the code at 2 runs. The caller answers for `load` being a frame that nobody else
        // uses.
        unsafe {
            asm!(
                "lea r8, [rip + 2f]",
                "jmp {body}",
                "2:",
                body = sym switch_body::<PLACE>,
                inlateout("rax") arg => received,
                in("rdi") save,
                in("rsi") load.top_of_frame(),
                // What a call may overwrite: rax, rcx, rdx, rsi, rdi, r8-r11, all vector, mask, x87 and MMX registers.
                clobber_abi("sysv64"),
                // What a call may not overwrite, except rbx and rbp, which the compiler reserves.
                out("r12") _,
                out("r13") _,
                out("r14") _,
                out("r15") _,
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
        unsafe { asm!("mov {}, rsp", out(reg) address, options(nomem, nostack, preserves_flags)) };
        address
    }

    #[inline(always)]
    fn frame_pointer() -> *const u8 {
        let address;
        // SAFETY: copies a register.
        unsafe { asm!("mov {}, rbp", out(reg) address, options(nomem, nostack, preserves_flags)) };
        address
    }

    #[inline(always)]
    fn thread_word() -> *mut () {
        let word;
        // SAFETY: reads the eight bytes of word.rs, which no Rust reference can reach (hence `nomem`); not `pure`, because
        // two reads differ when a switch between them moved us to another thread.
        unsafe {
            asm!(
                "mov {word}, qword ptr [rip + {name}.thread_word@gottpoff]",
                "mov {word}, qword ptr fs:[{word}]",
                name = sym root,
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
                "mov {offset}, qword ptr [rip + {name}.thread_word@gottpoff]",
                "mov qword ptr fs:[{offset}], {word}",
                name = sym root,
                offset = out(reg) _,
                word = in(reg) word,
                options(nostack, preserves_flags),
            );
        }
    }

    #[inline(always)]
    fn prefetch<const BELOW: usize>(addr: *const u8) {
        // SAFETY: a prefetch changes nothing a program can observe and ignores bad addresses.
        unsafe {
            asm!("prefetchw [{} - {}]", in(reg) addr.addr(), const BELOW, options(nomem, nostack, preserves_flags))
        };
    }

    #[cfg(feature = "valgrind")]
    fn client_request(request: &[usize; 6]) -> usize {
        let mut answer = 0;
        // SAFETY: the rotations add up to 128 bits and the exchange is one of a register with itself: nothing changes on
        // a CPU. Valgrind reads the words behind rax and writes rdx.
        unsafe {
            asm!(
                "rol rdi, 3",
                "rol rdi, 13",
                "rol rdi, 61",
                "rol rdi, 51",
                "xchg rbx, rbx",
                in("rax") request.as_ptr(),
                inlateout("rdx") answer,
                // Its old value is kept by the rotations, so any will do.
                inlateout("rdi") 0 => _,
                options(nostack),
            );
        }
        answer
    }
}

/// The switch. Jumped to, not called; to an unwinder it is a call that the suspended code made, to return at r8.
#[unsafe(naked)]
unsafe extern "C" fn switch_body<const PLACE: usize>() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_def_cfa rsp, 0",
        ".cfi_register rip, r8",
        "mov [rsp - 24], r8",
        "mov [rsp - 16], rbx",
        "mov [rsp - 8], rbp",
        "mov [rdi], rsp",
        // From here to the jump by `*save`, which belongs to us until the jump. r8 stays. DW_CFA_def_cfa_expression of 3
        // bytes: DW_OP_breg5 (rdi) 0, DW_OP_deref.
        ".cfi_escape 0x0f, 3, 0x75, 0, 0x06",
        ".cfi_offset rbx, -16",
        ".cfi_offset rbp, -8",
        "mov rbx, [rsi - 16]",
        "mov rbp, [rsi - 8]",
        "mov rsp, rsi",
        // Free, and nothing of the code that ran here gets into frames of the code that goes on: who looks for addresses
        // on a stack finds its own alone.
        "xor r12d, r12d",
        "xor r13d, r13d",
        "xor r14d, r14d",
        "xor r15d, r15d",
        "jmp [rsi - 24]",
        ".cfi_endproc",
    )
}

/// The first frame of a linked context: [`root`], but its caller is the suspended code whose [`Context`] is at `top`.
///
/// The canonical frame address is where that code had its stack pointer, right above its [`Frame`]: the word at our
/// stack pointer. The escape is `DW_CFA_def_cfa_expression`, 3 bytes: `DW_OP_breg7` (rsp) 0, `DW_OP_deref`.
#[unsafe(naked)]
unsafe extern "C" fn linked_root() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_escape 0x0f, 3, 0x77, 0, 0x06",
        ".cfi_offset rbp, -8",
        ".cfi_offset rbx, -16",
        ".cfi_offset rip, -24",
        "mov rdi, rax",
        "call rbx",
        "ud2", // an entry does not return
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
        ".cfi_undefined rip",
        "mov rdi, rax",
        "call rbx",
        "ud2", // an entry does not return
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
        ".irp register, rbx,rbp,r12,r13,r14,r15",
        "push \\register",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset \\register, 0",
        ".endr",
        "push rcx", // `registers`; with the return address 64 bytes, so the call below is aligned
        ".cfi_adjust_cfa_offset 8",
        "mov rbx, [rcx]",
        "mov rbp, [rcx + 8]",
        "mov r12, [rcx + 16]",
        "mov r13, [rcx + 24]",
        "mov r14, [rcx + 32]",
        "mov r15, [rcx + 40]",
        "call {switch}",
        "pop rcx",
        ".cfi_adjust_cfa_offset -8",
        "mov [rcx], rbx",
        "mov [rcx + 8], rbp",
        "mov [rcx + 16], r12",
        "mov [rcx + 24], r13",
        "mov [rcx + 32], r14",
        "mov [rcx + 40], r15",
        ".irp register, r15,r14,r13,r12,rbp,rbx",
        "pop \\register",
        ".cfi_adjust_cfa_offset -8",
        ".cfi_restore \\register",
        ".endr",
        "ret",
        ".cfi_endproc",
        switch = sym compiled_switch,
    )
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use core::arch::x86_64::{
        _mm512_cmpeq_epi8_mask, _mm512_cmpeq_epi64_mask, _mm512_mask_cmpeq_epi8_mask,
        _mm512_set1_epi64,
    };
    use core::hint::black_box;
    use std::{eprintln, vec};

    /// Overwrites all vector and mask registers each time it runs.
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn overwrite(outside: *mut Context) -> ! {
        let mut own = Context::NULL;
        loop {
            // SAFETY: the registers are declared; then back to where `outside` was saved.
            unsafe {
                asm!(
                    "vpternlogd zmm0, zmm0, zmm0, 0xff",
                    ".irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
                    "vmovdqa64 zmm\\n, zmm0",
                    ".endr",
                    ".irp n, 0,1,2,3,4,5,6,7",
                    "kxnorq k\\n, k\\n, k\\n",
                    ".endr",
                    clobber_abi("sysv64"),
                );
                Native::switch::<0>(&raw mut own, *outside, &raw mut own as usize);
            }
        }
    }

    unsafe extern "C" fn entry(outside: usize) -> ! {
        // SAFETY: the test runs us only where the CPU has AVX-512; `outside` waits for us.
        unsafe { overwrite(outside as *mut Context) }
    }

    /// Thirty-two vectors and eight masks, alive across an inlined switch: each a variable, for arrays lie in memory.
    macro_rules! survive {
        ($switch:expr; $($number:literal $vector:ident)*; $($mask:ident)*) => {
            let zero = _mm512_set1_epi64(black_box(0));
            $(let $vector = _mm512_set1_epi64(black_box($number));)*
            $(let $mask = _mm512_cmpeq_epi8_mask(zero, _mm512_set1_epi64(black_box(0xff00)));)*
            $switch;
            let zero = _mm512_set1_epi64(black_box(0));
            $(assert_eq!(_mm512_cmpeq_epi64_mask($vector, _mm512_set1_epi64(black_box($number))), 0xff, "{}", stringify!($vector));)*
            $(assert_eq!(_mm512_mask_cmpeq_epi8_mask($mask, zero, zero), 0xfdfd_fdfd_fdfd_fdfd, "{}", stringify!($mask));)*
        };
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn vectors_survive(outside: *mut Context, mut inside: Context) {
        for _ in 0..4 {
            survive! {
                // SAFETY: `inside` is suspended and tells where it is saved next; `outside` is read while we wait.
                inside = unsafe { *(Native::switch::<0>(outside, inside, outside as usize) as *const Context) };
                0 v0 1 v1 2 v2 3 v3 4 v4 5 v5 6 v6 7 v7 8 v8 9 v9 10 v10 11 v11 12 v12 13 v13 14 v14 15 v15
                16 v16 17 v17 18 v18 19 v19 20 v20 21 v21 22 v22 23 v23 24 v24 25 v25 26 v26 27 v27 28 v28 29 v29
                30 v30 31 v31;
                k0 k1 k2 k3 k4 k5 k6 k7
            }
        }
    }

    #[test]
    fn avx512_values_survive_an_inlined_switch() {
        if !(std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512bw"))
        {
            eprintln!("not tested: this CPU has no AVX-512");
            return;
        }
        let mut stack = vec![0_u128; 4096];
        let mut outside = Context::NULL;
        // SAFETY: an aligned stack of 64 KiB, and a CPU that has the features.
        unsafe {
            let inside = Native::prepare(stack.as_mut_ptr_range().end.cast(), entry);
            vectors_survive(&raw mut outside, inside);
        }
    }
}
