//! The waits of goroutines and threads, as a profile samples them.
//!
//! ```text
//!  a goroutine leaves its M and waits     the M writes the moment and the reason into a table, under the G
//!  an M is about to run it                the M takes the moment out of the table. If the wait is sampled, the M reports
//!                                         it: the goroutine is still off its stack, which only this M may read
//!
//!  a goroutine waits and keeps its        the moment stays on the stack of the waiter, which reports the wait itself
//!  thread, or a plain thread waits        when it is over
//! ```
//!
//! The copy of the loop that is observed (observed.rs) does the first. The second is in park/mod.rs, where threads wait: that
//! is cold.
//!
//! A wait of the *rate* or longer is always sampled. A shorter one is with the probability wait / rate, and stands for as
//! many as make the rate: so sums are right, and only few stacks of short waits are walked. A wait lasts until the goroutine
//! runs, so the time in a run queue is in it.
//!
//! The table has room for 131 072 goroutines that wait at a time, by a hash of their addresses. One that finds no place is
//! counted as missed.
//!
//! The moment is in the ticks of the CPU's counter, or in nanoseconds where that is not steady; 56 bits of it, for 8 are the
//! reason's.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use crate::{
    gmp::{g::GRef, tracer},
    protocol::wait_reason::WaitReason,
    switch::random::random,
    sys::asm,
};

const REASON_BITS: u32 = 8;

/// A goroutine has its place in one bucket: two cache lines.
const BUCKETS: usize = 1 << 14;
const WIDTH: usize = 8;

const _: () = assert!(BUCKETS * WIDTH == 131_072);

/// Who waits, and since when.
struct Place {
    /// The word of a G; 0: free.
    g: AtomicUsize,
    /// The moment, and the reason in the low bits. It belongs to who owns the goroutine.
    since: AtomicU64,
}

#[repr(align(128))]
struct Bucket([Place; WIDTH]);

static TABLE: OnceLock<Box<[Bucket]>> = OnceLock::new();

fn table() -> &'static [Bucket] {
    TABLE.get_or_init(|| {
        let place = |_| Place {
            g: AtomicUsize::new(0),
            since: AtomicU64::new(0),
        };
        let bucket = |_| Bucket(std::array::from_fn(place));
        (0..BUCKETS).map(bucket).collect()
    })
}

/// The places that `g` may have; none before [`begin`] has made them.
fn bucket_of(g: GRef) -> &'static [Place] {
    // Gs are 256 bytes apart; the product spreads them over the upper bits.
    let hash = (g.to_word() as u64 >> 8).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bucket = (hash >> (u64::BITS - BUCKETS.trailing_zeros())) as usize;
    TABLE.get().map_or(&[], |table| &table[bucket].0)
}

/// Notes since when `g` waits. Its owner calls.
fn put(g: GRef, since: u64) {
    let bucket = bucket_of(g);
    let word = g.to_word();
    // Relaxed (all): a place with the word of a goroutine is touched by the owner of the goroutine alone, which it passes on
    // through the queues.
    let own = |place: &&Place| place.g.load(Ordering::Relaxed) == word;
    let free = |place: &&Place| {
        let taken = place
            .g
            .compare_exchange(0, word, Ordering::Relaxed, Ordering::Relaxed);
        taken.is_ok()
    };
    let place = bucket.iter().find(own).or_else(|| bucket.iter().find(free));
    match place {
        Some(place) => place.since.store(since, Ordering::Relaxed),
        // Relaxed: a count.
        None => _ = MISSED.fetch_add(1, Ordering::Relaxed),
    }
}

/// Since when `g` waits; 0: it was not noted. Its owner calls.
fn take(g: GRef) -> u64 {
    let word = g.to_word();
    // Relaxed (all): as in `put`.
    let own = |place: &&Place| place.g.load(Ordering::Relaxed) == word;
    let Some(place) = bucket_of(g).iter().find(own) else {
        return 0;
    };
    let since = place.since.load(Ordering::Relaxed);
    place.g.store(0, Ordering::Relaxed);
    since
}

