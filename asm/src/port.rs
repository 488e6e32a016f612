//! The contract between the switch and a CPU: what a port provides, and how to write one.
//!
//! # Writing a port
//!
//! `docs/porting.md` has the way there: which port to start from, the questions to answer before the first line, all places that
//! a CPU is named in, and a table of symptoms, for a context that crashes tells nothing.
//!
//! 1. `arch/<cpu>.rs`, one file: the list below, in this order. Take the shape from the port that is nearest; what differs is
//!    what becomes of each register, and how thread-local storage is addressed. `arch/common.rs` has what is
//!    the same everywhere: the drawing of the memory, and macros for the functions of which only the instructions differ.
//! 2. One line in `arch/mod.rs`, whose essay says what an unwinder must find in a switch. `arch/word.rs`, the memory of the
//!    thread word, is for all CPUs; it is written for assemblers that know `%nobits`.
//! 3. A row in `arch/dwarf.rs`: the numbers of registers in tables.
//! 4. One row in `scripts/cross.sh`: the target, its cross compiler and its emulator. `scripts/conform CPU` then tests the
//!    promises below, and the runtime, on the CPU or its emulator.
//! 5. `tests/step/<cpu>.rs`: breakpoints, and where a signal handler finds registers; a line in `tests/step/main.rs`.
//! 6. A list of mutants in `scripts/mutants.sh`: the port with one register forgotten, for each register, and so on.
//!
//! | what a port has | what it is |
//! |---|---|
//! | `Frame` with [`Saved`], by `frame!` | what is saved by hand; a context that has not run; what an unwinder starts with |
//! | `NAME`, `RED_ZONE`, `STACK_ALIGN`, `CALLEE_SAVED`; `HEADROOM`, if callees own memory of their callers; `RECORD_BELOW_FRAME_POINTER` | what the platform's ABI says |
//! | `CHAIN`, if frames are not linked by frame pointers | what compiled code does |
//! | `FAULT_GRAIN`, if a fault does not tell its address to the byte | what the CPU says |
//! | [`switch`](Port::switch) | inlined: the clobbers, the address of its end, taken without a call, the jump to `switch_body` |
//! | [`stack_pointer`](Port::stack_pointer), [`frame_pointer`](Port::frame_pointer), by `register!` | a register each |
//! | [`prefetch`](Port::prefetch), by `prefetch!` | a hint |
//! | [`has_shadow_stack`](Port::has_shadow_stack) | if an instruction tells |
//! | [`ticks`](Port::ticks), [`ticks_are_steady`](Port::ticks_are_steady) | a counter of time; by `counter!` |
//! | [`thread_word`](Port::thread_word), [`set_thread_word`](Port::set_thread_word), by `thread_word!` | the word of `word.rs`, by the initial-exec model |
//! | `client_request`, by `client_request!` | the sequence that valgrind knows, if it knows the CPU |
//! | `switch_body`, named by [`Port::body`] | naked, with tables: stores, loads, clears, jumps, by no jump that the CPU takes for a return. A copy for each `PLACE` |
//! | `root`, `linked_root`, named by `ROOT`, `LINKED_ROOT`, by `roots!`; the lengths of these and of the body | naked: what calls `entry`, and what the tables say of its caller |
//! | `probe`, named by `PROBE` | naked, with tables: loads and stores each register of `CALLEE_SAVED`, in this order, for the tests |
//!
//! # The sixteen promises
//!
//! `tests/conformance` has a test for each but the last, under the name given here; that one is in `tests/step`. Nothing
//! else is known about a port.
//!
//! | promise | test |
//! |---|---|
//! | an argument travels in both directions | `argument_is_carried_both_ways` |
//! | no register that a caller relies on is lost | `every_callee_saved_register_survives` |
//! | `entry` starts on an aligned stack | `entry_starts_with_an_aligned_stack` |
//! | panics unwind on the new stack and are caught there | `panic_is_caught_on_the_new_stack` |
//! | a backtrace ends at `root` | `backtrace_ends_at_root` |
//! | a backtrace of a linked context continues in the code it is linked to | `backtrace_follows_the_link` |
//! | an unwinder is told where a suspended context resumes, and which addresses are a root's | `suspended_context_tells_where_it_resumes` |
//! | the chain of frame pointers ends in zero | `frame_pointer_chain_ends_in_zero` |
//! | the chain of a linked context continues in the code it is linked to | `frame_pointer_chain_follows_the_link` |
//! | a suspended context uses at most a `Frame` below its stack pointer | `suspension_uses_at_most_a_frame_below_sp` |
//! | data of leaf code below the stack pointer is left alone | `red_zone_is_intact` |
//! | a context resumes on another thread, and sees that thread's word | `resumes_on_another_thread` |
//! | a hit of the guard below the stack reports the right address | `guard_hit_reports_the_right_address` |
//! | no general register brings what the code that ran has kept in it | `registers_bring_nothing_of_the_code_that_ran` |
//! | ticks are counted while time passes, and never backwards | `ticks_go_forward_with_the_time` |
//! | an unwinder that starts at any instruction of a switch, a root or an entry finds the caller ([`UNWINDS_IN_SWITCH`](Port::UNWINDS_IN_SWITCH)) | `unwinds_at_every_instruction` |
//!
//! # Why registers are cleared
//!
//! Before a computation resumes on another thread, `goroutines` searches its stack for addresses that belong to the old
//! thread. A callee-saved register that a switch leaves as it was holds a value of the code that ran before; the next
//! function saves it on the stack of the resumed code, and the search finds there what is not that code's own. So
//! `switch_body` clears the general registers that are callee-saved and not in the `Frame`. Floating-point registers hold
//! no addresses in practice, and are left as they are.
//!
//! # Why a switch has a place
//!
//! A CPU predicts where an indirect jump goes by where the jump is. A jump that only ever leads from the scheduler to
//! computations, and another that only leads back, are predicted; one jump that does both by turns often is not, and costs
//! three times as much (3.1 ns a switch for 1.0 on a Zen 5, 16 to 64 contexts in turn). Inlined, each switch would have a jump
//! of its own; the body that they share takes it from them. `PLACE` gives it back: each number has a body of its own.
//!
//! # How the promises catch a port that forgets a register
//!
//! There are two ways to forget one. A register the compiler reserves can be missing from the words that are saved by
//! hand; any other can be missing from the list of clobbers. Compiled code hides both most of the time, because nothing
//! of value happens to be in that register. [`Port::probe`] therefore loads all of them with known values and *calls* a
//! compiled function around `switch`: its prologue must save what the clobbers name, the assembly the rest.
//!
//! # What no port promises
//!
//! - Control state of the thread is not switched: rounding modes, exception masks, the signal mask.
//! - A context that is never resumed again is forgotten, not unwound: what its frames own is leaked.
//! - Hardware shadow stacks are not switched: under one, the next return of the resumed code faults.
//!   [`has_shadow_stack`](Port::has_shadow_stack) tells, and `goroutines` does not start then.

