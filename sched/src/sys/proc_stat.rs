//! The kernel's state of a thread of this process.

use std::fs;

/// Returns whether the kernel calls thread `tid` runnable (state R): it runs or waits for a CPU. False if it is
/// blocked, if there is no such thread, and where `/proc` is not mounted. About 10 us.
pub(crate) fn is_runnable(tid: libc::pid_t) -> bool {
    let stat = fs::read(format!("/proc/self/task/{tid}/stat")).unwrap_or_default();
    state(&stat) == Some(b'R')
}

/// The state in a line such as `17 (name) R 1 ...`. The name may hold any character, brackets and spaces too.
fn state(stat: &[u8]) -> Option<u8> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    stat.get(end + 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_what_follows_the_name() {
        assert_eq!(state(b"17 (a) R 1 17"), Some(b'R'));
        assert_eq!(state(b"17 (a) R) S 1 17"), Some(b'S'));
        assert_eq!(state(b"17 (a)"), None);
        assert_eq!(state(b""), None);
    }

    #[test]
    fn the_caller_is_runnable_and_a_thread_that_sleeps_is_not() {
        // SAFETY: gettid takes nothing and gives a number.
        let tid = || unsafe { libc::gettid() };
        assert!(is_runnable(tid()));
        let (tx, rx) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let sleeper = std::thread::spawn(move || {
            tx.send(tid()).unwrap();
            ended.recv().unwrap_err();
        });
        let sleeper_tid = rx.recv().unwrap();
        while is_runnable(sleeper_tid) {
            std::thread::yield_now();
        }
        drop(end);
        sleeper.join().unwrap();
        assert!(!is_runnable(-1));
    }
}
