//! Filters that refuse system calls with EPERM, as sandboxes do.

/// Refuses the system call `number` to this thread and those that it starts; where `advice` is given only if the third
/// argument is that.
pub(crate) fn refuse(number: libc::c_long, advice: Option<u32>) {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    // To the statement after the next, the last but one, if the values differ.
    let equal = |k: u32, jf: u8| libc::sock_filter {
        jf,
        ..statement(BPF_JMP | BPF_JEQ | BPF_K, k)
    };
    let load = |offset: u32| statement(BPF_LD | BPF_W | BPF_ABS, offset);
    // `seccomp_data`: the number, the CPU, the instruction pointer, six arguments.
    const THIRD: u32 = 16 + 2 * 8;
    let mut filter = vec![load(0)];
    match advice {
        None => filter.push(equal(number as u32, 1)),
        Some(advice) => filter.extend([equal(number as u32, 3), load(THIRD), equal(advice, 1)]),
    }
    filter.extend([
        statement(
            BPF_RET | BPF_K,
            libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        ),
        statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW),
    ]);
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program is whole for the calls, which read it.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program),
            0
        );
    }
}