use crate::{Context, SignalLayout, switch};
use core::ops::Range;

/// Where a fresh context begins; `arg` is what the first switch to it carried.
///
/// It never returns, there is nothing to return to. A panic must not leave it either: the process would abort.
pub type Entry = unsafe extern "C" fn(arg: usize) -> !;

/// The code of a root: jumped to, by the switch that first resumes a context.
pub type Root = unsafe extern "C" fn();

/// [`Port::probe`] as a function.
pub type Probe = unsafe extern "C" fn(*mut Context, Context, usize, *mut u64) -> usize;

/// What a suspended context keeps in memory, from [`Context::sp`] on.
///
/// # Safety
///
/// A switch that loads the result of `fresh` jumps to `root`, with the stack pointer right above the frame, `entry` where
/// `root` looks for it, and a frame pointer of zero.
pub unsafe trait Saved: Sized {
    /// Where its words are.
    const LAYOUT: FrameLayout;

    /// The frame of a context that has not run.
    fn fresh(root: Root, entry: Entry) -> Self;

    /// The address at which the context resumes.
    fn ip(&self) -> usize;

    /// The frame pointer with which it resumes.
    fn fp(&self) -> usize;
}

/// How tools that read no tables find the frames of compiled code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chain {
    /// By frame records, in code that is built with frame pointers: [`Port::RECORD_BELOW_FRAME_POINTER`].
    FramePointers,
    /// By back chains: the word at the stack pointer is the stack pointer of the caller.
    BackChains {
        /// How far above the stack pointer of the caller the return address lies, in bytes.
        link: usize,
    },
    /// Not at all.
    None,
}

