#!/bin/bash
# Sets up what is needed to build and run the tests for another CPU, on Debian.
#
#   scripts/cross.sh ARCH...        e.g. scripts/cross.sh aarch64
#
# The pinned toolchain has a standard library for this machine's CPU only. Debian's security archive carries a newer Rust
# (packages *-web) with libraries for others; it is unpacked into ${GOROUTINES_CROSS:-target/cross}, not installed, and is
# used for the emulated run alone. Installed from the distribution: the cross linker, its libc, the emulator, and LLVM.
#
# Leaves in that folder:   rustc             the compiler, for RUSTC=
#                          rustdoc           its rustdoc, for RUSTDOC=
#                          ARCH.env          CARGO_TARGET_*_LINKER and _RUNNER, and TARGET
# Does nothing when all that is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/packages.sh

die() { echo "cross.sh: $*" >&2; exit 1; }
say() { echo "cross.sh: $*"; }

[ $# -gt 0 ] || die "no CPU named; usage: scripts/cross.sh ARCH..., for example scripts/cross.sh aarch64"

mkdir -p "${GOROUTINES_CROSS:-target/cross}"
folder=$(realpath "${GOROUTINES_CROSS:-target/cross}")
root=$folder/root

# One row a CPU: target_arch, Debian's architecture, the prefix of its compiler.
row() {
    case $1 in
        aarch64) echo "arm64 aarch64-linux-gnu" ;;
        *) die "no row for '$1' in scripts/cross.sh: add Debian's architecture and the prefix of its cross compiler" ;;
    esac
}

ready() {
    local arch=$1 prefix=$2
    [ -e "$folder/$arch.env" ] && [ -x "$folder/rustc" ] && command -v "$prefix-gcc" "qemu-$arch-static" > /dev/null &&
        "$folder/rustc" --version > /dev/null 2>&1
}

# The newest version, and of that one dependency whose name matches: `dependency PACKAGE REGEX`.
candidate() { apt-cache policy "$1" | awk '/Candidate:/ { print $2 }'; }
dependency() {
    apt-cache show "$1=$(candidate "$1")" | sed -n 's/^Depends: //p' | tr ',' '\n' | grep -oE "$2" | head -n 1
}

# Downloads packages and unpacks them into the folder, each once.
unpack() {
    local package
    mkdir -p "$folder/deb" "$root"
    for package in "$@"; do
        [ -e "$folder/deb/$package.done" ] && continue
        say "unpacking $package $(candidate "$package")"
        rm -f "$folder/deb/${package%%:*}"_*.deb
        (cd "$folder/deb" && apt-get -qq -o APT::Sandbox::User=root download "$package")
        dpkg -x "$folder/deb/${package%%:*}"_*.deb "$root"
        rm "$folder/deb/${package%%:*}"_*.deb
        touch "$folder/deb/$package.done"
    done
}

# A script that runs a program of the folder with the libraries of the folder.
wrapper() {
    cat > "$folder/$1.new" << END
#!/bin/sh
export LD_LIBRARY_PATH="$root/usr/lib/$(gcc -dumpmachine)\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
exec "$root/usr/bin/$1" --sysroot "$root/usr" "\$@"
END
    chmod +x "$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
}

set_up() {
    local arch=$1 debian=$2 prefix=$3 std llvm triple upper
    if ready "$arch" "$prefix"; then
        say "$arch: ready in $folder"
        return
    fi
    command -v apt-get dpkg > /dev/null || die "works on Debian and its descendants only: apt-get and dpkg not found"
    if ! dpkg --print-foreign-architectures | grep -qx "$debian"; then
        say "adding the architecture $debian"
        as_root dpkg --add-architecture "$debian"
    fi
    say "reading the package lists"
    apt_get update
    std=$(dependency libstd-rust-web-dev 'libstd-rust-web-[0-9.]+') ||
        die "the package rustc-web is not known here: enable Debian's security archive (suite <release>-security, main)"
    llvm=$(dependency "$std" 'libllvm[0-9]+') || die "$std names no LLVM among its dependencies"
    say "installing $llvm qemu-user-static gcc-$prefix libc6-dev-$debian-cross"
    apt_get install --no-install-recommends "$llvm" qemu-user-static "gcc-$prefix" "libc6-dev-$debian-cross" > /dev/null
    unpack rustc-web libstd-rust-web-dev "$std" "libstd-rust-web-dev:$debian" "$std:$debian"
    wrapper rustc
    wrapper rustdoc

    triple=$arch-unknown-linux-gnu
    "$folder/rustc" --version > /dev/null || die "the unpacked compiler does not run"
    [ -d "$root/usr/lib/rustlib/$triple/lib" ] || die "no standard library for $triple in $std:$debian"
    upper=$(echo "$triple" | tr 'a-z-' 'A-Z_')
    cat > "$folder/$arch.env" << END
export TARGET=$triple
export CARGO_TARGET_${upper}_LINKER=$prefix-gcc
export CARGO_TARGET_${upper}_RUNNER="qemu-$arch-static -L /usr/$prefix"
END
    ready "$arch" "$prefix" || die "$arch: still incomplete after installation"
    say "$arch: $("$folder/rustc" --version), $(qemu-"$arch"-static --version | head -n 1)"
}

for arch in "$@"; do
    columns=$(row "$arch")
    # shellcheck disable=SC2086 # two words by intention
    set_up "$arch" $columns
done
