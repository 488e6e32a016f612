//! What instructions that do not jump do to registers and frame.

use iced_x86::{ConditionCode, Instruction, Mnemonic, OpAccess, OpKind, Register};

use super::{Flow, is_thread_pointer};
use crate::{
    graph,
    value::{State, Taken, Value},
};

impl Flow<'_> {
    /// An instruction that does not jump.
    pub(super) fn compute(&mut self, one: &Instruction, state: &mut State) {
        match one.mnemonic() {
            Mnemonic::Mov => self.assign(one, self.source(one, state), state),
            Mnemonic::Lea => self.assign(one, address(one, state), state),
            Mnemonic::Add | Mnemonic::Sub | Mnemonic::And if is_wide(one) => {
                let sum = self.sum(one, state);
                self.assign(one, sum, state);
            }
            Mnemonic::Push => {
                let value = self.operand(one, 0, state);
                if let Value::Frame(top) = state.get(Register::RSP) {
                    state.store(top - 8, 8, value);
                    state.set(Register::RSP, Value::Frame(top - 8));
                }
            }
            Mnemonic::Pop => {
                if let Value::Frame(top) = state.get(Register::RSP) {
                    let value = state.load(top);
                    state.store(top, 8, Value::Unknown);
                    state.set(Register::RSP, Value::Frame(top + 8));
                    state.set(one.op0_register(), value);
                }
            }
            Mnemonic::Leave => {
                if let Value::Frame(base) = state.get(Register::RBP) {
                    state.set(Register::RSP, Value::Frame(base + 8));
                    state.set(Register::RBP, state.load(base));
                }
            }
            _ => self.forget(one, state),
        }
    }

    /// The value of the last operand.
    fn source(&self, one: &Instruction, state: &State) -> Value {
        self.operand(one, 1, state)
    }

    fn operand(&self, one: &Instruction, number: u32, state: &State) -> Value {
        match one.op_kind(number) {
            OpKind::Register if one.op_register(number).is_gpr64() => {
                state.get(one.op_register(number))
            }
            OpKind::Memory if is_thread_pointer(one) => taken(one),
            OpKind::Memory => match (graph::constant_operand(one), frame_place(one, state)) {
                (Some(word), _) if self.image.word(word).is_some() => Value::Word(word),
                (_, Some(at)) => state.load(at),
                _ => Value::Unknown,
            },
            _ => Value::Unknown,
        }
    }

    /// What an addition, a subtraction or a mask leaves.
    fn sum(&self, one: &Instruction, state: &State) -> Value {
        let (left, right) = (self.operand(one, 0, state), self.operand(one, 1, state));
        let number = one.try_immediate(1).ok().map(|number| number as i64);
        match (one.mnemonic(), left, right) {
            (Mnemonic::Sub, Value::Storage(_), Value::Storage(_)) => Value::Unknown, // a distance
            (Mnemonic::Add, Value::Frame(at), _) => {
                number.map_or(Value::Unknown, |number| Value::Frame(at + number))
            }
            (Mnemonic::Sub, Value::Frame(at), _) => {
                number.map_or(Value::Unknown, |number| Value::Frame(at - number))
            }
            // An alignment of the frame: from here on it is the new place.
            (Mnemonic::And, Value::Frame(_), _) => left,
            (_, Value::Storage(_), _) => left,
            (Mnemonic::Add, _, Value::Storage(_)) => right,
            _ => Value::Unknown,
        }
    }

    /// Writes `value` to the first operand.
    fn assign(&mut self, one: &Instruction, value: Value, state: &mut State) {
        match one.op0_kind() {
            OpKind::Register if one.op0_register().is_gpr64() => {
                state.set(one.op0_register(), value);
                if one.op0_register() == Register::RSP {
                    state.drop_below();
                }
            }
            OpKind::Register => state.set(one.op0_register(), Value::Unknown),
            OpKind::Memory => match frame_place(one, state) {
                Some(at) => state.store(at, one.memory_size().size() as i64, value),
                // Where it goes to it is not followed.
                None => self.note(value, one),
            },
            _ => {}
        }
    }

    /// Nothing is known of what `one` writes.
    fn forget(&mut self, one: &Instruction, state: &mut State) {
        let written = |access| {
            !matches!(
                access,
                OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
            )
        };
        let moves_if = |access| matches!(access, OpAccess::CondWrite | OpAccess::ReadCondWrite);
        let source = match one.op_count() {
            2 => self.source(one, state),
            _ => Value::Unknown,
        };
        let info = self.info.info(one);
        for register in info.used_registers() {
            if written(register.access()) && register.register().is_gpr() {
                let before = state.get(register.register());
                let after = match moves_if(register.access()) || is_conditional_move(one) {
                    true => before.or(source),
                    false => Value::Unknown,
                };
                state.set(register.register(), after);
            }
        }
        for memory in info.used_memory() {
            if written(memory.access())
                && let Some(at) = frame_place(one, state)
            {
                state.store(at, memory.memory_size().size() as i64, Value::Unknown);
            }
        }
    }
}

/// An address of thread-local storage that `one` takes.
pub(super) fn taken(one: &Instruction) -> Value {
    Value::Storage(Taken {
        at: one.ip(),
        kept_over: None,
    })
}

fn is_wide(one: &Instruction) -> bool {
    one.op0_kind() == OpKind::Register && one.op0_register().is_gpr64()
}

fn is_conditional_move(one: &Instruction) -> bool {
    one.condition_code() != ConditionCode::None && one.op_count() == 2
}

/// The place in the frame that its memory operand is.
fn frame_place(one: &Instruction, state: &State) -> Option<i64> {
    let plain = one.memory_segment() != Register::FS && one.memory_index() == Register::None;
    match state.get(one.memory_base()) {
        Value::Frame(at) if plain && one.memory_base() != Register::None => {
            Some(at.wrapping_add(one.memory_displacement64() as i64))
        }
        _ => None,
    }
}

/// What `lea` computes.
fn address(one: &Instruction, state: &State) -> Value {
    if let Some(address) = graph::constant_operand(one) {
        return Value::Code(address);
    }
    if let Some(at) = frame_place(one, state) {
        return Value::Frame(at);
    }
    let parts = [one.memory_base(), one.memory_index()];
    let storage = |value: &Value| matches!(value, Value::Storage(_));
    let found = parts.map(|part| state.get(part)).into_iter().find(storage);
    found.unwrap_or_default()
}
