//! Making goroutines: the options of a builder, and the way from a closure to a G in a run queue.

use std::{io, ptr};

use goroutines_stack::{self as stack, Class, Step};

use crate::{
    global::{
        g_pool::{begin, free},
        ready, retake,
        sched::{self, Sched},
    },
    gmp::{
        counters::GLOBAL,
        g::GRef,
        identity::Identity,
        m::M,
        p::P,
        payload::{self, entry_of},
        trace_event::EventKind,
        tracer,
    },
    switch::{signal_check, thread_word::current_m},
    task::{handle::Task, inherited},
};

/// The options of a builder.
#[derive(Debug, Default)]
pub struct Options {
    /// Its name, for messages.
    pub name: Option<Box<str>>,
    /// How far its stack may grow; `None`: the process's default.
    pub class: Option<Class>,
    /// How large its stack is at the start; `None`: the process's default.
    pub start: Option<Step>,
    /// Whether its stack is copied out of a window that it shares. See `Builder::copy_stack` of the public crate for
    /// what that asks of its code. `None`: the process's default, unless the builder sets another option of its
    /// stack.
    pub copied: Option<bool>,
}

/// Makes a goroutine that runs `f`, behind those that are runnable already.
///
/// # Errors
///
/// When there is no memory or address space for its descriptor or its stack. Nothing was made then,
/// and `f` was dropped.
///
/// # Panics
///
/// When the runtime has not been started.
#[inline]
#[track_caller]
pub fn spawn<F, T>(options: Options, f: F) -> io::Result<Task<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // SAFETY: what `f` and its result borrow lives as long as the program.
    unsafe { spawn_unchecked(options, f) }
}

/// As [`spawn`], for closures that borrow.
///
/// # Errors
///
/// As for [`spawn`].
///
/// # Panics
///
/// As [`spawn`].
///
/// # Safety
///
/// Until the goroutine has ended and its result was taken or dropped, everything stays valid that `f` and the result
/// borrow: the caller waits for both, also when it unwinds.
#[inline]
#[track_caller]
pub unsafe fn spawn_unchecked<F, T>(options: Options, f: F) -> io::Result<Task<T>>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let Some(sched) = sched::get() else {
        not_started();
    };
    signal_check::check_not_g0();
    let m = current_m();
    let entry = entry_of::<F, T>();
    let inside = retake::enter_if_with(m, |m| sched.note_new(m, entry));
    let p = m.and_then(M::p);
    match make(sched, p, options, entry, f) {
        Ok(g) => {
            ready::spawned(p, g);
            Ok(Task::of(g))
        }
        Err((error, f)) => {
            // Its destructor is the user's code, and may park.
            drop(inside);
            drop(f);
            Err(error)
        }
    }
}

/// Makes a goroutine on which `entry` runs `f`. It is not ready yet. The caller is inside the gate; `p` is its M's.
/// On an error `f` comes back.
#[inline(always)]
pub(crate) fn make<F>(
    sched: &'static Sched,
    p: Option<&P>,
    options: Options,
    entry: &'static payload::Entry,
    f: F,
) -> Result<GRef, (io::Error, F)> {
    let g = match sched.new_g(p) {
        Ok(g) => g,
        Err(error) => return Err((error, f)),
    };
    let desc = g.get();
    let Options {
        name,
        class,
        start,
        copied,
    } = &options;
    if (class.is_some() || start.is_some() || copied.is_some() || name.is_some())
        && let Err(error) = apply(g, p, options)
    {
        return Err((error, f));
    }
    inherited::pass_on(desc);
    // SAFETY: `g` came from the list of dead Gs, so it is this caller's; it runs `entry`, which is for closures like `f`.
    unsafe { begin(g, entry, f) };
    match p {
        Some(p) => p.counters.spawned.add_own(1),
        None => {
            GLOBAL.spawned.add();
            tracer::note_with(EventKind::New, g.id(), ptr::from_ref(entry).addr() as u64);
        }
    }
    Ok(g)
}

/// Returns whether a builder asks for a stack of its own where the default is a copied one.
fn own_in_spite_of_default(options: &Options) -> bool {
    sched::running().copies && (options.copied == Some(false) || options.class.is_some())
}

/// Applies options that are not the default. A stack of another class is taken at once, because only the address
/// space of the default class was reserved with the descriptor; so is one that starts at a given step, because the G
/// has no field for that.
#[cold]
fn apply(g: GRef, p: Option<&P>, options: Options) -> io::Result<()> {
    let default = sched::running().class;
    let class = options.class.unwrap_or(default);
    if options.copied == Some(true) {
        match sched::running().windows.assign(default) {
            Ok(window) => g.get().window.set(Some(window)),
            Err(error) => {
                free(g);
                return Err(error);
            }
        }
    } else if class != default || options.start.is_some() || own_in_spite_of_default(&options) {
        let start = options.start.unwrap_or_else(stack::default_start);
        let acquired = match p {
            // SAFETY: the caller runs on the M that owns `p`, and nothing here parks.
            Some(p) => unsafe { p.local() }.stacks.acquire_at(class, start),
            None => stack::acquire_at(class, start),
        };
        match acquired {
            // SAFETY: the G is dead and the caller owns it.
            Ok(stack) => unsafe { g.get().stack.put(stack) },
            Err(error) => {
                free(g);
                return Err(error);
            }
        }
    }
    if let Some(name) = options.name {
        let g = g.get();
        tracer::note_name(g.id.get(), &name);
        g.identity.get_or_make(|| Identity::named(g.id.get(), name));
    }
    Ok(())
}

#[cold]
#[track_caller]
fn not_started() -> ! {
    panic!(
        "goroutines::go: the runtime is not running; call `unsafe {{ goroutines::start() }}` once, \
         at the top of main"
    );
}
