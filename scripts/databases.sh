#!/bin/bash
# Runs the client programs of examples/ against a real Redis and a real PostgreSQL.
#
#   scripts/databases.sh [ARGUMENT...]      arguments for the tests, for example a name
#
# Installs the servers from Debian's packages if they are missing. The tests start them, each in a temporary folder and on
# a UNIX socket, and stop them also when they fail; servers that this machine runs otherwise are not touched.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/packages.sh

need redis-server redis-server
# Debian's are on no PATH.
compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null || need initdb postgresql

cargo test --workspace --test databases -- --ignored "$@"
