#!/bin/bash
# Sets up what is needed to build and run the tests for another CPU, on Debian.
#
#   scripts/cross.sh ARCH...        e.g. scripts/cross.sh aarch64 riscv64
#
# Installed from the distribution: the cross linker, its libc, and the emulator. The standard library comes from rustup if it
# has that of the CPU for the pinned toolchain. If not, a newer Rust from Debian's security archive (packages *-web) is unpacked
# into ${GOROUTINES_CROSS:-target/cross}, not installed, and used for this CPU alone; its standard library is unpacked too
# where the archive has it, and built from its source else, once.
#
# Leaves in that folder ARCH.env: TARGET, CARGO_TARGET_*_LINKER and _RUNNER, CARGO_TARGET_DIR, and where the pinned toolchain
# is not used RUSTC and RUSTDOC. Does nothing when all that is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/packages.sh

die() { echo "cross.sh: $*" >&2; exit 1; }
say() { echo "cross.sh: $*"; }

[ $# -gt 0 ] || die "no CPU named; usage: scripts/cross.sh ARCH..., for example scripts/cross.sh aarch64"

mkdir -p "${GOROUTINES_CROSS:-target/cross}"
folder=$(realpath "${GOROUTINES_CROSS:-target/cross}")
root=$folder/root

# One row a CPU, by its target_arch: the target, the prefix of its compiler, Debian's name for its libc, the emulator, and
# where the standard library comes from without rustup: Debian's architecture, or `source`.
row() {
    case $1 in
        aarch64) echo "aarch64-unknown-linux-gnu aarch64-linux-gnu arm64 aarch64 arm64" ;;
        arm) echo "armv7-unknown-linux-gnueabihf arm-linux-gnueabihf armhf arm source" ;;
        loongarch64) echo "loongarch64-unknown-linux-gnu loongarch64-linux-gnu loong64 loongarch64 source" ;;
        powerpc64) echo "powerpc64le-unknown-linux-gnu powerpc64le-linux-gnu ppc64el ppc64le source" ;;
        riscv64) echo "riscv64gc-unknown-linux-gnu riscv64-linux-gnu riscv64 riscv64 source" ;;
        s390x) echo "s390x-unknown-linux-gnu s390x-linux-gnu s390x s390x source" ;;
        x86) echo "i686-unknown-linux-gnu i686-linux-gnu i386 i386 source" ;;
        *) die "no row for '$1' in scripts/cross.sh: add its target, the prefix of its cross compiler, and its emulator" ;;
    esac
}

there() { command -v "$1" > /dev/null; }

ready() {
    [ -e "$folder/$arch.env" ] && there "$(linker)" && there "$(emulator)" &&
        (. "$folder/$arch.env" && [ -d "$("${RUSTC:-rustc}" --print sysroot)/lib/rustlib/$triple/lib" ]) 2> /dev/null
}

# The newest version, and of that one dependency whose name matches: `dependency PACKAGE REGEX`.
candidate() { apt-cache policy "$1" | awk '/Candidate:/ { print $2 }'; }
dependency() {
    apt-cache show "$1=$(candidate "$1")" | sed -n 's/^Depends: //p' | tr ',' '\n' | grep -oE "$2" | head -n 1
}

# Downloads packages and unpacks them into the folder, each once. With the options in `archive`.
archive=()
unpack() {
    local package
    mkdir -p "$folder/deb" "$root"
    for package in "$@"; do
        [ -e "$folder/deb/$package.done" ] && continue
        say "unpacking $package"
        rm -f "$folder/deb/${package%%:*}"_*.deb
        (cd "$folder/deb" && apt-get -qq "${archive[@]}" -o APT::Sandbox::User=root download "$package") ||
            die "$arch needs the package $package, which cannot be downloaded"
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

emulator() {
    case $arch in
        loongarch64) echo "$root/usr/bin/qemu-$qemu" ;;
        *) echo "qemu-$qemu-static" ;;
    esac
}

linker() {
    case $arch in
        loongarch64 | x86) echo "$folder/$arch-linker" ;;
        *) echo "$prefix-gcc" ;;
    esac
}

