//! What the compiler underlines of a `select!` whose arms are wrong: that arm, and not the whole call.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// A wrong `select!`: its arms, in which « and » stand around what is underlined, and how the error begins.
type Case = (&'static str, &'static str);

/// Arms that are none.
const MALFORMED: &[Case] = &[
    (
        "recv(rx) -> x => g(x), «receive»(rx) -> x => g(x),",
        "`receive` is no operation of a `select!`: `recv` is; an arm is `recv(receiver) -> pattern => expression`, ",
    ),
    (
        "recv(rx) -> x => g(x), «else» => (),",
        "`else` is no operation of a `select!`: `default` is; ",
    ),
    (
        "recv(rx) -> x => g(x), «x» = recv(rx) => (), send(tx, 1) -> x => g(x)",
        "`x` is no operation of a `select!`; ",
    ),
    (
        "«recv(rx) -> x g(x)», send(tx, 1) -> x => g(x)",
        "expected `=> expression` after this; ",
    ),
    (
        "recv(rx) -> x => { g(x) } «recv(rx) -> x», send(tx, 1) -> x => g(x)",
        "expected `=> expression` after this; ",
    ),
    (
        "recv(rx) -> x => g(x), «recv(rx) -> x»",
        "expected `=> expression` after this; ",
    ),
    (
        "send(tx, 1) -> x => g(x), «recv(rx) -> x =>»",
        "expected an expression after `=>`; ",
    ),
    (
        "recv(rx) -> x =>«,» send(tx, 1) -> x => g(x)",
        "expected an expression after `=>`, found `,`",
    ),
    (
        "send(tx, 1) -> x => g(x), «recv(rx)» => (), default => ()",
        "expected `-> pattern` after `recv(...)`; ",
    ),
    (
        "recv(rx) -> x => «g(x)» send(tx, 1) -> x => g(x)",
        "expected a comma after the expression of this arm, found `send`",
    ),
    (
        "recv(rx) -> x => «g(x)» default => ()",
        "expected a comma after the expression of this arm, found `default`",
    ),
    (
        "recv(rx) -> x => g(x)«;» send(tx, 1) -> x => g(x)",
        "expected a comma after the expression of an arm, found `;`",
    ),
    (
        "recv(rx) -> x => g(x),«,» send(tx, 1) -> x => g(x)",
        "expected an arm, found `,`; ",
    ),
    (
        "default => (), send(tx, 1) -> x => g(x), «default» => (),",
        "there can be only one `default` in a `select!`",
    ),
    (
        "default(T) => (), «default»(T) => (), send(tx, 1) -> x => g(x)",
        "there can be only one `default` in a `select!`",
    ),
    (
        "default => (), «recv(rx)» => (), send(tx, 1) -> x => g(x)",
        "expected `-> pattern` after `recv(...)`; ",
    ),
    (
        "recv(rx) -> x => g(x), «send(tx)» -> x => g(x)",
        "`send` needs a sender and a message: `send(sender, message)`; ",
    ),
    (
        "send(tx, 1) -> x => g(x), «recv(rx, 1)» -> x => g(x)",
        "`recv` has one argument, the receiver; ",
    ),
    (
        "send(tx, 1) -> x => g(x), «recv()» -> x => g(x)",
        "`recv` needs a receiver: `recv(receiver)`; ",
    ),
    (
        "send(tx, 1) -> x => g(x), «recv» rx -> x => g(x)",
        "expected the arguments of `recv` in parentheses; ",
    ),
];

/// Arms of which a type is wrong.
const MISTYPED: &[Case] = &[
    (
        "send(tx, 1) -> x => g(x), recv(«tx») -> x => g(x)",
        "mismatched types",
    ),
    (
        "send(«rx», 1) -> x => g(x), recv(rx) -> x => g(x)",
        "mismatched types",
    ),
    (
        "recv(rx) -> x => g(x), send(tx, «true») -> x => g(x)",
        "mismatched types",
    ),
    (
        "recv(rx) -> x => g(x), default(«5») => ()",
        "mismatched types",
    ),
];

/// Arms that are right, each form of them.
const RIGHT: &[Case] = &[
    ("", ""),
    ("recv(rx) -> x => g(x)", ""),
    ("send(tx, 1) -> x => g(x),", ""),
    (
        "send(tx, 1) -> x => { g(x) } recv(rx) -> _ => {}, default => ()",
        "",
    ),
    (
        "default(T) => (), recv(&rx,) -> x => g(x), send(&tx, 1,) -> x => g(x),",
        "",
    ),
    (
        "default() => (), recv(if true { rx } else { &rx }) -> (Ok(_) | Err(_)) => (),",
        "",
    ),
];

