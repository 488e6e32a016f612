//! The backtrace of a goroutine that was interrupted, made in the signal handler.
//!
//! The unwinder that panics use walks from the handler through the kernel's signal frame into what was interrupted; frames
//! whose stack pointer is not in the goroutine's window (the handler's own) are left out. On current C libraries it takes
//! no lock and allocates nothing, but no document promises that: the message is written before it, and a fault in it ends
//! the process like the overflow itself (`overflow.rs`).
//!
//! Names are what the dynamic linker knows without reading debug information: usually the file and the offset in it,
//! which `addr2line` turns into a name and a line. A recursion shows as one frame with the number of its repetitions.

use std::ffi::{CStr, c_int, c_void};
use std::fmt::{self, Write};
use std::mem::MaybeUninit;

use crate::windows::window::Stack;

/// Lines that are printed.
const LINES: usize = 24;

/// Frames that are walked: a bound for the time that a deep stack takes.
const FRAMES: usize = 200_000;

#[repr(C)]
struct Context {
    _opaque: [u8; 0],
}

type Visit = extern "C" fn(*mut Context, *mut c_void) -> c_int;

const CONTINUE: c_int = 0;
const END: c_int = 5;

// The unwinder's ABI is the same for every C compiler; std links it.
unsafe extern "C" {
    fn _Unwind_Backtrace(visit: Visit, arg: *mut c_void) -> c_int;
    fn _Unwind_GetCFA(context: *mut Context) -> usize;
}

/// Where the frame goes on, and whether it was interrupted there; if not, that lies behind a call.
///
/// # Safety
///
/// `context` is what the unwinder has passed to a [`Visit`], which has not returned.
#[cfg(not(any(target_abi = "eabi", target_abi = "eabihf")))]
unsafe fn place(context: *mut Context) -> (usize, bool) {
    unsafe extern "C" {
        fn _Unwind_GetIPInfo(context: *mut Context, before: *mut c_int) -> usize;
    }
    let mut before = 0;
    // SAFETY: the unwinder's own context, which it only reads.
    let ip = unsafe { _Unwind_GetIPInfo(context, &mut before) };
    (ip, before != 0)
}

/// The same with the unwinder of these ABIs, which has another way to the registers, and does not tell the interrupted frame.
///
/// # Safety
///
/// `context` is what the unwinder has passed to a [`Visit`], which has not returned.
#[cfg(any(target_abi = "eabi", target_abi = "eabihf"))]
unsafe fn place(context: *mut Context) -> (usize, bool) {
    unsafe extern "C" {
        fn _Unwind_VRS_Get(
            context: *mut Context,
            class: c_int,
            register: u32,
            representation: c_int,
            value: *mut u32,
        ) -> c_int;
    }
    const CORE: c_int = 0;
    const PC: u32 = 15;
    const WORD: c_int = 0;
    let mut ip = 0;
    // SAFETY: the unwinder's own context, of which it reads a register that every CPU with this ABI has.
    unsafe { _Unwind_VRS_Get(context, CORE, PC, WORD, &mut ip) };
    // The lowest bit tells Thumb code.
    (ip as usize & !1, false)
}

/// A walk over the frames of the code that was interrupted on `stack`.
struct Walk<'a> {
    stack: &'a Stack,
    /// Whether a frame on it has been seen.
    begun: bool,
    each: &'a mut dyn FnMut(usize) -> bool,
}

/// Calls `each` with an address in the instruction that each frame executes, innermost first, for the code that was
/// interrupted on `stack`. The walk ends when `each` returns false. Called in a signal handler of the thread that runs there.
pub fn walk(stack: &Stack, each: &mut dyn FnMut(usize) -> bool) {
    let mut walk = Walk {
        stack,
        begun: false,
        each,
    };
    // SAFETY: `visit` has the type of the unwinder's callback; its argument is `walk`, a local that outlives the call.
    unsafe { _Unwind_Backtrace(visit, (&raw mut walk).cast()) };
}

/// What has been printed so far.
struct Lines<'a> {
    out: &'a mut dyn Write,
    frames: usize,
    lines: usize,
    /// The frame that is still to be printed, because it may repeat.
    held: Option<Frame>,
    result: fmt::Result,
}

#[derive(Clone, Copy)]
struct Frame {
    ip: usize,
    times: usize,
}

