//! What the tests share: running code on a stack as a scheduler would, and children whose death is looked at.
#![allow(dead_code, unreachable_pub)] // Each test program uses a part of it.

use std::any::Any;
use std::fmt;
use std::hint::black_box;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Command, Output};
use std::sync::Once;

use goroutines_asm::{Context, interrupted_sp, prepare, set_thread_word, switch, thread_word};
use goroutines_stack::{Class, Hooks, SignalStack, Stack, Step, acquire_at, install};

/// Windows of 1 MiB.
pub const MIB: Class = Class::ALL[2];

/// The kernel's page size.
pub fn page() -> usize {
    // SAFETY: sysconf reads a number.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// Whether the page that holds `addr` is in memory.
pub fn is_resident(addr: usize) -> bool {
    // Emulators write a byte for each page of the system that they run on.
    let mut bytes = [0_u8; 64];
    let start = addr & !(page() - 1);
    // SAFETY: mincore writes a byte for one page, or for each 4 KiB of it.
    let failed = unsafe { libc::mincore(start as *mut _, page(), bytes.as_mut_ptr()) };
    assert_eq!(failed, 0);
    bytes.iter().any(|byte| byte & 1 == 1)
}

/// How many windows of `class` a test may have, of `wish`: a sixteenth of the address space at most.
pub fn at_most(wish: usize, class: Class) -> usize {
    wish.min(usize::MAX / 16 / class.window())
}

/// Code that runs on a stack; the thread word points here while it does.
struct Run<'a> {
    stack: &'a Stack,
    caller: Context,
    job: Option<Box<dyn FnOnce() + 'a>>,
    panic: Option<Box<dyn Any + Send>>,
}

fn current() -> *mut Stack {
    let run = thread_word().cast::<Run<'_>>();
    if run.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: the word is set to a live `Run` for as long as its job runs on this thread.
    std::ptr::from_ref(unsafe { (*run).stack }).cast_mut()
}

fn describe(out: &mut dyn fmt::Write) {
    let _ = out.write_str("goroutine 17 [deep thought]");
}

fn origin() -> Option<&'static str> {
    Some("a test")
}

/// Installs the fault handler, once for the test program.
pub fn install_once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| install_now().unwrap());
}

/// Installs the fault handler.
pub fn install_now() -> io::Result<()> {
    // SAFETY: `current` returns the stack that `on_stack` holds a reference to; both hooks only read memory.
    unsafe {
        install(Hooks {
            current,
            stack_pointer: interrupted_sp,
            describe,
            origin,
            remedy: || None,
        })
    }
}

/// Runs `job` on `stack`, with a signal stack and the fault handler in place.
pub fn on_stack<R>(stack: &Stack, job: impl FnOnce() -> R) -> R {
    below(stack, 0, job)
}

/// As [`on_stack`], `bytes` down: as if a frame of that size, which was compiled without stack probes, had called `job`.
pub fn below<R>(stack: &Stack, bytes: usize, job: impl FnOnce() -> R) -> R {
    install_once();
    let _signals = SignalStack::install().unwrap();
    let mut result = None;
    let mut run = Run {
        stack,
        caller: Context::NULL,
        job: Some(Box::new(|| result = Some(job()))),
        panic: None,
    };
    let run_ptr = &raw mut run;
    let outer = thread_word();
    set_thread_word(run_ptr.cast());
    assert!(bytes.is_multiple_of(16) && bytes < stack.limit());
    // SAFETY: the stack is idle, and `entry` switches back to `caller` exactly once, after its job.
    unsafe {
        let fresh = prepare(stack.top().wrapping_sub(bytes), entry);
        switch(&raw mut (*run_ptr).caller, fresh, run_ptr as usize);
    }
    set_thread_word(outer);
    if let Some(panic) = run.panic.take() {
        resume_unwind(panic);
    }
    drop(run);
    result.expect("the job ran to its end")
}

unsafe extern "C" fn entry(run: usize) -> ! {
    let run = run as *mut Run<'_>;
    // SAFETY: `on_stack` passes its `Run`, and waits in its switch until we come back.
    unsafe {
        let job = (*run).job.take().unwrap();
        (*run).panic = catch_unwind(AssertUnwindSafe(job)).err();
        let mut dead = Context::NULL;
        switch(&raw mut dead, (*run).caller, 0);
    }
    unreachable!("a finished run is not resumed")
}

const SCENARIO: &str = "STACK_TEST_SCENARIO";

/// The scenario this process was started for, if it is a child.
pub fn scenario() -> Option<String> {
    std::env::var(SCENARIO).ok()
}

/// Whether this process has soft guards, which kernels before Linux 6.13 and `GOROUTINE_GUARD=mprotect` do without. Where it
/// has none, stacks must work all the same; what cannot be seen then is the single step.
pub fn soft_guards() -> bool {
    let stack = guarded(MIB);
    let steps = stack.committed() < stack.limit();
    if !steps {
        eprintln!("no soft guards here: the steps of growth are not looked at");
    }
    steps
}

/// A stack of `class` whose soft guard stands 64 KiB down, where there are soft guards.
pub fn guarded(class: Class) -> Stack {
    acquire_at(class, Step::for_start(64 << 10).unwrap()).unwrap()
}

/// A command line that test programs are run with, such as an emulator's.
const RUNNER: &str = "STACK_TEST_RUNNER";

/// Runs this test program again as `scenario`, which its ignored test `play` plays.
pub fn child(scenario: &str, variables: &[(&str, &str)]) -> Output {
    let program = std::env::current_exe().unwrap();
    let runner = std::env::var(RUNNER).unwrap_or_default();
    let mut words = runner.split_whitespace();
    let mut command = match words.next() {
        None => Command::new(program),
        Some(first) => {
            let mut command = Command::new(first);
            command.args(words).arg(program);
            command
        }
    };
    command
        .args(["--exact", "play", "--ignored", "--nocapture"])
        .env(SCENARIO, scenario)
        .env_remove("RUST_BACKTRACE")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// What the child said, without what an emulator added to it.
pub fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !line.starts_with("qemu: ")).collect()
}

/// Checks that a child played its scenario to the end.
pub fn assert_success(output: &Output) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}\n{}", stderr(output));
    assert!(stdout.contains("1 passed"), "{stdout}");
}

/// Uses `bytes` of stack and a little more, in frames of less than a page, and checks on the way back that each frame is
/// unharmed. Returns the lowest address.
pub fn descend(bytes: usize) -> usize {
    #[inline(never)]
    fn down(goal: usize) -> usize {
        let mut frame = [goal as u64; 64];
        let here = black_box(&mut frame).as_ptr() as usize;
        let lowest = if here > goal { down(goal) } else { here };
        assert_eq!(black_box(&frame).as_ptr() as usize, here);
        assert!(frame.iter().all(|&word| word == goal as u64));
        lowest
    }
    let start = black_box(0u8);
    down(&raw const start as usize - bytes)
}

/// Recursion without an end.
#[inline(never)]
#[allow(unconditional_recursion)] // The point of it.
pub fn forever(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    forever(depth + 1) + frame[7]
}
