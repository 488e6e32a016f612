#!/bin/bash
# Counts the instructions of operations under callgrind, and fails if one takes more than benches/budgets.md has recorded.
# `scripts/budgets.sh --record` records what is counted now; `--only yield` counts some; `--rounds 5` shows the spread.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

need valgrind valgrind
# With the features that `cargo run --release` chooses, so that it finds everything built.
cargo build --release --quiet -p goroutines-benches --bin budget-report
exec "${CARGO_TARGET_DIR:-target}/release/budget-report" --budgets benches/budgets.md "$@"
