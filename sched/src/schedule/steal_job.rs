//! The goroutine for a job that an M without other work has stolen.
//!
//! A job may park, so it needs a goroutine. That is made here, on g0, and runs at once: it comes into no queue. It is
//! detached; its owner is told by the job's word (job_word.rs).

use std::ptr;

use goroutines_stack as stack;

use crate::{
    global::{g_pool::begin, sched::Sched},
    gmp::{g::GRef, identity::Identity, job::JobHead, p::P, trace_event::EventKind, tracer},
};

/// Steals a job, for the M that holds `p` and has nothing to run. Returns the word of a goroutine that runs it.
///
/// There is none while no goroutine can be made: the job stays with its owner. With `clears`, and no job, later looks are
/// shorter.
#[inline]
pub(crate) fn steal_job(sched: &'static Sched, p: &'static P, clears: bool) -> Option<usize> {
    if sched.any_job() {
        return take(sched, p);
    }
    if clears {
        sched.clear_empty_deques();
    }
    None
}

#[cold]
#[inline(never)]
fn take(sched: &'static Sched, p: &'static P) -> Option<usize> {
    // First, because a job that was stolen must be run.
    let g = make(sched, p)?;
    let Some(job) = sched.steal_job(p) else {
        forget(p, g);
        return None;
    };
    // SAFETY: deques hold addresses of jobs, and this one was stolen: its frame does not end before it is done.
    let head = unsafe { &*ptr::with_exposed_provenance::<JobHead>(job) };
    let desc = g.get();
    // SAFETY: this M has stolen the job, and `g` has just been made.
    if let Some(inherited) = unsafe { head.take_for(g) } {
        let identity = desc.identity.get_or_make(|| Identity::of(desc));
        // SAFETY: no other thread has a reference to `g` yet.
        unsafe { identity.replace_inherited(Some(inherited)) };
    }
    // SAFETY: `g` came from the list of dead Gs, so it is this M's; the entry of a job takes its address.
    unsafe { begin(g, head.entry, job) };
    desc.join.detach();
    p.counters.spawned.add_own(1);
    p.counters.steals.add_own(1);
    let entry = ptr::from_ref(head.entry).addr() as u64;
    tracer::note_with(EventKind::New, g.id(), entry);
    Some(g.to_word())
}

/// A dead G, with a stack where stacks are copied by default: others use what lies in the frames of a job.
fn make(sched: &'static Sched, p: &'static P) -> Option<GRef> {
    let g = sched.new_g(Some(p)).ok()?;
    if sched.copies {
        // SAFETY: the calling M owns `p`, and nothing below parks.
        let cache = unsafe { &mut p.local().stacks };
        match cache.acquire_at(sched.class, stack::default_start()) {
            // SAFETY: the G is dead, and this M owns it.
            Ok(own) => unsafe { g.get().stack.put(own) },
            Err(_) => {
                p.free_g(g);
                return None;
            }
        }
    }
    Some(g)
}

/// There was no job left for `g`, which [`make`] has made.
fn forget(p: &'static P, g: GRef) {
    // SAFETY: the G is dead, and this M owns it.
    if let Some(own) = unsafe { g.get().stack.take() } {
        // SAFETY: the calling M owns `p`, and nothing below parks.
        unsafe { p.local() }.stacks.release(own);
    }
    p.free_g(g);
}
