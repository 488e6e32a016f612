//! What a user of the published crates gets: manifests that a registry accepts, and what the front page promises.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the workspace is above").to_owned()
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// What stands between `before` and the next `after`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before:?}"));
    rest.split_once(after).map_or(rest, |(inside, _)| inside)
}

/// The value of `key` in `[package]` of a manifest, its own or that of the workspace.
fn value(manifest: &str, key: &str) -> Option<String> {
    let find = |text: &str, key: &str| {
        let start = format!("{key} = ");
        text.lines()
            .find_map(|line| Some(line.strip_prefix(&start)?.to_owned()))
    };
    let package = between(manifest, "[package]", "\n[");
    find(package, key).or_else(|| {
        find(package, &format!("{key}.workspace")).filter(|inherited| inherited == "true")?;
        let workspace = read("Cargo.toml");
        find(between(&workspace, "[workspace.package]", "\n["), key)
    })
}

/// The members of the workspace with their manifests.
fn members() -> Vec<(String, String)> {
    let workspace = read("Cargo.toml");
    let list = between(&workspace, "members = [", "]");
    let members: Vec<_> = list
        .split('"')
        .skip(1)
        .step_by(2)
        .map(|member| (member.to_owned(), read(&format!("{member}/Cargo.toml"))))
        .collect();
    assert!(members.len() > 5, "found only {list}");
    members
}

fn published() -> Vec<(String, String)> {
    let mut all = members();
    all.retain(|(_, manifest)| value(manifest, "publish").as_deref() != Some("false"));
    all
}

/// A section of the public crate's front page.
fn section(title: &str) -> String {
    let page: String = read("runtime/src/lib.rs")
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| format!("{}\n", line.trim_start()))
        .collect();
    between(&page, &format!("\n# {title}\n"), "\n# ").to_owned()
}

/// The code that stands in a column of the tables of a section, without its quotes.
fn column(section: &str, column: usize) -> Vec<&str> {
    section
        .lines()
        .filter(|line| line.starts_with("| "))
        .filter_map(|line| line.split('|').nth(column))
        .filter_map(|cell| cell.split('`').nth(1))
        .collect()
}

/// The code of all Rust files below `dir`, without comments and unit tests.
fn code(dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            code(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let (text, _) = text
                .split_once("\n#[cfg(test)]\nmod tests {")
                .unwrap_or((&text, ""));
            let lines = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            found.push(lines.map(|line| format!("{line}\n")).collect());
        }
    }
}

fn sources() -> Vec<String> {
    let mut found = Vec::new();
    for (member, _) in published() {
        code(&root().join(member).join("src"), &mut found);
    }
    assert!(found.len() > 100, "found only {} sources", found.len());
    found
}

fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn strings(list: &str) -> Vec<&str> {
    list.split('"').skip(1).step_by(2).collect()
}

#[test]
fn the_crates_that_a_user_gets_are_published_and_no_others() {
    let names: Vec<_> = published().into_iter().map(|(member, _)| member).collect();
    assert_eq!(
        names,
        [
            "asm",
            "stack",
            "sched",
            "insight",
            "runtime",
            "runtime/macros"
        ]
    );
}

#[test]
fn published_manifests_have_what_a_registry_shows() {
    for (member, manifest) in published() {
        let get = |key| value(&manifest, key).unwrap_or_else(|| panic!("{member}: no `{key}`"));
        for key in [
            "version",
            "edition",
            "rust-version",
            "license",
            "description",
        ] {
            assert!(get(key).len() > 2, "{member}: `{key}` is empty");
        }
        let name = get("name").trim_matches('"').to_owned();
        assert_eq!(
            get("documentation"),
            format!("\"https://docs.rs/{name}\""),
            "{member}"
        );
        for (key, longest) in [("keywords", 20), ("categories", 40)] {
            let list = get(key);
            let words = strings(&list);
            assert!(
                (1..=5).contains(&words.len()),
                "{member}: `{key}` is {list}"
            );
            for word in words {
                assert!(word.len() <= longest, "{member}: `{word}` is too long");
            }
        }
        let readme = get("readme");
        let text = read(&format!("{member}/{}", readme.trim_matches('"')));
        assert!(
            text.starts_with(&format!("# {name}\n")),
            "{member}: {readme} has another title"
        );
        assert!(
            manifest.contains("\n[package.metadata.docs.rs]\n"),
            "{member}: nothing for docs.rs"
        );
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            assert_eq!(
                read(&format!("{member}/{licence}")),
                read(licence),
                "{member}/{licence} is not the workspace's"
            );
        }
    }
}

