//! Control groups of every shape, as trees of files.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use super::{affinity, available, quota, unescape};

const V2: &str = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
const V1: &str =
    "33 28 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:12 - cgroup cgroup rw,cpu,cpuacct";
const OTHERS: &str = "24 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      34 28 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";

/// A tree that is removed with its test.
struct Tree(PathBuf);

impl Tree {
    fn new(groups: &str, mounts: &[&str], files: &[(&str, &str)]) -> Tree {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Relaxed: the numbers only differ.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let tree =
            Tree(env::temp_dir().join(format!("goroutines-cpus-{}-{number}", process::id())));
        tree.write("proc/self/cgroup", groups);
        tree.write("proc/self/mountinfo", &mounts.join("\n"));
        for (path, text) in files {
            tree.write(&format!("sys/fs/cgroup/{path}"), text);
        }
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.0.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// What is found, without a warning.
    fn cpus(&self) -> Option<usize> {
        let mut warnings = Vec::new();
        let cpus = quota(&self.0, &mut warnings);
        assert_eq!(warnings, [""; 0]);
        cpus
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_tightest_ancestor_counts_and_is_rounded_up() {
    for (app, slice, top, cpus) in [
        ("max 100000", "max 100000", "max 100000", None),
        ("250000 100000", "max 100000", "max 100000", Some(3)),
        ("max 100000", "150000 100000", "400000 100000", Some(2)),
        ("800000 100000", "max 100000", "100000 50000\n", Some(2)),
        ("1000 100000", "max 100000", "max", Some(1)),
    ] {
        let tree = Tree::new(
            "0::/system.slice/app\n",
            &[OTHERS, V2],
            &[
                ("system.slice/app/cpu.max", app),
                ("system.slice/cpu.max", slice),
                ("cpu.max", top),
                ("elsewhere/cpu.max", "1 100000"),
            ],
        );
        assert_eq!(tree.cpus(), cpus, "{app}, {slice}, {top}");
    }
}

#[test]
fn version_1_has_two_files() {
    let files = [
        ("cpu,cpuacct/docker/a1/cpu.cfs_quota_us", "-1\n"),
        ("cpu,cpuacct/docker/a1/cpu.cfs_period_us", "100000\n"),
        ("cpu,cpuacct/docker/cpu.cfs_quota_us", "350000\n"),
        ("cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n"),
    ];
    let groups = "12:memory:/docker/a1\n3:cpuset:/\n2:cpu,cpuacct:/docker/a1\n1:name=systemd:/x\n";
    assert_eq!(Tree::new(groups, &[OTHERS, V1], &files).cpus(), Some(4));
    assert_eq!(Tree::new(groups, &[OTHERS, V1], &files[..2]).cpus(), None);
}

#[test]
fn with_both_versions_the_tighter_one_counts() {
    let tree = Tree::new(
        "2:cpu,cpuacct:/a\n0::/b\n",
        &[V1, V2],
        &[
            ("cpu,cpuacct/a/cpu.cfs_quota_us", "300000"),
            ("cpu,cpuacct/a/cpu.cfs_period_us", "100000"),
            ("b/cpu.max", "200000 100000"),
        ],
    );
    assert_eq!(tree.cpus(), Some(2));
}

#[test]
fn a_mount_that_shows_a_part_is_a_part_of_the_path() {
    let part = "30 24 0:26 /docker/a\\0401 /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
    let files = [("cpu.max", "300000 100000"), ("in/cpu.max", "max 100000")];
    let tree = Tree::new("0::/docker/a 1/in\n", &[part], &files);
    assert_eq!(tree.cpus(), Some(3));
    // A group outside of the mount: only its top is seen.
    for group in ["0::/../other\n", "0::/elsewhere\n"] {
        assert_eq!(Tree::new(group, &[part], &files).cpus(), Some(3));
    }
}

#[test]
fn a_quota_that_cannot_be_parsed_is_named_and_the_next_one_counts() {
    for bad in [
        "",
        "many 100000",
        "100000",
        "100000 0",
        "0 100000",
        "-5 100000",
    ] {
        let tree = Tree::new(
            "0::/a/b\n",
            &[V2],
            &[("a/b/cpu.max", bad), ("a/cpu.max", "200000 100000")],
        );
        let mut warnings = Vec::new();
        assert_eq!(quota(&tree.0, &mut warnings), Some(2), "`{bad}`");
        assert_eq!(warnings.len(), 1, "`{bad}`");
        assert!(warnings[0].contains("a/b/cpu.max"), "{warnings:?}");
        assert!(warnings[0].contains(&format!("`{bad}`")), "{warnings:?}");
    }
    // Nor read: it is a directory.
    let tree = Tree::new("0::/\n", &[V2], &[("cpu.max/x", "")]);
    let mut warnings = Vec::new();
    assert_eq!(quota(&tree.0, &mut warnings), None);
    assert!(warnings[0].contains("cannot read"), "{warnings:?}");
}

#[test]
fn without_control_groups_there_is_no_quota() {
    assert_eq!(Tree::new("", &[], &[]).cpus(), None);
    assert_eq!(Tree::new("0::/a\n", &[OTHERS], &[]).cpus(), None);
    assert_eq!(
        Tree::new("nonsense\n1:\n", &["x - ", "", V2], &[]).cpus(),
        None
    );
    assert_eq!(quota(Path::new("/nonexistent"), &mut Vec::new()), None);
}

#[test]
fn escapes_of_mountinfo_are_undone() {
    for (escaped, plain) in [
        ("a\\040b\\134", "a b\\"),
        ("a\\", "a\\"),
        ("\\0", "\\0"),
        ("\\9990", "\\9990"),
    ] {
        assert_eq!(unescape(escaped), plain);
    }
}

#[test]
fn a_process_may_use_at_least_one_cpu_and_no_more_than_its_affinity() {
    let affinity = affinity(0).expect("the kernel says");
    assert!((1..=affinity).contains(&available()));
}
