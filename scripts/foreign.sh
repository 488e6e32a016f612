#!/bin/bash
# Runs the runtime's stress tests on the CPUs that this machine is not, under their emulators.
#
#   scripts/foreign.sh [ARCH...]            every port that is not this machine's when none is named
#
# scripts/conformance.sh holds the switch of a port to its promises; this shows that scheduler, stacks and
# channels work on it.
set -euo pipefail
cd "$(dirname "$0")/.."

ports=$(sed -n 's/.*target_arch = "\([a-z0-9_]*\)".*/\1/p' asm/src/arch/mod.rs)
[ -n "$ports" ] || { echo "foreign.sh: found no port in asm/src/arch/mod.rs" >&2; exit 1; }
# shellcheck disable=SC2086 # a word each
[ $# -gt 0 ] || set -- $ports

# A subshell, so that what one CPU exports is gone for the next.
check() (
    scripts/cross.sh "$1"
    folder=$(realpath "${GOROUTINES_CROSS:-target/cross}")
    # shellcheck source=/dev/null # written by cross.sh
    . "$folder/$1.env"
    export RUSTC=$folder/rustc RUSTDOC=$folder/rustdoc CARGO_TARGET_DIR=$folder/target
    echo "== $1"
    cargo test --quiet --release -p goroutines-tests --target="$TARGET" \
        --test stress --test copy_stack -- --format=pretty
)

for arch in "$@"; do
    [ "$arch" = "$(uname -m)" ] || check "$arch"
done
echo "foreign.sh: the runtime works on all of them"
