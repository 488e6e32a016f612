//! The threads of this process as the system sees them.

use std::fs;

/// A thread that the runtime has made.
pub(crate) struct Task {
    pub(crate) tid: libc::pid_t,
    pub(crate) name: String,
    /// The signals that it blocks, as bits.
    pub(crate) blocked: u64,
}

impl Task {
    pub(crate) fn blocks(&self, signal: i32) -> bool {
        self.blocked & (1 << (signal - 1)) != 0
    }

    pub(crate) fn nice(&self) -> i32 {
        nice_of(self.tid)
    }

    pub(crate) fn cpus(&self) -> i32 {
        cpus_of(self.tid)
    }
}

/// The nice value of a thread; 0 is the calling one.
pub(crate) fn nice_of(tid: libc::pid_t) -> i32 {
    // SAFETY: takes numbers and answers with one.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, tid as u32) }
}

/// How many CPUs a thread may run on; 0 is the calling one.
pub(crate) fn cpus_of(tid: libc::pid_t) -> i32 {
    // SAFETY: a mask of CPUs is plain bits; `set` is live and of the size that is said.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(tid, size_of_val(&set), &raw mut set);
        libc::CPU_COUNT(&set)
    }
}

/// Those that the runtime has made.
pub(crate) fn ours() -> Vec<Task> {
    let tasks = fs::read_dir("/proc/self/task").expect("a list of threads");
    let tasks = tasks.filter_map(|task| {
        let path = task.ok()?.path();
        let status = fs::read_to_string(path.join("status")).ok()?;
        let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
        Some(Task {
            tid: path.file_name()?.to_str()?.parse().ok()?,
            name: line("Name:")?.trim().to_owned(),
            blocked: u64::from_str_radix(line("SigBlk:")?.trim(), 16).ok()?,
        })
    });
    tasks
        .filter(|task| task.name.starts_with("goroutines-"))
        .collect()
}
