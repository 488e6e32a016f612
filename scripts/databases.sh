#!/bin/bash
# Runs the client programs of examples/ against a real Redis and a real PostgreSQL.
#
#   scripts/databases.sh [ARGUMENT...]      arguments for the tests, for example a name
#
# Installs the servers from Debian's packages if they are missing. The tests start them, each in a temporary folder and on
# a UNIX socket, and stop them also when they fail; servers that this machine runs otherwise are not touched.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "databases.sh: $*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo > /dev/null; then sudo "$@"
    else die "needs root for: $*"
    fi
}

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"; }

missing=()
command -v redis-server > /dev/null || missing+=(redis-server)
compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null || command -v initdb > /dev/null || missing+=(postgresql)
if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get > /dev/null || die "missing: ${missing[*]}; this script installs them on Debian and its descendants only"
    echo "databases.sh: installing ${missing[*]}"
    apt_get update
    apt_get install -y --no-install-recommends "${missing[@]}" > /dev/null
fi

cargo test -p goroutines-programs --test databases -- --ignored "$@"
