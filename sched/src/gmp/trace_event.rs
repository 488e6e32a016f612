//! The events of a trace, and how each lies in the slots of a ring (trace_ring.rs).
//!
//! An event is a slot: the ticks of the clock, and a word with its kind in the highest byte and an argument of 56 bits below.
//! Rare events go on in slots of the kind [`EventKind::More`], whose first words are numbers or bytes instead of ticks.
//!
//! Whose event it is says the ring: a thread has one. So `Ready` needs no waker, and `Left` no goroutine: they are of the
//! goroutine of the last `Run`. A `Run` names the P as well, so that a reader that begins in the middle of a ring, as the
//! flight recorder's does, knows both.

/// One table: the kinds and what their argument is.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The kind of an event. What its argument is stands with each.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub(crate) enum EventKind {
            $($(#[$doc])* $name,)*
        }

        impl EventKind {
            const ALL: &[EventKind] = &[$(EventKind::$name),*];
        }
    };
}

kinds! {
    /// Not an event: the event before goes on. Both words are data.
    More,
    /// A goroutine runs from here on: its number and the P, see [`run_arg`].
    Run,
    /// It has run since before the thread's first event. As `Run`.
    Runs,
    /// The goroutine has left its stack: the reason of its wait (0 for a yield or its end) and the object, see
    /// [`left_arg`].
    Left,
    /// The goroutine that has left was at its end: its number.
    End,
    /// No goroutine runs here from here on, whatever ran before. No argument.
    OnG0,
    /// A goroutine is made: its number. A further slot: the address of its entry.
    New,
    /// It has a name: its number. Further slots: the length of the name as an argument; the name.
    Name,
    /// A goroutine was made ready: its number.
    Ready,
    /// The goroutine of this thread, or the thread, waits with its thread: as `Left`.
    Waits,
    /// The thread's wait is over. No argument.
    GoesOn,
    /// A blocking call begins. No argument.
    CallBegins,
    /// It has ended. No argument.
    CallEnds,
    /// The M has a P from here on: the P.
    StartP,
    /// The M has none any more: the P.
    StopP,
    /// The P was passed to another M: the P.
    HandOff,
    /// The monitor has taken the P from a blocking call: the P.
    Retake,
    /// The monitor has taken the P from an M that does not know: the P.
    Take,
    /// An M was woken for work. No argument.
    Wake,
    /// The M goes to sleep: 1 in the kernel's poll, else 0.
    Sleeps,
    /// It is awake again. No argument.
    Rises,
    /// It looks for work of others. No argument.
    Spin,
    /// It has taken work of another P: that P.
    Steal,
    /// Timers have fired: how many.
    Timers,
    /// The poller has reported events: how many.
    Poll,
    /// The goroutine continues on a segment: the size of the segment.
    Segment,
    /// The goroutine's bytes were copied out of, into its run window: the goroutine's number.
    CopyOut,
    /// See `CopyOut`.
    CopyIn,
    /// A goroutine runs for long without a call: its number.
    Hog,
    /// A region of the program begins: the length of its name. A further slot: the address of the name.
    RegionBegins,
    /// The innermost region of the goroutine or thread ends: as `RegionBegins`.
    RegionEnds,
    /// The program marks this moment: as `RegionBegins`.
    Mark,
}

/// The bits of an argument.
const ARG: u64 = (1 << 56) - 1;

/// The bits of a goroutine's number in [`run_arg`].
const ID_BITS: u32 = 43;

/// As a P: none.
const NO_P: u64 = (1 << (56 - ID_BITS)) - 1;

/// The bits of an object's address in [`left_arg`].
const OBJECT_BITS: u32 = 48;

/// The bytes of a name that a slot of the kind `More` holds: those of its first word, and of the argument.
const BYTES: usize = 15;

/// The most bytes of a name that are kept.
pub(crate) const NAME: usize = 4 * BYTES;

