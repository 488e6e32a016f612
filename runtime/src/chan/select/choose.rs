//! How a select chooses: it looks at every case, then waits once in all their queues.
//!
//! ```text
//! select                                               counterpart, in one of the channels
//! C1  a look at each case, in a random order, with      W1 lock, take our node out of the queue
//!     its channel locked: what can be done at once      W2 claim our ticket with the node's number;
//!     is won there (a message, room, a receiver)           lost: the node is void, takes the next
//! C2  nothing, one case, and no timeout: done          W3 move the message (or say that it is called
//! C3  open the ticket; a node for each case: lock its      to make one), then the ParkState: ready(us),
//!     channel; something to do: C7; else into the          if we have parked
//!     queue, unlock
//! C4  no timeout: claim our own ticket. Won: C5, done
//!     Else park until the deadline; the commit sets
//!     the ParkState
//! C5  each other node: lock its channel, unlink it, unlock
//! C6  ended by case k: what its counterpart left is ours. By the time: C1
//! C7  claim our own ticket. Won: C5, then C1. Lost: a counterpart is at W3, C4
//! ```
//!
//! One channel is locked at a time, so there is no order of locks. From the first node on a counterpart may win
//! the ticket, long before we park: by the `ParkState` (of `goroutines_sched`) the second of the two learns of the
//! first. No case is tried by two at once: whatever ends the wait has claimed the ticket, and while a node of ours is in
//! a queue we touch no counterpart.
//!
//! Between C1 and C3 nothing is lost: C3 looks again under the same lock under which the node goes into the queue.
//! If two selects are each other's only counterparts and stand at C7 at the same time, both look anew; then one is
//! ahead.
//!
//! By the claim in C4 `default` is taken only if at one moment no case could be done: since its node went in, no
//! counterpart came to any of the cases, or the ticket would be lost. A look at one case after the other could miss a
//! message in each, although there was one all the time.
//!
//! A node of ours is never our counterpart: C1 runs without nodes, and the look in C3 skips them.

use std::{
    alloc::Layout,
    array,
    mem::{self, MaybeUninit},
    ptr::{self, NonNull},
};

use goroutines_sched::{ParkState, TIMED_OUT, WaitReason, arm, current, park_until, random};

use super::{
    case::{Arm, Begin, Enlisted, Meeting, SelectHandle, Won},
    inline_vec::INLINE,
    stash::Stash,
};
use crate::chan::{
    core::{
        timeout::Timeout,
        waiter::{self, End, Waiter, Who},
    },
    door::waitq::Node,
};

/// With this a select claims its own ticket, to look again.
const LOOK_AGAIN: u32 = TIMED_OUT - 1;

/// The nodes of so many cases lie on the stack.
const ON_STACK: usize = INLINE;

/// Which of several cases is chosen that are ready at the same time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    /// Each is as likely.
    Random,
    /// The first.
    Listed,
}

type Cases<'c, 'h> = &'c [Arm<'h>];

/// How a wait ended.
enum Waited {
    /// By a counterpart of this case: what was won, unless it was only watched or a promise was not kept.
    Chosen(usize, Option<Won>),
    LookAgain,
    /// For one moment there was nothing to do in any of the cases.
    TimedOut,
}

/// Chooses one of `cases`: its place among them and what was won. `None`: the time is up. One that is `revocable`, or
/// has a deadline, is not bound to a case whose message another select has yet to make. It parks for `reason`.
#[inline]
pub(super) fn choose(
    cases: Cases<'_, '_>,
    order: Order,
    timeout: Timeout,
    revocable: bool,
    reason: WaitReason,
    stash: &mut Stash,
) -> Option<(usize, Won)> {
    let mut meeting = match timeout {
        Timeout::Never if !revocable => Meeting::Bound,
        _ => Meeting::Revocable,
    };
    loop {
        let found = look(cases, order, |case| match case.begin(stash, meeting) {
            Begin::Waits => None,
            begun => Some(begun),
        });
        let mut wanted = Wanted {
            bound: meeting == Meeting::Bound,
            called: None,
            timeout,
            reason,
        };
        match found {
            Some((at, Begin::Won(won))) => return Some((at, won)),
            Some((at, _)) => {
                wanted.called = Some(at);
                wanted.timeout = timeout.with_grace();
            }
            None if timeout.is_over() && (cases.len() < 2 || meeting == Meeting::TooLate) => {
                return None;
            }
            None => {}
        }
        match wait(cases, order, &wanted, Some(stash)) {
            Waited::Chosen(at, Some(won)) => return Some((at, won)),
            Waited::Chosen(_, None) | Waited::LookAgain => {}
            Waited::TimedOut => return None,
        }
        if wanted.called.is_some() && timeout.is_over() {
            // One more look, and no other select is called.
            meeting = Meeting::TooLate;
        }
    }
}

