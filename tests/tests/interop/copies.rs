//! Two versions of the runtime in one program do not see each other, although what they keep for a thread differs.

use std::{fs, io, path::Path, process::Command};

use goroutines_tests::run;

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type()?.is_dir() {
            true => copy(&from, &to)?,
            false => fs::copy(&from, &to).map(drop)?,
        }
    }
    Ok(())
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).expect("a text file");
    assert!(text.contains(from), "no {from:?} in {}", file.display());
    fs::write(file, text.replacen(from, to, 1)).expect("a writable file");
}

const MEMBERS: [&str; 6] = [
    "asm",
    "stack",
    "sched",
    "insight",
    "runtime",
    "runtime/macros",
];

/// Copies the crates of the runtime to `to`, as `version`.
fn copy_runtime(to: &Path, version: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace");
    for member in MEMBERS {
        copy(&root.join(member).join("src"), &to.join(member).join("src")).expect("sources");
        for file in ["Cargo.toml", "examples"] {
            let (from, to) = (root.join(member).join(file), to.join(member).join(file));
            if from.is_dir() {
                copy(&from, &to).expect("examples");
            } else if from.is_file() {
                fs::copy(from, to).expect("a manifest");
            }
        }
    }
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("a manifest");
    // The list of members may be several lines long.
    let (before, list) = manifest.split_once("\nmembers = [").expect("members");
    let (_, after) = list.split_once(']').expect("the end of the list");
    let manifest = format!("{before}\nmembers = {MEMBERS:?}{after}");
    let members: String = manifest
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some(("version", _)) => format!("version = \"{version}\"\n"),
            // The crates ask for exactly each other's version.
            Some((name, rest)) if name.starts_with("goroutines") => {
                let (place, _) = rest.split_once(", version").unwrap_or((rest, ""));
                let place = place.trim_end_matches([' ', '}']);
                format!("{name} = {place}, version = \"={version}\" }}\n")
            }
            Some(("default-members", _)) => String::new(),
            _ => format!("{line}\n"),
        })
        .collect();
    fs::write(to.join("Cargo.toml"), members).expect("a manifest");
}

const PROGRAM: &str = r#"
fn main() {
    unsafe { one::Config::new().procs(2).start().unwrap() };
    unsafe { two::Config::new().procs(2).start().unwrap() };
    for round in 0..100 {
        let (send, receive) = one::chan::bounded(0);
        let first = one::go(move || { for n in 0..100 { send.send(n).unwrap(); one::yield_now() } round });
        let (answer, answers) = two::chan::bounded(0);
        let second = two::go(move || { for n in 0..100 { answer.send(n).unwrap(); two::yield_now() } round });
        assert_eq!(receive.iter().sum::<u64>(), 4950);
        assert_eq!(answers.iter().sum::<u64>(), 4950);
        assert_eq!((first.join().unwrap(), second.join().unwrap()), (round, round));
    }
    println!("ok");
}
"#;

#[test]
fn two_versions_of_the_runtime_live_in_one_program() {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("copies");
    // What cargo has built of other crates stays.
    for old in ["one", "two", "program/src"] {
        let _ = fs::remove_dir_all(base.join(old));
    }
    for (name, version) in [("one", "101.0.0"), ("two", "102.0.0")] {
        copy_runtime(&base.join(name), version);
    }
    // What the thread's word points at is another thing in the second one.
    let m = base.join("two/sched/src/gmp/m.rs");
    edit(
        &m,
        "pub(crate) struct M {",
        "#[repr(C)]\npub(crate) struct M {\n    _other: [usize; 64],",
    );
    edit(
        &m,
        "M {\n            ",
        "M {\n            _other: [usize::MAX; 64],\n            ",
    );
    let program = base.join("program");
    fs::create_dir_all(program.join("src")).expect("a directory");
    fs::write(program.join("src/main.rs"), PROGRAM).expect("a program");
    let manifest = "[package]\nname = \"program\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
        [dependencies]\none = { package = \"goroutines\", path = \"../one/runtime\" }\n\
        two = { package = \"goroutines\", path = \"../two/runtime\" }\n";
    fs::write(program.join("Cargo.toml"), manifest).expect("a manifest");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["run", "--quiet", "--offline"])
        .current_dir(&program);
    cargo.env("CARGO_TARGET_DIR", program.join("target"));
    let death = run(&mut cargo);
    assert_eq!(
        (death.code, death.stdout.as_str()),
        (Some(0), "ok\n"),
        "{death:?}"
    );
}
