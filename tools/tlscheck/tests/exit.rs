//! What the program answers with.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use goroutines_tlscheck::Options;
use iced_x86::{IcedError, code_asm::*};
use object::{
    Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolKind, SymbolScope,
    write::{Object, StandardSection, Symbol, SymbolSection},
};

fn tlscheck(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tlscheck"))
        .args(args)
        .output()
        .expect("it starts")
}

fn refuses(args: &[&str], reason: &str) {
    let output = tlscheck(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    assert!(said.contains(reason), "{args:?}: {said}");
}

#[test]
fn bad_usage_and_what_is_no_program_end_with_status_2_and_the_reason() {
    refuses(&[], "Usage");
    refuses(&["--what", "file"], "--what");
    refuses(&["/nowhere"], "/nowhere cannot be read: ");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    refuses(&[manifest], "is no program that can be understood");
}

#[test]
fn damaged_programs_are_refused() {
    let whole = fs::read(env!("CARGO_BIN_EXE_tlscheck")).unwrap();
    for part in 0..20 {
        let damaged = &whole[..whole.len() * part / 20];
        assert!(goroutines_tlscheck::check(damaged, Options::default()).is_err());
        let mut damaged = whole.clone();
        // The file's header names places that are then elsewhere.
        damaged[0x18 + part] ^= 0x55;
        assert!(goroutines_tlscheck::check(&damaged, Options::default()).is_err());
    }
}

#[test]
fn a_program_without_the_runtime_ends_with_status_2_and_the_reason() {
    refuses(
        &[env!("CARGO_BIN_EXE_tlscheck")],
        "has no context switch of goroutines",
    );
}

/// A function that switches, and uses an address of thread-local storage afterwards, or not.
fn switches(keeps: bool) -> Result<Vec<u8>, IcedError> {
    let mut a = CodeAssembler::new(64)?;
    let mut after = a.create_label();
    a.mov(rbx, qword_ptr(0).fs())?;
    a.lea(r8, ptr(after))?;
    a.jmp(0x1000)?;
    a.set_label(&mut after)?;
    if keeps {
        a.mov(eax, ptr(rbx - 8))?;
    }
    a.ret()?;
    a.assemble(0)
}

/// An object file with one function.
fn write_program(name: &str, code: &[u8], cpu: Architecture) -> String {
    let mut object = Object::new(BinaryFormat::Elf, cpu, Endianness::Little);
    let section = object.section_id(StandardSection::Text);
    let value = object.append_section_data(section, code, 16);
    object.add_symbol(Symbol {
        name: b"_ZN3app4work17h0123456789abcdefE".to_vec(),
        value,
        size: code.len() as u64,
        kind: SymbolKind::Text,
        scope: SymbolScope::Linkage,
        weak: false,
        section: SymbolSection::Section(section),
        flags: SymbolFlags::None,
    });
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, object.write().unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn without_findings_the_status_is_0() {
    let code = switches(false).unwrap();
    let output = tlscheck(&[&write_program("clean", &code, Architecture::X86_64)]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "1 functions, 1 of them can park; 0 findings\n"
    );
}

#[test]
fn with_findings_the_status_is_1_and_each_is_a_line() {
    let code = switches(true).unwrap();
    let program = write_program("keeps", &code, Architecture::X86_64);
    let output = tlscheck(&["--quiet", &program]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.starts_with("app::work (0x0): keeps the address of thread-local storage from 0x0 "),
        "{said}"
    );
}

#[test]
fn a_program_for_another_cpu_is_refused_and_the_cpu_is_named() {
    let program = write_program("foreign", &[0; 8], Architecture::Aarch64);
    refuses(&[&program], "Aarch64; only x86_64");
}

#[test]
fn a_program_without_symbols_is_refused_with_the_remedy() {
    let program = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stripped");
    fs::write(&path, program.write().unwrap()).unwrap();
    refuses(&[path.to_str().unwrap()], "build it without `strip`");
}
