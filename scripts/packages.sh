# Packages of the distribution, for the scripts that source this. Not to be run by itself.
#
#   need COMMAND PACKAGE...        installs the packages if there is no such command
#   install_packages PACKAGE...    installs the packages
#   read_lists PACKAGE...          reads the lists of packages, once: for a look at which there are

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo > /dev/null; then sudo "$@"
    else echo "$0: needs root for: $*" >&2; exit 1
    fi
}

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"; }

read_lists() {
    if ! command -v apt-get > /dev/null; then
        echo "$0: missing: $*; installed on Debian and its descendants only" >&2
        exit 1
    fi
    [ -n "${lists_are_read:-}" ] || apt_get update >&2
    lists_are_read=yes
}

install_packages() {
    read_lists "$@"
    echo "$0: installing $*" >&2
    apt_get install -y --no-install-recommends "$@" >&2
}

need() {
    command -v "$1" > /dev/null || install_packages "${@:2}"
}
