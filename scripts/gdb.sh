#!/bin/bash
# gdb sees goroutines: installs gdb of the distribution where there is none, and runs the tests of what it shows, which are
# ignored elsewhere; with a debug build, and with a release build, where functions are inlined and only lines are known.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/packages.sh

need gdb gdb
# Some distributions build it without.
gdb -nx -batch -ex 'python print("python", gdb.VERSION)' | grep '^python'
cargo test --workspace --test gdb -- --ignored
cargo test --release -p goroutines-stack -p goroutines -p goroutines-tests --test gdb -- --ignored
