//! What the ports share: the CPU as a type, and the macros that hold the functions that differ in an instruction or two.
//!
//! # The memory of a context
//!
//! ```text
//!   suspended                   running                        fresh (prepared)
//!
//!   higher addresses
//!   |  frames of     |          |  frames of     |                               top, aligned
//!   |  the code      |          |  the code      |             :  headroom, 0.. : of callees, if the ABI has one
//!   +----------------+ Context  +----------------+ sp          +----------------+ Context
//!   | Frame:         |          :  red zone, if  :             | Frame:         |
//!   |  frame pointer |          :  the ABI has   :             |  frame pointer | = 0: ends the frame-pointer chain
//!   |  base register |          :  one           :             |  base register | = entry
//!   |  resume        |                                         |  resume        | = root
//!   +----------------+ sp()                                    +----------------+ sp()
//! ```
//!
//! A switch away writes a `Frame` below the stack pointer, a switch back reads it and jumps to `resume`: behind the jump in
//! the inlined code, or in `root` for a fresh context. `root` then finds `entry` in the base register, the argument where
//! the switch carries it, a frame pointer of zero, and the stack pointer at `top`, or where the headroom below it begins:
//! the bytes that belong to the function that `root` calls, the first word of which is zero. Frame pointer and base register are the
//! two that the compiler does not accept as clobbers; the head of each port names them, and the order in its `Frame`.
//!
//! The tables that unwinders read are explained in `arch/mod.rs`.

/// The CPU that the program is built for.
#[derive(Debug)]
pub enum Native {}

/// [`Port::Frame`](crate::Port::Frame): its alignment, its words from the lowest address up, and how far into a root its code
/// begins. `fp` is the frame pointer's word, `base` that of the base register; further ones begin as zero.
/// What the alignment adds lies above the last word: `align(16)` and three words of 8 bytes make 32, 24 and 16 bytes below `load`.
macro_rules! frame {
    (align($align:literal) $($word:ident),+; root + $begins:literal) => {
        /// What a suspended context keeps below its stack pointer, lowest address first.
        #[repr(C, align($align))]
        #[derive(Debug)]
        pub struct Frame {
            $($word: usize),+
        }

        // SAFETY: `switch_body` jumps to `resume`; `root` and `linked_root` call the `entry` that they find in the base
        // register.
        unsafe impl crate::port::Saved for Frame {
            const LAYOUT: crate::FrameLayout = crate::FrameLayout {
                ip: core::mem::offset_of!(Frame, resume),
                fp: core::mem::offset_of!(Frame, fp),
                base: core::mem::offset_of!(Frame, base),
            };

            #[inline(always)]
            fn fresh(root: crate::Root, entry: crate::Entry) -> Self {
                #[allow(clippy::needless_update, reason = "some ports have further words")]
                Self {
                    fp: 0,
                    base: entry as usize,
                    resume: root as usize + $begins,
                    ..Self { $($word: 0),+ }
                }
            }

            fn ip(&self) -> usize {
                self.resume
            }

            fn fp(&self) -> usize {
                self.fp
            }
        }
    };
}

/// A function that copies a register.
macro_rules! register {
    ($name:ident, $copy:literal) => {
        #[inline(always)]
        fn $name() -> *const u8 {
            let address;
            // SAFETY: the instruction copies a register to another.
            unsafe { core::arch::asm!($copy, out(reg) address, options(nomem, nostack, preserves_flags)) };
            address
        }
    };
}

/// [`Port::ticks`](crate::Port::ticks): the instructions that leave the counter in a register, and the others that they use.
#[allow(unused_macros, reason = "some ports have their own")]
macro_rules! counter {
    ($($read:literal),+ $(, out($used:tt) _)*) => {
        #[inline(always)]
        fn ticks() -> u64 {
            let ticks;
            // SAFETY: the instructions read a counter, which Linux lets programs read, into registers. Not `pure`: two reads
            // differ.
            unsafe { core::arch::asm!($($read,)+ out(reg) ticks, $(out($used) _,)* options(nomem, nostack)) };
            ticks
        }
    };
}