/// Prints the frames of the code that was interrupted on `stack`, innermost first.
pub(crate) fn print(stack: &Stack, out: &mut dyn Write) -> fmt::Result {
    out.write_str("backtrace (`addr2line -Cfie FILE OFFSET` names FILE+OFFSET):\n")?;
    let mut lines = Lines {
        out,
        frames: 0,
        lines: 0,
        held: None,
        result: Ok(()),
    };
    walk(stack, &mut |ip| {
        lines.add(ip);
        lines.lines < LINES && lines.frames < FRAMES && lines.result.is_ok()
    });
    lines.flush();
    if lines.frames == 0 {
        // musl has no unwind tables for it.
        lines.out.write_str(
            "      (none: this C library's unwinder does not pass the frame of a signal)\n",
        )?;
    }
    if lines.lines == LINES || lines.frames == FRAMES {
        lines.out.write_str("      ...\n")?;
    }
    lines.result
}

extern "C" fn visit(context: *mut Context, walk: *mut c_void) -> c_int {
    // SAFETY: the function `walk` passes a `Walk` as argument, and does not touch it before the unwinder has returned.
    let walk = unsafe { &mut *walk.cast::<Walk<'_>>() };
    // SAFETY: `context` is the unwinder's, valid until this callback returns; both functions only read it.
    let ((ip, is_exact), sp) = unsafe { (place(context), _Unwind_GetCFA(context)) };
    if ip == 0 {
        return END; // the first function of the goroutine ends the chain
    }
    if !walk.stack.contains(sp) {
        // The handler's frames come before those on the stack. What comes after is an older stack or not a frame.
        return if walk.begun { END } else { CONTINUE };
    }
    walk.begun = true;
    // A return address may be that of the next function's start: one less is in the call.
    let goes_on = (walk.each)(if is_exact { ip } else { ip.saturating_sub(1) });
    if goes_on { CONTINUE } else { END }
}

impl Lines<'_> {
    fn add(&mut self, ip: usize) {
        self.frames += 1;
        match &mut self.held {
            Some(frame) if frame.ip == ip => frame.times += 1,
            _ => {
                self.flush();
                self.held = Some(Frame { ip, times: 1 });
            }
        }
    }

    fn flush(&mut self) {
        let Some(frame) = self.held.take() else {
            return;
        };
        if self.lines < LINES && self.result.is_ok() {
            self.result = self.print(frame);
            self.lines += 1;
        }
    }

    fn print(&mut self, frame: Frame) -> fmt::Result {
        write!(self.out, "{:4}: {:#x}", self.lines, frame.ip)?;
        name(frame.ip, self.out)?;
        match frame.times {
            1 => self.out.write_str("\n"),
            times => writeln!(self.out, " ({times} times)"),
        }
    }
}

/// Where in the program `ip` is: `function+offset file+offset`, as far as the dynamic linker knows; empty if it knows
/// neither.
pub fn place_of(ip: usize) -> String {
    let mut place = String::new();
    // Writing to a string does not fail.
    let _ = name(ip, &mut place);
    place.trim_start().to_owned()
}

/// Writes what the dynamic linker knows of an address.
fn name(ip: usize, out: &mut dyn Write) -> fmt::Result {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: dladdr takes any address and writes to a whole `Dl_info`, of which all zeroes is a valid value.
    let info = unsafe {
        if libc::dladdr(ip as *const c_void, info.as_mut_ptr()) == 0 {
            return Ok(());
        }
        info.assume_init()
    };
    // SAFETY: both are null or strings of the loaded object that holds `ip`, which stays loaded while its code runs.
    let (symbol, file) = unsafe { (text(info.dli_sname), text(info.dli_fname)) };
    if let Some(symbol) = symbol {
        write!(
            out,
            " {symbol}+{:#x}",
            ip.wrapping_sub(info.dli_saddr.addr())
        )?;
    }
    if let Some(file) = file {
        write!(out, " {file}+{:#x}", ip.wrapping_sub(info.dli_fbase.addr()))?;
    }
    Ok(())
}

/// The C string at `start`, if it is UTF-8.
///
/// # Safety
///
/// `start` is null or a C string that outlives the result.
unsafe fn text<'a>(start: *const libc::c_char) -> Option<&'a str> {
    if start.is_null() {
        return None;
    }
    // SAFETY: `start` is not null, so it is a C string that outlives `'a`.
    let bytes = unsafe { CStr::from_ptr(start) };
    bytes.to_str().ok()
}