/// As [`choose`], but only returns which case need not wait.
pub(super) fn watch(cases: Cases<'_, '_>, order: Order, timeout: Timeout) -> Option<usize> {
    loop {
        let ready = look(cases, order, |case| case.is_ready().then_some(()));
        if let Some((at, ())) = ready {
            return Some(at);
        }
        if cases.len() < 2 && timeout.is_over() {
            return None;
        }
        let wanted = Wanted {
            bound: false,
            called: None,
            timeout,
            reason: WaitReason::Select,
        };
        match wait(cases, order, &wanted, None) {
            Waited::Chosen(at, _) => return Some(at),
            Waited::LookAgain => {}
            Waited::TimedOut => return None,
        }
    }
}

/// What a select waits for.
struct Wanted {
    /// It waits for the message of a select that has promised it one.
    bound: bool,
    /// The case in which it has called another select, which is to make a message for it.
    called: Option<usize>,
    timeout: Timeout,
    reason: WaitReason,
}

/// C1: the first case, in this order, for which `attempt` returns something.
#[inline(always)]
fn look<R>(
    cases: Cases<'_, '_>,
    order: Order,
    mut attempt: impl FnMut(&dyn SelectHandle) -> Option<R>,
) -> Option<(usize, R)> {
    if order == Order::Listed || cases.len() < 2 {
        return cases
            .iter()
            .enumerate()
            .find_map(|(at, case)| attempt(case.0).map(|won| (at, won)));
    }
    let mut few = [0; ON_STACK];
    let mut many = Vec::new();
    Shuffle::new(places(cases, &mut few, &mut many))
        .find_map(|at| attempt(cases[at].0).map(|won| (at, won)))
}

/// 0, 1, ... for each case, in memory on the stack if they fit.
#[inline(always)]
fn places<'p>(
    cases: Cases<'_, '_>,
    few: &'p mut [usize; ON_STACK],
    many: &'p mut Vec<usize>,
) -> &'p mut [usize] {
    if cases.len() <= ON_STACK {
        *few = array::from_fn(|at| at);
        &mut few[..cases.len()]
    } else {
        many.extend(0..cases.len());
        many
    }
}

/// Draws each place once, in a random order.
struct Shuffle<'p> {
    left: &'p mut [usize],
    fraction: u32,
}

impl<'p> Shuffle<'p> {
    #[inline(always)]
    fn new(places: &'p mut [usize]) -> Shuffle<'p> {
        Shuffle {
            left: places,
            fraction: random(),
        }
    }
}

impl Iterator for Shuffle<'_> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let count = self.left.len();
        let (last, rest) = mem::take(&mut self.left).split_last_mut()?;
        // The fraction times `count`: what is before the point is drawn; what is behind it is as random as
        // before, but for some bits.
        let product = u64::from(self.fraction) * count as u64;
        self.fraction = if count > ON_STACK {
            random()
        } else {
            product as u32
        };
        if let Some(drawn) = rest.get_mut((product >> 32) as usize) {
            mem::swap(drawn, last);
        }
        self.left = rest;
        Some(*last)
    }
}

/// C3 to C7. Without a `stash` the cases are only watched.
#[cold]
#[inline(never)]
fn wait(cases: Cases<'_, '_>, order: Order, wanted: &Wanted, stash: Option<&mut Stash>) -> Waited {
    let off_stack = current().is_copied_out();
    let place = stash.map(|stash| {
        let largest = cases.iter().filter_map(|case| case.0.message());
        let largest = largest.reduce(|a, b| {
            let align = a.align().max(b.align());
            // The sizes are multiples of smaller powers of two: no layout of a type is out of range.
            Layout::from_size_align(a.size().max(b.size()), align).unwrap_or(a)
        });
        if let Some(layout) = largest {
            stash.prepare(layout, off_stack);
        }
        stash.place()
    });
    // Cases of the same channel stand in one queue, where the first has better chances: hence the random order.
    let mut few = [0; ON_STACK];
    let mut many = Vec::new();
    let places = places(cases, &mut few, &mut many);
    if order == Order::Random {
        Shuffle::new(&mut *places).for_each(drop);
    }
    if off_stack || cases.len() > ON_STACK {
        let landing = Box::new(ParkState::new());
        let mut nodes = Box::new_uninit_slice(cases.len());
        let round = Round {
            cases,
            wanted,
            places,
            landing: &landing,
            nodes: &raw mut nodes[..],
            place,
        };
        // SAFETY: `ParkState` and nodes are on the heap, and the place too if it must be.
        unsafe { round.run() }
    } else {
        let landing = ParkState::new();
        let mut nodes = [const { MaybeUninit::uninit() }; ON_STACK];
        let round = Round {
            cases,
            wanted,
            places,
            landing: &landing,
            nodes: &raw mut nodes[..],
            place,
        };
        // SAFETY: our stack stays where it is.
        unsafe { round.run() }
    }
}