/// The functions of the thread word. The instructions address it as `{name}.thread_word` and have `{word}` and, for
/// addresses, further registers under the names that are given. If not all registers can be addresses, the class of those
/// that can comes first, with what else the instructions overwrite.
#[allow(unused_macros, reason = "some ports have their own")]
macro_rules! thread_word {
    (load $($code:tt)*) => {
        thread_word!(reg(): load $($code)*);
    };
    ($class:ident($($lost:tt),*): load($($load_tmp:ident)*) $($load:literal),+; store($($store_tmp:ident)*) $($store:literal),+;) => {
        #[inline(always)]
        fn thread_word() -> *mut () {
            let word;
            // SAFETY: reads the word of word.rs, to which there is no Rust reference (hence `nomem`). Not `pure`: two
            // reads differ if a switch between them has moved the computation to another thread.
            unsafe {
                core::arch::asm!($($load,)+ name = sym root, $($load_tmp = out($class) _,)* word = out($class) word, $(out($lost) _,)*
                    options(nomem, nostack, preserves_flags));
            }
            word
        }

        #[inline(always)]
        fn set_thread_word(word: *mut ()) {
            // SAFETY: writes the word of word.rs, which belongs to this thread and to which there is no Rust reference.
            // Not `nomem`: a later read makes the memory behind `word` reachable.
            unsafe {
                core::arch::asm!($($store,)+ name = sym root, $($store_tmp = out($class) _,)* word = in($class) word, $(out($lost) _,)*
                    options(nostack, preserves_flags));
            }
        }
    };
}

/// [`Port::prefetch`](crate::Port::prefetch): the instruction gets the address and the distance below it.
#[allow(unused_macros, reason = "some ports have their own")]
macro_rules! prefetch {
    ($hint:literal) => {
        prefetch!(reg: $hint);
    };
    ($class:ident: $hint:literal) => {
        #[inline(always)]
        fn prefetch<const BELOW: usize>(addr: *const u8) {
            // SAFETY: a prefetch changes nothing that a program can observe, and ignores bad addresses.
            unsafe {
                core::arch::asm!($hint, in($class) addr.addr(), const BELOW, options(nomem, nostack, preserves_flags));
            }
        }
    };
}

/// `Port::client_request`: the instructions that valgrind knows, and the registers in which it finds the words and leaves
/// the answer. On a CPU they change no register: the rotations add up to whole turns.
#[allow(unused_macros, reason = "some ports have their own")]
macro_rules! client_request {
    ($words:tt, $answer:tt: $($code:literal),+) => {
        #[cfg(feature = "valgrind")]
        fn client_request(request: &[usize; 6]) -> usize {
            let mut answer = 0;
            // SAFETY: the instructions leave every register as it was. Valgrind reads the six words and writes the answer.
            unsafe {
                core::arch::asm!($($code,)+ in($words) request.as_ptr(), inlateout($answer) answer, options(nostack));
            }
            answer
        }
    };
}

/// `root` and `linked_root`. Both start with `begin`. `code` begins with the registers of a fresh frame: it calls `entry`, and traps behind that,
/// for an entry does not return. `outermost` and `linked` are what the tables say of the caller; `record` comes before the
/// code of a linked root.
macro_rules! roots {
    (begin: $($begin:literal),+; code: $($code:literal),+; outermost: $($end:literal),+; linked: $($link:literal),+; record: $($record:literal),+;) => {
        /// The first frame of every context. Entered by the jump of a switch, with the registers of a fresh [`Frame`].
        ///
        /// The return address is declared undefined: that is how an unwinder recognises the outermost frame.
        #[unsafe(naked)]
        pub(super) unsafe extern "C" fn root() {
            core::arch::naked_asm!(".cfi_startproc", $($end,)+ $($begin,)+ $($code,)+ ".cfi_endproc")
        }

        /// The first frame of a linked context: [`root`], but its caller is the suspended code whose [`Context`] is at `top`.
        ///
        /// The canonical frame address is where that code had its stack pointer, right above its [`Frame`]: the word at the
        /// top. The escapes are `DW_CFA_def_cfa_expression` of 3 bytes: `DW_OP_breg` of the stack pointer, how far it is
        /// below the top, `DW_OP_deref`. `DW_OP_breg` is 0x70 plus the register's number.
        ///
        /// For tools that follow frame pointers and read no tables it also makes a frame record, {frame pointer, return address}
        /// of that code; the frame pointer points [`RECORD_BELOW_FRAME_POINTER`](Port::RECORD_BELOW_FRAME_POINTER) above it.
        #[unsafe(naked)]
        unsafe extern "C" fn linked_root() {
            core::arch::naked_asm!(".cfi_startproc", $($link,)+ $($begin,)+ $($record,)+ $($code,)+ ".cfi_endproc")
        }
    };
}

#[allow(unused_imports, reason = "some ports have their own")]
pub(super) use {client_request, counter, frame, prefetch, register, roots, thread_word};
