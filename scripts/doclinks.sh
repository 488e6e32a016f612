#!/bin/bash
# Whether the links in the rendered documentation of libraries lead somewhere: `scripts/doclinks.sh target/doc CRATE...`, after
# `cargo doc`. rustdoc warns of links that it cannot resolve where it reads them, but not of those in items that another
# crate shows again, and not of those to crates that are not rendered: they stay as text in brackets.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: scripts/doclinks.sh DOCS CRATE..." >&2; exit 2; }
cd "$1"
shift
bad=0

report() {
    echo "$*" >&2
    bad=1
}

pages=$(find "$@" -name '*.html' | sort)
[ -n "$pages" ] || { echo "doclinks: no pages of $* in $PWD" >&2; exit 1; }

# `[Name]` with Name as code is what is left of a link without a target.
while IFS= read -r line; do
    report "not a link: $line"
done < <(grep -HoE '\[<code>[^<]*</code>\]' $pages || true)

# Links within the rendered pages.
while IFS= read -r line; do
    page=${line%%:*}
    target=${line#*:href=\"}
    target=${target%%[\"#?]*}
    case $target in
    '' | *'$'* | http:* | https:* | javascript:*) ;;
    *) [ -e "${page%/*}/$target" ] || report "no such page: $page: $target" ;;
    esac
done < <(grep -HoE 'href="[^"]*"' $pages | sort -u)

exit "$bad"
