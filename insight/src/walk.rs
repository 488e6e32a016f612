//! The frames of one stack, as addresses.
//!
//! framehop takes one step at a time: from the registers of a frame to those of its caller, with words that the scheduler
//! reads for it. It knows nothing of segments: the tables of their outermost code refer to a word that it does not read, and
//! it would guess. So before each step this module looks whether the address is the outermost of a segment, and goes on in
//! the older piece. A walk is whole only if it arrives at the outermost code of a goroutine; any other end is reported.

use framehop::{FrameAddress, UnwindRegsNative, Unwinder as _};
use goroutines_sched::{StackView, Suspended};

use crate::modules::Modules;

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
    /// After [`MOST`] frames.
    Deep,
}

/// The frames that a walk has found, innermost first.
#[derive(Clone)]
pub(crate) struct Walk {
    inner: [u64; HALF],
    /// A ring: the frames behind `inner`.
    outer: [u64; HALF],
    found: usize,
    pub(crate) end: End,
}

impl Walk {
    fn push(&mut self, address: u64) {
        match self.inner.get_mut(self.found) {
            Some(place) => *place = address,
            None => self.outer[self.found % HALF] = address,
        }
        self.found += 1;
    }

    /// The addresses that were kept, and how many were left out behind the first [`HALF`] of them.
    pub(crate) fn addresses(&self) -> (Vec<u64>, usize) {
        let mut kept = self.inner[..self.found.min(HALF)].to_vec();
        let behind = self.found.saturating_sub(HALF);
        let first = self.found - behind.min(HALF);
        kept.extend(
            (first..self.found)
                .filter(|&at| at >= HALF)
                .map(|at| self.outer[at % HALF]),
        );
        (kept, behind.saturating_sub(HALF))
    }
}

/// Walks the stack of a goroutine that is held. Allocates nothing.
pub(crate) fn walk(modules: &mut Modules, stack: &mut StackView<'_>) -> Walk {
    let mut walk = Walk {
        inner: [0; HALF],
        outer: [0; HALF],
        found: 0,
        end: End::Deep,
    };
    let mut start = stack.start();
    while walk.found < MOST {
        let at = piece(modules, stack, start, &mut walk);
        if walk.end != End::Deep {
            break;
        }
        if let Some(older) = at.and_then(|_| stack.older()) {
            start = older;
        } else {
            walk.end = at.map_or(End::Deep, End::Lost);
            break;
        }
    }
    walk
}

/// Walks one piece. Returns the address in the outermost code of a segment, if it arrives there.
fn piece(
    modules: &mut Modules,
    stack: &StackView<'_>,
    start: Suspended,
    walk: &mut Walk,
) -> Option<u64> {
    let (ip, sp, fp) = (start.ip as u64, start.sp as u64, start.fp as u64);
    // A port whose return addresses are in a register saves it in each frame that calls, so its value is not needed.
    let mut registers = UnwindRegsNative::new(ip, sp, fp);
    let mut address = FrameAddress::from_instruction_pointer(ip);
    while walk.found < MOST {
        let ip = address.address();
        if StackView::is_root(ip as usize) {
            walk.end = End::Root;
            return None;
        }
        if StackView::is_link(ip as usize) {
            return Some(ip);
        }
        walk.push(ip);
        let caller =
            modules
                .unwinder
                .unwind_frame(address, &mut registers, &mut modules.cache, &mut |at| {
                    stack.read(at).ok_or(())
                });
        let Some(caller) = caller
            .ok()
            .flatten()
            .and_then(FrameAddress::from_return_address)
        else {
            walk.end = End::Lost(ip);
            return None;
        };
        address = caller;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk_of(frames: u64) -> (Vec<u64>, usize) {
        let mut walk = Walk {
            inner: [0; HALF],
            outer: [0; HALF],
            found: 0,
            end: End::Root,
        };
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
