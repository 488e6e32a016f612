//! Scene: goroutines that are waited for together, or one after the other in a select. Each end comes once, whichever way it
//! is taken, and a set that is cancelled, dropped or detached ends its goroutines, or lets them run on.

use std::{
    any::Any,
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use goroutines::{
    Builder, Done, JoinSet, chan,
    context::{Canceller, Context},
    go, join, sleep,
    sync::Mutex,
    yield_now,
};

use crate::{
    board::{Actor, broken},
    crew::{Deliberate, fall},
    ledger::{Belief, Ledger, Parcel},
};

pub fn play(actor: &mut Actor) {
    match actor.dice.roll(4) {
        0 | 1 => set(actor),
        2 => joined(actor),
        _ => selected(actor),
    }
}

/// What a member of a set does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Returns,
    Falls,
    /// Until its context is done; then it returns.
    Waits,
}

/// The members of a set by the number of their goroutine.
struct Members {
    set: JoinSet<Parcel>,
    /// Of the context that all of them run under.
    canceller: Canceller,
    parts: HashMap<u64, (usize, Part)>,
    ledger: Arc<Ledger>,
}

impl Members {
    fn start(actor: &mut Actor, parts: &[Part]) -> Members {
        let ledger = Ledger::new(parts.len());
        let (context, canceller) = Context::background().with_cancel();
        let mut members = Members {
            set: context.run(JoinSet::new),
            canceller,
            parts: HashMap::new(),
            ledger,
        };
        let (keep, never) = chan::bounded::<u8>(0);
        for (number, &part) in parts.iter().enumerate() {
            let (keep, never) = (keep.clone(), never.clone());
            let time = actor.dice.micros(600);
            let parcel = members.ledger.parcel(number);
            // Its set may drop it.
            members.ledger.believe(number, Belief::GaveUp);
            let work = move || {
                let _keep = keep;
                match part {
                    Part::Falls => {
                        sleep(time);
                        panic_any(Deliberate(number));
                    }
                    Part::Waits => assert!(never.recv().is_err(), "nothing is sent"),
                    Part::Returns => sleep(time),
                }
                parcel
            };
            let builder = match actor.dice.roll(4) {
                0 => Builder::new().stack_start(2048),
                1 => Builder::new().name(format!("member {number}")),
                _ => Builder::new(),
            };
            let id = members.set.spawn_with(builder, work).expect("room");
            members.parts.insert(id, (number, part));
        }
        members
    }

    /// One has ended.
    fn end(&mut self, id: u64, result: thread::Result<Parcel>) {
        let Some((number, part)) = self.parts.remove(&id) else {
            broken("an end came twice, or of a goroutine that is not of the set");
        };
        match result {
            Ok(parcel) if part != Part::Falls => {
                if parcel.arrive() != number {
                    broken("an end has the result of another goroutine");
                }
            }
            Err(payload) if part == Part::Falls && is_of(&*payload, number) => {}
            Err(payload) if !payload.is::<Deliberate>() => resume_unwind(payload),
            _ => broken("a goroutine of a set ended as another one should"),
        }
    }

    /// Takes the next end, in one of all ways. Returns whether there was one.
    fn next(&mut self, actor: &mut Actor) -> bool {
        match actor.dice.roll(4) {
            0 => {
                actor.at("waits for an end, in a select");
                let time = actor.dice.micros(300);
                let ended = chan::select! {
                    recv(self.set.ended()) -> ended => ended.expect("the set stays"),
                    recv(chan::after(time)) -> _ => return false,
                };
                let id = ended.id();
                self.end(id, ended.into_result());
            }
            1 => {
                actor.at("waits for an end");
                let Some((id, result)) = self.set.join_next_with_id() else {
                    return false;
                };
                self.end(id, result);
            }
            2 => {
                // Without the goroutine's number.
                actor.at("waits for an end, for a time");
                let time = actor.dice.micros(300);
                let Ok(Some(result)) = self.set.join_next_timeout(time) else {
                    return false;
                };
                self.unnamed(result);
            }
            _ => {
                actor.at("waits for an end, under a context");
                let (context, _) = Context::background().with_timeout(actor.dice.micros(300));
                let Ok(Some(result)) = self.set.join_next_ctx(&context) else {
                    return false;
                };
                self.unnamed(result);
            }
        }
        true
    }

