#!/bin/bash
# The packages as a registry gets them. Each is packed, unpacked, and built against the packages of the others. Then a
# workspace of its own takes them in place of a registry's: everything in them compiles, and the first program of
# the README, which depends on the public one, runs. Needs no network once the workspace has been built.
set -euo pipefail
cd "$(dirname "$0")/.."

# In the order in which they are published.
packages=(goroutines-asm goroutines-stack goroutines-sched goroutines-macros goroutines)

# What is not committed counts as well: before it is committed is when this shall fail.
cargo package --offline --locked --allow-dirty "${packages[@]/#/--package=}"

target=$(realpath "${CARGO_TARGET_DIR:-target}")
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
for package in "${packages[@]}"; do
    folder="$place/$package"
    mkdir "$folder"
    tar -xzf "$target/package/$package-$version.crate" -C "$folder" --strip-components=1
    for file in README.md LICENSE-MIT LICENSE-APACHE; do
        [ -s "$folder/$file" ] || { echo "the package of $package has no $file" >&2; exit 1; }
    done
done

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
export CARGO_TARGET_DIR="$target/packages"
cargo check --offline --workspace --all-targets --features goroutines/lock_api
said=$(cargo run --offline --quiet --package program)
[ "$said" = 5000050000 ] || { echo "the first program of the README printed: $said" >&2; exit 1; }
echo "${#packages[@]} packages of $version: ok"