/// What there is of a moment.
const MOMENT: u64 = u64::MAX >> REASON_BITS;

/// Ticks; 0: waits are not sampled.
static RATE: AtomicU64 = AtomicU64::new(0);

/// When that began. Waits that had begun before are not sampled.
static BEGAN: AtomicU64 = AtomicU64::new(0);

/// Whether the counter of the CPU is the clock.
static IS_STEADY: AtomicBool = AtomicBool::new(false);

/// Waits for which there was no place in the table.
static MISSED: AtomicU64 = AtomicU64::new(0);

static REPORT: OnceLock<Report> = OnceLock::new();

/// What is called with a wait that was sampled.
pub(crate) type Report = fn(GRef, Waited);

/// A wait that is over.
#[derive(Clone, Copy)]
pub(crate) struct Waited {
    pub(crate) reason: WaitReason,
    /// For how many waits it stands, and how many ticks they took.
    pub(crate) count: u64,
    pub(crate) ticks: u64,
    /// Whether the thread that calls has waited itself, on this stack. Else it is g0, of the M that is about to run the
    /// goroutine and nobody else.
    pub(crate) is_here: bool,
}

/// Returns whether waits are sampled.
#[inline(always)]
pub(super) fn is_on() -> bool {
    // Relaxed: partner is the store in `begin`; a wait that does not see it counts as before it.
    RATE.load(Ordering::Relaxed) != 0
}

/// The moment, in ticks.
pub(crate) fn now() -> u64 {
    // Relaxed: stored before any wait is sampled.
    tracer::ticks(IS_STEADY.load(Ordering::Relaxed))
}

/// Sets the clock, before [`now`].
pub(crate) fn choose_clock() {
    // Relaxed: as in `now`.
    IS_STEADY.store(asm::ticks_are_steady(), Ordering::Relaxed);
}

/// Waits are sampled from now on, and given to `report`, which is always the same. One caller at a time.
pub(crate) fn begin(rate: u64, report: Report) {
    REPORT.get_or_init(|| report);
    for place in table().iter().flat_map(|bucket| &bucket.0) {
        // Relaxed: of a goroutine that is noted just now the moment may be lost, or be another's; both are near.
        place.g.store(0, Ordering::Relaxed);
    }
    // Relaxed (both): a wait that is compared with an older moment had begun before; a count.
    BEGAN.store(now() & MOMENT, Ordering::Relaxed);
    MISSED.store(0, Ordering::Relaxed);
    // Release: partner is the load in `sampled`.
    RATE.store(rate.max(1), Ordering::Release);
    tracer::ask_all();
}

pub(crate) fn end() {
    // Relaxed: as in `is_on`.
    RATE.store(0, Ordering::Relaxed);
    tracer::ask_all();
}

/// How many waits found no place since [`begin`].
pub(crate) fn missed() -> u64 {
    // Relaxed: a count.
    MISSED.load(Ordering::Relaxed)
}

/// `g` has left its stack. It waits, or yields, or has ended. Its owner calls.
#[inline]
pub(super) fn left(g: GRef) {
    if is_on()
        && let Some(reason) = g.wait_reason()
    {
        put(g, now() << REASON_BITS | u64::from(reason.number()));
    }
}

/// The commit of `g` has found that there is nothing to wait for. Its owner calls.
#[inline]
pub(super) fn did_not_wait(g: GRef) {
    if is_on() {
        take(g);
    }
}

/// `g` is about to run: its status says so, so nobody holds it. The M that runs it calls.
#[inline]
pub(super) fn runs(g: GRef) {
    if !is_on() {
        return;
    }
    let stamp = take(g);
    if let Some(reason) = WaitReason::from_number(stamp as u8)
        && let Some(waited) = sampled(reason, stamp >> REASON_BITS)
    {
        report(g, waited);
    }
}

