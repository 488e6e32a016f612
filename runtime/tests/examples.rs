//! The example programs print what their heads show.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// What the head of an example says that it prints.
fn promised(source: &str, name: &str) -> String {
    let mut head = source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line));
    let command = format!("$ cargo run -p goroutines --example {name}");
    assert!(
        head.any(|line| line == command),
        "the head of {name}.rs does not show `{command}`"
    );
    head.take_while(|line| !line.starts_with("```"))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Cargo has built it, but for a run of this test alone.
fn program(name: &str) -> PathBuf {
    let exe = env::current_exe().expect("the test's own path");
    let profile = exe.ancestors().nth(2).expect("tests lie in <profile>/deps");
    let program = profile.join("examples").join(name);
    let changed = |file: &Path| file.metadata().and_then(|file| file.modified()).ok();
    let source = sources().join(format!("{name}.rs"));
    assert!(
        changed(&program) > changed(&source),
        "{} is missing or older than {}: run `cargo build -p goroutines --examples` first",
        program.display(),
        source.display()
    );
    program
}

fn prints_what_its_head_shows(name: &str) {
    let source = fs::read_to_string(sources().join(format!("{name}.rs"))).expect("a source");
    let promised = promised(&source, name);
    assert!(
        !promised.is_empty(),
        "the head of {name}.rs shows no output"
    );
    // One that hangs ends with status 124.
    let output = Command::new("timeout")
        .arg("300")
        .arg(program(name))
        .env_remove("GOMAXPROCS")
        .output()
        .expect("a program");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name}: {output:?}");
    assert_eq!(
        printed, promised,
        "{name} prints something else: {output:?}"
    );
}

macro_rules! examples {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                prints_what_its_head_shows(stringify!($name));
            }
        )*

        #[test]
        fn every_example_is_run() {
            let mut files: Vec<String> = fs::read_dir(sources())
                .expect("the examples")
                .map(|file| file.expect("an example").file_name().into_string().expect("a name"))
                .collect();
            let mut run = [$(concat!(stringify!($name), ".rs")),*];
            files.sort();
            run.sort();
            assert_eq!(files, run, "not every file of examples/ has a test here");
        }
    };
}

examples! {
    blocking chat_server crawl errgroup fan_in fork_join hello mixed_async pipeline pub_sub rate_limited retry scope
    shutdown supervisor word_count worker_pool
}
