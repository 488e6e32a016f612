#!/bin/bash
# Runs a program under memcheck, with the feature `valgrind`, and fails on the first report. Then makes sure that
# nothing of the feature is in a program without it.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

need valgrind valgrind
target=${CARGO_TARGET_DIR:-target}/valgrind

build() {
    CARGO_TARGET_DIR="$target" cargo build --release -q -p goroutines-tests --bin rounds "$@"
}

build --features valgrind
valgrind --error-exitcode=1 --log-file="$target/log" "$target/release/rounds" || {
    cat "$target/log"
    exit 1
}
tail -n 1 "$target/log"
if grep -q "client switching stacks" "$target/log"; then
    cat "$target/log"
    echo "a stack was not registered"
    exit 1
fi

# The request begins with rotations that no compiler emits in this order.
requests() { objdump -d --no-show-raw-insn "$target/release/rounds" | grep -cE 'rol +\$0x33,%rdi|ror +x12, x12, #51' || true; }
with=$(requests)
build
without=$(requests)
echo "requests in the program: $with with the feature, $without without"
[ "$with" -gt 0 ] && [ "$without" -eq 0 ]
