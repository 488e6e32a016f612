//! What is known of registers and of the words of a frame.

use std::collections::BTreeMap;

use iced_x86::Register;

/// An address of thread-local storage, from the moment it was taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Taken {
    /// Where.
    pub(crate) at: u64,
    /// The call over which it has been kept; then it is stale.
    pub(crate) kept_over: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Value {
    #[default]
    Unknown,
    /// An address of thread-local storage.
    Storage(Taken),
    /// An address of the frame: so far above the stack pointer at the entry.
    Frame(i64),
    /// An address of the program.
    Code(u64),
    /// What the word at this address of the program points at.
    Word(u64),
}

impl Value {
    /// What it is if it is one or the other: an address that may be stale is what is looked for.
    pub(crate) fn or(self, other: Value) -> Value {
        use Value::{Storage, Unknown};
        match (self, other) {
            (Storage(one), Storage(two)) => match (one.kept_over, two.kept_over) {
                (None, Some(_)) => other,
                (Some(_), None) => self,
                _ => Storage(one.min(two)),
            },
            (Storage(_), _) => self,
            (_, Storage(_)) => other,
            (one, two) if one == two => one,
            _ => Unknown,
        }
    }

    /// Over `call`, which may return on another thread.
    fn over(self, call: u64) -> Value {
        match self {
            Value::Storage(Taken {
                at,
                kept_over: None,
            }) => Value::Storage(Taken {
                at,
                kept_over: Some(call),
            }),
            other => other,
        }
    }

    pub(crate) fn stale(self) -> Option<Taken> {
        match self {
            Value::Storage(taken) if taken.kept_over.is_some() => Some(taken),
            _ => None,
        }
    }
}

/// Registers that a call leaves as they were.
const PRESERVED: [Register; 6] = [
    Register::RBX,
    Register::RBP,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];

/// Registers that carry arguments.
pub(crate) const ARGUMENTS: [Register; 6] = [
    Register::RDI,
    Register::RSI,
    Register::RDX,
    Register::RCX,
    Register::R8,
    Register::R9,
];

/// All that is known at one place of a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct State {
    registers: [Value; 16],
    /// Words of the frame, by their distance from the stack pointer at the entry.
    frame: BTreeMap<i64, Value>,
}

impl State {
    pub(crate) fn at_entry() -> State {
        let mut state = State {
            registers: [Value::Unknown; 16],
            frame: BTreeMap::new(),
        };
        state.set(Register::RSP, Value::Frame(0));
        state
    }

    pub(crate) fn get(&self, register: Register) -> Value {
        let register = register.full_register();
        match register.is_gpr64() {
            true => self.registers[register.number()],
            false => Value::Unknown,
        }
    }

    pub(crate) fn set(&mut self, register: Register, value: Value) {
        let full = register.full_register();
        if full.is_gpr64() {
            self.registers[full.number()] = value;
        }
    }

    pub(crate) fn load(&self, place: i64) -> Value {
        self.frame.get(&place).copied().unwrap_or_default()
    }

    /// `size` bytes at `place` are overwritten; with `value`, if it is a whole word.
    pub(crate) fn store(&mut self, place: i64, size: i64, value: Value) {
        let overlapping = place - 7..place + size.max(1);
        let old: Vec<i64> = self.frame.range(overlapping).map(|(&at, _)| at).collect();
        for at in old {
            self.frame.remove(&at);
        }
        if size == 8 && value != Value::Unknown {
            self.frame.insert(place, value);
        }
    }

    /// The stack pointer has moved: what is below it is gone.
    pub(crate) fn drop_below(&mut self) {
        if let Value::Frame(top) = self.get(Register::RSP) {
            self.frame = self.frame.split_off(&top);
        }
    }

    /// After a call; `parks`: one that may return on another thread. It is at `ip`.
    pub(crate) fn after_call(&mut self, ip: u64, parks: bool) {
        for (number, value) in self.registers.iter_mut().enumerate() {
            let kept = PRESERVED.iter().any(|register| register.number() == number);
            if !kept && number != Register::RSP.number() {
                *value = Value::Unknown;
            } else if parks {
                *value = value.over(ip);
            }
        }
        if parks {
            for value in self.frame.values_mut() {
                *value = value.over(ip);
            }
        }
    }

    /// Adds what is known on another way here; true if that was news.
    pub(crate) fn join(&mut self, other: &State) -> bool {
        let before = self.clone();
        for (mine, others) in self.registers.iter_mut().zip(&other.registers) {
            *mine = mine.or(*others);
        }
        for (&place, &value) in &other.frame {
            let joined = self.load(place).or(value);
            self.frame.insert(place, joined);
        }
        for (place, mine) in &mut self.frame {
            *mine = mine.or(other.load(*place));
        }
        self.frame.retain(|_, value| *value != Value::Unknown);
        *self != before
    }
}
