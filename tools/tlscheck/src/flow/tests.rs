//! Small functions, and what is found in them.

use std::collections::HashMap;

use iced_x86::{IcedError, code_asm::*};

use super::*;
use crate::image::Pointee;

const PARK: u64 = 0x1000;
const LEAF: u64 = 0x2000;
const TESTED: u64 = 0x3000;
const OTHER: u64 = 0x4000;
/// What all switches jump to.
const BODY: u64 = 0x5000;

type Code = fn(&mut CodeAssembler) -> Result<(), IcedError>;

fn function(name: &str, start: u64, code: Code) -> Function {
    let mut assembler = CodeAssembler::new(64).unwrap();
    code(&mut assembler).unwrap();
    Function::decode(name.to_owned(), start, &assembler.assemble(start).unwrap())
}

/// The context switch, as the runtime has it.
fn switch(a: &mut CodeAssembler) -> Result<(), IcedError> {
    let mut after = a.create_label();
    a.lea(r8, ptr(after))?;
    a.jmp(BODY)?;
    a.set_label(&mut after)
}

fn thread_pointer(a: &mut CodeAssembler, into: AsmRegister64) -> Result<(), IcedError> {
    a.mov(into, qword_ptr(0).fs())
}

fn ret(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.ret()
}

fn image(tested: Code, other: Code, words: &[(u64, Pointee)]) -> Image {
    let park: Code = |a| {
        switch(a)?;
        a.ret()
    };
    let functions = vec![
        function("park", PARK, park),
        function("leaf", LEAF, ret),
        function("tested", TESTED, tested),
        function("other", OTHER, other),
    ];
    Image::new(functions, words.iter().cloned().collect::<HashMap<_, _>>())
}

fn look(image: &Image, indirect: bool) -> Vec<Finding> {
    let graph = Graph::of(image);
    assert!(graph.has_switch());
    findings(image, &graph, Options { indirect })
}

/// Where the address is taken, called, and used, from the start of the tested function.
fn found(tested: Code) -> Vec<(u64, u64, u64)> {
    places(&look(&image(tested, ret, &[]), false))
}

fn places(findings: &[Finding]) -> Vec<(u64, u64, u64)> {
    let place = |one: &Finding| {
        assert_eq!((one.start, one.function.as_str()), (TESTED, "tested"));
        (one.taken - TESTED, one.call - TESTED, one.used - TESTED)
    };
    findings.iter().map(place).collect()
}

#[test]
fn an_address_kept_in_a_register_over_a_park_is_found_where_it_is_used() {
    let code: Code = |a| {
        a.push(rbx)?; // 0, 1 byte
        thread_pointer(a, rax)?; // 1, 11 bytes
        a.mov(rbx, rax)?; // 12, 3 bytes
        a.call(PARK)?; // 15, 5 bytes
        a.mov(eax, ptr(rbx - 0x98))?; // 20
        a.pop(rbx)?;
        a.ret()
    };
    let all = look(&image(code, ret, &[]), false);
    assert_eq!(places(&all), [(1, 15, 20)]);
    assert_eq!(
        all[0].to_string(),
        "tested (0x3000): keeps the address of thread-local storage from 0x3001 over the call at 0x300f of park, and \
         uses it at 0x3014"
    );
}

#[test]
fn an_address_that_is_not_used_again_or_is_taken_anew_is_none() {
    assert_eq!(
        found(|a| {
            thread_pointer(a, rbx)?;
            a.mov(ptr(rbx - 8), eax)?;
            a.call(PARK)?;
            thread_pointer(a, rbx)?;
            a.mov(ptr(rbx - 8), eax)?;
            a.ret()
        }),
        []
    );
}

#[test]
fn an_address_kept_over_a_call_that_cannot_park_is_none() {
    assert_eq!(
        found(|a| {
            thread_pointer(a, rbx)?;
            a.call(LEAF)?;
            a.mov(ptr(rbx - 8), eax)?;
            a.ret()
        }),
        []
    );
}

#[test]
fn an_address_that_is_spilled_and_derived_is_followed() {
    let all = found(|a| {
        a.sub(rsp, 24)?; // 0, 4 bytes
        thread_pointer(a, rax)?; // 4
        a.lea(rcx, ptr(rax + rdx * 8 - 0x40))?;
        a.add(rcx, 16)?;
        a.mov(ptr(rsp + 8), rcx)?;
        a.call(PARK)?;
        a.mov(rdx, ptr(rsp + 8))?;
        a.inc(dword_ptr(rdx))?;
        a.add(rsp, 24)?;
        a.ret()
    });
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].0, 4);
}

#[test]
fn a_word_of_the_frame_that_was_overwritten_or_left_is_forgotten() {
    assert_eq!(
        found(|a| {
            a.sub(rsp, 24)?;
            thread_pointer(a, rax)?;
            a.mov(ptr(rsp + 8), rax)?;
            a.push(rax)?;
            a.add(rsp, 8)?;
            a.call(PARK)?;
            a.mov(dword_ptr(rsp + 12), 0)?;
            a.mov(rdx, ptr(rsp + 8))?;
            a.inc(dword_ptr(rdx))?;
            a.push(0)?;
            a.pop(rdx)?;
            a.inc(dword_ptr(rdx))?;
            a.add(rsp, 24)?;
            a.ret()
        }),
        []
    );
}

