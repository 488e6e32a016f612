#!/bin/bash
# Holds the ports of the switch to their promises: asm/tests, and the crate's examples.
#
#   scripts/conformance.sh [ARCH...]        every port when none is named
#
# This machine's CPU runs natively, the others under an emulator that scripts/cross.sh sets up. Each runs as a debug build,
# a release build, and a release build with frame pointers, whose chain can then be followed through compiled code.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "conformance.sh: $*" >&2; exit 1; }

# One row a CPU. A port without a row is a failure.
rows="x86_64 aarch64"

ports=$(sed -n 's/.*target_arch = "\([a-z0-9_]*\)".*/\1/p' asm/src/arch/mod.rs)
[ -n "$ports" ] || die "found no port in asm/src/arch/mod.rs"
for port in $ports; do
    [[ " $rows " == *" $port "* ]] || die "the port $port has no row here: add it to rows, and to scripts/cross.sh"
    [ -e "asm/src/arch/$port.rs" ] || die "the port $port has a line in asm/src/arch/mod.rs, but no file"
done
for row in $rows; do
    grep -qx "$row" <<< "$ports" || die "the row $row has no port in asm/src/arch/mod.rs"
done

run() {
    local arch=$1 flags=$2
    shift 2
    echo "== $arch $* ${flags:+with $flags}"
    RUSTFLAGS=$flags cargo test --quiet -p goroutines-asm "${target[@]}" "$@" -- --format=pretty
}

# A subshell, so that what one CPU exports is gone for the next.
check() (
    arch=$1
    target=()
    if [ "$arch" != "$(uname -m)" ]; then
        scripts/cross.sh "$arch"
        folder=$(realpath "${GOROUTINES_CROSS:-target/cross}")
        # shellcheck source=/dev/null # written by cross.sh
        . "$folder/$arch.env"
        export RUSTC=$folder/rustc RUSTDOC=$folder/rustdoc CARGO_TARGET_DIR=$folder/target
        target=("--target=$TARGET")
    fi
    run "$arch" ""
    run "$arch" "" --release
    run "$arch" "-C force-frame-pointers=yes" --release
)

# shellcheck disable=SC2086 # a word each
[ $# -gt 0 ] || set -- $ports
for arch in "$@"; do
    grep -qx "$arch" <<< "$ports" || die "no port named $arch; there are: ${ports//$'\n'/ }"
done
for arch in "$@"; do
    check "$arch"
done
echo "conformance.sh: all promises are kept"
