//! Follows addresses of thread-local storage through a function, from where they are taken to where they are used.
//!
//! A forward analysis over what may be: at each place a register or a word of the frame holds such an address if it does on
//! some way there. On a call that can park those that survive it become stale; a stale one that is used as an address,
//! passed on, returned, or stored where it is not followed is a finding. What is kept and never used again is none.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use iced_x86::{
    ConditionCode, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind,
    Register,
};

use crate::{
    Finding, Options,
    graph::{self, Callee, Graph},
    image::{Function, Image},
    value::{ARGUMENTS, State, Taken, Value},
};

/// The function that answers with an address of thread-local storage, in programs that ask for it.
const ASK: &str = "__tls_get_addr";

/// All findings, by address.
pub(crate) fn findings(image: &Image, graph: &Graph, options: Options) -> Vec<Finding> {
    let mut returns = vec![false; image.functions.len()];
    let mut found: BTreeMap<usize, Vec<Finding>> = BTreeMap::new();
    // Until nobody else is known to return an address.
    loop {
        let mut news = false;
        for (number, function) in image.functions.iter().enumerate() {
            if !may_hold(image, function, &returns) {
                continue;
            }
            let mut flow = Flow::new(image, graph, options, &returns, function);
            flow.run();
            let (returns_address, findings) = (flow.returns_address, flow.findings());
            found.insert(number, findings);
            news |= returns_address && !returns[number];
            returns[number] |= returns_address;
        }
        if !news {
            return found.into_values().flatten().collect();
        }
    }
}

/// Is there an instruction in `function` from which it has an address?
fn may_hold(image: &Image, function: &Function, returns: &[bool]) -> bool {
    function.code.iter().any(|instruction| {
        is_thread_pointer(instruction)
            || match graph::direct_callee(image, function, instruction) {
                Callee::Function(callee) => returns[callee],
                Callee::Foreign(name) => name == ASK,
                Callee::Unknown => false,
            }
    })
}

/// Does it read `fs:0`, where the thread pointer lies?
fn is_thread_pointer(instruction: &Instruction) -> bool {
    instruction.memory_segment() == Register::FS
        && instruction.memory_base() == Register::None
        && instruction.memory_index() == Register::None
        && instruction.memory_displacement64() == 0
}

struct Flow<'a> {
    image: &'a Image,
    graph: &'a Graph,
    options: Options,
    returns: &'a [bool],
    function: &'a Function,
    info: InstructionInfoFactory,
    /// The number of the instruction at an address.
    places: HashMap<u64, usize>,
    /// What is known where ways meet; none where nothing has come yet.
    states: BTreeMap<usize, Option<State>>,
    /// Among those, the ones that no jump names: landing pads, and targets of jump tables.
    orphans: Vec<usize>,
    work: Vec<usize>,
    callees: HashMap<u64, String>,
    /// The first use of what was taken at one address and kept over the call at another.
    uses: BTreeMap<(u64, u64), u64>,
    returns_address: bool,
}

