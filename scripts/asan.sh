#!/bin/bash
# Runs a program built with AddressSanitizer and the feature `asan`: any report fails. The sanitizer is an unstable
# flag of the pinned compiler, its runtime comes with it.
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
target=${CARGO_TARGET_DIR:-target}/asan

RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR="$target" \
    cargo build -q -p goroutines-tests --bin rounds --features asan --target "$host"
for after_return in 0 1; do
    ASAN_OPTIONS="detect_stack_use_after_return=$after_return" "$target/$host/debug/rounds"
done