#[test]
fn published_crates_ask_for_exactly_each_others_version() {
    let workspace = read("Cargo.toml");
    let package = between(&workspace, "[workspace.package]", "\n[");
    let version = between(package, "version = \"", "\"");
    for (member, manifest) in published() {
        let name = value(&manifest, "name").expect("a name");
        let name = name.trim_matches('"');
        // The public crate has no version there: the tests of its macros depend on it.
        let wanted = match member.as_str() {
            "runtime" => format!("\n{name} = {{ path = \"{member}\" }}\n"),
            _ => format!("\n{name} = {{ path = \"{member}\", version = \"={version}\" }}\n"),
        };
        assert!(
            workspace.contains(&wanted),
            "[workspace.dependencies] has no line{wanted}"
        );
    }
}

#[test]
fn all_published_crates_are_packed_by_the_checks_in_the_order_of_publishing() {
    let script = read("scripts/package.sh");
    let order: Vec<_> = between(&script, "packages=(", ")").split(' ').collect();
    let crates: Vec<_> = published()
        .into_iter()
        .map(|(_, manifest)| {
            let name = value(&manifest, "name").expect("a name");
            let needs = between(&manifest, "\n[dependencies]\n", "\n[")
                .lines()
                .filter_map(|line| line.split_once('.'))
                .filter(|(name, _)| name.starts_with("goroutines"))
                .map(|(name, _)| name.to_owned())
                .collect::<Vec<_>>();
            (name.trim_matches('"').to_owned(), needs)
        })
        .collect();
    assert_eq!(
        order.len(),
        crates.len(),
        "scripts/package.sh packs {order:?}"
    );
    let place = |name: &str| {
        let place = order.iter().position(|&packed| packed == name);
        place.unwrap_or_else(|| panic!("scripts/package.sh does not pack {name}"))
    };
    for (name, needs) in &crates {
        for need in needs {
            assert!(place(need) < place(name), "{name} is packed before {need}");
        }
    }
    assert!(
        read(".ci/run").contains("step scripts/package.sh\n"),
        ".ci/run does not pack the crates"
    );
}

#[test]
fn the_front_page_lists_every_environment_variable_that_is_read() {
    let sources = sources();
    // Read by its name, or named in a constant or an argument: all of ours begin alike.
    let read_there = sources
        .iter()
        .flat_map(|text| text.split("env::var").skip(1))
        .filter_map(|rest| {
            let name = rest.strip_prefix("_os").unwrap_or(rest);
            name.strip_prefix("(\"")?.split('"').next()
        });
    let named = sources
        .iter()
        .flat_map(|text| text.match_indices("\"GO").map(|(at, _)| &text[at + 1..]));
    let ours = named
        .filter_map(|rest| rest.split('"').next())
        .filter(|name| {
            name.chars()
                .all(|sign| sign.is_ascii_uppercase() || sign == '_')
        });
    let read = sorted(read_there.chain(ours));
    assert!(read.len() > 5, "found only {read:?}");
    let page = section("Environment variables");
    assert_eq!(sorted(column(&page, 1)), read, "the table, and the sources");
}

#[test]
fn the_front_page_lists_every_item_of_godebug() {
    let sources = sources();
    let mut readers = sources
        .iter()
        .filter(|text| text.contains("env::var_os(\"GODEBUG\")"));
    let reader = readers.next().expect("who reads GODEBUG");
    assert!(readers.next().is_none(), "two sources read GODEBUG");
    let keys = reader.lines().filter_map(|line| {
        let (pattern, _) = line.split_once(" => ")?;
        pattern.trim().strip_prefix('"')?.strip_suffix('"')
    });
    let keys = sorted(keys.filter(|key| key.len() > 1));
    let page = section("Environment variables");
    let shown = column(&page, 2)
        .into_iter()
        .filter_map(|item| Some(item.split_once('=')?.0));
    assert_eq!(sorted(shown), keys, "the table, and the source");
}

#[test]
fn the_front_page_lists_every_module_and_every_feature() {
    let source = read("runtime/src/lib.rs");
    let modules = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    assert_eq!(sorted(column(&section("Modules"), 1)), sorted(modules));
    let manifest = read("runtime/Cargo.toml");
    let features = between(&manifest, "\n[features]\n", "\n[")
        .lines()
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .filter(|&feature| feature != "default");
    assert_eq!(sorted(column(&section("Features"), 1)), sorted(features));
}
