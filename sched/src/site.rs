//! Spawn sites: how much stack the goroutines of one closure type need.
//!
//! A goroutine of a type whose stacks used to grow beyond their first 64 KiB starts where they ended, so
//! it does not fault on its way there. Where nothing was learned, which is almost everywhere, the price is a look at two
//! words of one cache line at the first run; where no site of the program has learned anything, at one flag.
//!
//! 1. A stack ends at a later step than its site starts at: the site learns that step.
//! 2. Of the later goroutines of the site one in [`SAMPLE`] is *audited*: what its stack holds beyond
//!    the step before goes to the kernel when it starts, and when it ends the kernel is asked whether something is
//!    there again.
//! 3. After [`PATIENCE`] audits in a row that found nothing the site falls back by one step, in the end
//!    to the default.
//!
//! The table has no locks and does not grow. A site is known by the address of its entry; a table full
//! of others teaches it nothing, which costs faults and nothing else. All orderings are Relaxed: each
//! word is a hint that stands for itself, and a lost update is learned again.

use std::{
    ptr,
    sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed},
};

use goroutines_stack::{Cache, Class, Stack, Step, has_steps};

use crate::payload::Entry;

/// Goroutines of a site for each one that is audited, about.
const SAMPLE: u64 = 32;

/// Audits in a row that must find a step unneeded.
const PATIENCE: u8 = 16;

/// Sites the table has room for. A power of two.
const SITES: usize = 1024;

static TABLE: [Site; SITES] = [const { Site::new() }; SITES];

/// Has any site learned anything, ever?
static LEARNED: AtomicBool = AtomicBool::new(false);

/// Two of these share a cache line; a site may be in either.
#[repr(align(32))]
struct Site {
    /// The address of the entry; 0 while free.
    key: AtomicUsize,
    /// The top of the stack that is being audited; 0 if none is.
    audited: AtomicUsize,
    /// The number of the step that stacks start at.
    step: AtomicU8,
    /// Audits in a row that found it unneeded.
    unneeded: AtomicU8,
}

impl Site {
    const fn new() -> Site {
        Site {
            key: AtomicUsize::new(0),
            audited: AtomicUsize::new(0),
            step: AtomicU8::new(Step::DEFAULT.number()),
            unneeded: AtomicU8::new(0),
        }
    }

    fn step(&self) -> Step {
        Step::from_number(self.step.load(Relaxed))
    }

    fn set_step(&self, step: Step) {
        self.unneeded.store(0, Relaxed);
        self.step.store(step.number(), Relaxed);
    }
}

/// The two places where `entry` may be.
#[inline]
fn places(entry: &'static Entry) -> (usize, [&'static Site; 2]) {
    let key = ptr::from_ref(entry) as usize;
    // Entries lie side by side in read-only data: spread them (Fibonacci hashing).
    let index = (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SITES.ilog2());
    (key, [&TABLE[index as usize], &TABLE[index as usize ^ 1]])
}

#[inline]
fn find(entry: &'static Entry) -> Option<&'static Site> {
    let (key, places) = places(entry);
    places
        .into_iter()
        .find(|site| site.key.load(Relaxed) == key)
}

/// As [`find`], but takes a place that is free, or of a site that has fallen back to the default.
fn find_or_insert(entry: &'static Entry) -> Option<&'static Site> {
    LEARNED.store(true, Relaxed);
    find(entry).or_else(|| {
        let (key, places) = places(entry);
        places.into_iter().find(|site| {
            let old = site.key.load(Relaxed);
            site.step() == Step::DEFAULT
                && site
                    .key
                    .compare_exchange(old, key, Relaxed, Relaxed)
                    .is_ok()
        })
    })
}

/// Where stacks of this site start.
#[inline]
pub(crate) fn start(entry: &'static Entry) -> Step {
    if !LEARNED.load(Relaxed) {
        return Step::DEFAULT;
    }
    find(entry).map_or(Step::DEFAULT, Site::step)
}

/// A stack of a site that starts at a later step than others; now and then one that is audited.
#[cold]
pub(crate) fn acquire(
    cache: &mut Cache,
    class: Class,
    step: Step,
    entry: &'static Entry,
    id: u64,
) -> std::io::Result<Stack> {
    let mut stack = cache.acquire_at(class, step)?;
    // Numbers are given out in batches: the product's high bits pick one in SAMPLE of any sequence.
    let pick = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SAMPLE.ilog2());
    if pick == 0
        && let Some(site) = find(entry)
    {
        stack.clear_below(site.step().before());
        site.audited.store(stack.top() as usize, Relaxed);
    }
    Ok(stack)
}

/// Takes back a stack that is not at the default step, from a goroutine of this site that has ended.
#[cold]
pub(crate) fn release(cache: &mut Cache, stack: Stack, entry: Option<&'static Entry>) {
    let Some(entry) = entry.filter(|_| has_steps()) else {
        return cache.release(stack);
    };
    if stack.step() > start(entry)
        && let Some(site) = find_or_insert(entry)
    {
        site.set_step(stack.step());
    }
    if let Some(site) = find(entry) {
        audit(site, &stack);
        cache.release_at(stack, site.step());
    } else {
        cache.release(stack);
    }
}

/// Ends the audit of `stack`, if it is the one.
fn audit(site: &Site, stack: &Stack) {
    if site.audited.load(Relaxed) != stack.top() as usize {
        return;
    }
    site.audited.store(0, Relaxed);
    let before = site.step().before();
    if stack.has_used_beyond(before) {
        site.unneeded.store(0, Relaxed);
    } else if site.unneeded.fetch_add(1, Relaxed) + 1 >= PATIENCE {
        site.set_step(before.max(Step::DEFAULT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::entry_of;

    #[test]
    fn a_site_learns_the_step_that_was_needed_and_keeps_it_for_others_of_its_type() {
        let entry = entry_of::<fn() -> u8, u8>();
        let other = entry_of::<fn() -> u16, u16>();
        assert_eq!(start(entry), Step::DEFAULT);
        let site = find_or_insert(entry).unwrap();
        site.set_step(Step::from_number(4));
        assert_eq!(start(entry), Step::from_number(4));
        assert_eq!(start(other), Step::DEFAULT);
        assert!(ptr::eq(find_or_insert(entry).unwrap(), site));
        site.set_step(Step::DEFAULT);
        assert_eq!(start(entry), Step::DEFAULT);
    }

    #[test]
    fn a_table_full_of_others_teaches_nothing() {
        let entry = entry_of::<fn() -> u32, u32>();
        let (_, places) = places(entry);
        for (number, site) in places.into_iter().enumerate() {
            site.key.store(number + 1, Relaxed);
            site.set_step(Step::from_number(3));
        }
        assert!(find_or_insert(entry).is_none());
        // One that fell back makes room.
        places[1].set_step(Step::DEFAULT);
        assert!(ptr::eq(find_or_insert(entry).unwrap(), places[1]));
        places[0].set_step(Step::DEFAULT);
    }
}