/// The second word of a slot.
#[inline(always)]
pub(crate) fn word(kind: EventKind, arg: u64) -> u64 {
    (kind as u64) << 56 | arg & ARG
}

/// The kind and the argument of the second word of a slot; `None` if this version knows no such kind.
pub(crate) fn parse(word: u64) -> Option<(EventKind, u64)> {
    let kind = EventKind::ALL.get((word >> 56) as usize)?;
    Some((*kind, word & ARG))
}

#[inline(always)]
pub(crate) fn run_arg(goroutine: u64, p: Option<usize>) -> u64 {
    let p = p.map_or(NO_P, |p| p as u64);
    goroutine & ((1 << ID_BITS) - 1) | p << ID_BITS
}

/// The goroutine and the P in the argument of a `Run`.
pub(crate) fn parse_run(arg: u64) -> (u64, Option<u64>) {
    let p = arg >> ID_BITS;
    (arg & ((1 << ID_BITS) - 1), (p != NO_P).then_some(p))
}

#[inline(always)]
pub(crate) fn left_arg(reason: u8, object: usize) -> u64 {
    u64::from(reason) << OBJECT_BITS | object as u64 & ((1 << OBJECT_BITS) - 1)
}

/// The number of the reason, 0 for none, and the object in the argument of a `Left`.
pub(crate) fn parse_left(arg: u64) -> (u8, u64) {
    ((arg >> OBJECT_BITS) as u8, arg & ((1 << OBJECT_BITS) - 1))
}

/// The slots that hold a name: their two words, without the kind.
pub(crate) fn name_words(name: &str) -> impl Iterator<Item = (u64, u64)> + '_ {
    let bytes = &name.as_bytes()[..name.len().min(NAME)];
    bytes.chunks(BYTES).map(|chunk| {
        let mut both = [0; 16];
        both[..chunk.len()].copy_from_slice(chunk);
        let [first, second] = [0, 8].map(|at| {
            let half: [u8; 8] = std::array::from_fn(|i| both[at + i]);
            u64::from_le_bytes(half)
        });
        (first, second)
    })
}

/// The name that these words of further slots hold, without the kind: what [`name_words`] took apart. A character that
/// was cut is shown as a replacement character.
pub(crate) fn parse_name(words: &[(u64, u64)], length: usize) -> String {
    let bytes = words.iter().flat_map(|(first, second)| {
        let second = second.to_le_bytes().into_iter().take(BYTES - 8);
        first.to_le_bytes().into_iter().chain(second)
    });
    let bytes: Vec<u8> = bytes.take(length).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_an_argument_comes_out() {
        for (g, p) in [(1, None), (7_000_000_000_000, Some(0)), (3, Some(4096))] {
            let (kind, arg) = parse(word(EventKind::Run, run_arg(g, p))).expect("a kind");
            assert_eq!(kind, EventKind::Run);
            assert_eq!(parse_run(arg), (g, p.map(|p| p as u64)));
        }
        let object = 0x7fff_1234_5678_u64 as usize;
        let (kind, arg) = parse(word(EventKind::Left, left_arg(20, object))).expect("one");
        assert_eq!(
            (kind, parse_left(arg)),
            (EventKind::Left, (20, object as u64))
        );
        assert_eq!(parse(u64::MAX), None);
        assert_eq!(EventKind::ALL[EventKind::Mark as usize], EventKind::Mark);
    }

    #[test]
    fn a_name_comes_back_up_to_a_limit() {
        let long = "x".repeat(100);
        for name in [
            "",
            "a",
            "fifteen bytes..",
            "sixteen bytes...",
            "größer",
            &long,
        ] {
            let words: Vec<(u64, u64)> = name_words(name).collect();
            assert!(words.iter().all(|(_, second)| *second <= ARG));
            let kept = name.len().min(NAME);
            assert_eq!(parse_name(&words, kept), name[..kept]);
        }
    }
}
