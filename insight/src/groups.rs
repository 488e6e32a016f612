//! Goroutines that do the same at the same place, counted: a program with 100 000 of them has some ten.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    os::fd::RawFd,
    time::{Duration, Instant},
};

use goroutines_sched::{ChannelCounts, Sight, Silence, State};

use crate::{
    context::{self, ContextState},
    walk::{End, Walk},
};

/// How many numbers of its goroutines a group keeps.
pub(crate) const IDS: usize = 20;

/// What the goroutines of a group wait on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Object {
    /// Nothing that has an address, or several things at once.
    None,
    /// One object, which lies at this address.
    One(usize),
    /// Each on one object, and not all on the same.
    Different,
}

/// One goroutine as it was seen.
pub(crate) struct Seen {
    pub(crate) id: u64,
    pub(crate) name: Option<String>,
    pub(crate) spawned_as: &'static str,
    pub(crate) state: State,
    pub(crate) object: usize,
    pub(crate) joins: Option<u64>,
    pub(crate) descriptor: Option<(RawFd, bool)>,
    pub(crate) channel: Option<ChannelCounts>,
    pub(crate) waits_long: bool,
    pub(crate) silence: Option<Silence>,
    pub(crate) parked_for: Option<Duration>,
    pub(crate) ends: Option<Instant>,
    pub(crate) context: Option<ContextState>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) thread: Option<i32>,
    pub(crate) proc: Option<usize>,
    pub(crate) walk: Option<Walk>,
}

impl Seen {
    pub(crate) fn of(sight: &Sight<'_>, walk: Option<Walk>) -> Seen {
        let context = sight.inherited.and_then(context::read);
        Seen {
            id: sight.id,
            name: sight.name.map(str::to_owned),
            spawned_as: sight.spawned_as,
            state: sight.state,
            object: sight.object,
            joins: sight.joins,
            descriptor: sight.descriptor,
            channel: sight.channel,
            waits_long: sight.waits_long,
            silence: sight.silence,
            parked_for: sight.parked_for,
            ends: sight.ends_in.map(|time| Instant::now() + time),
            context: context.map(|(state, _)| state),
            deadline: context.and_then(|(_, deadline)| deadline),
            thread: sight.thread,
            proc: sight.proc,
            walk,
        }
    }
}

/// Goroutines that do the same at the same place: same state, same stack, spawned as the same closure.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Group {
    /// What they do.
    pub state: State,
    /// Whether they have been parked for an idle time of stacks (`Config::stack_idle`) at least.
    pub waits_long: bool,
    /// How long the one that has been parked longest has been, at least. Known from the first look at idle stacks on.
    pub parked_for: Option<Duration>,
    /// When the wait ends, if that has a time, which ends first among them. It may end earlier otherwise.
    pub ends: Option<Instant>,
    /// The type of the closure that they were spawned as.
    pub spawned_as: &'static str,
    /// How many they are.
    pub count: usize,
    /// The numbers of the first of them.
    pub ids: Vec<u64>,
    /// The first of those that have a name: number and name.
    pub names: Vec<(u64, String)>,
    /// What they wait on.
    pub object: Object,
    /// The goroutine whose end a group of one waits for.
    pub joins: Option<u64>,
    /// The descriptor that a group of one waits for, and whether to write.
    pub descriptor: Option<(RawFd, bool)>,
    /// The counts of the channel that they all wait on.
    pub channel: Option<ChannelCounts>,
    /// The state of the context that is current there; `None` where there is none, and of goroutines that are on a thread.
    pub context: Option<ContextState>,
    /// The deadline of the context of a group of one.
    pub deadline: Option<Instant>,
    /// The thread that a group of one is on: the kernel's number.
    pub thread: Option<i32>,
    /// The number of the P with which it runs there.
    pub proc: Option<usize>,
    /// Why their threads, which were asked for their stacks, have not answered.
    pub silence: Option<Silence>,
    pub(crate) stack: Option<Stack>,
}

/// The stack of a group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Stack {
    pub(crate) addresses: Vec<u64>,
    /// How many frames were left out behind the first [`HALF`](crate::walk::HALF).
    pub(crate) left_out: usize,
    pub(crate) end: End,
}

