//! The CPUs on which what is measured runs.

use std::io;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The CPUs this thread may run on, ascending.
///
/// # Errors
///
/// What the kernel answers, for instance on a machine with more CPUs than a fixed-size mask holds.
pub fn allowed() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count())
        .filter(|&cpu| set.is_set(cpu).unwrap_or(false))
        .collect())
}

/// Pins the calling thread, and every thread it starts from now on, to one CPU of those allowed, and says which.
///
/// The last one is taken: interrupts and boot-time services prefer the first.
///
/// # Errors
///
/// If no CPU is allowed or the kernel refuses the mask. Without the pin the rows would measure something else.
pub fn pin() -> io::Result<usize> {
    let cpu = allowed()?
        .pop()
        .ok_or_else(|| io::Error::other("this thread is allowed on no CPU"))?;
    pin_to(&[cpu])?;
    Ok(cpu)
}

/// Allows the calling thread, and every thread and process it starts from now on, these CPUs only.
///
/// # Errors
///
/// If the kernel refuses the mask.
pub fn pin_to(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu)?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Writes a sorted list of CPUs as the kernel does: `0-3,6`.
pub fn ranges(cpus: &[usize]) -> String {
    let mut text = String::new();
    let mut rest = cpus;
    while let Some(&first) = rest.first() {
        let run = rest
            .iter()
            .zip(first..)
            .take_while(|&(&cpu, expected)| cpu == expected)
            .count();
        let last = first + run - 1;
        let comma = if text.is_empty() { "" } else { "," };
        text += &match run {
            1 => format!("{comma}{first}"),
            _ => format!("{comma}{first}-{last}"),
        };
        rest = &rest[run..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_as_the_kernel_does() {
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[5]), "5");
        assert_eq!(ranges(&[0, 1, 2, 3]), "0-3");
        assert_eq!(ranges(&[0, 2, 3, 7]), "0,2-3,7");
    }

    #[test]
    fn a_pinned_thread_and_its_children_are_allowed_on_that_cpu_only() {
        std::thread::spawn(|| {
            let before = allowed().unwrap();
            let cpu = pin().unwrap();
            assert!(before.contains(&cpu));
            assert_eq!(allowed().unwrap(), [cpu]);
            assert_eq!(std::thread::spawn(allowed).join().unwrap().unwrap(), [cpu]);
        })
        .join()
        .unwrap();
    }
}
