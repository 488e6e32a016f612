//! Switches of all kinds, to be stopped in: into running, fresh and linked contexts, and out of each.

use crate::fiber::{Fiber, Inside, Stack};
use crate::{below, cpu, stop, unwinder, walk};
use goroutines_asm::{Context, Native, Port, prepare_linked, switch};
use std::ffi::c_void;
use std::hint::black_box;
use std::mem;
use std::ptr;

/// What a linked stack has at its top.
#[repr(C, align(16))]
struct Linked {
    back: Context,
    own: Context,
    /// To suspend with, if the older stack is a fiber's.
    inside: Option<Inside>,
}

/// The first function on a linked stack.
unsafe extern "C" fn linked_entry(linked: usize) -> ! {
    let linked = linked as *mut Linked;
    // SAFETY: the code that entered waits in its switch, and so does the fiber's outside.
    unsafe {
        if let Some(inside) = (*linked).inside {
            stop::again();
            inside.suspend_probed(0, &mut walk::values(6));
            stop::again();
            inside.suspend(0);
        }
        stop::again();
        switch(&raw mut (*linked).own, (*linked).back, 0);
    }
    unreachable!("a context that has ended is not resumed")
}

/// Runs `linked_entry` on a linked stack, and returns.
#[inline(never)]
fn on_a_linked_stack(linked: *mut Linked, inside: Option<Inside>) -> usize {
    // SAFETY: `linked` lies at the top of a stack on which nothing lives; we wait while it runs.
    unsafe {
        (*linked).inside = inside;
        let entered = prepare_linked(linked.cast(), linked_entry);
        let back = &raw mut (*linked).back;
        let mut registers = walk::values(5);
        stop::again();
        Native::probe(back, entered, linked as usize, registers.as_mut_ptr())
    }
}

/// The places that switch, with frames of different kinds.
#[inline(never)]
fn plain(fiber: &mut Fiber, arg: usize) -> usize {
    black_box(fiber.resume(arg)) + 1
}

#[inline(never)]
fn aligned(fiber: &mut Fiber, arg: usize) -> usize {
    #[repr(align(64))]
    struct Wide([usize; 8]);
    let mut wide = Wide([arg; 8]);
    black_box(&mut wide);
    let got = fiber.resume(arg);
    black_box(&mut wide);
    got + wide.0[3]
}

#[inline(never)]
fn probed(fiber: &mut Fiber, arg: usize) -> usize {
    fiber.resume_probed(arg, &mut walk::values(1))
}

const RESUMES: [fn(&mut Fiber, usize) -> usize; 3] = [plain, aligned, probed];

struct Stage {
    warm: Fiber,
    fresh: [Fiber; 3],
    climbing: Fiber,
    linked: *mut Linked,
    _stacks: [Stack; 2],
}

fn echo(inside: Inside, mut got: usize) -> usize {
    loop {
        stop::again();
        got = inside.suspend(got);
        stop::again();
        got = inside.suspend_probed(got, &mut walk::values(2));
    }
}

impl Stage {
    fn new() -> Stage {
        let stacks = [Stack::new(), Stack::new()];
        let place = |stack: &Stack| {
            // SAFETY: within the stack, and aligned as it is.
            let linked = unsafe { stack.top().cast::<Linked>().sub(1) };
            let value = Linked {
                back: Context::NULL,
                own: Context::NULL,
                inside: None,
            };
            // SAFETY: nothing else lives there.
            unsafe { linked.write(value) };
            linked
        };
        let (first, second) = (place(&stacks[0]) as usize, place(&stacks[1]));
        let mut warm = Fiber::new(echo);
        warm.resume(0);
        let mut climbing = Fiber::new(move |inside, _| {
            loop {
                stop::again();
                inside.suspend(0);
                on_a_linked_stack(first as *mut Linked, Some(inside));
            }
        });
        climbing.resume(0);
        Stage {
            warm,
            fresh: std::array::from_fn(|_| Fiber::new(echo)),
            climbing,
            linked: second,
            _stacks: stacks,
        }
    }
}

/// All of it, from one function that all walks of this side come to.
#[inline(never)]
fn driver(stage: &mut Stage) -> usize {
    let mut sum = 0;
    stop::on();
    for round in 0..1 {
        for resume in RESUMES {
            stop::again();
            sum += resume(&mut stage.warm, round);
            stop::again();
            sum += resume(&mut stage.warm, round);
        }
    }
    for (resume, fiber) in RESUMES.iter().zip(&mut stage.fresh) {
        stop::again();
        sum += resume(fiber, 1);
    }
    for resume in RESUMES {
        for _ in 0..3 {
            stop::again();
            sum += resume(&mut stage.climbing, 1);
        }
    }
    sum += on_a_linked_stack(stage.linked, None);
    stop::off();
    black_box(sum)
}

/// The functions that a CPU which stops at chosen places is to stop in.
#[allow(dead_code, reason = "some CPUs stop everywhere")]
pub(crate) fn functions() -> Vec<usize> {
    let mut all = vec![
        Native::body::<0>() as usize,
        Native::ROOT as usize,
        Native::LINKED_ROOT as usize,
        Native::PROBE as usize,
        linked_entry as unsafe extern "C" fn(usize) -> ! as usize,
        on_a_linked_stack as fn(*mut Linked, Option<Inside>) -> usize as usize,
        echo as fn(Inside, usize) -> usize as usize,
    ];
    all.extend(RESUMES.map(|resume| resume as usize));
    all
}

/// What a stop raises, on one CPU or another.
const STOPS: [i32; 2] = [libc::SIGTRAP, libc::SIGILL];

/// Runs all scenes with stops everywhere.
pub(crate) fn run(has_own_stack: bool) -> walk::Found {
    below::stay(has_own_stack);
    let mut signal_stack = vec![0_u8; 256 << 10];
    let ours = libc::stack_t {
        ss_sp: signal_stack.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: signal_stack.len(),
    };
    // SAFETY: plain system calls with structures that outlive them; the old ones are put back before ours end.
    unsafe {
        let (mut old_action, mut old_stack) = (mem::zeroed(), mem::zeroed());
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction =
            cpu::handler as unsafe extern "C" fn(i32, *mut c_void, *mut c_void) as usize;
        action.sa_flags = libc::SA_SIGINFO | if has_own_stack { libc::SA_ONSTACK } else { 0 };
        assert_eq!(libc::sigaltstack(&raw const ours, &raw mut old_stack), 0);
        for signal in STOPS {
            let result = libc::sigaction(signal, &raw const action, &raw mut old_action);
            assert_eq!(result, 0);
        }
        // The unwinder reads tables when it is first asked.
        unwinder::get_ready();
        unwinder::_Unwind_Backtrace(walk::visit, ptr::null_mut());
        walk::reset(driver as fn(&mut Stage) -> usize as usize);
        stop::everywhere(&mut || {
            black_box(driver(&mut Stage::new()));
        });
        for signal in STOPS {
            let result = libc::sigaction(signal, &raw const old_action, ptr::null_mut());
            assert_eq!(result, 0);
        }
        assert_eq!(libc::sigaltstack(&raw const old_stack, ptr::null_mut()), 0);
    }
    walk::found()
}