/// One wait in the queues of all cases.
struct Round<'r, 'c, 'h> {
    cases: Cases<'c, 'h>,
    wanted: &'r Wanted,
    /// In which order the nodes get into their queues.
    places: &'r [usize],
    landing: &'r ParkState,
    /// A slot for each case, and only reached through this: the queues hold the addresses of nodes.
    nodes: *mut [MaybeUninit<Node<Waiter>>],
    /// Where a message is to go; `None`: we only watch.
    place: Option<*mut ()>,
}

impl Round<'_, '_, '_> {
    /// # Safety
    ///
    /// `ParkState`, nodes and place stay where they are while the caller is parked, and can be reached then.
    unsafe fn run(self) -> Waited {
        let ticket = arm();
        let mut until = match self.wanted.timeout {
            Timeout::Until(deadline) => Some(deadline),
            Timeout::Now | Timeout::Never => None,
        };
        let mut enlisted = 0;
        for &at in self.places {
            let Arm(case) = self.cases[at];
            let who = Who::Case(waiter::Case {
                ticket,
                number: at as u32,
                watches: self.place.is_none(),
                revocable: !self.wanted.bound,
                landing: NonNull::from(self.landing),
            });
            // Senders have nothing yet: a null place is a promise.
            let place = case.message().and(self.place).unwrap_or(ptr::null_mut());
            // SAFETY: the slot is ours, and the caller keeps it until `withdraw`.
            let found = unsafe {
                (*self.slot(at)).write(Waiter::node(who, place));
                case.enlist(self.node(at), self.wanted.called == Some(at))
            };
            match found {
                Enlisted::Waiting(None) => {}
                Enlisted::Waiting(Some(moment)) => {
                    until = Some(until.map_or(moment, |until| until.min(moment)));
                }
                Enlisted::Ready if ticket.claim(LOOK_AGAIN) => {
                    self.withdraw(enlisted);
                    return Waited::LookAgain;
                }
                // A counterpart was first, and is about to wake us.
                Enlisted::Ready => break,
            }
            enlisted += 1;
        }
        if self.wanted.timeout.is_over() && ticket.claim(TIMED_OUT) {
            self.withdraw(enlisted);
            return Waited::TimedOut;
        }
        // SAFETY: what claims the ticket makes us ready if the `ParkState` says that we have parked; a commit that
        // returns false has read there that the ticket was claimed.
        let ended_by = unsafe {
            let reason = self.wanted.reason;
            park_until(reason, ticket, until, || self.landing.park())
        };
        self.withdraw(enlisted);
        if ended_by == TIMED_OUT {
            return Waited::LookAgain;
        }
        let at = ended_by as usize;
        Waited::Chosen(at, self.place.and_then(|_| self.won(at)))
    }

    fn slot(&self, at: usize) -> *mut MaybeUninit<Node<Waiter>> {
        debug_assert!(at < self.cases.len());
        // SAFETY: there is a slot for each case.
        unsafe { self.nodes.cast::<MaybeUninit<Node<Waiter>>>().add(at) }
    }

    /// # Safety
    ///
    /// The node at `at` has been written.
    unsafe fn node(&self, at: usize) -> &Node<Waiter> {
        // SAFETY: the caller has written the node; from then on it is only shared.
        unsafe { (*self.slot(at)).assume_init_ref() }
    }

    /// C5, of the first `count` nodes that were put into queues.
    fn withdraw(&self, count: usize) {
        for &at in &self.places[..count] {
            // SAFETY: it was written, and put there by `enlist` of this case.
            unsafe { self.cases[at].0.withdraw(self.node(at)) };
        }
    }

    /// C6.
    fn won(&self, at: usize) -> Option<Won> {
        // SAFETY: a counterpart found the node in a queue.
        let node = unsafe { self.node(at) };
        match node.data.end() {
            End::Disconnected => Some(Won::Disconnected),
            End::Served if self.cases[at].0.message().is_some() => Some(Won::Message),
            End::Served => Some(self.cases[at].0.won_in_queue()),
            // A promise was not kept. (The others are not ends of a claimed case.)
            End::Again | End::Promised | End::TimedOut | End::UnderContext => None,
        }
    }
}
