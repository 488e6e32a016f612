//! Steps from frame to frame by the rules of `.eh_frame`, on any CPU.
//!
//! The tables say for each instruction where the caller's registers are, by numbers: some in the frame, at a distance from
//! its *canonical frame address* (CFA), some still in a register. gimli reads them. What a CPU adds are the numbers of the
//! registers that a walk begins with (`goroutines_sched::UNWIND_REGISTERS`), and nothing else:
//!
//! ```text
//!   address ─► .eh_frame_hdr, a search ─► entry of the function ─► row of the instruction
//!              CFA := register + distance, or an expression
//!              caller's register := word at CFA + distance, or its own, or another's, or an expression
//!              caller's address  := the register that the entry names
//! ```
//!
//! A register without a rule keeps its value, as callee-saved ones do. The others have none that a table would ask for.

use std::ops::Range;

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, Encoding, EndianSlice, Evaluation,
    EvaluationResult, EvaluationStorage, Format, Location, NativeEndian, ParsedEhFrameHdr, Piece,
    Reader, ReaderOffset, Register, RegisterRule, UnwindContext, UnwindContextStorage,
    UnwindExpression, UnwindTableRow, Value, Vendor,
};
use goroutines_sched::{Registers, UNWIND_REGISTERS};

use crate::unwind::{Caller, Module, Place, Unwind};

/// Registers with numbers below are followed: more than any CPU has of general ones, and its return address.
const FOLLOWED: usize = 72;

/// Operations of an expression that ends.
const OPERATIONS: u32 = 1000;

const WORD: u8 = size_of::<usize>() as u8;

const ENCODING: Encoding = Encoding {
    address_size: WORD,
    format: Format::Dwarf32,
    version: 4,
};

type Bytes = EndianSlice<'static, NativeEndian>;

/// The tables of all modules.
pub(crate) struct Cfi {
    modules: Vec<KnownModule>,
}

struct KnownModule {
    range: Range<u64>,
    bases: BaseAddresses,
    header: ParsedEhFrameHdr<Bytes>,
    frames: EhFrame<Bytes>,
}

/// Where rows of a table are made.
pub(crate) struct Context(UnwindContext<usize, OnStack>);

impl Default for Context {
    fn default() -> Context {
        Context(UnwindContext::new_in())
    }
}

/// Room for rules and expressions that is allocated before. What does not fit is an error.
struct OnStack;

impl<T: ReaderOffset> UnwindContextStorage<T> for OnStack {
    type Rules = [(Register, RegisterRule<T>); 96];
    type Stack = [UnwindTableRow<T, Self>; 4];
}

impl<R: Reader> EvaluationStorage<R> for OnStack {
    type Stack = [Value; 32];
    type ExpressionStack = [(R, R); 2];
    type Result = [Piece<R>; 1];
}

/// The registers of a frame that are known.
#[derive(Clone)]
pub(crate) struct Known {
    words: [u64; FOLLOWED],
    /// A bit for each.
    is_known: u128,
}

impl Known {
    fn of(start: Registers) -> Known {
        let mut known = Known {
            words: [0; FOLLOWED],
            is_known: 0,
        };
        known.set(sp(), Some(start.sp as u64));
        known.set(Register(UNWIND_REGISTERS.fp), Some(start.fp as u64));
        if let Some(link) = UNWIND_REGISTERS.link {
            known.set(Register(link), Some(start.link as u64));
        }
        known
    }

    fn get(&self, register: Register) -> Option<u64> {
        let word = self.words.get(usize::from(register.0))?;
        (self.is_known >> register.0 & 1 != 0).then_some(*word)
    }

    fn set(&mut self, register: Register, word: Option<u64>) {
        let Some(place) = self.words.get_mut(usize::from(register.0)) else {
            return;
        };
        *place = word.unwrap_or(0);
        let bit = 1 << register.0;
        match word {
            Some(_) => self.is_known |= bit,
            None => self.is_known &= !bit,
        }
    }
}

/// The number of the stack pointer.
const fn sp() -> Register {
    Register(UNWIND_REGISTERS.sp)
}

/// Addresses are as wide as a word.
fn wrapped(address: u64) -> u64 {
    address & usize::MAX as u64
}

impl Unwind for Cfi {
    type Cache = Context;
    type Registers = Known;

    fn new() -> Cfi {
        Cfi {
            modules: Vec::new(),
        }
    }

    fn add(&mut self, module: Module) {
        let bases = BaseAddresses::default()
            .set_eh_frame_hdr(wrapped(module.base.wrapping_add(module.header.0.start)))
            .set_eh_frame(wrapped(module.base.wrapping_add(module.frames.0.start)))
            .set_text(wrapped(module.base.wrapping_add(module.code.start)));
        let header = EhFrameHdr::new(module.header.1, NativeEndian);
        let mut frames = EhFrame::new(module.frames.1, NativeEndian);
        frames.set_address_size(WORD);
        if UNWIND_REGISTERS.sign_state.is_some() {
            // The instruction of the tables that says so is a vendor's.
            frames.set_vendor(Vendor::AArch64);
        }
        if let Ok(header) = header.parse(&bases, WORD) {
            self.modules.push(KnownModule {
                range: module.range,
                bases,
                header,
                frames,
            });
        }
    }

