//! The last promise of a port (see src/port.rs): from every instruction of a switch, of a root and of an entry, an unwinder
//! finds the caller. Profilers start there, from their signals.
//!
//! The program is stopped at each instruction, by whatever the CPU has for that, and the handler of the stop unwinds. Once
//! the handler has a stack of its own, and once it runs on the stack that it finds, over which the kernel writes then.

mod below;
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "riscv64", path = "riscv64.rs")]
#[cfg_attr(target_arch = "loongarch64", path = "loongarch64.rs")]
#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "x86", path = "x86.rs")]
#[cfg_attr(target_arch = "s390x", path = "s390x.rs")]
#[cfg_attr(target_arch = "powerpc64", path = "powerpc64.rs")]
mod cpu;
#[path = "../fiber/mod.rs"]
mod fiber;
mod scenes;
#[cfg_attr(
    any(target_arch = "x86_64", target_arch = "x86"),
    path = "trap_flag.rs"
)]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "x86")),
    path = "breakpoints.rs"
)]
mod stop;
#[path = "../unwinder/mod.rs"]
mod unwinder;
mod walk;

use goroutines_asm::{Native, Port};

/// An ABI has at least so many callee-saved registers that hold addresses: i686 has ebx, ebp, esi and edi.
const FEWEST_REGISTERS: usize = 4;

#[test]
fn unwinds_at_every_instruction() {
    for has_own_stack in [true, false] {
        let found = scenes::run(has_own_stack);
        println!("own stack {has_own_stack}: {found:?}");
        assert!(found.in_body > 20 && found.in_root > 1 && found.in_linked_root > 1);
        let enough = if Native::UNWINDS_IN_SWITCH { 20 } else { 5 };
        assert!(found.probes > enough, "no probe was found");
        assert_eq!(found.bad, [], "walks that are wrong");
        assert!(
            found.registers >= found.probes * FEWEST_REGISTERS,
            "{} registers were compared in {} frames",
            found.registers,
            found.probes
        );
    }
}