/// Where the words of a [`Frame`](Port::Frame) are, in bytes from its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameLayout {
    /// The address to resume at.
    pub ip: usize,
    /// The frame pointer.
    pub fp: usize,
    /// The base register.
    pub base: usize,
}

/// What a CPU has to provide. Module `port.rs` opens with the guide to writing one.
///
/// # Safety
///
/// The implementor promises what the tests check, the sixteen promises at the top of `port.rs`, for every program
/// and not just for those in the test.
pub unsafe trait Port {
    /// What a suspended context has saved by hand, as it lies in memory from [`Context::sp`] on: the address to resume at and
    /// the callee-saved registers that the compiler does not accept as clobbers. `repr(C)`, a multiple of the word size.
    type Frame: Saved;

    /// The CPU, as `target_arch` names it.
    const NAME: &'static str;

    /// Where in the `ucontext_t` that Linux gives to a signal handler the registers of the interrupted code stand.
    const SIGNAL_CONTEXT: SignalLayout;

    /// The bytes below the stack pointer that the platform's ABI leaves to leaf functions and signals skip; 0 if none.
    const RED_ZONE: usize;

    /// The alignment of the stack pointer at every call.
    const STACK_ALIGN: usize;

    /// How frames are found without tables. A context begins with the end of such a chain, or with a link.
    const CHAIN: Chain = Chain::FramePointers;

    /// How far below the frame pointer the frame record lies, in bytes: {frame pointer of the caller, return address}.
    const RECORD_BELOW_FRAME_POINTER: usize = 0;

    /// The bytes from the stack pointer up that belong to the function that is called; a multiple of
    /// [`STACK_ALIGN`](Port::STACK_ALIGN). The first frame of a context leaves room for them; the code that switches has.
    const HEADROOM: usize = 0;

    /// The address of a memory fault is that of the access, rounded down to a multiple of this power of two.
    const FAULT_GRAIN: usize = 1;

    /// Whether a backtrace that begins in [`body`](Port::body) finds the caller. Otherwise it ends there, for the CPU's tables
    /// cannot say where that is.
    const UNWINDS_IN_SWITCH: bool = true;