    fn begin(start: Registers) -> Known {
        Known::of(start)
    }

    fn caller(
        &self,
        place: Place,
        registers: &mut Known,
        cache: &mut Context,
        read: &mut impl FnMut(u64) -> Option<u64>,
    ) -> Caller {
        let caller = self.step(place, registers, cache, read);
        caller.unwrap_or(Caller::Unknown)
    }
}

impl Cfi {
    /// `None` where there is no table, or not all that it names can be had.
    fn step(
        &self,
        place: Place,
        registers: &mut Known,
        cache: &mut Context,
        read: &mut impl FnMut(u64) -> Option<u64>,
    ) -> Option<Caller> {
        let at = place.ip.checked_sub(u64::from(place.is_return))?;
        let module = self
            .modules
            .iter()
            .find(|module| module.range.contains(&at))?;
        let KnownModule {
            bases,
            header,
            frames,
            ..
        } = module;
        let table = header.table()?;
        let entry = table
            .fde_for_address(frames, bases, at, |frames, bases, offset| {
                gimli::UnwindSection::cie_from_offset(frames, bases, offset)
            })
            .ok()?;
        let row = entry
            .unwind_info_for_address(frames, bases, &mut cache.0, at)
            .ok()?;
        let return_register = entry.cie().return_address_register();
        if row.register(return_register) == Some(RegisterRule::Undefined) {
            return Some(Caller::Outermost);
        }
        let before = registers.get(sp())?;
        let caller = callers(row, registers, frames, read)?;
        let ip = unsigned(row, caller.get(return_register)?);
        let after = caller.get(sp())?;
        // A frame that has called has pushed something, or saved its link register.
        let is_trampoline = entry.is_signal_trampoline();
        let goes_up = after > before || after == before && !place.is_return && ip != place.ip;
        if ip == 0 || !goes_up && !is_trampoline {
            return None;
        }
        *registers = caller;
        Some(Caller::At(Place {
            ip,
            is_return: !is_trampoline,
        }))
    }
}

/// A return address, without the signature that it has where `row` says so.
fn unsigned(row: &UnwindTableRow<usize, OnStack>, address: u64) -> u64 {
    match UNWIND_REGISTERS.sign_state {
        Some((register, bits))
            if row.register(Register(register)) == Some(RegisterRule::Constant(1)) =>
        {
            address & ((1 << bits) - 1)
        }
        _ => address,
    }
}

/// The registers of the caller, by the rules of `row`.
fn callers(
    row: &UnwindTableRow<usize, OnStack>,
    registers: &Known,
    frames: &EhFrame<Bytes>,
    read: &mut impl FnMut(u64) -> Option<u64>,
) -> Option<Known> {
    let evaluate = |expression: &UnwindExpression<usize>, cfa: Option<u64>, read: &mut _| {
        value_of(expression, cfa, registers, frames, read)
    };
    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => {
            wrapped(registers.get(*register)?.wrapping_add_signed(*offset))
        }
        CfaRule::Expression(expression) => evaluate(expression, None, read)?,
    };
    let mut caller = registers.clone();
    if row.register(sp()).is_none() {
        let after = cfa.wrapping_sub(UNWIND_REGISTERS.cfa_above_sp);
        caller.set(sp(), Some(wrapped(after)));
    }
    for (register, rule) in row.registers() {
        let word = match rule {
            RegisterRule::SameValue => registers.get(*register),
            RegisterRule::Offset(offset) => read(wrapped(cfa.wrapping_add_signed(*offset))),
            RegisterRule::ValOffset(offset) => Some(wrapped(cfa.wrapping_add_signed(*offset))),
            RegisterRule::Register(other) => registers.get(*other),
            RegisterRule::Expression(expression) => {
                evaluate(expression, Some(cfa), read).and_then(&mut *read)
            }
            RegisterRule::ValExpression(expression) => evaluate(expression, Some(cfa), read),
            RegisterRule::Constant(word) => Some(*word),
            _ => None,
        };
        caller.set(*register, word);
    }
    Some(caller)
}

/// The value of an expression, which begins with the CFA where that is known.
fn value_of(
    expression: &UnwindExpression<usize>,
    cfa: Option<u64>,
    registers: &Known,
    frames: &EhFrame<Bytes>,
    read: &mut impl FnMut(u64) -> Option<u64>,
) -> Option<u64> {
    let bytes = expression.get(frames).ok()?.0;
    let mut evaluation = Evaluation::<_, OnStack>::new_in(bytes, ENCODING);
    evaluation.set_max_iterations(OPERATIONS);
    if let Some(cfa) = cfa {
        evaluation.set_initial_value(cfa);
    }
    let mut state = evaluation.evaluate().ok()?;
    loop {
        let word = match state {
            EvaluationResult::Complete => break,
            EvaluationResult::RequiresRegister { register, .. } => {
                let word = registers.get(register)?;
                evaluation.resume_with_register(Value::Generic(word))
            }
            EvaluationResult::RequiresMemory { address, size, .. } if size == WORD => {
                let word = read(address)?;
                evaluation.resume_with_memory(Value::Generic(word))
            }
            _ => return None,
        };
        state = word.ok()?;
    }
    match evaluation.as_result() {
        [
            Piece {
                location: Location::Address { address },
                ..
            },
        ] => Some(*address),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