impl Group {
    /// Returns whether the stack was read, down to where the goroutines began.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(&self.stack, Some(stack) if stack.end == End::Root)
    }

    fn is_of(&self, seen: &Seen, stack: Option<&Stack>) -> bool {
        self.state == seen.state
            && self.waits_long == seen.waits_long
            && self.spawned_as == seen.spawned_as
            && (self.silence, self.context) == (seen.silence, seen.context)
            && self.stack.as_ref() == stack
    }

    fn add(&mut self, seen: Seen) {
        self.count += 1;
        self.joins = None;
        self.descriptor = None;
        self.parked_for = self.parked_for.max(seen.parked_for);
        let both = self.ends.into_iter().chain(seen.ends);
        self.ends = both.min();
        (self.deadline, self.thread, self.proc) = (None, None, None);
        if self.ids.len() < IDS {
            self.ids.push(seen.id);
        }
        if let Some(name) = seen.name
            && self.names.len() < IDS
        {
            self.names.push((seen.id, name));
        }
        if self.object != object(seen.object) {
            self.object = Object::Different;
            self.channel = None;
        }
    }
}

fn object(address: usize) -> Object {
    match address {
        0 => Object::None,
        address => Object::One(address),
    }
}

/// All groups that were seen so far.
pub(crate) struct Groups {
    pub(crate) list: Vec<Group>,
    by_hash: HashMap<u64, Vec<usize>>,
    most: usize,
    further: HashSet<u64>,
    /// Goroutines of groups that there was no room for.
    pub(crate) uncounted: usize,
}

impl Groups {
    pub(crate) fn new(most: usize) -> Groups {
        Groups {
            list: Vec::new(),
            by_hash: HashMap::new(),
            most,
            further: HashSet::new(),
            uncounted: 0,
        }
    }

    /// How many groups there was no room for.
    pub(crate) fn further(&self) -> usize {
        self.further.len()
    }

    pub(crate) fn add(&mut self, mut seen: Seen) {
        let stack = seen.walk.take().map(|walk| {
            let (addresses, left_out) = walk.addresses();
            Stack {
                addresses,
                left_out,
                end: walk.end,
            }
        });
        let mut hasher = DefaultHasher::new();
        (seen.state, seen.waits_long, seen.spawned_as).hash(&mut hasher);
        (seen.silence, seen.context, &stack).hash(&mut hasher);
        let hash = hasher.finish();
        let places = self.by_hash.entry(hash).or_default();
        let same = |&&at: &&usize| self.list[at].is_of(&seen, stack.as_ref());
        if let Some(&at) = places.iter().find(same) {
            return self.list[at].add(seen);
        }
        if self.list.len() == self.most {
            self.further.insert(hash);
            self.uncounted += 1;
            return;
        }
        places.push(self.list.len());
        self.list.push(Group {
            state: seen.state,
            waits_long: seen.waits_long,
            parked_for: seen.parked_for,
            ends: seen.ends,
            spawned_as: seen.spawned_as,
            count: 1,
            ids: vec![seen.id],
            names: seen.name.map(|name| (seen.id, name)).into_iter().collect(),
            object: object(seen.object),
            joins: seen.joins,
            descriptor: seen.descriptor,
            channel: seen.channel,
            silence: seen.silence,
            context: seen.context,
            deadline: seen.deadline,
            thread: seen.thread,
            proc: seen.proc,
            stack,
        });
    }
}

#[cfg(test)]
mod tests {
    use goroutines_sched::WaitReason;

    use super::*;

    fn seen(id: u64, object: usize) -> Seen {
        Seen {
            id,
            name: (id == 2).then(|| "two".to_owned()),
            spawned_as: "f",
            state: State::Waiting(WaitReason::ChanReceive),
            object,
            joins: None,
            descriptor: None,
            channel: None,
            waits_long: false,
            silence: None,
            parked_for: None,
            ends: None,
            context: None,
            deadline: None,
            thread: None,
            proc: None,
            walk: None,
        }
    }

    #[test]
    fn equal_ones_are_counted_and_tell_whether_they_wait_on_one_object() {
        let mut groups = Groups::new(10);
        (1..=50).for_each(|id| groups.add(seen(id, 16)));
        let mut other = seen(51, 16);
        other.state = State::Runnable;
        groups.add(other);
        let [all, one] = groups.list.as_slice() else {
            panic!("{} groups", groups.list.len());
        };
        assert_eq!((all.count, one.count), (50, 1));
        assert_eq!(all.ids, (1..=20).collect::<Vec<_>>());
        assert_eq!(all.names, [(2, "two".to_owned())]);
        assert_eq!(all.object, Object::One(16));
        groups.add(seen(52, 32));
        assert_eq!(groups.list[0].object, Object::Different);
    }

    #[test]
    fn groups_beyond_the_most_are_counted() {
        let mut groups = Groups::new(1);
        groups.add(seen(1, 16));
        for id in 2..5 {
            let mut other = seen(id, 16);
            other.waits_long = true;
            groups.add(other);
        }
        assert_eq!(
            (groups.list.len(), groups.further(), groups.uncounted),
            (1, 1, 3)
        );
    }
}