    fn unnamed(&mut self, result: thread::Result<Parcel>) {
        let number = match &result {
            Ok(parcel) => Some(parcel.number),
            Err(payload) => payload.downcast_ref::<Deliberate>().map(|fallen| fallen.0),
        };
        let is_it = |&(one, _): &(usize, Part)| Some(one) == number;
        let id = self.parts.iter().find(|(_, one)| is_it(one));
        match id.map(|(id, _)| *id) {
            Some(id) => self.end(id, result),
            None => broken("an end came twice"),
        }
    }
}

/// Whether it is the payload of the member with this number.
fn is_of(payload: &(dyn Any + Send), number: usize) -> bool {
    payload
        .downcast_ref::<Deliberate>()
        .is_some_and(|fallen| fallen.0 == number)
}

fn set(actor: &mut Actor) {
    let parts: Vec<Part> = (0..actor.dice.roll(12))
        .map(|_| {
            actor
                .dice
                .pick(&[Part::Returns, Part::Returns, Part::Falls, Part::Waits])
        })
        .collect();
    let mut members = Members::start(actor, &parts);
    let ledger = members.ledger.clone();
    for _ in 0..actor.dice.roll(8) {
        // Those that wait have not ended.
        if members.parts.values().any(|(_, part)| *part != Part::Waits) {
            members.next(actor);
        }
    }
    if members.set.len() != members.parts.len() {
        broken(&format!(
            "{} ends are left of a set that says {}",
            members.parts.len(),
            members.set.len()
        ));
    }
    match actor.dice.roll(4) {
        0 => {
            actor.at("shuts a set down");
            members.set.shutdown();
            assert!(
                members.set.is_empty(),
                "a set that was shut down has no members"
            );
        }
        1 => {
            members.set.cancel_all();
            while !members.parts.is_empty() {
                members.next(actor);
            }
            assert!(members.set.join_next().is_none(), "a set is joined once");
        }
        2 => {
            let context = members.set.context().clone();
            drop(members.set);
            assert!(context.is_cancelled(), "a set that is dropped is cancelled");
        }
        _ => detach(actor, members),
    }
    actor.at("waits until the results of a set are dropped");
    while ledger.alive() > 0 {
        sleep(actor.dice.micros(200));
    }
    ledger.close();
}

/// The goroutines run on; what waits is ended by the context that the set was made under.
fn detach(actor: &mut Actor, mut members: Members) {
    let context = members.set.context().clone();
    members.set.detach_all();
    assert!(members.set.is_empty(), "a set that was detached is empty");
    let late = Ledger::new(1);
    let parcel = late.parcel(0);
    late.believe(0, Belief::Sent);
    members.set.spawn(move || parcel);
    actor.at("joins one that came after the others were detached");
    match members.set.join_next() {
        Some(Ok(parcel)) => drop(parcel.arrive()),
        _ => broken("a set that was detached has no new goroutine"),
    }
    late.close();
    drop(members.set);
    assert!(
        !context.is_cancelled(),
        "those that are detached are not cancelled"
    );
    members.canceller.cancel();
}

