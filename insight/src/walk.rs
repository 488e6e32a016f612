//! The frames of one stack, as addresses.
//!
//! An unwinder (unwind.rs) takes one step at a time: from the registers of a frame to those of its caller, with words that the
//! scheduler reads for it. It knows nothing of segments: the tables of their outermost code refer to a word that it does not read, and
//! it would guess. So before each step this module looks whether the address is the outermost of a segment, and goes on in
//! the older piece. A walk is whole only if it arrives at the outermost code of a goroutine; any other end is reported.
//!
//! A walk allocates nothing and takes no lock, so a signal handler can walk what it has interrupted ([`Runner`]).

use std::{
    fmt,
    hash::{Hash, Hasher},
    slice,
};

use goroutines_sched::{Interrupted, Registers, StackView, Suspended, Walks};

use crate::unwind::{Cache, Caller, Place, Unwind, Unwinder};

/// The innermost frames that are kept of a deep stack; and as many of the outermost.
pub(crate) const HALF: usize = 32;

/// Frames after which a walk is given up, because the goroutine is held meanwhile.
const MOST: usize = 20_000;

/// Where a walk ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum End {
    /// Where the goroutine began.
    Root,
    /// At this address, for which there is no unwind information, or whose frame could not be read.
    Lost(u64),
    /// After the most frames that it may have.
    Deep,
    /// Nowhere: what was interrupted is no goroutine's code, or a switch from one stack to another.
    Between,
}

/// The frames that a walk has found, innermost first.
#[derive(Clone)]
pub(crate) struct Walk {
    inner: [u64; HALF],
    /// A ring: the frames behind `inner`.
    outer: [u64; HALF],
    found: usize,
    /// After so many it is given up.
    most: usize,
    /// Of a walk that is lost: the tables say of the last frame that nothing has called it, as of the first of a thread.
    pub(crate) is_outermost: bool,
    pub(crate) end: End,
}

impl Walk {
    pub(crate) fn new(end: End, most: usize) -> Walk {
        Walk {
            inner: [0; HALF],
            outer: [0; HALF],
            found: 0,
            most,
            is_outermost: false,
            end,
        }
    }

    pub(crate) fn push(&mut self, address: u64) {
        match self.inner.get_mut(self.found) {
            Some(place) => *place = address,
            None => self.outer[self.found % HALF] = address,
        }
        self.found += 1;
    }

    /// The innermost addresses.
    pub(crate) fn inner(&self) -> slice::Iter<'_, u64> {
        self.inner[..self.found.min(HALF)].iter()
    }

    /// The addresses that were kept.
    fn kept(&self) -> impl Iterator<Item = u64> {
        let behind = self.found.saturating_sub(HALF).min(HALF);
        let outer = (self.found - behind..self.found).map(|at| self.outer[at % HALF]);
        self.inner().copied().chain(outer)
    }

    /// The addresses that were kept, and how many were left out behind the first [`HALF`] of them.
    pub(crate) fn addresses(&self) -> (Vec<u64>, usize) {
        (self.kept().collect(), self.found.saturating_sub(2 * HALF))
    }
}

/// What was found is compared, and not what an earlier walk has left in the arrays.
impl PartialEq for Walk {
    fn eq(&self, other: &Walk) -> bool {
        let ends = |walk: &Walk| (walk.found, walk.is_outermost, walk.end);
        ends(self) == ends(other) && self.kept().eq(other.kept())
    }
}

impl Eq for Walk {}

impl Hash for Walk {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.found, self.is_outermost, self.end).hash(state);
        self.kept().for_each(|address| address.hash(state));
    }
}

/// A stack that lies in pieces.
pub(crate) trait Pieces {
    fn read(&self, address: u64) -> Option<u64>;

    fn older(&mut self) -> Option<Suspended>;
}

impl Pieces for StackView<'_> {
    fn read(&self, address: u64) -> Option<u64> {
        self.read(address)
    }

    fn older(&mut self) -> Option<Suspended> {
        self.older()
    }
}

impl Pieces for Interrupted<'_> {
    fn read(&self, address: u64) -> Option<u64> {
        self.read(address)
    }

    fn older(&mut self) -> Option<Suspended> {
        self.older()
    }
}

