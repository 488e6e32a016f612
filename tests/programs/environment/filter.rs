//! System call filters, as sandboxes install them: some calls answer with an error.

use std::{ffi::c_long, io, mem};

/// A call that is refused.
#[derive(Clone, Copy)]
pub(crate) struct Refused {
    pub(crate) call: c_long,
    /// Only where the argument of this number (0 to 5) is this one.
    pub(crate) argument: Option<(u32, u32)>,
    pub(crate) errno: i32,
}

impl Refused {
    /// `call` with whatever arguments.
    pub(crate) fn always(call: c_long, errno: i32) -> Refused {
        Refused {
            call,
            argument: None,
            errno,
        }
    }
}

/// Where the kernel shows a filter the number of the call, and the low half of its first argument.
const NUMBER: u32 = 0;
const ARGUMENTS: u32 = 16;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Installs a filter that refuses `calls`: on every thread of the process, or on the calling one and those it starts.
pub(crate) fn refuse(calls: &[Refused], on_all_threads: bool) {
    let mut program = Vec::new();
    for refused in calls {
        // A comparison that fails skips the rest of this call's instructions.
        let rest = if refused.argument.is_some() { 3 } else { 1 };
        program.push(step(LOAD, NUMBER, 0));
        program.push(step(JUMP_IF_EQUAL, refused.call as u32, rest));
        if let Some((number, value)) = refused.argument {
            program.push(step(LOAD, ARGUMENTS + 8 * number, 0));
            program.push(step(JUMP_IF_EQUAL, value, 1));
        }
        let errno = libc::SECCOMP_RET_ERRNO | refused.errno as u32;
        program.push(step(RETURN, errno, 0));
    }
    program.push(step(RETURN, libc::SECCOMP_RET_ALLOW, 0));
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    let flags = match on_all_threads {
        true => libc::SECCOMP_FILTER_FLAG_TSYNC,
        false => 0,
    };
    // SAFETY: `filter` and the program that it points at live through the calls, which read them.
    let installed = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const filter,
            ) == 0
    };
    assert!(installed, "no filter: {}", io::Error::last_os_error());
}

fn step(code: u16, k: u32, jump_if_not: u8) -> libc::sock_filter {
    // SAFETY: all zeroes is a valid instruction.
    let nothing: libc::sock_filter = unsafe { mem::zeroed() };
    libc::sock_filter {
        code,
        k,
        jf: jump_if_not,
        ..nothing
    }
}
