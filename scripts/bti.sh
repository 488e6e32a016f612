#!/bin/bash
# The promises of the aarch64 port, and walks of parked stacks, in code that is compiled for branch target identification
# (BTI) and signed return addresses (PAC), under an emulator that enforces both.
#
#   scripts/bti.sh
#
# Stable Rust cannot compile so: the standard library and the tests are built with an unstable flag of the pinned compiler,
# from the source that rustup has. Takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/cross.sh aarch64
folder=$(realpath "${GOROUTINES_CROSS:-target/cross}")
# shellcheck source=/dev/null # written by cross.sh
. "$folder/aarch64.env"
rustup component add rust-src
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -cpu max -L /usr/aarch64-linux-gnu"
export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zbranch-protection=bti,pac-ret" CARGO_TARGET_DIR=$folder/bti
tests=(cargo test --release -Zbuild-std=std,panic_unwind,test --target="$TARGET")
"${tests[@]}" -p goroutines-asm --test conformance --test step
"${tests[@]}" -p goroutines-asm --test landing_pads -- --ignored
# The clock of the emulator has frames without tables.
"${tests[@]}" -p goroutines-ports --test dump_stacks -- --skip every_walk_beside_a_busy_program_is_whole
echo "bti.sh: a switch jumps to landing pads only, and return addresses that are signed stay valid"
