//! What the unwind tables of each CPU call its registers: the numbers of the psABI's DWARF chapter.
//!
//! A walk begins with the registers that a [`Suspended`](crate::Suspended) or [`Interrupted`](crate::Interrupted) has, and
//! finds the others by the tables.

/// The numbers that tables of this CPU use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnwindRegisters {
    /// The stack pointer.
    pub sp: u16,
    /// The frame pointer.
    pub fp: u16,
    /// The link register; `None` where return addresses are on the stack.
    pub link: Option<u16>,
    /// How far the canonical frame address lies above the stack pointer that the caller has after the call.
    pub cfa_above_sp: u64,
    /// The pseudo register that is 1 where the return address is signed, and how many bits the address has then; `None` where
    /// addresses are not signed.
    pub sign_state: Option<(u16, u32)>,
    /// Whether compiled code has such tables. Where it does not, stacks can be unwound for panics only.
    pub has_tables: bool,
}

impl UnwindRegisters {
    const fn new(sp: u16, fp: u16, link: Option<u16>) -> UnwindRegisters {
        UnwindRegisters {
            sp,
            fp,
            link,
            cfa_above_sp: 0,
            sign_state: None,
            has_tables: true,
        }
    }
}

/// The numbers of this CPU.
pub const UNWIND_REGISTERS: UnwindRegisters = {
    if cfg!(target_arch = "x86_64") {
        UnwindRegisters::new(7, 6, None)
    } else if cfg!(target_arch = "x86") {
        UnwindRegisters::new(4, 5, None)
    } else if cfg!(target_arch = "aarch64") {
        UnwindRegisters {
            // Above the 48 bits that Linux gives a program unasked lies the signature (PAC).
            sign_state: Some((34, 48)),
            ..UnwindRegisters::new(31, 29, Some(30))
        }
    } else if cfg!(target_arch = "riscv64") {
        UnwindRegisters::new(2, 8, Some(1))
    } else if cfg!(target_arch = "loongarch64") {
        UnwindRegisters::new(3, 22, Some(1))
    } else if cfg!(target_arch = "powerpc64") {
        UnwindRegisters::new(1, 31, Some(65))
    } else if cfg!(target_arch = "s390x") {
        UnwindRegisters {
            // The register save area of the callee.
            cfa_above_sp: 160,
            ..UnwindRegisters::new(15, 11, Some(14))
        }
    } else if cfg!(target_arch = "arm") {
        UnwindRegisters {
            // It has .ARM.exidx instead: one description for a whole function, right at its calls only.
            has_tables: false,
            ..UnwindRegisters::new(13, 11, Some(14))
        }
    } else {
        panic!("src/arch/dwarf.rs has no row for this CPU");
    }
};

/// Whether the blocks of thread-local storage lie below the thread pointer, which then is the address of the thread's
/// descriptor (variant II of the ELF specification). Else they lie above it, and the descriptor below (variant I).
pub const TLS_BELOW_THREAD_POINTER: bool = cfg!(any(
    target_arch = "x86_64",
    target_arch = "x86",
    target_arch = "s390x"
));