/// Walks the stack of a goroutine that is held. Allocates nothing.
pub(crate) fn walk(unwinder: &Unwinder, cache: &mut Cache, stack: &mut StackView<'_>) -> Walk {
    let mut walk = Walk::new(End::Deep, MOST);
    let start = resumed(stack.start());
    pieces(unwinder, cache, stack, start, &mut walk);
    walk
}

/// Walks the stack of a goroutine, in the handler that has interrupted it. Async-signal-safe.
pub(crate) fn walk_interrupted(
    unwinder: &Unwinder,
    cache: &mut Cache,
    stack: &mut Interrupted<'_>,
    walk: &mut Walk,
) {
    let start = stack
        .start()
        .filter(|_| stack.is_goroutine() && !stack.is_switching());
    match start {
        Some(start) => {
            *walk = Walk::new(End::Deep, MOST);
            pieces(unwinder, cache, stack, start, walk);
        }
        None => *walk = Walk::new(End::Between, MOST),
    }
}

/// Where a computation that was suspended goes on. A port whose return addresses are in a register saves it in each frame
/// that calls, so its value is not needed.
fn resumed(start: Suspended) -> Registers {
    let Suspended { ip, sp, fp } = start;
    Registers {
        ip,
        sp,
        fp,
        link: ip,
    }
}

/// Walks all pieces of a stack.
pub(crate) fn pieces<U: Unwind>(
    unwinder: &U,
    cache: &mut U::Cache,
    stack: &mut impl Pieces,
    mut start: Registers,
    walk: &mut Walk,
) {
    while walk.found < walk.most {
        let at = piece(unwinder, cache, stack, start, walk);
        if walk.end != End::Deep {
            break;
        }
        if let Some(older) = at.and_then(|_| stack.older()) {
            start = resumed(older);
        } else {
            walk.end = at.map_or(End::Deep, End::Lost);
            break;
        }
    }
}

/// Walks one piece. Returns the address in the outermost code of a segment, if it arrives there.
fn piece<U: Unwind>(
    unwinder: &U,
    cache: &mut U::Cache,
    stack: &impl Pieces,
    start: Registers,
    walk: &mut Walk,
) -> Option<u64> {
    let mut registers = U::begin(start);
    let mut place = Place {
        ip: start.ip as u64,
        is_return: false,
    };
    while walk.found < walk.most {
        let ip = place.ip;
        if StackView::is_root(ip as usize) {
            walk.end = End::Root;
            return None;
        }
        if StackView::is_link(ip as usize) {
            return Some(ip);
        }
        walk.push(ip);
        let caller = unwinder.caller(place, &mut registers, cache, &mut |at| stack.read(at));
        walk.is_outermost = caller == Caller::Outermost;
        let Caller::At(next) = caller else {
            walk.end = End::Lost(ip);
            return None;
        };
        place = next;
    }
    None
}

/// What walks the stack of a goroutine on its thread, in the handler of a signal.
pub(crate) struct Runner<'m> {
    unwinder: &'m Unwinder,
    cache: Box<Cache>,
    pub(crate) walk: Walk,
}

impl<'m> Runner<'m> {
    pub(crate) fn new(unwinder: &'m Unwinder) -> Runner<'m> {
        Runner {
            unwinder,
            cache: Box::default(),
            walk: Walk::new(End::Between, MOST),
        }
    }
}

impl fmt::Debug for Runner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Runner").field(&self.walk.end).finish()
    }
}

impl Walks for Runner<'_> {
    fn walk(&mut self, stack: &mut Interrupted<'_>) {
        walk_interrupted(self.unwinder, &mut self.cache, stack, &mut self.walk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk_of(frames: u64) -> (Vec<u64>, usize) {
        let mut walk = Walk::new(End::Root, MOST);
        (1..=frames).for_each(|address| walk.push(address));
        walk.addresses()
    }

    #[test]
    fn a_deep_walk_keeps_its_two_ends() {
        let half = HALF as u64;
        assert_eq!(walk_of(0), (vec![], 0));
        for frames in [1, half, half + 1, 2 * half] {
            assert_eq!(walk_of(frames), ((1..=frames).collect(), 0), "{frames}");
        }
        for more in [1, half - 1, half, 5 * half + 3] {
            let frames = 2 * half + more;
            let kept = (1..=half).chain(frames - half + 1..=frames).collect();
            assert_eq!(walk_of(frames), (kept, more as usize), "{frames}");
        }
    }
}
