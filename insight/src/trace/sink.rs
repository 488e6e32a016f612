//! What is written to a trace file: slices and moments on tracks. Each format implements [`Sink`].

use goroutines_sched::Whose;

/// Where something is shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Track {
    /// A P: its number.
    P(u32),
    /// A thread: the number of its ring.
    Thread(usize),
}

/// What a slice is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slice {
    /// A goroutine runs.
    Run,
    /// A blocking call.
    Call,
    /// A goroutine or a thread waits, and keeps its thread.
    Wait,
    /// The thread sleeps.
    Sleep,
    /// A region of the program.
    Region,
}

/// A value that is shown with a slice or moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value<'a> {
    Number(u64),
    Text(&'a str),
    /// Shown in hexadecimal digits.
    Address(u64),
}

/// What is shown with a slice or moment: names and values.
pub(crate) type Args<'a> = &'a [(&'static str, Value<'a>)];

/// Where an arrow from one moment to a slice begins or ends: its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flow {
    None,
    Begins(u64),
    Ends(u64),
}

/// Moments are in nanoseconds, and no earlier than the one before.
pub(crate) trait Sink {
    /// Before everything else of its track.
    fn thread(&mut self, ring: usize, whose: Whose);
    /// A slice begins, inside those of the track that are open.
    fn begin(
        &mut self,
        track: Track,
        at: u64,
        slice: Slice,
        name: &str,
        args: Args<'_>,
        flow: Flow,
    );
    /// The innermost slice of the track ends.
    fn end(&mut self, track: Track, at: u64, args: Args<'_>);
    fn instant(&mut self, track: Track, at: u64, name: &str, args: Args<'_>, flow: Flow);
    /// The bytes that were made since the last call. With `finished`, nothing comes any more.
    fn take(&mut self, finished: bool) -> Vec<u8>;
}
