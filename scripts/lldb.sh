#!/bin/bash
# lldb sees goroutines: installs the newest lldb of the distribution where there is none, and runs the tests of what it shows,
# which are ignored elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/packages.sh

# Some distributions build it without Python, or leave that out of its default package.
runs() { "$1" --batch --one-line 'script import lldb; print("python", lldb.SBDebugger.GetVersionString())' 2> /dev/null | grep '^python'; }

LLDB=$(compgen -c lldb | grep -E '^lldb(-[0-9]+)?$' | sort -Vu | tail -1 || true)
if [ -z "$LLDB" ] || ! runs "$LLDB" > /dev/null; then
    read_lists lldb
    LLDB=$(apt-cache search --names-only '^lldb-[0-9]+$' | cut -d' ' -f1 | sort -V | tail -1)
    install_packages "$LLDB" "python3-$LLDB"
fi
export LLDB
runs "$LLDB"
cargo test --workspace --test lldb -- --ignored