# The compiler, and the library of this machine's CPU for build scripts.
rust_of_debian() {
    local std llvm
    if [ "$source" != source ] && ! dpkg --print-foreign-architectures | grep -qx "$source"; then
        say "adding the architecture $source"
        as_root dpkg --add-architecture "$source"
        apt_get update
    fi
    std=$(dependency libstd-rust-web-dev 'libstd-rust-web-[0-9.]+') ||
        die "the package rustc-web is not known here: enable Debian's security archive (suite <release>-security, main)"
    llvm=$(dependency "$std" 'libllvm[0-9]+') || die "$std names no LLVM among its dependencies"
    say "installing $llvm"
    apt_get install --no-install-recommends "$llvm" > /dev/null
    unpack rustc-web libstd-rust-web-dev "$std"
    wrapper rustc
    wrapper rustdoc
    "$folder/rustc" --version > /dev/null || die "the unpacked compiler does not run"
    if [ "$source" = source ]; then
        build_std
    else
        unpack "libstd-rust-web-dev:$source" "$std:$source"
    fi
    [ -d "$library/$triple/lib" ] || die "no standard library for $triple in Debian's archive for $source"
}

# Builds the standard library and puts it where the compiler looks for that of the target: no flag of a later build
# makes cargo build it again.
build_std() {
    [ ! -d "$library/$triple/lib" ] || return 0
    unpack rust-web-src
    say "building the standard library for $triple"
    mkdir -p "$folder/std/src"
    printf '[package]\nname = "nothing"\nedition = "2024"\n[workspace]\n' > "$folder/std/Cargo.toml"
    echo '#![no_std]' > "$folder/std/src/lib.rs"
    (cd "$folder/std" && env -u RUSTFLAGS RUSTC="$folder/rustc" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$folder/std/target" \
        CARGO_PROFILE_RELEASE_OPT_LEVEL=2 cargo build --quiet --release -Zbuild-std=std,panic_unwind,test --target="$triple")
    rm -rf "$library/$triple.new"
    mkdir -p "$library/$triple.new/lib"
    rm "$folder/std/target/$triple"/release/deps/libnothing*
    mv "$folder/std/target/$triple"/release/deps/*.{rlib,rmeta} "$library/$triple.new/lib/"
    mv "$library/$triple.new" "$library/$triple"
    rm -rf "$folder/std/target"
}

# This kernel runs the programs of an i686 natively, if it is built to. They find the loader and the libraries of the cross
# compiler.
linker_x86() {
    cat > "$(linker)" << END
#!/bin/sh
exec $prefix-gcc "\$@" -Wl,--dynamic-linker=/usr/$prefix/lib/ld-linux.so.2 -Wl,-rpath,/usr/$prefix/lib
END
}

# Debian 12 has neither a libc nor a linker for it, and its emulator lacks instructions that every libc for it uses: libc
# and emulator are those of the next release, unpacked like the compiler, and the linker is the toolchain's. rustc gives it
# the arguments of gcc.
linker_loongarch64() {
    cat > "$(linker)" << END
#!/bin/bash
lld=\$(rustc --print sysroot)/lib/rustlib/\$(rustc -vV | sed -n 's/host: //p')/bin/rust-lld
lib=$root/usr/$prefix/lib
gcc=$root/usr/lib/gcc-cross/$prefix/14
begin=(\$lib/crt1.o \$lib/crti.o \$gcc/crtbegin.o) end=(\$gcc/crtend.o \$lib/crtn.o) args=()
for arg in "\$@"; do
    case \$arg in
        -Wl,*) IFS=, read -ra words <<< "\${arg#-Wl,}"; args+=("\${words[@]}") ;;
        -pie) args+=(-pie); begin=(\$lib/Scrt1.o \$lib/crti.o \$gcc/crtbeginS.o) end=(\$gcc/crtendS.o \$lib/crtn.o) ;;
        -shared) args+=(-shared); begin=(\$lib/crti.o \$gcc/crtbeginS.o) end=(\$gcc/crtendS.o \$lib/crtn.o) ;;
        -no-pie | -nodefaultlibs | -m* | -fuse-ld=*) ;;
        *) args+=("\$arg") ;;
    esac
done
exec "\$lld" -flavor gnu --sysroot=$root --eh-frame-hdr -dynamic-linker /lib64/ld-linux-loongarch-lp64d.so.1 "\${begin[@]}" \
    -L"\$gcc" -L"\$lib" "\${args[@]}" --start-group -lgcc --as-needed -lgcc_s --no-as-needed -lc --end-group "\${end[@]}"
END
}

libc_loongarch64() {
    local lists=$folder/next
    mkdir -p "$lists"/{parts,lists/partial,cache/archives/partial}
    printf '%s\n' 'Types: deb' 'URIs: http://deb.debian.org/debian' 'Suites: trixie' 'Components: main' \
        'Architectures: amd64' 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg' > "$lists/parts/next.sources"
    archive=(-o "Dir::Etc::SourceList=/dev/null" -o "Dir::Etc::SourceParts=$lists/parts" -o "Dir::State::Lists=$lists/lists"
        -o "Dir::Cache=$lists/cache")
    apt-get -qq "${archive[@]}" -o APT::Sandbox::User=root update
    unpack libc6-loong64-cross libc6-dev-loong64-cross libgcc-s1-loong64-cross libgcc-14-dev-loong64-cross qemu-user
    archive=()
    # Where its programs expect the loader.
    ln -sfn lib "$root/usr/$prefix/lib64"
}

# What runs a program of the CPU. Nothing, if the kernel does.
runner() {
    case $arch in
        loongarch64) echo "$(emulator) -L $root/usr/$prefix" ;;
        x86) runs_natively || emulator ;;
        *) echo "$(emulator) -L /usr/$prefix" ;;
    esac
}

runs_natively() {
    echo 'int main(void) { return 0; }' | "$(linker)" -x c -o "$folder/native" - && "$folder/native" 2> /dev/null
}

set_up() {
    local arch=$1 triple=$2 prefix=$3 libc=$4 qemu=$5 source=$6 upper runner
    local library=$root/usr/lib/rustlib
    if ready; then
        say "$arch: ready in $folder"
        return
    fi
    there apt-get && there dpkg || die "works on Debian and its descendants only: apt-get and dpkg not found"
    read_lists "gcc-$prefix"
    if [ "$arch" = loongarch64 ]; then
        libc_loongarch64
    else
        say "installing qemu-user-static gcc-$prefix libc6-dev-$libc-cross"
        apt_get install --no-install-recommends qemu-user-static "gcc-$prefix" "libc6-dev-$libc-cross" > /dev/null ||
            die "$arch needs the packages qemu-user-static, gcc-$prefix and libc6-dev-$libc-cross, which cannot be installed"
    fi
    if [[ $(linker) == /* ]]; then
        "linker_$arch"
        chmod +x "$(linker)"
    fi
    upper=$(echo "$triple" | tr 'a-z-' 'A-Z_')
    cat > "$folder/$arch.env.new" << END
export TARGET=$triple
export CARGO_TARGET_${upper}_LINKER=$(linker)
export CARGO_TARGET_DIR=$folder/target
END
    runner=$(runner)
    if [ -n "$runner" ]; then echo "export CARGO_TARGET_${upper}_RUNNER=\"$runner\"" >> "$folder/$arch.env.new"; fi
    if command -v rustup > /dev/null && rustup target add "$triple" 2> "$folder/rustup.log"; then
        say "$triple: the standard library of rustup"
    else
        say "$triple: rustup has no standard library for it: $(grep -m 1 error "$folder/rustup.log" || true)"
        rust_of_debian
        printf 'export RUSTC=%s\nexport RUSTDOC=%s\n' "$folder/rustc" "$folder/rustdoc" >> "$folder/$arch.env.new"
    fi
    mv "$folder/$arch.env.new" "$folder/$arch.env"
    ready || die "$arch: still incomplete after installation"
    say "$arch: $("$(emulator)" --version | head -n 1)"
}

for arch in "$@"; do
    columns=$(row "$arch")
    # shellcheck disable=SC2086 # words by intention
    set_up "$arch" $columns
done