/// A tree of joins, whose leaves wait, and may fall. All of it has ended when the root returns.
fn joined(actor: &mut Actor) {
    // A goroutine with a copy stack keeps its run window meanwhile, so it may wait for time alone; others for each other.
    let falls = actor.dice.once_in(3).then(|| actor.dice.roll(32));
    let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let count = actor.dice.between(1, 32);
    let tree = Tree {
        falls,
        lock: &Mutex::new(0),
        begun: &begun,
        ended: &ended,
        locks: actor.kind.keeps_no_window(),
    };
    actor.at("joins two closures");
    let result = catch_unwind(AssertUnwindSafe(|| tree.walk(0, count, actor.dice.bits())));
    // SeqCst: stricter than what the join orders.
    let (begun, ended) = (begun.load(Ordering::SeqCst), ended.load(Ordering::SeqCst));
    if begun != ended {
        broken(&format!(
            "{begun} leaves have begun, {ended} ended, when a join returned"
        ));
    }
    match result {
        Ok(sum) => {
            assert!(falls.is_none_or(|falls| falls >= count), "a panic was lost");
            assert_eq!(
                (sum, ended),
                (count * (count - 1) / 2, count),
                "a join lost a leaf"
            );
        }
        Err(payload) if payload.is::<Deliberate>() => {
            assert!(falls.is_some_and(|falls| falls < count), "who has panicked");
        }
        Err(payload) => resume_unwind(payload),
    }
}

struct Tree<'a> {
    falls: Option<usize>,
    lock: &'a Mutex<usize>,
    begun: &'a AtomicUsize,
    ended: &'a AtomicUsize,
    locks: bool,
}

impl Tree<'_> {
    /// The sum of the leaves from `first` on.
    fn walk(&self, first: usize, count: usize, bits: u64) -> usize {
        if count == 1 {
            return self.leaf(first, bits);
        }
        let left = count / 2;
        let next = bits.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (a, b) = join(
            || self.walk(first, left, next),
            || self.walk(first + left, count - left, !next),
        );
        a + b
    }

    fn leaf(&self, number: usize, bits: u64) -> usize {
        struct Ends<'a>(&'a AtomicUsize);
        impl Drop for Ends<'_> {
            fn drop(&mut self) {
                // SeqCst: stricter than what the join orders.
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        self.begun.fetch_add(1, Ordering::SeqCst);
        let _ends = Ends(self.ended);
        match bits % 8 {
            0 => sleep(Duration::from_micros(bits >> 8 & 255)),
            1 => yield_now(),
            2 | 3 if self.locks => {
                let mut inside = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
                *inside += 1;
                yield_now();
                assert_eq!(*inside, 1, "who holds a lock");
                *inside = 0;
            }
            4 => drop(go(|| ()).join()),
            _ => {}
        }
        if self.falls == Some(number) {
            fall();
        }
        number
    }
}

/// Goroutines whose ends are cases of a select.
fn selected(actor: &mut Actor) {
    let mut left: Vec<(usize, bool, Done<usize>)> = (0..actor.dice.roll(8))
        .map(|n| {
            let (time, falls) = (actor.dice.micros(500), actor.dice.once_in(4));
            let handle = go(move || {
                sleep(time);
                if falls {
                    fall();
                }
                n
            });
            (n, falls, handle.done())
        })
        .collect();
    while !left.is_empty() {
        actor.at("waits for the end of any");
        let mut select = chan::Select::new();
        for (_, _, done) in &left {
            select.recv(done.receiver());
        }
        let Ok(place) = select.ready_timeout(actor.dice.micros(300)) else {
            drop(select);
            let (n, falls, done) = left.swap_remove(0);
            match actor.dice.roll(3) {
                // As a handle, and back.
                0 => match done.into_handle() {
                    Ok(handle) => left.push((n, falls, handle.done())),
                    Err(done) => left.push((n, falls, done)),
                },
                1 => end(n, falls, done.join()),
                _ => left.push((n, falls, done)),
            }
            continue;
        };
        drop(select);
        let (n, falls, done) = left.swap_remove(place);
        assert!(done.receiver().recv().is_err(), "an end is no message");
        end(n, falls, done.join());
    }
}

fn end(n: usize, falls: bool, result: thread::Result<usize>) {
    match result {
        Ok(value) if !falls && value == n => {}
        Err(payload) if falls && payload.is::<Deliberate>() => {}
        _ => broken("a goroutine in a select ended as another one should"),
    }
}
