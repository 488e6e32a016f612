//! Branch target identification of aarch64: a switch jumps to landing pads only.
//!
//! Needs a standard library and a program that are compiled for it: `scripts/bti.sh`.
#![cfg(target_arch = "aarch64")]

mod fiber;

use fiber::Fiber;
use std::{
    arch::asm,
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
};

/// `PROT_BTI` of Linux: an indirect branch into the pages must reach a landing pad.
const PROT_BTI: i32 = 0x10;

/// The pages of this program's code, which are guarded while this lives.
struct Guarded {
    start: usize,
    end: usize,
}

impl Guarded {
    fn new() -> Self {
        let here = Guarded::new as *const u8 as usize;
        let maps = fs::read_to_string("/proc/self/maps").expect("a list of mappings");
        let (start, end) = maps
            .lines()
            .filter_map(|line| line.split_once(' ')?.0.split_once('-'))
            .filter_map(|(start, end)| {
                let hex = |text| usize::from_str_radix(text, 16).ok();
                Some((hex(start)?, hex(end)?))
            })
            .find(|&(start, end)| (start..end).contains(&here))
            .expect("a mapping of this code");
        let guarded = Self { start, end };
        guarded.protect(PROT_BTI);
        guarded
    }

    fn protect(&self, more: i32) {
        let access = libc::PROT_READ | libc::PROT_EXEC | more;
        // SAFETY: the pages hold this program's code, and stay readable and executable.
        let result = unsafe { libc::mprotect(self.start as *mut _, self.end - self.start, access) };
        assert_eq!(result, 0, "mprotect: {}", io::Error::last_os_error());
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.protect(0);
    }
}

/// Returns whether an indirect jump to an instruction that is no landing pad ends a process.
fn is_enforced() -> bool {
    // SAFETY: the child makes a jump and ends, without a call of the allocator.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: the jump goes to the next instruction, which changes nothing; or the process ends.
        unsafe {
            asm!("adr {0}, 2f", "br {0}", "2:", "nop", out(reg) _);
            libc::_exit(0);
        }
    }
    let mut status = 0;
    // SAFETY: `child` is this process's, and `status` outlives the call.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGILL
}

#[test]
#[ignore = "only in a program with landing pads everywhere: scripts/bti.sh"]
fn switches_jump_to_landing_pads_only() {
    let _guarded = Guarded::new();
    assert!(is_enforced(), "the CPU lets indirect jumps go anywhere");
    let mut fiber = Fiber::new(|inside, first| {
        let second = inside.suspend(first + 1);
        panic_any(second + 1)
    });
    assert_eq!(fiber.resume(1), 2);
    let panic = catch_unwind(AssertUnwindSafe(|| fiber.resume(10))).expect_err("a panic");
    assert_eq!(panic.downcast_ref(), Some(&11_usize));
}
