//! What is written down where nothing may wait, and the ring in which the profile's thread finds it.
//!
//! ```text
//!  a writer                                     profile's thread
//!  R1 head - tail == LENGTH: lost, no sample    D1 head: Acquire
//!  R2 write the record at head                  D2 read the records from tail on
//!  R3 head + 1: Release                         D3 tail = head: Release
//! ```
//!
//! A ring has one writer at a time, the one that has set `busy`. It also has what the writer walks with.

use std::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use goroutines_sched::WaitReason;

use crate::{
    profile::{Amount, LEFT_OUT, Owner, Place, Samples, StackEnd},
    walk::{End, HALF, Walk},
};

/// How much of a goroutine's name is kept.
const NAME: usize = 40;

/// Samples that wait for the profile's thread.
pub(crate) const LENGTH: usize = 64;

/// A sample.
#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) amount: Amount,
    pub(crate) who: Who,
    /// What it waits for, in a profile of waits.
    pub(crate) reason: Option<WaitReason>,
    pub(crate) walk: Walk,
}

/// [`Owner`] without memory of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    Goroutine {
        id: u64,
        spawned_as: &'static str,
        name: [u8; NAME],
        length: usize,
    },
    Scheduler,
    Thread,
}

impl Who {
    /// Async-signal-safe.
    pub(crate) fn goroutine(id: u64, spawned_as: &'static str, name: Option<&str>) -> Who {
        let name = name.unwrap_or_default();
        let mut bytes = [0; NAME];
        let length = name.floor_char_boundary(NAME);
        bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
        Who::Goroutine {
            id,
            spawned_as,
            name: bytes,
            length,
        }
    }
}

impl Record {
    pub(crate) fn new() -> Record {
        Record {
            amount: Amount::default(),
            who: Who::Thread,
            reason: None,
            walk: Walk::new(End::Between, 0),
        }
    }

    fn end(&self) -> StackEnd {
        match self.walk.end {
            End::Root => StackEnd::Begin,
            // The outermost function of a thread, or of g0.
            End::Lost(_) if self.walk.is_outermost && !self.is_goroutine() => StackEnd::Begin,
            End::Lost(_) => StackEnd::Truncated,
            End::Deep => StackEnd::Deep,
            End::Between => StackEnd::Switch,
        }
    }

    fn is_goroutine(&self) -> bool {
        matches!(self.who, Who::Goroutine { .. })
    }

    fn owner(&self) -> Owner {
        match &self.who {
            Who::Scheduler => Owner::Scheduler,
            Who::Thread => Owner::Thread,
            Who::Goroutine {
                id,
                spawned_as,
                name,
                length,
            } => {
                let name = String::from_utf8_lossy(&name[..*length]);
                Owner::Goroutine {
                    id: *id,
                    name: (!name.is_empty()).then(|| name.into_owned()),
                    spawned_as,
                }
            }
        }
    }
}

impl Samples {
    pub(crate) fn record(&mut self, record: &Record) {
        let (mut stack, left_out) = record.walk.addresses();
        // The next instruction is no return address, which lies behind its own.
        if let Some(first) = stack.first_mut() {
            *first += u64::from(record.reason.is_none());
        }
        if left_out != 0 {
            stack.insert(HALF, LEFT_OUT);
        }
        let place = Place {
            owner: record.owner(),
            reason: record.reason,
            stack,
            end: record.end(),
        };
        self.add(place, record.amount);
    }
}

/// The ring of a thread, or one that threads share. `W` is what its writer walks with.
pub(crate) struct Recorder<W> {
    /// Whether a thread writes to it.
    busy: AtomicBool,
    head: AtomicUsize,
    tail: AtomicUsize,
    lost: AtomicU64,
    records: Box<[UnsafeCell<Record>]>,
    walker: UnsafeCell<W>,
}

// SAFETY: the walker is the writer's, of which there is one at a time (`busy`); a record is the writer's until R3, and the
// reader's until D3.
unsafe impl<W: Send> Sync for Recorder<W> {}

impl<W> Recorder<W> {
    pub(crate) fn new(walker: W) -> Recorder<W> {
        Recorder {
            busy: AtomicBool::new(false),
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            records: (0..LENGTH)
                .map(|_| UnsafeCell::new(Record::new()))
                .collect(),
            walker: UnsafeCell::new(walker),
        }
    }

