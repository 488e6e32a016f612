//! The call graph, and which functions can park.
//!
//! The context switch is inlined into its callers, but for its body, to which it jumps. Its form, which the compiler does
//! not write by itself:
//!
//! ```text
//!        lea  r8, [rip + after]
//!        jmp  body                  saves what is left, takes what is resumed
//! after:
//! ```

use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind, Register};

use crate::image::{Function, Image, Pointee};

/// The target of a call or jump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Callee {
    /// The function of this number.
    Function(usize),
    /// The function of this name, in a shared library, or in code without symbols.
    Foreign(String),
    Unknown,
}

pub(crate) struct Graph {
    /// Of each function: whether it can park.
    parks: Vec<bool>,
    switches: usize,
}

impl Graph {
    pub(crate) fn of(image: &Image) -> Graph {
        let count = image.functions.len();
        let mut callers: Vec<Vec<usize>> = vec![Vec::new(); count];
        let mut parks = vec![false; count];
        let mut work = Vec::new();
        for (number, function) in image.functions.iter().enumerate() {
            for (place, instruction) in function.code.iter().enumerate() {
                if let Callee::Function(callee) = direct_callee(image, function, instruction) {
                    callers[callee].push(number);
                }
                if !parks[number] && switch_at(function, place).is_some() {
                    parks[number] = true;
                    work.push(number);
                }
            }
        }
        let switches = work.len();
        while let Some(callee) = work.pop() {
            for &caller in &callers[callee] {
                if !parks[caller] {
                    parks[caller] = true;
                    work.push(caller);
                }
            }
        }
        Graph { parks, switches }
    }

    pub(crate) fn has_switch(&self) -> bool {
        self.switches > 0
    }

    pub(crate) fn parks(&self, function: usize) -> bool {
        self.parks[function]
    }

    pub(crate) fn count_parking(&self) -> usize {
        self.parks.iter().filter(|&&parks| parks).count()
    }
}

/// If a context switch begins with the instruction at `place`: the number of the first instruction after it.
pub(crate) fn switch_at(function: &Function, place: usize) -> Option<usize> {
    let first = &function.code[place];
    if first.mnemonic() != Mnemonic::Lea
        || first.op0_register() != Register::R8
        || !first.is_ip_rel_memory_operand()
    {
        return None;
    }
    let after = first.ip_rel_memory_address();
    let jump = function.code.get(place + 1)?;
    let leaves = jump.mnemonic() == Mnemonic::Jmp
        && jump.op0_kind() == OpKind::NearBranch64
        && !function.contains(jump.near_branch_target());
    (leaves && jump.next_ip() == after).then_some(place + 2)
}

/// The function that `instruction` of `function` calls, or jumps to outside of it, as far as the instruction names it.
pub(crate) fn direct_callee(
    image: &Image,
    function: &Function,
    instruction: &Instruction,
) -> Callee {
    match instruction.flow_control() {
        FlowControl::Call | FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch => {
            match instruction.near_branch_target() {
                target if instruction.is_call_near() || !function.contains(target) => {
                    resolve(image, target)
                }
                _ => Callee::Unknown,
            }
        }
        FlowControl::IndirectCall | FlowControl::IndirectBranch => {
            constant_operand(instruction).map_or(Callee::Unknown, |word| pointee(image, word))
        }
        _ => Callee::Unknown,
    }
}

/// The address of its memory operand, if the program says it: absolute, or relative to the instruction.
pub(crate) fn constant_operand(instruction: &Instruction) -> Option<u64> {
    let has_operand = instruction.op_kinds().any(|kind| kind == OpKind::Memory);
    let is_constant = matches!(
        instruction.memory_base(),
        Register::None | Register::RIP | Register::EIP
    ) && instruction.memory_index() == Register::None
        && !matches!(instruction.memory_segment(), Register::FS | Register::GS);
    (has_operand && is_constant).then(|| instruction.memory_displacement64())
}

/// The function that the word at `address` points at.
pub(crate) fn pointee(image: &Image, address: u64) -> Callee {
    match image.word(address) {
        Some(Pointee::Here(target)) => resolve(image, *target),
        Some(Pointee::There(name)) => Callee::Foreign(name.clone()),
        None => Callee::Unknown,
    }
}

/// The function at `address`. Code without symbols is that of the linker: entries of its table for shared libraries.
pub(crate) fn resolve(image: &Image, address: u64) -> Callee {
    match image.function_at(address) {
        Some(number) => Callee::Function(number),
        None => Callee::Foreign(format!("{address:#x}")),
    }
}