#[test]
fn a_switch_that_was_inlined_is_a_call_that_parks() {
    let all = found(|a| {
        thread_pointer(a, rbx)?;
        thread_pointer(a, r12)?; // the switch clears it
        switch(a)?;
        a.mov(eax, ptr(r12))?;
        a.mov(eax, ptr(rbx))?;
        a.ret()
    });
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].0, 0);
}

#[test]
fn a_jump_within_the_function_is_no_switch() {
    let all = found(|a| {
        let (mut body, mut after) = (a.create_label(), a.create_label());
        thread_pointer(a, rbx)?;
        a.lea(r8, ptr(after))?;
        a.jmp(body)?;
        a.set_label(&mut after)?;
        a.nop()?;
        a.set_label(&mut body)?;
        a.mov(eax, ptr(rbx))?;
        a.ret()
    });
    assert_eq!(all, []);
}

#[test]
fn addresses_are_joined_where_ways_meet_and_carried_around_loops() {
    let all = found(|a| {
        let (mut other_way, mut meet, mut again) =
            (a.create_label(), a.create_label(), a.create_label());
        a.test(edi, edi)?; // 0, 2 bytes
        a.je(other_way)?; // 2, 2 bytes
        thread_pointer(a, rbx)?; // 4
        a.jmp(meet)?;
        a.set_label(&mut other_way)?;
        a.xor(ebx, ebx)?;
        a.set_label(&mut meet)?;
        a.mov(ebp, 10)?;
        a.set_label(&mut again)?;
        a.inc(dword_ptr(rbx))?; // stale from the second time on
        a.call(PARK)?;
        a.dec(ebp)?;
        a.jne(again)?;
        a.ret()
    });
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].0, 4);
    assert!(all[0].2 < all[0].1, "{all:?}");
}

#[test]
fn a_landing_pad_follows_the_calls_before_it() {
    let all = found(|a| {
        thread_pointer(a, rbx)?;
        a.call(PARK)?;
        a.ret()?;
        a.mov(dword_ptr(rbx), 0)?;
        a.ud2()
    });
    assert_eq!(all.len(), 1);
}

#[test]
fn a_stale_address_that_is_passed_on_returned_or_stored_is_used() {
    let passed: Code = |a| {
        thread_pointer(a, rbx)?;
        a.call(PARK)?;
        a.mov(rdi, rbx)?;
        a.call(LEAF)?;
        a.ret()
    };
    let returned: Code = |a| {
        thread_pointer(a, rbx)?;
        a.call(PARK)?;
        a.mov(rax, rbx)?;
        a.ret()
    };
    let stored: Code = |a| {
        thread_pointer(a, rbx)?;
        a.call(PARK)?;
        a.mov(ptr(r13), rbx)?;
        a.ret()
    };
    for code in [passed, returned, stored] {
        assert_eq!(found(code).len(), 1);
    }
}

/// Keeps what the function at the start of the other code answers.
fn keeps_an_answer(a: &mut CodeAssembler) -> Result<(), IcedError> {
    a.call(OTHER)?;
    a.mov(rbx, rax)?;
    a.call(PARK)?;
    a.mov(eax, ptr(rbx))?;
    a.ret()
}

#[test]
fn an_address_that_a_function_returns_is_followed() {
    let answers: Code = |a| {
        thread_pointer(a, rax)?;
        a.sub(rax, 0x20)?;
        a.ret()
    };
    assert_eq!(look(&image(keeps_an_answer, answers, &[]), false).len(), 1);
    assert_eq!(look(&image(keeps_an_answer, ret, &[]), false), []);
}

#[test]
fn calls_through_constant_words_are_known_and_others_only_count_when_asked_for() {
    let by_word: Code = |a| {
        thread_pointer(a, rbx)?;
        a.mov(r15, ptr(0x9000))?;
        a.call(r15)?;
        a.mov(eax, ptr(rbx))?;
        a.ret()
    };
    let word = |to: Pointee| look(&image(by_word, ret, &[(0x9000, to)]), false).len();
    assert_eq!(word(Pointee::Here(PARK)), 1);
    assert_eq!(word(Pointee::Here(LEAF)), 0);
    assert_eq!(word(Pointee::There("gettid".to_owned())), 0);
    let unknown = image(by_word, ret, &[]);
    assert_eq!(look(&unknown, false), []);
    assert_eq!(places(&look(&unknown, true)).len(), 1);
}

#[test]
fn the_function_that_answers_with_storage_is_known_by_its_name() {
    let asks: Code = |a| {
        a.mov(rcx, ptr(0x9000))?;
        a.call(rcx)?;
        thread_pointer(a, rdx)?; // so that the function is looked at
        a.mov(rbx, rax)?;
        a.call(PARK)?;
        a.mov(eax, ptr(rbx))?;
        a.ret()
    };
    let words = [(0x9000, Pointee::There(ASK.to_owned()))];
    assert_eq!(look(&image(asks, ret, &words), false).len(), 1);
}

#[test]
fn a_caller_of_a_function_that_parks_can_park_through_tail_calls_too() {
    let jumps: Code = |a| a.jmp(PARK);
    assert_eq!(look(&image(keeps_over_other, jumps, &[]), false).len(), 1);
    assert_eq!(look(&image(keeps_over_other, ret, &[]), false), []);
}

fn keeps_over_other(a: &mut CodeAssembler) -> Result<(), IcedError> {
    thread_pointer(a, rbx)?;
    a.call(OTHER)?;
    a.mov(eax, ptr(rbx))?;
    a.ret()
}
