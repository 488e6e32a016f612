#!/bin/bash
# The packages as a registry gets them. Each is packed and unpacked; a workspace of its own takes them in place of a
# registry's. There each compiles against the packages of the others, with its tests and examples, and is rendered; and
# the first program of the README, which depends on the public one, runs. Needs no network once this workspace has been
# built.
set -euo pipefail
cd "$(dirname "$0")/.."

# In the order in which they are published.
packages=(goroutines-asm goroutines-stack goroutines-sched goroutines-insight goroutines-macros goroutines)

# What is not committed is packed as well, so that this fails before a commit and not after it. Without cargo's own
# verification: it keeps what it unpacked for a version, and would build against the sources of an earlier run.
cargo package --offline --locked --allow-dirty --no-verify "${packages[@]/#/--package=}"

target=$(realpath "${CARGO_TARGET_DIR:-target}")
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
place=$target/packages/sources
rm -rf "$place"
for package in "${packages[@]}"; do
    folder="$place/$package"
    mkdir -p "$folder"
    # With the time of now, by which cargo knows that they have changed.
    tar -xmzf "$target/package/$package-$version.crate" -C "$folder" --strip-components=1
    for file in README.md LICENSE-MIT LICENSE-APACHE; do
        [ -s "$folder/$file" ] || { echo "the package of $package has no $file" >&2; exit 1; }
    done
done

# Sources that a source includes are in its package as well.
included='(#\[path = |include(_str|_bytes)?!\()"[^"]+"'
while IFS=: read -r file attribute; do
    path=${attribute#*\"}
    path=$(dirname "$file")/${path%\"}
    case $(realpath -m "$path") in
    "$place/$(cut -d/ -f1 <<< "${file#"$place"/}")"/*) [ -e "$path" ] && continue ;;
    esac
    echo "${file#"$place"/} includes what is not in its package: $attribute" >&2
    exit 1
done < <(grep -rEo --include='*.rs' "$included" "$place")

mkdir -p "$place/program/src"
# The first block of Rust in the README.
awk '/^```/ { inside = ($0 == "```rust"); if (!inside && seen) exit; next } inside { seen = 1; print }' README.md \
    > "$place/program/src/main.rs"
cat > "$place/program/Cargo.toml" <<EOF
[package]
name = "program"
edition = "2024"

[dependencies]
goroutines = "$version"
EOF
{
    echo '[workspace]'
    echo 'resolver = "3"'
    echo 'members = ["*"]'
    echo '[patch.crates-io]'
    printf '%s = { path = "%s" }\n' $(printf '%s ' "${packages[@]}" | sed 's/[^ ]*/& &/g')
} > "$place/Cargo.toml"
cp Cargo.lock "$place"
cd "$place"
export CARGO_TARGET_DIR="$target/packages/build"
for package in "${packages[@]}"; do
    cargo check --offline --package "$package"
done
cargo check --offline --workspace --all-targets --features goroutines/lock_api,goroutines/metrics,goroutines/tracing
# As docs.rs renders them.
RUSTDOCFLAGS="-D warnings" cargo doc --offline --no-deps --features goroutines/lock_api,goroutines/metrics,goroutines/tracing "${packages[@]/#/--package=}"
said=$(cargo run --offline --quiet --package program)
[ "$said" = 5000050000 ] || { echo "the first program of the README printed: $said" >&2; exit 1; }
echo "${#packages[@]} packages of $version: ok"