    /// The callee-saved registers, in the order in which [`probe`](Port::probe) fills them. The tests read the names: one that
    /// begins with d, f or v is a floating-point or vector register, of which no addresses are expected.
    const CALLEE_SAVED: &'static [&'static str];

    /// The first frame of every context: calls `entry`. Its tables say that it has no caller.
    const ROOT: Root;

    /// [`ROOT`](Port::ROOT), but with tables that say that the code whose [`Context`] lies at the top has called it.
    const LINKED_ROOT: Root;

    /// What [`probe`](Port::probe) calls.
    const PROBE: Probe;

    /// Makes a fresh stack into a context whose first resumption calls `entry` with the argument of that switch.
    ///
    /// `top` is the exclusive end of the stack. Only the topmost `Frame` below it is written; with a
    /// [`HEADROOM`](Port::HEADROOM), the `Frame` below that, and the first word of the headroom, which ends back chains.
    ///
    /// # Safety
    ///
    /// `top` must be a multiple of [`STACK_ALIGN`](Port::STACK_ALIGN), with memory below it that is writable, used by
    /// nothing else, deep enough for what `entry` does, and mapped for as long as the context may run.
    #[inline(always)]
    unsafe fn prepare(top: *mut u8, entry: Entry) -> Context {
        // SAFETY: `top` is aligned, and the memory below it is writable and used by nothing else (this function's contract).
        unsafe { begin::<Self>(top, entry, Self::ROOT) }
    }

    /// As [`prepare`](Port::prepare), for more stack of a computation that waits meanwhile: backtraces continue in the code
    /// whose [`Context`] lies at `top`. Only unwinders read that word; a panic must not leave `entry` through it.
    ///
    /// # Safety
    ///
    /// As for [`prepare`](Port::prepare). Besides, while the new context runs, the word at `top` is the context of a
    /// computation that was suspended by [`switch`](Port::switch) and is suspended still.
    #[inline(always)]
    unsafe fn prepare_linked(top: *mut u8, entry: Entry) -> Context {
        // SAFETY: `top` is aligned, and the memory below it is writable and used by nothing else (this function's contract);
        // the word at `top` is not accessed here.
        unsafe { begin::<Self>(top, entry, Self::LINKED_ROOT) }
    }

    /// Suspends the running computation into `*save` and resumes `load`.
    ///
    /// Returns when another switch resumes `*save`, on the thread of that switch, with its argument.
    ///
    /// `PLACE` is any number. Switches with different numbers jump by different instructions, so that the CPU predicts them
    /// apart: see "Why a switch has a place" in `port.rs`.
    ///
    /// # Safety
    ///
    /// - `load` was made by [`prepare`](Port::prepare) or saved by a switch, has not been resumed since, and the stack
    ///   it lies on is intact.
    /// - `save` is valid for a write. It is written before `load` resumes, so another thread may resume it as soon as
    ///   it has learned of it from the code that runs next.
    /// - If the computation comes back on another thread, it holds nothing that belongs to the old one: no reference
    ///   into thread-local storage, no lock guard that must be released by its owner.
    unsafe fn switch<const PLACE: usize>(save: *mut Context, load: Context, arg: usize) -> usize;

    /// The code that [`switch`](Port::switch) jumps to. Backtraces from a profiler's signal may begin in it.
    #[must_use]
    fn body<const PLACE: usize>() -> *const u8;

    /// Returns whether an instruction says that the CPU keeps a second stack of return addresses for this thread, on which a
    /// switch of stacks would fault at the next return. Where no instruction tells, `false`; the kernel can be asked too.
    #[must_use]
    fn has_shadow_stack() -> bool {
        false
    }

    /// The code of the first frame of every context: it calls `entry`, and backtraces end in it.
    #[must_use]
    fn root() -> *const u8 {
        Self::ROOT as *const u8
    }

    /// How long the code of [`ROOT`](Port::ROOT) is, in bytes. Where the assembler has a choice of lengths, the port takes it
    /// away: the lengths are counted by hand.
    const ROOT_LENGTH: usize;

    /// How long the code of [`LINKED_ROOT`](Port::LINKED_ROOT) is, in bytes.
    const LINKED_ROOT_LENGTH: usize;

    /// How long the code of [`body`](Port::body) is, in bytes.
    const BODY_LENGTH: usize;

    /// Where the words of a [`Frame`](Port::Frame) are, for debuggers.
    const LAYOUT: FrameLayout = <Self::Frame as Saved>::LAYOUT;

    /// The addresses that a walk of a stack finds in the outermost frame of a context: there it ends.
    #[must_use]
    fn root_range() -> Range<usize> {
        let start = Self::ROOT as usize;
        start..start + Self::ROOT_LENGTH
    }

    /// The addresses that a walk finds in the outermost frame of a linked context: it goes on in the context at the top.
    #[must_use]
    fn linked_root_range() -> Range<usize> {
        let start = Self::LINKED_ROOT as usize;
        start..start + Self::LINKED_ROOT_LENGTH
    }

    /// The addresses of [`body`](Port::body), where the registers are partly those of one computation and partly those of
    /// another.
    #[must_use]
    fn body_range<const PLACE: usize>() -> Range<usize> {
        let start = Self::body::<PLACE>() as usize;
        start..start + Self::BODY_LENGTH
    }

    /// The stack pointer, as it is where this is inlined.
    #[must_use]
    fn stack_pointer() -> *const u8;

    /// The frame pointer, as it is where this is inlined. The innermost frame record lies
    /// [`RECORD_BELOW_FRAME_POINTER`](Port::RECORD_BELOW_FRAME_POINTER) bytes below. Only meaningful in code that is built
    /// with frame pointers, and at the start of an entry.
    #[must_use]
    fn frame_pointer() -> *const u8;

    /// This thread's word: null on a new thread, then what [`set_thread_word`](Port::set_thread_word) stored.
    ///
    /// Every call reads it anew, through the thread pointer of the thread that runs at that moment: unlike a
    /// `thread_local!` it is right after a switch that came back elsewhere.
    #[must_use]
    fn thread_word() -> *mut ();

    /// Sets this thread's word.
    fn set_thread_word(word: *mut ());

    /// Asks for the cache line `BELOW` bytes below `addr`, to be written soon; at most 255. A hint: any address will do, none
    /// faults. Does nothing on CPUs whose port has no instruction for it.
    fn prefetch<const BELOW: usize>(_addr: *const u8) {}

    /// A counter that goes up with the time, at a rate that the program has to find out.
    #[must_use]
    fn ticks() -> u64;

    /// Returns whether [`ticks`](Port::ticks) go up at one rate, in all states of the CPU, and are the same on all CPUs.
    #[must_use]
    fn ticks_are_steady() -> bool {
        true
    }

    /// Makes a request to valgrind, which is six words. Returns 0 outside valgrind, and on CPUs whose port has no sequence.
    #[cfg(feature = "valgrind")]
    fn client_request(_request: &[usize; 6]) -> usize {
        0
    }

    /// Calls a compiled function around [`switch`](Port::switch) with known values in all callee-saved registers.
    ///
    /// Loads the registers of [`CALLEE_SAVED`](Port::CALLEE_SAVED) from `registers`, makes the call, and after the
    /// resumption stores what the registers hold then to `registers`. Each has eight bytes there, of which a narrower one
    /// takes the lower, and leaves the others as they are. For the conformance test.
    ///
    /// # Safety
    ///
    /// As for [`switch`](Port::switch); and `registers` must be valid for reads and writes of eight bytes for each name in
    /// [`CALLEE_SAVED`](Port::CALLEE_SAVED).
    unsafe fn probe(save: *mut Context, load: Context, arg: usize, registers: *mut u64) -> usize {
        // SAFETY: `PROBE` is the port's, which makes the switch that this function's contract allows and accesses only the
        // words of `registers`.
        unsafe { Self::PROBE(save, load, arg, registers) }
    }
}

