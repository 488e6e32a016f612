//! Follows addresses of thread-local storage through a function, from where they are taken to where they are used.
//!
//! A forward analysis over what may be: at each place a register or a word of the frame holds such an address if it does on
//! some way there. On a call that can park those that survive it become stale; a stale one that is used as an address,
//! passed on, returned, or stored where it is not followed is a finding. What is kept and never used again is none.

mod effect;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use iced_x86::{FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpKind, Register};

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
    // Until no further function is found to return an address.
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

/// Returns whether there is an instruction in `function` from which it has an address.
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

/// Returns whether it reads `fs:0`, where the thread pointer lies.
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

    /// Returns whether it accesses memory through a stale address.
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
            state.set(Register::RAX, effect::taken(one));
        }
    }
}

/// Returns whether nothing follows behind it.
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

#[cfg(test)]
mod tests;