/// The calling thread begins to wait, without leaving its stack. The answer is for [`ends_here`].
pub(crate) fn begins_here() -> Option<u64> {
    is_on().then(|| now() & MOMENT)
}

/// The wait of `g`, which runs on this thread, or is this thread, is over.
pub(crate) fn ends_here(g: GRef, reason: Option<WaitReason>, since: Option<u64>) {
    if let (Some(reason), Some(since)) = (reason, since)
        && let Some(waited) = sampled(reason, since)
    {
        let is_here = true;
        report(g, Waited { is_here, ..waited });
    }
}

#[cold]
#[inline(never)]
fn report(g: GRef, waited: Waited) {
    if let Some(report) = REPORT.get() {
        report(g, waited);
    }
}

/// A wait that ends now, if it is sampled.
#[inline(never)]
fn sampled(reason: WaitReason, since: u64) -> Option<Waited> {
    // Acquire: partner is the Release in `begin`, before which the other words were stored.
    let rate = RATE.load(Ordering::Acquire);
    // Relaxed: see above.
    let began = BEGAN.load(Ordering::Relaxed);
    let now = now() & MOMENT;
    let until_now = |from: u64| now.wrapping_sub(from) & MOMENT;
    let ticks = until_now(since);
    if rate == 0 || ticks > until_now(began) {
        return None;
    }
    let random = u64::from(random()) << 32 | u64::from(random());
    let (count, ticks) = weigh(ticks, rate, random)?;
    Some(Waited {
        reason,
        count,
        ticks,
        is_here: false,
    })
}

/// Whether a wait is sampled: then for how many it stands, and for how many ticks.
fn weigh(ticks: u64, rate: u64, random: u64) -> Option<(u64, u64)> {
    if ticks >= rate {
        return Some((1, ticks));
    }
    (random % rate < ticks).then(|| (rate.saturating_add(ticks / 2) / ticks, rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_waits_are_always_sampled_and_short_ones_stand_for_others() {
        assert_eq!(weigh(1000, 1000, u64::MAX), Some((1, 1000)));
        assert_eq!(weigh(5000, 1000, 0), Some((1, 5000)));
        assert_eq!(weigh(250, 1000, 249), Some((4, 1000)));
        assert_eq!(weigh(250, 1000, 250), None);
        assert_eq!(weigh(0, 1000, 0), None);
        assert_eq!(weigh(0, 1, 7), None);
        assert_eq!(weigh(1, 1, 7), Some((1, 1)));
        assert_eq!(weigh(2, u64::MAX, 1), Some((u64::MAX / 2, u64::MAX)));
    }

    #[test]
    fn a_goroutine_is_noted_once() {
        use crate::gmp::g::{G, Kind};
        table();
        let gs: &'static [G] = Vec::leak((0..1000).map(|_| G::new(Kind::Goroutine)).collect());
        for round in 1..=3 {
            for (number, g) in gs.iter().enumerate() {
                put(GRef::new(g), 1);
                put(GRef::new(g), round * 1000 + number as u64);
            }
            let taken = |(number, g): (usize, &'static G)| {
                let since = take(GRef::new(g));
                assert!(since == round * 1000 + number as u64 || since == 0);
                assert_eq!(take(GRef::new(g)), 0);
                since != 0
            };
            let noted = gs.iter().enumerate().filter(|&it| taken(it)).count();
            assert_eq!(noted, gs.len());
        }
    }

    #[test]
    fn sums_of_short_waits_are_right() {
        let (rate, wait) = (1 << 20, 10_000);
        let (mut count, mut ticks, mut random) = (0, 0, 1_u64);
        const WAITS: u64 = 1_000_000;
        for _ in 0..WAITS {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            if let Some(sampled) = weigh(wait, rate, random >> 20) {
                count += sampled.0;
                ticks += sampled.1;
            }
        }
        let near =
            |sum: u64, right: u64| assert!(sum.abs_diff(right) < right / 20, "{sum} {right}");
        near(count, WAITS);
        near(ticks, WAITS * wait);
    }
}