impl<'a> Flow<'a> {
    fn new(
        image: &'a Image,
        graph: &'a Graph,
        options: Options,
        returns: &'a [bool],
        function: &'a Function,
    ) -> Flow<'a> {
        let code = &function.code;
        let places: HashMap<u64, usize> = (0..code.len()).map(|at| (code[at].ip(), at)).collect();
        let targets: BTreeSet<usize> = code
            .iter()
            .filter_map(|one| places.get(&one.near_branch_target()).copied())
            .collect();
        let after_end = |at: &usize| *at > 0 && ends(&code[*at - 1]);
        let named = |at: &usize| targets.contains(at);
        let orphans: Vec<usize> = (1..code.len())
            .filter(|at| after_end(at) && !named(at))
            .collect();
        let meets = targets.iter().chain(&orphans).chain([&0]);
        let states = meets.map(|&at| (at, None)).collect();
        Flow {
            image,
            graph,
            options,
            returns,
            function,
            info: InstructionInfoFactory::new(),
            places,
            states,
            orphans,
            work: Vec::new(),
            callees: HashMap::new(),
            uses: BTreeMap::new(),
            returns_address: false,
        }
    }

    fn findings(&self) -> Vec<Finding> {
        let finding = |(&(taken, call), &used): (&(u64, u64), &u64)| Finding {
            function: self.function.name.clone(),
            start: self.function.start,
            taken,
            call,
            callee: self.callees.get(&call).cloned().unwrap_or_default(),
            used,
        };
        self.uses.iter().map(finding).collect()
    }

    fn run(&mut self) {
        self.arrive(0, &State::at_entry());
        while let Some(start) = self.work.pop() {
            let Some(Some(mut state)) = self.states.get(&start).cloned() else {
                continue;
            };
            let mut at = start;
            while let Some(next) = self.step(at, &mut state) {
                if next >= self.function.code.len() {
                    break;
                }
                if self.states.contains_key(&next) {
                    self.arrive(next, &state);
                    break;
                }
                at = next;
            }
        }
    }

    /// `state` comes to a place where ways meet.
    fn arrive(&mut self, at: usize, state: &State) {
        let news = match self.states.entry(at).or_default() {
            Some(known) => known.join(state),
            empty => {
                *empty = Some(state.clone());
                true
            }
        };
        if news {
            self.work.push(at);
        }
    }

    fn arrive_at_orphans(&mut self, state: &State) {
        for at in self.orphans.clone() {
            self.arrive(at, state);
        }
    }

    /// What the instruction does to `state`; the number of the one that follows, if one does.
    fn step(&mut self, at: usize, state: &mut State) -> Option<usize> {
        let function = self.function;
        let one = &function.code[at];
        if let Some(after) = graph::switch_at(function, at) {
            self.callees
                .insert(one.ip(), "the context switch".to_owned());
            state.after_call(one.ip(), true);
            for cleared in [Register::R12, Register::R13, Register::R14, Register::R15] {
                state.set(cleared, Value::Unknown);
            }
            return Some(after);
        }
        self.note_memory(one, state);
        match one.flow_control() {
            FlowControl::Call | FlowControl::IndirectCall => {
                self.call(one, state);
                self.arrive_at_orphans(state);
            }
            FlowControl::Return => {
                self.note(state.get(Register::RDX), one);
                self.note(state.get(Register::RAX), one);
                self.returns_address |= matches!(
                    state.get(Register::RAX),
                    Value::Storage(Taken {
                        kept_over: None,
                        ..
                    })
                );
            }
            FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch => {
                match self.places.get(&one.near_branch_target()).copied() {
                    Some(target) => self.arrive(target, state),
                    None => self.pass_arguments(one, state), // a tail call
                }
            }
            FlowControl::IndirectBranch => self.arrive_at_orphans(state),
            _ => self.compute(one, state),
        }
        (!ends(one)).then_some(at + 1)
    }

    /// `value` is used by `one`.
    fn note(&mut self, value: Value, one: &Instruction) {
        if let Some(Taken {
            at,
            kept_over: Some(call),
        }) = value.stale()
        {
            let first = self.uses.entry((at, call)).or_insert(one.ip());
            *first = one.ip().min(*first);
        }
    }

    /// Does it access memory through a stale address?
    fn note_memory(&mut self, one: &Instruction, state: &State) {
        let accesses = one.op_kinds().any(|kind| kind == OpKind::Memory);
        if accesses && !matches!(one.mnemonic(), Mnemonic::Lea | Mnemonic::Nop) {
            self.note(state.get(one.memory_base()), one);
            self.note(state.get(one.memory_index()), one);
        }
    }

    fn pass_arguments(&mut self, one: &Instruction, state: &State) {
        for register in ARGUMENTS {
            self.note(state.get(register), one);
        }
    }

    fn callee(&self, one: &Instruction, state: &State) -> Callee {
        let by_register = match one.op0_kind() {
            OpKind::Register => state.get(one.op0_register()),
            _ => Value::Unknown,
        };
        match by_register {
            Value::Word(address) => graph::pointee(self.image, address),
            Value::Code(address) => graph::resolve(self.image, address),
            _ => graph::direct_callee(self.image, self.function, one),
        }
    }

    fn call(&mut self, one: &Instruction, state: &mut State) {
        self.pass_arguments(one, state);
        let (parks, answers, name) = match self.callee(one, state) {
            Callee::Function(number) => (
                self.graph.parks(number),
                self.returns[number],
                self.image.functions[number].name.clone(),
            ),
            Callee::Foreign(name) => (false, name == ASK, name),
            Callee::Unknown => (
                self.options.indirect,
                false,
                "a pointer's target".to_owned(),
            ),
        };
        self.callees.insert(one.ip(), name);
        state.after_call(one.ip(), parks);
        if answers {
            state.set(Register::RAX, taken(one));
        }
    }

    /// An instruction that does not jump.
    fn compute(&mut self, one: &Instruction, state: &mut State) {
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

fn taken(one: &Instruction) -> Value {
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

/// Does nothing follow behind it?
fn ends(one: &Instruction) -> bool {
    matches!(
        one.flow_control(),
        FlowControl::Return
            | FlowControl::UnconditionalBranch
            | FlowControl::IndirectBranch
            | FlowControl::Exception
            | FlowControl::Interrupt
    )
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

#[cfg(test)]
mod tests;
