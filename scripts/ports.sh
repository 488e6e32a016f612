# The CPUs that have a port. For the scripts that source this. Not to be run by itself.
#
#   ports          the list of their names, each a `target_arch`
#   use_cpu CPU    sets `target`, arguments for cargo; for another CPU than this machine's with its toolchain in the environment.
#                  `musl` is this machine's with another C library

ports() { sed -n 's/.*target_arch = "\([a-z0-9_]*\)".*/\1/p' asm/src/arch/mod.rs; }

use_cpu() {
    target=()
    [ "$1" != "$(uname -m)" ] || return 0
    if [ "$1" = musl ]; then
        target=("--target=$(uname -m)-unknown-linux-musl")
        rustup target add "${target[0]#*=}" || { echo "$1 needs rustup, which has its standard library" >&2; return 1; }
        CARGO_TARGET_DIR=$(realpath -m "${GOROUTINES_CROSS:-target/cross}")/target
        export CARGO_TARGET_DIR
        return
    fi
    scripts/cross.sh "$1"
    # shellcheck source=/dev/null # written by cross.sh
    . "$(realpath "${GOROUTINES_CROSS:-target/cross}")/$1.env"
    target=("--target=$TARGET")
}
