//! What memory this process has, as /proc says.

use std::{fs, io};

/// Memory of the process at one time, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Memory {
    /// Resident pages (`VmRSS`).
    pub resident: usize,
    /// Page tables (`VmPTE`).
    pub tables: usize,
}

impl Memory {
    /// What the process has now.
    ///
    /// # Errors
    ///
    /// When /proc cannot be read.
    pub fn now() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let field = |name| {
            kilobytes(&status, name).ok_or_else(|| {
                io::Error::other(format!("/proc/self/status has no number for {name}"))
            })
        };
        Ok(Self {
            resident: field("VmRSS:")?,
            tables: field("VmPTE:")?,
        })
    }

    /// By how much both have grown since `before`; less than nothing if they have shrunk.
    pub fn since(self, before: Self) -> Growth {
        let growth = |now: usize, before: usize| now as f64 - before as f64;
        Growth {
            resident: growth(self.resident, before.resident),
            tables: growth(self.tables, before.tables),
        }
    }
}

/// A difference of two [`Memory`]s, in bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Growth {
    /// Of resident pages.
    pub resident: f64,
    /// Of page tables.
    pub tables: f64,
}

impl Growth {
    /// Both.
    pub fn all(self) -> f64 {
        self.resident + self.tables
    }
}

/// How many memory areas the process has: what `vm.max_map_count` bounds.
///
/// # Errors
///
/// When /proc cannot be read.
pub fn areas() -> io::Result<usize> {
    Ok(fs::read_to_string("/proc/self/maps")?.lines().count())
}

/// How many memory areas the kernel grants a process.
///
/// # Errors
///
/// When /proc cannot be read.
pub fn max_areas() -> io::Result<usize> {
    let path = "/proc/sys/vm/max_map_count";
    let text = fs::read_to_string(path)?;
    text.trim()
        .parse()
        .map_err(|_| io::Error::other(format!("{path} is `{}`, not a number", text.trim())))
}

/// How much memory the machine can give, in bytes, if it says so.
pub fn available() -> Option<usize> {
    kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

/// The number on the line that begins with `name`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<usize> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: usize = value.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(number << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_whole_name_and_scaled() {
        let status = "VmRSSx:\t 1 kB\nVmRSS:\t    2048 kB\nThreads:\t3\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(2 << 20));
        assert_eq!(kilobytes(status, "Threads:"), None);
        assert_eq!(kilobytes(status, "VmPTE:"), None);
    }

    #[test]
    fn touched_memory_is_seen() {
        let before = Memory::now().unwrap();
        let touched = std::hint::black_box(vec![1_u8; 64 << 20]);
        let growth = Memory::now().unwrap().since(before);
        assert!(growth.resident > 50e6, "{growth:?}");
        assert_eq!(growth.all(), growth.resident + growth.tables);
        drop(touched);
    }

    #[test]
    fn this_process_has_fewer_areas_than_the_kernel_grants() {
        let (areas, most) = (areas().unwrap(), max_areas().unwrap());
        assert!(0 < areas && areas < most, "{areas} of {most}");
        assert!(available().unwrap() > 0);
    }
}