    /// R1 to R3. Returns false, and does nothing, if another thread writes to it. Async-signal-safe if `write` is.
    pub(crate) fn record(&self, amount: Amount, write: impl FnOnce(&mut Record, &mut W)) -> bool {
        // Acquire: partner is the Release below, of the writer before.
        if self.busy.swap(true, Ordering::Acquire) {
            return false;
        }
        // Relaxed: only the writer changes it. Acquire: partner is D3, with which the record at head is read no more.
        let head = self.head.load(Ordering::Relaxed);
        if head.wrapping_sub(self.tail.load(Ordering::Acquire)) == LENGTH {
            // Relaxed: a count.
            self.lost.fetch_add(amount.count, Ordering::Relaxed);
        } else {
            // SAFETY: `busy` makes this the one writer; the reader does not touch a record from head on.
            let (record, walker) = unsafe {
                (
                    &mut *self.records[head % LENGTH].get(),
                    &mut *self.walker.get(),
                )
            };
            record.amount = amount;
            write(record, walker);
            // R3. Release: partner is D1.
            self.head.store(head.wrapping_add(1), Ordering::Release);
        }
        // Release: partner is the swap above, of the next writer.
        self.busy.store(false, Ordering::Release);
        true
    }

    /// D1 to D3.
    ///
    /// # Safety
    ///
    /// One caller at a time.
    pub(crate) unsafe fn drain(&self, mut each: impl FnMut(&Record)) {
        // Acquire: partner is R3.
        let head = self.head.load(Ordering::Acquire);
        // Relaxed: only the caller changes it.
        let mut tail = self.tail.load(Ordering::Relaxed);
        while tail != head {
            // SAFETY: the record was published by R3, and is not written again before D3.
            each(unsafe { &*self.records[tail % LENGTH].get() });
            tail = tail.wrapping_add(1);
        }
        // Release: partner is the load in `record`.
        self.tail.store(tail, Ordering::Release);
    }

    /// How many samples there was no room for.
    pub(crate) fn lost(&self) -> u64 {
        // Relaxed: a count.
        self.lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(count: u64) -> Amount {
        Amount {
            count,
            nanoseconds: 0,
        }
    }

    fn numbers(recorder: &Recorder<()>) -> Vec<u64> {
        let mut numbers = Vec::new();
        // SAFETY: the tests drain on one thread.
        unsafe { recorder.drain(|record| numbers.push(record.amount.count)) };
        numbers
    }

    #[test]
    fn records_come_out_in_order_and_those_without_room_are_counted() {
        let recorder = Recorder::new(());
        for round in 1..=3 {
            for times in 0..LENGTH as u64 {
                assert!(recorder.record(samples(times), |_, _| {}));
            }
            assert!(recorder.record(samples(5), |_, _| panic!("no room")));
            assert_eq!(recorder.lost(), 5 * round);
            assert_eq!(numbers(&recorder), Vec::from_iter(0..LENGTH as u64));
        }
        assert!(numbers(&recorder).is_empty());
    }

    #[test]
    fn a_recorder_has_one_writer() {
        let recorder = Recorder::new(());
        let mut second = true;
        recorder.record(samples(1), |_, _| {
            second = recorder.record(samples(2), |_, _| {})
        });
        assert!(!second);
        assert_eq!(numbers(&recorder), [1]);
    }

    #[test]
    fn records_of_another_thread_are_whole() {
        const COUNT: u64 = 20_000;
        let recorder = Recorder::new(());
        let ended = AtomicBool::new(false);
        let mut seen = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1..=COUNT {
                    recorder.record(samples(1), |record, _| {
                        record.who = Who::goroutine(number, "", Some(&number.to_string()));
                    });
                }
                // Release: partner is the load below.
                ended.store(true, Ordering::Release);
            });
            let mut last = 0;
            loop {
                // Acquire: partner is the store above; what was recorded before is drained now.
                let is_last = ended.load(Ordering::Acquire);
                // SAFETY: only this thread drains.
                unsafe {
                    recorder.drain(|record| {
                        let Owner::Goroutine { id, name, .. } = record.owner() else {
                            panic!("a goroutine was recorded");
                        };
                        assert!(id > last);
                        assert_eq!(name, Some(id.to_string()));
                        (last, seen) = (id, seen + 1);
                    });
                }
                if is_last {
                    break;
                }
            }
        });
        assert_eq!(seen + recorder.lost(), COUNT);
    }

    #[test]
    fn a_name_is_cut_between_characters() {
        let long = "x".repeat(NAME - 1) + "é";
        let owner = |who| {
            Record {
                who,
                ..Record::new()
            }
            .owner()
        };
        let goroutine = |name: Option<&str>| Owner::Goroutine {
            id: 3,
            name: name.map(str::to_owned),
            spawned_as: "app::f",
        };
        let cut = owner(Who::goroutine(3, "app::f", Some(&long)));
        assert_eq!(cut, goroutine(Some(&"x".repeat(NAME - 1))));
        assert_eq!(owner(Who::goroutine(3, "app::f", None)), goroutine(None));
    }
}
