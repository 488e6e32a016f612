#!/bin/bash
# Whether the links in the rendered documentation of the libraries lead somewhere: `scripts/doclinks.sh target/doc`, after
# `cargo doc`. rustdoc warns of links that it cannot resolve where it reads them, but not of those in items that another
# crate shows again, and not of those to crates that are not rendered: they stay as text in brackets.
set -euo pipefail
cd "${1:?usage: scripts/doclinks.sh DOCS}"
bad=0

report() {
    echo "$*" >&2
    bad=1
}

pages=$(find goroutines goroutines_* -name '*.html' | sort)
[ -n "$pages" ] || { echo "doclinks: no pages in $PWD" >&2; exit 1; }

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
