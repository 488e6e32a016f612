#!/bin/bash
# Breaks the ports on purpose, one way at a time, and demands that a test notices: of what a switch does those of
# asm/tests/conformance, of what it tells unwinders that of asm/tests/step.
#
#   scripts/mutants.sh [ARCH...]        every port when none is named
#
# Works on a copy of the crate in a temporary folder. For each mutant it prints a test that failed, and why. A mutant
# that passes, one that does not compile, and a change that no longer applies are failures. Takes some minutes, and for an
# emulated CPU a quarter of an hour: GOROUTINES_MUTANTS=REGEX takes only those whose name matches.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/ports.sh

die() { echo "mutants.sh: $*" >&2; exit 1; }

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp Cargo.lock rust-toolchain.toml "$copy"
perl -0pe 's/^members = \[.*?\]/members = ["asm"]/ms; s/^default-members.*\n//m' Cargo.toml > "$copy/Cargo.toml"
cp -r asm "$copy/pristine"
survivors=0

# Builds the tests of $suite: what cargo says goes to $out, and `program` becomes the arguments that run them.
build() {
    local upper runner executable
    (cd "$copy" && cargo test --no-run --release -p goroutines-asm --test "$suite" "${target[@]}" --message-format=json \
        > "$copy/built" 2> "$out") || return
    executable=$(sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' "$copy/built")
    upper=$(echo "${TARGET:-}" | tr 'a-z-' 'A-Z_') runner=CARGO_TARGET_${upper}_RUNNER
    # shellcheck disable=SC2206 # a word each
    program=(${!runner:-} "$executable")
}

# mutant NAME CHANGE [SUITE [FILE]]: a sed script for the port's file, or another of its folder, and the test that is to
# notice.
mutant() {
    local name=$1 change=$2 suite=${3:-conformance} file=src/arch/${4:-$arch}.rs caught
    [[ "$name" =~ ${GOROUTINES_MUTANTS:-} ]] || return 0
    rm -rf "$copy/asm"
    cp -r "$copy/pristine" "$copy/asm"
    sed -i "$change" "$copy/asm/$file"
    ! cmp -s "$copy/asm/$file" "$copy/pristine/$file" || die "$arch: $name: the change does not apply any more"
    build || { cat "$out"; die "$arch: $name: does not compile"; }
    caught=$(failures)
    if [ -n "$caught" ]; then
        printf '%s: %s: caught\n%s\n' "$arch" "$name" "$caught"
    else
        echo "$arch: $name: SURVIVED"
        survivors=$((survivors + 1))
    fi
}

# Runs each test in a process of its own, for a mutant may bring it down, until one fails; a line for that one, and why.
failures() {
    local test status
    for test in ${tests[$suite]}; do
        status=0
        RUST_BACKTRACE=0 timeout -s KILL "${limits[$suite]}" "${program[@]}" --exact "$test" > "$out" 2>&1 || status=$?
        [ "$status" = 0 ] || { echo "    $test: $(reason "$out" "$status")"; return; }
    done
}

# The panic's message, or how the process ended.
reason() {
    if [ "$2" = 137 ]; then echo "no end in ${limits[$suite]} s"
    elif grep -q '^test result: FAILED' "$1"; then
        sed -n '/ panicked at /,/^note:/ { / panicked at /d; /^note:/d; p; }' "$1" | tr -s '\n ' ' ' | cut -c 1-160
    else grep -oE 'uncaught target signal [0-9]+ \([^)]*\)|panic in a function that cannot unwind' "$1" | head -n 1 ||
        echo "exit status $2"
    fi
}

# In the inlined part of the switch alone, in its body, in the first frame of a linked context: a line or an expression.
in_switch() { echo "/unsafe fn switch</,/^    }/ { $1; }"; }
in_body() { echo "/unsafe extern \"C\" fn switch_body/,/^}/ { $1; }"; }
in_linked_root() { echo "/^    linked: / { $1; }"; }
# Takes a register, as it is written there, out of the list of those that are cleared.
not_cleared() { in_body "/\.irp/ { s/,$1\b//; s/\b$1,//; }"; }
# What unwinders are told.
table() { mutant "$1" "$2" step; }

# Registers that the inlined part names as lost, each forgotten; those that the body clears as well, each kept.
no_clobber() {
    local register
    for register in "$@"; do
        mutant "${register#\$} is no clobber" "$(in_switch "s/out(\"$register\") _,//")"
    done
}
no_clobber_not_cleared() {
    local register
    for register in "$@"; do
        no_clobber "$register"
        mutant "${register#\$} is not cleared" "$(not_cleared "${register##*[!0-9]}")"
    done
}

# Of what the ports share.
begins_with_frame_pointer() { mutant "$1" 's/fp: 0,/fp: 8,/' conformance common; }
pure_thread_word() { mutant "the thread word is pure" "/fn thread_word/,/^        }/ s/nomem, /nomem, pure, /" conformance common; }

mutants_x86_64() {
    mutant "rbx is not saved" "$(in_body 's/"mov \[rsp - 16\], rbx"/"mov [rsp - 16], rax"/')"
    mutant "rbp is not saved" "$(in_body 's/"mov \[rsp - 8\], rbp"/"mov [rsp - 8], rax"/')"
    no_clobber_not_cleared r12 r13 r14 r15
    mutant "what a call overwrites is no clobber" "$(in_switch 's/clobber_abi("sysv64")/out("r8") _/')"
    mutant "the stack may be assumed untouched" "$(in_switch 's/out("r15") _,/&options(nostack),/')"
    mutant "the argument stays behind" "$(in_body 's/"jmp \[rsi - 24\]"/"xor eax, eax", &/')"
    mutant "a word more than Frame is used" "$(in_switch 's/"lea r8/"push 0", &/; s/"2:"/&, "add rsp, 8"/')"
    begins_with_frame_pointer "the frame-pointer chain does not end"
    mutant "unwinding goes on behind root" 's/".cfi_undefined rip"/""/'
    mutant "root misaligns the stack" 's/"call rbx"/"push 0", &/'
    mutant "the record of a link has another frame pointer" 's/"push \[rcx - 8\]"/"push [rcx - 16]"/'
    mutant "the record of a link is not in the chain" 's/"mov rbp, rsp";/"";/'
    pure_thread_word
    table "the body's frame begins a word too high" "$(in_body '/".cfi_def_cfa rsp, 0",/d')"
    table "the body does not say who called" "$(in_body '/".cfi_register rip, r8",/d')"
    table "the body's frame moves with the stack pointer" "$(in_body '/".cfi_escape 0x0f/d')"
    table "the body's frame is that of the other side" "$(in_body 's/0x75, 0, 0x06/0x76, 0/; s/0x0f, 3/0x0f, 2/')"
    table "rbx is a word off in the body" "$(in_body 's/".cfi_offset rbx, -16"/".cfi_offset rbx, -8"/')"
    table "rbp is a word off in the body" "$(in_body 's/".cfi_offset rbp, -8"/".cfi_offset rbp, -16"/')"
    table "a link leads a word too high" "$(in_linked_root 's/0x0f, 3, 0x77, 0, 0x06"/0x0f, 5, 0x77, 0, 0x06, 0x23, 8"/')"
    table "rbx is a word off behind a link" "$(in_linked_root 's/".cfi_offset rbx, -16"/".cfi_offset rbx, -8"/')"
    table "rbp is a word off behind a link" "$(in_linked_root 's/".cfi_offset rbp, -8"/".cfi_offset rbp, -16"/')"
    table "a link does not say who called" "$(in_linked_root 's/, ".cfi_offset rip, -24"//')"
    table "the inlined part moves the stack pointer" "$(in_switch 's/"lea r8/"push 0", &/; s/"2:"/&, "add rsp, 8"/')"
}

mutants_aarch64() {
    local register others i
    # What clobber_abi says about the two inputs.
    local also_lost='s/in(\("x[12]"\)) \(.*\),/inlateout(\1) \2 => _,/'
    mutant "x19 is not saved" "$(in_body 's/"stp x19, x29/"stp x3, x29/')"
    mutant "x29 is not saved" "$(in_body 's/"stp x19, x29/"stp x19, x3/')"
    no_clobber_not_cleared x20 x21 x22 x23 x24 x25 x26 x27 x28
    for register in v8 v9 v10 v11 v12 v13 v14 v15; do
        others=$(for i in x{3..18} x30 v{0..31}; do [ "$i" = "$register" ] || printf 'out("%s") _, ' "$i"; done)
        mutant "$register is no clobber" "$(in_switch "s/clobber_abi(\"C\"),/$others/; $also_lost")"
    done
    mutant "what a call overwrites is no clobber" "$(in_switch 's/clobber_abi("C")/out("x3") _, out("x4") _, out("x5") _/')"
    mutant "the argument stays behind" "$(in_body 's/"br x5"/"mov x0, #0", &/')"
    mutant "more than Frame is used" "$(in_switch 's/"adr x3/"sub sp, sp, #16", &/; s/"2:"/&, "add sp, sp, #16"/')"
    begins_with_frame_pointer "the frame-pointer chain does not end"
    mutant "unwinding goes on behind root" 's/".cfi_undefined x30"/""/'
    mutant "the record of a link has another frame pointer" 's/"ldp x5, x6, \[x4, #-24\]"/"ldp x5, x6, [x4, #-32]"/'
    mutant "the record of a link is not in the chain" 's/"mov x29, sp";/"";/'
    pure_thread_word
    table "the body does not say who called" "$(in_body '/".cfi_register x30, x3",/d')"
    table "the body's frame stays where it was" "$(in_body '/".cfi_def_cfa_offset 32",/d')"
    table "x19 is a word off in the body" "$(in_body 's/".cfi_offset x19, -32"/".cfi_offset x19, -24"/')"
    table "x29 is a word off in the body" "$(in_body 's/".cfi_offset x29, -24"/".cfi_offset x29, -32"/')"
    table "the frame is written below the stack pointer" \
        "$(in_body 's/"stp x19, x29, \[sp, #-32\]!"/"stp x19, x29, [sp, #-32]", "sub sp, sp, #32"/')"
    table "the jump has the stack pointer of the other side" "$(in_body '/".cfi_def_cfa sp, 0",/d')"
    table "the jump has a caller that waits" "$(in_body '/".cfi_register x30, x5",/d')"
    table "the jump has x29 in a frame that is gone" "$(in_body '/".cfi_same_value x29",/d')"
    table "the jump has x19 in a frame that is gone" "$(in_body '/".cfi_same_value x19",/d')"
    table "what begins is looked up before root" \
        's/root + 4/root + 0/; s/begin: "brk #1"/begin: ""/'
    table "a link leads a word too high" "$(in_linked_root 's/0x0f, 3, 0x8f, 0, 0x06"/0x0f, 5, 0x8f, 0, 0x06, 0x23, 8"/')"
    table "x19 is a word off behind a link" "$(in_linked_root 's/".cfi_offset x19, -32"/".cfi_offset x19, -24"/')"
    table "x29 is a word off behind a link" "$(in_linked_root 's/".cfi_offset x29, -24"/".cfi_offset x29, -32"/')"
    table "a link does not say who called" "$(in_linked_root 's/ ".cfi_offset x30, -16",//')"
}

mutants_riscv64() {
    mutant "s1 is not saved" "$(in_body 's/"sd s1, 0(sp)"/"sd t3, 0(sp)"/')"
    mutant "s0 is not saved" "$(in_body 's/"sd s0, 8(sp)"/"sd t3, 8(sp)"/')"
    no_clobber_not_cleared s2 s3 s4 s5 s6 s7 s8 s9 s10 s11
    no_clobber fs0 fs1 fs2 fs3 fs4 fs5 fs6 fs7 fs8 fs9 fs10 fs11
    mutant "what a call overwrites is no clobber" "$(in_switch 's/clobber_abi("C")/out("t1") _, out("t2") _, out("t3") _, out("t4") _/')"
    mutant "the argument stays behind" "$(in_body 's/"jr t4"/"li a0, 0", &/')"
    mutant "more than Frame is used" "$(in_switch 's/"lla t3/"addi sp, sp, -16", &/; s/"2:"/&, "addi sp, sp, 16"/')"
    begins_with_frame_pointer "the frame-pointer chain does not end"
    mutant "unwinding goes on behind root" 's/".cfi_undefined ra"/""/'
    mutant "root misaligns the stack" 's/"jalr s1"/"addi sp, sp, -8", &/'
    mutant "the record of a link has another frame pointer" 's/"ld t5, -24(t4)"/"ld t5, -32(t4)"/'
    mutant "the record of a link is not in the chain" 's/"addi s0, sp, 16";/"nop";/'
    pure_thread_word
    table "the body does not say who called" "$(in_body '/".cfi_register ra, t3",/d')"
    table "the body's frame stays where it was" "$(in_body '/".cfi_def_cfa_offset 32",/d')"
    table "s1 is a word off in the body" "$(in_body 's/".cfi_offset s1, -32"/".cfi_offset s1, -24"/')"
    table "s0 is a word off in the body" "$(in_body 's/".cfi_offset s0, -24"/".cfi_offset s0, -32"/')"
    table "the frame is written below the stack pointer" \
        "$(in_body '/"addi sp, sp, -32",\|def_cfa_offset 32/d; s/0(sp)/-32(sp)/; s/8(sp)/-24(sp)/; s/"sd t3, 16(sp)"/"sd t3, -16(sp)", "addi sp, sp, -32", ".cfi_def_cfa_offset 32"/')"
    table "the jump has the stack pointer of the other side" "$(in_body '/".cfi_def_cfa sp, 0",/d')"
    table "the jump has a caller that waits" "$(in_body '/".cfi_register ra, t4",/d')"
    table "the jump has s0 in a frame that is gone" "$(in_body '/".cfi_same_value s0",/d')"
    table "the jump has s1 in a frame that is gone" "$(in_body '/".cfi_same_value s1",/d')"
    table "what begins is looked up before root" 's/root + 4/root + 0/; /^    begin: / s/, "ebreak"//'
    table "a link leads a word too high" "$(in_linked_root 's/0x0f, 3, 0x72, 0, 0x06"/0x0f, 5, 0x72, 0, 0x06, 0x23, 8"/')"
    table "s1 is a word off behind a link" "$(in_linked_root 's/".cfi_offset s1, -32"/".cfi_offset s1, -24"/')"
    table "s0 is a word off behind a link" "$(in_linked_root 's/".cfi_offset s0, -24"/".cfi_offset s0, -32"/')"
    table "a link does not say who called" "$(in_linked_root 's/ ".cfi_offset ra, -16",//')"
}

mutants_loongarch64() {
    mutant "s8 is not saved" "$(in_body 's/"st.d $s8, $sp, 0"/"st.d $t3, $sp, 0"/')"
    mutant "fp is not saved" "$(in_body 's/"st.d $fp, $sp, 8"/"st.d $t3, $sp, 8"/')"
    no_clobber_not_cleared '$s0' '$s1' '$s2' '$s3' '$s4' '$s5' '$s6' '$s7'
    no_clobber '$fs0' '$fs1' '$fs2' '$fs3' '$fs4' '$fs5' '$fs6' '$fs7'
    mutant "what a call overwrites is no clobber" "$(in_switch 's/clobber_abi("C")/out("$t1") _, out("$t2") _, out("$t3") _, out("$t4") _/')"
    mutant "the argument stays behind" "$(in_body 's/"jr $t4"/"move $a0, $zero", &/')"
    mutant "more than Frame is used" "$(in_switch 's/"la.local $t3/"addi.d $sp, $sp, -16", &/; s/"2:"/&, "addi.d $sp, $sp, 16"/')"
    begins_with_frame_pointer "the frame-pointer chain does not end"
    mutant "unwinding goes on behind root" 's/".cfi_undefined $ra"/""/'
    mutant "root misaligns the stack" 's/"jirl $ra, $s8, 0"/"addi.d $sp, $sp, -8", &/'
    mutant "the record of a link has another frame pointer" 's/"ld.d $t5, $t4, -24"/"ld.d $t5, $t4, -32"/'
    mutant "the record of a link is not in the chain" 's/"addi.d $fp, $sp, 16";/"nop";/'
    pure_thread_word
    table "the body does not say who called" "$(in_body '/".cfi_register $ra, $t3",/d')"
    table "the body's frame stays where it was" "$(in_body '/".cfi_def_cfa_offset 32",/d')"
    table "s8 is a word off in the body" "$(in_body 's/".cfi_offset $s8, -32"/".cfi_offset $s8, -24"/')"
    table "fp is a word off in the body" "$(in_body 's/".cfi_offset $fp, -24"/".cfi_offset $fp, -32"/')"
    table "the frame is written below the stack pointer" \
        "$(in_body '/"addi.d $sp, $sp, -32",\|def_cfa_offset 32/d; /st.d/ { s/$sp, 0"/$sp, -32"/; s/$sp, 8"/$sp, -24"/; }; s/"st.d $t3, $sp, 16"/"st.d $t3, $sp, -16", "addi.d $sp, $sp, -32", ".cfi_def_cfa_offset 32"/')"
    table "the jump has the stack pointer of the other side" "$(in_body '/".cfi_def_cfa $sp, 0",/d')"
    table "the jump has a caller that waits" "$(in_body '/".cfi_register $ra, $t4",/d')"
    table "the jump has fp in a frame that is gone" "$(in_body '/".cfi_same_value $fp",/d')"
    table "the jump has s8 in a frame that is gone" "$(in_body '/".cfi_same_value $s8",/d')"
    table "what begins is looked up before root" 's/root + 4/root + 0/; s/begin: "break 0"/begin: ""/'
    table "a link leads a word too high" "$(in_linked_root 's/0x0f, 3, 0x73, 0, 0x06"/0x0f, 5, 0x73, 0, 0x06, 0x23, 8"/')"
    table "s8 is a word off behind a link" "$(in_linked_root 's/".cfi_offset $s8, -32"/".cfi_offset $s8, -24"/')"
    table "fp is a word off behind a link" "$(in_linked_root 's/".cfi_offset $fp, -24"/".cfi_offset $fp, -32"/')"
    table "a link does not say who called" "$(in_linked_root 's/ ".cfi_offset $ra, -16",//')"
}

mutants_arm() {
    mutant "r6 is not saved" "$(in_body 's/"stm sp, {{r6, r11}}"/"stm sp, {{r3, r11}}"/')"
    mutant "r11 is not saved" "$(in_body 's/"stm sp, {{r6, r11}}"/"stm sp, {{r6, r12}}"/')"
    no_clobber_not_cleared r4 r5 r7 r8 r9 r10
    no_clobber d8 d9 d10 d11 d12 d13 d14 d15
    mutant "what a call overwrites is no clobber" "$(in_switch 's/clobber_abi("C")/out("r3") _, out("r12") _, out("lr") _/')"
    mutant "the argument stays behind" "$(in_body 's/"bx r12"/"mov r0, #0", &/')"
    mutant "more than Frame is used" "$(in_switch 's/"adr r3/"sub sp, sp, #8", &/; s/"2:"/&, "add sp, sp, #8"/')"
    begins_with_frame_pointer "the frame-pointer chain does not end"
    mutant "unwinding goes on behind root" 's/".unwind_raw 0, 0x80, 0";/".save {{r4, lr}}";/'
    mutant "root misaligns the stack" 's/"blx r6"/"sub sp, sp, #4", &/'
    mutant "the record of a link has another frame pointer" 's/"ldr r3, \[r12, #-12\]"/"ldr r3, [r12, #-16]"/'
    mutant "the record of a link is not in the chain" 's/"mov r11, sp";/"nop";/'
    pure_thread_word
    mutant "a link leads a word too high" 's/0x94, 0x43, 0x88/0x94, 0x42, 0x88/'
    mutant "a link does not say who called" 's/0x43, 0x88, 0x84/0x43, 0x80, 0x84/'
    table "a link forgets its record" 's/".unwind_raw 0, 0x01, 0xa0/".unwind_raw 0, 0xa0/'
    table "r6 is a word off behind a link" 's/0x43, 0x88, 0x84/0x43, 0x88, 0x88/'
    # Of r11 behind a link nothing depends: a function with a switch saves six registers and lr, and r11 to have an even number.
    table "the body goes on" "$(in_body 's/".unwind_raw 0, 0x80, 0"/".save {{r4, lr}}"/')"
    table "the body is entered where it begins" "$(in_switch 's/"b {body} + 4"/"b {body}"/; '); $(in_body '/"udf #0",/d')"
    table "what begins is looked up before root" 's/root + 4/root + 0/; s/begin: "udf #0"/begin: ""/'
}

# Where the body tells of the suspended code, and where of the resumed one.
at_entry() { in_body "/cfi_startproc/,/\"$1/ { $2; }"; }
at_jump() { in_body "/\"$1/,/cfi_endproc/ { $2; }"; }

mutants_x86() {
    local more='s/"call {here}"/"pushl $0", &/; s/"3:"/&, "addl $4, %esp"/'
    # The body uses both of those that it clears: what it leaves is not the code's own.
    mutant "esi is not saved" "$(in_body 's/ecx,ebp,esi/ecx,ebp,ecx/')"
    mutant "ebp is not saved" "$(in_body 's/ecx,ebp,esi/ecx,ecx,esi/')"
    mutant "ebx is no clobber" "$(in_switch 's/out("ebx") _,//')"
    mutant "edi is no clobber" "$(in_switch 's/inlateout("edi") save => _/in("edi") save/')"
    mutant "what a call overwrites is no clobber" "$(in_switch 's/clobber_abi("C")/out("ecx") _/')"
    mutant "the argument stays behind" "$(in_body 's/"jmp ecx"/"xor eax, eax", &/')"
    mutant "a word more than Frame is used" "$(in_switch "$more")"
    begins_with_frame_pointer "the frame-pointer chain does not end"
    mutant "unwinding goes on behind root" 's/".cfi_undefined eip"/""/'
    mutant "root misaligns the stack" 's/"sub esp, 12"/"sub esp, 8"/'
    mutant "the record of a link has another frame pointer" 's/"push \[ecx - 8\]"/"push [ecx - 12]"/'
    mutant "the record of a link is not in the chain" 's/"mov ebp, esp", ".cfi_escape[^"]*"/"nop", "nop"/'
    mutant "the thread word is pure" '/fn thread_word/,/^    }/ s/options(nomem)/options(nomem, pure)/'
    table "the body's frame begins a word too high" "$(at_entry 'mov ebx' '/.cfi_def_cfa/d')"
    table "the body does not say who called" "$(at_entry 'mov ebx' '/.cfi_register/d')"
    table "the body's frame moves with the stack pointer" "$(in_body '/.cfi_adjust_cfa_offset/d')"
    table "esi is a word off in the body" "$(in_body 's/.cfi_offset esi, -12/.cfi_offset esi, -16/')"
    table "ebp is a word off in the body" "$(in_body 's/.cfi_offset ebp, -8/.cfi_offset ebp, -12/')"
    table "the caller is a word off in the body" "$(in_body 's/.cfi_offset eip, -4/.cfi_offset eip, -8/')"
    table "the jump has the stack pointer of the other side" "$(at_jump 'mov esp' '/.cfi_def_cfa/d')"
    table "the jump has a caller that waits" "$(at_jump 'mov esp' '/.cfi_register/d')"
    table "the jump has ebp in a frame that is gone" "$(in_body 's/.cfi_same_value ebp; //')"
    table "the jump has esi in a frame that is gone" "$(in_body 's/; .cfi_same_value esi//')"
    table "what begins is looked up before root" 's/root + 2/root + 0/; s/begin: "ud2"/begin: ""/'
    table "a link leads a word too high" "$(in_linked_root 's/0x0f, 3, 0x74, 0, 0x06"/0x0f, 5, 0x74, 0, 0x06, 0x23, 4"/')"
    table "esi is a word off behind a link" "$(in_linked_root 's/".cfi_offset esi, -12"/".cfi_offset esi, -8"/')"
    table "ebp is a word off behind a link" "$(in_linked_root 's/".cfi_offset ebp, -8"/".cfi_offset ebp, -12"/')"
    table "the inlined part moves the stack pointer" "$(in_switch "$more")"
}

mutants_s390x() {
    local register
    mutant "r10 is not saved" "$(in_body 's/"stmg %r10, %r11, 0(%r15)"/"stg %r11, 8(%r15)"/')"
    mutant "r11 is not saved" "$(in_body 's/"stmg %r10, %r11, 0(%r15)"/"stg %r10, 0(%r15)"/')"
    no_clobber_not_cleared r6 r7 r8 r9 r12 r13
    no_clobber f8 f9 f10 f11 f12 f13 f14 f15
    mutant "what a call overwrites is no clobber" "$(in_switch 's/clobber_abi("C")/out("r0") _, out("r1") _, out("r5") _/')"
    mutant "the argument stays behind" "$(in_body 's/"br %r5"/"lghi %r2, 0", &/')"
    mutant "a word more than Frame is used" "$(in_switch 's/"larl %r1/"aghi %r15, -8", &/; s/"2:"/&, "aghi %r15, 8"/')"
    begins_with_frame_pointer "a context begins with a frame pointer"
    mutant "unwinding goes on behind root" 's/".cfi_undefined %r14"/""/'
    mutant "there is no headroom" 's/HEADROOM: usize = 160/HEADROOM: usize = 0/'
    mutant "faults tell their address" 's/FAULT_GRAIN: usize = 4096/FAULT_GRAIN: usize = 1/'
    pure_thread_word
    table "the body does not say who called" "$(at_entry 'lgr %r0' '/.cfi_register/d')"
    table "the body's frame stays where it was" "$(in_body '/.cfi_adjust_cfa_offset/d')"
    table "the body's caller has its stack pointer" "$(in_body '/.cfi_escape 0x14/d')"
    table "r10 is a word off in the body" "$(in_body 's/.cfi_offset %r10, -184/.cfi_offset %r10, -176/')"
    table "r11 is a word off in the body" "$(in_body 's/.cfi_offset %r11, -176/.cfi_offset %r11, -184/')"
    table "the jump has the stack pointer of the other side" "$(at_jump 'lgr %r15' '/.cfi_def_cfa/d')"
    table "the jump has a caller that waits" "$(at_jump 'lgr %r15' '/.cfi_register/d')"
    for register in r10 r11; do
        table "the jump has $register in a frame that is gone" "$(in_body "s/.cfi_same_value %$register\(; \)\?//")"
    done
    table "what begins is looked up before root" 's/root + 2/root + 0/; s/begin: ".short 0"/begin: ""/'
    table "a link leads a word too high" "$(in_linked_root 's/0x23, 0xa0, 1/0x23, 0xa8, 1/')"
}

mutants_powerpc64() {
    local register
    for register in 2 30 31; do
        mutant "r$register is not saved" "$(in_body "s/std $register, /std 0, /")"
    done
    no_clobber_not_cleared r14 r15 r16 r17 r18 r19 r20 r21 r22 r23 r24 r25 r26 r27 r28 r29
    # Newer compilers name f14 to f31 by clobber_abi as well, as vs14 to vs31. So here it is written out without these.
    local others also_lost='s/in(\("r[45]"\)) \(.*\),/inlateout(\1) \2 => _,/'
    others=$(printf 'out("%s") _, ' r0 r{6..12} f{0..13} v{0..19} cr0 cr1 cr5 cr6 cr7 ctr lr xer)
    for register in f{14..31}; do
        mutant "$register is no clobber" "$(in_switch "s/out(\"$register\") _,//; s/clobber_abi(\"C\"),/$others/; $also_lost")"
    done
    no_clobber v{20..31} cr2 cr3 cr4
    mutant "what a call overwrites is no clobber" "$(in_switch 's/clobber_abi("C")/out("r6") _, out("r7") _, out("ctr") _, out("lr") _/')"
    mutant "the argument stays behind" "$(in_body 's/"bctr"/"li 3, 0", &/')"
    mutant "more than Frame is used" "$(in_switch 's/"bcl 20, 31, 2f"/"stdu 1, -32(1)", &/; s/"3:"/&, "addi 1, 1, 32"/')"
    begins_with_frame_pointer "a context begins with a frame pointer"
    mutant "the back chain does not end" 's/cast::<usize>().write(0)/cast::<usize>().write(8)/' conformance ../port
    mutant "unwinding goes on behind root" 's/".cfi_undefined lr"/""/'
    mutant "root misaligns the stack" 's/"mr 12, 30"/"addi 1, 1, -8", &/'
    mutant "root does not tell entry its address" 's/"mr 12, 30", "mtctr 12"/"nop", "mtctr 30"/'
    mutant "there is no headroom" 's/HEADROOM: usize = 32/HEADROOM: usize = 0/'
    mutant "the record of a link has another return address" 's/"std 7, 16(6)"/"std 6, 16(6)"/'
    mutant "the record of a link is not in the chain" 's/"std 6, 0(1)"/"nop"/'
    pure_thread_word
    # Without a word on the caller it is in lr, which `bcl` has set to the same function: unwinders find the same frames.
    table "the body names another register for who called" "$(in_body 's/.cfi_register lr, 6/.cfi_register lr, 7/')"
    table "the body's frame moves with the stack pointer" "$(in_body '/.cfi_escape 0x0f/d')"
    table "the body's frame is that of the other side" "$(in_body 's/0x0f, 3, 0x74, 0, 0x06/0x0f, 2, 0x75, 0/')"
    table "r30 is a word off in the body" "$(in_body 's/.cfi_offset 30, -32/.cfi_offset 30, -24/')"
    table "r31 is a word off in the body" "$(in_body 's/.cfi_offset 31, -24/.cfi_offset 31, -32/')"
    table "a link leads a word too high" "$(in_linked_root 's/0x0f, 3, 0x71, 32, 0x06/0x0f, 5, 0x71, 32, 0x06, 0x23, 8/')"
    table "r30 is a word off behind a link" "$(in_linked_root 's/.cfi_offset 30, -32/.cfi_offset 30, -24/')"
    table "r31 is a word off behind a link" "$(in_linked_root 's/.cfi_offset 31, -24/.cfi_offset 31, -32/')"
    table "a link does not say who called" "$(in_linked_root 's/ ".cfi_offset lr, -8",//')"
}

# Seconds that a test may take, and the tests, of each suite.
declare -A limits tests
program=() out=$copy/out
# shellcheck disable=SC2046 # a word each
[ $# -gt 0 ] || set -- $(ports)
for arch in "$@"; do
    declare -F "mutants_$arch" > /dev/null || die "no mutants for $arch"
    unset RUSTC
    use_cpu "$arch"
    export CARGO_TARGET_DIR=$copy/target
    cp -r "$copy/pristine" "$copy/asm"
    limits=([conformance]=10 [step]=60)
    [ "$arch" = "$(uname -m)" ] || limits[step]=600
    for suite in conformance step; do
        build || { cat "$out"; die "$arch: $suite does not compile"; }
        timeout -s KILL 600 "${program[@]}" > "$out" 2>&1 || { cat "$out"; die "$arch: $suite fails without a mutation"; }
        tests[$suite]=$("${program[@]}" --list 2> /dev/null | sed -n 's/: test$//p')
    done
    "mutants_$arch"
done
[ "$survivors" = 0 ] || die "$survivors mutants survived"
echo "mutants.sh: all mutants were caught"
