//! How many CPUs this process may use: what its affinity allows, and what the quota of its control groups pays for.
//!
//! A quota binds every group below the one that has it, so the tightest of *all* ancestors counts. The process's own
//! group often has none in a container.
//!
//! ```text
//! /proc/self/cgroup       0::/system.slice/app          the group, per hierarchy: v2, or v1 with `cpu` in its list
//! /proc/self/mountinfo    ... / /sys/fs/cgroup ... - cgroup2    where the hierarchy's groups are directories
//!
//! /sys/fs/cgroup/system.slice/app/cpu.max     "max 100000"      no quota
//! /sys/fs/cgroup/system.slice/cpu.max         "150000 100000"   1.5 CPUs: two Ps, one of them waits half the time
//! /sys/fs/cgroup/cpu.max                      (the root has none)
//! ```
//!
//! v1 has `cpu.cfs_quota_us` (-1: none) and `cpu.cfs_period_us` instead. Everything is read below a root directory,
//! so that tests can have trees of their own.

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Once,
    thread,
};

use crate::sys::fatal;

/// What the process may use: the CPUs of its affinity, or fewer if a quota pays for fewer.
pub(crate) fn available() -> usize {
    available_to(0)
}

/// As [`available`], with the affinity of the thread `thread`; 0 is the calling one.
pub(crate) fn available_to(thread: libc::pid_t) -> usize {
    static WARNED: Once = Once::new();
    let mut warnings = Vec::new();
    let quota = quota(Path::new("/"), &mut warnings);
    if let Some(first) = warnings.first() {
        WARNED.call_once(|| fatal::say(format_args!("{first}; it is ignored")));
    }
    let affinity = affinity(thread)
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get));
    quota.map_or(affinity, |quota| affinity.min(quota))
}

/// The number of CPUs that `thread` may run on; `None` if the kernel does not say.
fn affinity(thread: libc::pid_t) -> Option<usize> {
    // Room for 1024 CPUs; the kernel refuses a set that is too small for it.
    let mut set = vec![0_u64; 16];
    while set.len() <= 1 << 14 {
        let bytes = size_of_val(&set[..]);
        // SAFETY: `set` is `bytes` long and writable, and a mask of CPUs is an array of words.
        if unsafe { libc::sched_getaffinity(thread, bytes, set.as_mut_ptr().cast()) } == 0 {
            let cpus: u32 = set.iter().map(|word| word.count_ones()).sum();
            return Some(cpus as usize).filter(|&cpus| cpus > 0);
        }
        if io::Error::last_os_error().raw_os_error() != Some(libc::EINVAL) {
            return None;
        }
        set.resize(set.len() * 2, 0);
    }
    None
}

/// The whole CPUs that the tightest quota needs, below `root`; `None` if there is no quota. Files that cannot be read
/// or parsed are reported in `warnings`.
fn quota(root: &Path, warnings: &mut Vec<String>) -> Option<usize> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
    let mut tightest: Option<usize> = None;
    for (version, group) in groups.lines().filter_map(parse_group) {
        for mount in mounts.lines().filter_map(parse_mount) {
            if mount.version != version {
                continue;
            }
            for dir in directories(root, &mount, group) {
                match version.quota(&dir) {
                    Ok(None) => {}
                    Ok(Some(cpus)) => tightest = Some(tightest.map_or(cpus, |t| t.min(cpus))),
                    Err(warning) => warnings.push(warning),
                }
            }
        }
    }
    tightest
}

/// The two kinds of hierarchies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    V1,
    V2,
}

/// A line of `/proc/self/cgroup`: the hierarchy, if it limits CPUs, and the group in it.
fn parse_group(line: &str) -> Option<(Version, &str)> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, group) = (fields.next()?, fields.next()?, fields.next()?);
    match controllers {
        "" => Some((Version::V2, group)),
        list if list.split(',').any(|name| name == "cpu") => Some((Version::V1, group)),
        _ => None,
    }
}

/// Where a hierarchy is mounted.
struct Mount {
    version: Version,
    /// The group that the mount shows as its top.
    top: String,
    point: String,
}

/// A line of `/proc/self/mountinfo`, if it is a hierarchy that limits CPUs.
fn parse_mount(line: &str) -> Option<Mount> {
    let (place, kind) = line.split_once(" - ")?;
    let mut kind = kind.split(' ');
    let version = match kind.next()? {
        "cgroup2" => Version::V2,
        "cgroup" => {
            let options = kind.nth(1)?;
            options.split(',').find(|&option| option == "cpu")?;
            Version::V1
        }
        _ => return None,
    };
    let mut place = place.split(' ').skip(3);
    Some(Mount {
        version,
        top: unescape(place.next()?),
        point: unescape(place.next()?),
    })
}

/// Undoes the `\040` of mountinfo.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| first == b'\\');
        let code = code.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[3..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The directory of `group` and those of its ancestors, up to the top of the mount.
fn directories(root: &Path, mount: &Mount, group: &str) -> Vec<PathBuf> {
    let top = root.join(mount.point.trim_start_matches('/'));
    // A group outside the mount is shown as `/..`: then only the top of the mount can be read.
    let below = Path::new(group).strip_prefix(&mount.top).ok();
    let below = below.filter(|path| !path.iter().any(|name| name == ".."));
    let below = below.unwrap_or(Path::new(""));
    // The last of the ancestors of a relative path is the empty one.
    below.ancestors().map(|path| top.join(path)).collect()
}

impl Version {
    /// The whole CPUs that the quota of one group needs.
    fn quota(self, dir: &Path) -> Result<Option<usize>, String> {
        match self {
            Version::V2 => {
                let file = dir.join("cpu.max");
                read(&file)?.map_or(Ok(None), |text| {
                    let mut words = text.split_whitespace();
                    whole_cpus(words.next(), words.next(), "max")
                        .ok_or_else(|| unclear(&file, &text))
                })
            }
            Version::V1 => {
                let (file, other) = (dir.join("cpu.cfs_quota_us"), dir.join("cpu.cfs_period_us"));
                let (Some(quota), Some(period)) = (read(&file)?, read(&other)?) else {
                    return Ok(None);
                };
                whole_cpus(Some(quota.trim()), Some(period.trim()), "-1")
                    .ok_or_else(|| unclear(&file, &format!("{quota} of {period}")))
            }
        }
    }
}

/// The text of a quota file; `None` if there is no such file, as in the root group.
fn read(file: &Path) -> Result<Option<String>, String> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!(
            "cannot read the CPU quota {}: {error}",
            file.display()
        )),
    }
}

fn unclear(file: &Path, text: &str) -> String {
    let text = text.trim();
    format!(
        "the CPU quota {} is `{text}`, which is not a time and a period",
        file.display()
    )
}

/// `quota` in each `period`, rounded up to whole CPUs; `Some(None)` for the word that means no limit.
fn whole_cpus(quota: Option<&str>, period: Option<&str>, no_limit: &str) -> Option<Option<usize>> {
    let quota = quota?;
    if quota == no_limit {
        return Some(None);
    }
    let positive = |text: &str| text.parse::<u64>().ok().filter(|&number| number > 0);
    let cpus = positive(quota)?.div_ceil(positive(period?)?);
    Some(Some(usize::try_from(cpus).unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests;