/// A library with a function for each case; and the places of what is underlined, in bytes.
fn source(cases: &[Case]) -> (String, Vec<(usize, usize)>) {
    let mut text = "use goroutines::chan::{Receiver, Sender, select};\n\
                    const T: std::time::Duration = std::time::Duration::ZERO;\n\
                    pub fn g<T>(_: T) {}\n"
        .to_owned();
    let mut places = Vec::new();
    for (n, (arms, _)) in cases.iter().enumerate() {
        text += &format!(
            "pub fn f{n}(rx: &Receiver<u8>, tx: &Sender<u8>) {{\n    select! {{\n        "
        );
        let (before, marked) = arms.split_once('«').unwrap_or((arms, "»"));
        let (marked, after) = marked.split_once('»').expect("a mark has an end");
        let start = text.len() + before.len();
        places.push((start, start + marked.len()));
        text += &format!("{before}{marked}{after}\n    }}\n}}\n");
    }
    (text, places)
}

/// The public crate, as it was built for this test: the copy that was built last.
fn library(deps: &Path) -> PathBuf {
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libgoroutines-") && name.ends_with(".rlib")
    };
    let all = fs::read_dir(deps)
        .expect("the folder of this test")
        .flatten();
    let built = |path: &PathBuf| fs::metadata(path).and_then(|data| data.modified()).ok();
    all.map(|entry| entry.path())
        .filter(is_ours)
        .max_by_key(built)
        .expect("the crate that this test is linked with")
}

/// The errors of the compiler.
fn errors(name: &str, text: &str) -> Vec<Value> {
    let test = env::current_exe().expect("a test has a path");
    let deps = test.parent().expect("a file is in a folder");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("select_arms_{name}.rs"));
    fs::write(&file, text).expect("room for a file");
    let mut compiler = Command::new("rustc");
    compiler
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata"])
        .arg("--error-format=json")
        .arg("-o")
        .arg(file.with_extension("rmeta"))
        .arg("-L")
        .arg(format!("dependency={}", deps.display()))
        .arg("--extern")
        .arg(format!("goroutines={}", library(deps).display()))
        .arg(&file);
    let output = compiler.output().expect("the compiler starts");
    let said = String::from_utf8(output.stderr).expect("its errors are text");
    let lines = said
        .lines()
        .map(|line| serde_json::from_str(line).expect(line));
    let found = lines.filter(|line: &Value| line["level"] == "error");
    // Not the count of errors, which is told at the end.
    found
        .filter(|line| {
            line["spans"]
                .as_array()
                .is_some_and(|spans| !spans.is_empty())
        })
        .collect()
}

/// Where the error is.
fn place(error: &Value) -> (usize, usize) {
    let spans = error["spans"].as_array().expect("an error has places");
    let place = |span: &Value, name| span[name].as_u64().map_or(0, |byte| byte as usize);
    let mut primary = spans.iter().filter(|span| span["is_primary"] == true);
    let span = primary.next().expect("an error has a first place");
    assert!(primary.next().is_none(), "{error:#}");
    (place(span, "byte_start"), place(span, "byte_end"))
}

/// Each case is an error at its place, with its text, and there is no other.
fn is_underlined(name: &str, cases: &[Case]) {
    let (text, places) = source(cases);
    let errors = errors(name, &text);
    for ((arms, says), right) in cases.iter().zip(&places) {
        let there = errors.iter().find(|error| place(error) == *right);
        let there = there.unwrap_or_else(|| panic!("no error at the mark of {arms}: {errors:#?}"));
        let message = there["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(says), "{arms}: {message}");
    }
    assert_eq!(errors.len(), cases.len(), "{errors:#?}");
}

#[test]
fn an_arm_that_is_none_is_underlined_alone() {
    is_underlined("malformed", MALFORMED);
}

#[test]
fn what_has_a_wrong_type_is_underlined_alone() {
    is_underlined("mistyped", MISTYPED);
}

#[test]
fn arms_of_every_form_compile() {
    let errors = errors("right", &source(RIGHT).0);
    assert!(errors.is_empty(), "{errors:#?}");
}
