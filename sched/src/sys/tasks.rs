//! The threads of this process, as the kernel shows them in /proc; and which are the runtime's. Names do not say that: a new
//! thread has that of the thread that starts it, which may be an M.

use std::{
    fs,
    sync::{Mutex, PoisonError},
};

/// The numbers of the runtime's threads.
static OURS: Mutex<Vec<libc::pid_t>> = Mutex::new(Vec::new());

/// Runs `body`, the life of a thread that wakes goroutines only as a part of the scheduler, or not at all.
pub fn as_own_thread<R>(body: impl FnOnce() -> R) -> R {
    struct Own(libc::pid_t);
    impl Drop for Own {
        fn drop(&mut self) {
            let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
            ours.retain(|&id| id != self.0);
        }
    }
    let own = Own(own());
    OURS.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(own.0);
    body()
}

/// The kernel's number of the calling thread.
pub(crate) fn own() -> libc::pid_t {
    // SAFETY: takes nothing and always succeeds.
    unsafe { libc::gettid() }
}

/// A thread.
#[derive(Debug)]
pub(crate) struct Task {
    /// The kernel's number.
    pub(crate) id: libc::pid_t,
    pub(crate) name: String,
    /// Whether it waits in the kernel for something (state S).
    pub(crate) sleeps: bool,
    /// How often it was taken off a CPU. A thread that has run since it was seen asleep has a larger number when it is
    /// asleep again.
    pub(crate) switches: u64,
    /// Whether it is one of the runtime's.
    pub(crate) is_ours: bool,
}

/// All threads; `None` where the system does not say, or one ends meanwhile.
pub(crate) fn all() -> Option<Vec<Task>> {
    fs::read_dir("/proc/self/task")
        .ok()?
        .map(|entry| {
            let entry = entry.ok()?;
            one(entry.file_name().to_str()?.parse().ok()?)
        })
        .collect()
}

/// Returns whether `thread` blocks `signal`; false where the system does not say.
pub(crate) fn blocks(thread: libc::pid_t, signal: libc::c_int) -> bool {
    let blocked = status(thread).and_then(|status| blocked(&status));
    blocked.is_some_and(|set| set & 1 << (signal - 1) != 0)
}

/// The set of blocked signals in a status.
fn blocked(status: &str) -> Option<u64> {
    let set = status
        .lines()
        .find_map(|line| line.strip_prefix("SigBlk:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}

/// The thread with this number.
pub(crate) fn one(id: libc::pid_t) -> Option<Task> {
    parse(id, &status(id)?)
}

fn status(id: libc::pid_t) -> Option<String> {
    fs::read_to_string(format!("/proc/self/task/{id}/status")).ok()
}

/// The name of the thread with this number.
pub(crate) fn name(id: libc::pid_t) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/self/task/{id}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

fn parse(id: libc::pid_t, status: &str) -> Option<Task> {
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|rest| rest.strip_prefix(':')).map(str::trim)
    };
    let count = |key: &str| value(key)?.parse::<u64>().ok();
    Some(Task {
        id,
        name: value("Name")?.to_owned(),
        sleeps: value("State")?.starts_with('S'),
        switches: count("voluntary_ctxt_switches")? + count("nonvoluntary_ctxt_switches")?,
        is_ours: OURS
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&id),
    })
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use super::*;

    #[test]
    fn the_fields_of_a_status_are_found() {
        let text = "Name:\tgoroutines-m\nUmask:\t0022\nState:\tS (sleeping)\nPid:\t7\nvoluntary_ctxt_switches:\t30\nnonvoluntary_ctxt_switches:\t4\n";
        let task = parse(7, text).expect("all are there");
        assert_eq!((&*task.name, task.sleeps), ("goroutines-m", true));
        assert_eq!((task.id, task.switches), (7, 34));
        let other = text.replace("S (", "R (");
        let task = parse(7, &other).expect("all are there");
        assert!(!task.sleeps);
        assert!(parse(7, "Name:\tx\nState:\tS (sleeping)\n").is_none());
    }

    #[test]
    fn blocked_signals_are_bits_of_a_number() {
        assert_eq!(
            blocked("Name:\tx\nSigBlk:\t0000000000400000\n"),
            Some(1 << 22)
        );
        assert_eq!(blocked("Name:\tx\n"), None);
    }

    /// All threads. Those of other tests end at any time, so a look may have to be repeated.
    fn all_at_last() -> Vec<Task> {
        (0..10_000)
            .find_map(|_| all())
            .expect("some look meets no thread that ends")
    }

    #[test]
    fn a_thread_that_sleeps_is_told_from_one_that_runs() {
        let (tx, rx) = mpsc::channel::<()>();
        let (say, id) = mpsc::channel();
        let sleeps = thread::spawn(move || {
            as_own_thread(|| say.send(own()).expect("the test listens"));
            assert!(rx.recv().is_err());
        });
        let (id, own) = (id.recv().expect("it says"), own());
        for _ in 0..10_000 {
            let all = all_at_last();
            let find = |id| all.iter().find(|task| task.id == id);
            if find(id).is_some_and(|task| task.sleeps) {
                assert!(find(own).is_some_and(|task| !task.sleeps && !task.is_ours));
                as_own_thread(|| {
                    let all = all_at_last();
                    let ours = all.iter().filter(|task| task.is_ours);
                    assert!(ours.clone().any(|task| task.id == own), "{all:?}");
                    assert!(ours.clone().all(|task| task.id != id), "it is one no more");
                });
                drop(tx);
                sleeps.join().expect("it ends");
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("it does not sleep");
    }
}