/// Writes the frame of a context that begins in `root`.
///
/// # Safety
///
/// As for [`Port::prepare`].
#[inline(always)]
unsafe fn begin<P: Port + ?Sized>(top: *mut u8, entry: Entry, root: Root) -> Context {
    const {
        assert!(size_of::<P::Frame>().is_multiple_of(size_of::<usize>()));
        assert!(P::HEADROOM.is_multiple_of(P::STACK_ALIGN));
    }
    // SAFETY: the memory below `top` is writable and used by nothing else, and `top` is a multiple of the stack's alignment,
    // as the headroom is: so the word above `sp`, if there is one, and a frame of words that ends at `sp` are in bounds and
    // aligned.
    unsafe {
        let sp = top.sub(P::HEADROOM);
        if P::HEADROOM > 0 {
            sp.cast::<usize>().write(0);
        }
        sp.cast::<P::Frame>()
            .sub(1)
            .write(P::Frame::fresh(root, entry));
        Context::at(sp)
    }
}

/// What [`Port::probe`] calls: an ordinary function around a switch, so that its prologue shows what the clobbers name.
#[inline(never)]
pub(crate) unsafe extern "C" fn compiled_switch(
    save: *mut Context,
    load: Context,
    arg: usize,
) -> usize {
    // SAFETY: only `Port::PROBE` calls this, with the arguments of `Port::probe`, whose contract is that of `switch`.
    unsafe { switch(save, load, arg) }
}
