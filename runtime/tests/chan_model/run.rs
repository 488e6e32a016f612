//! Runs a program, and returns what happened. An actor that waits for ever, and may, is released by closing the channels.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use goroutines::{
    block_on,
    chan::{Select, bounded, unbounded},
    sleep, yield_now,
};

use crate::{
    common::{Counted, Handle as Task},
    program::{Case, Patience, Program, Step},
    world::{Did, End, Event, Handle, Seat, Shared, World},
};

/// The actor of what the test itself does.
pub const NOBODY: usize = usize::MAX;

/// How long an actor may stay asleep that has a reason to run; and how long once that has happened, while the
/// program is made shorter.
const LAZY: [Duration; 2] = [Duration::from_secs(5), Duration::from_millis(300)];

static WAS_LAZY: AtomicBool = AtomicBool::new(false);

/// What happened, in no order; or which actor was not woken, or what went wrong otherwise.
pub fn run(program: &Program) -> Result<Vec<Event>, String> {
    let count = program.channels.len();
    let world = Arc::new(World {
        channels: (0..count).map(|_| Shared::default()).collect(),
        ..World::default()
    });
    let seats: Vec<_> = program
        .actors
        .iter()
        .map(|_| Arc::new(Seat::new(count)))
        .collect();
    for (channel, &capacity) in program.channels.iter().enumerate() {
        hand_out(program, &world, &seats, channel, capacity);
    }
    let tasks: Vec<_> = program
        .actors
        .iter()
        .enumerate()
        .map(|(me, actor)| {
            let (world, seat) = (Arc::clone(&world), Arc::clone(&seats[me]));
            let steps = actor.steps.clone();
            actor.on.spawn(move || {
                let player = Player { me, world, seat };
                steps.iter().for_each(|step| player.play(step));
                player.seat.leave();
            })
        })
        .collect();
    watch(&world, &seats, &tasks)?;
    for (me, task) in tasks.into_iter().enumerate() {
        if task.try_join().is_err() {
            return Err(format!("actor {me} panicked"));
        }
    }
    drop(seats);
    match world.census.alive() {
        0 => Ok(std::mem::take(&mut world.history.lock().unwrap())),
        left => Err(format!("{left} messages were never dropped")),
    }
}

fn hand_out(
    program: &Program,
    world: &Arc<World>,
    seats: &[Arc<Seat>],
    channel: usize,
    capacity: Option<usize>,
) {
    let (tx, rx) = capacity.map_or_else(unbounded, bounded);
    let (send, recv) = (Case::Send(channel), Case::Recv(channel));
    let ends = [
        (send, End::new(Handle::Sender(tx), send, NOBODY, world)),
        (recv, End::new(Handle::Receiver(rx), recv, NOBODY, world)),
    ];
    for (me, actor) in program.actors.iter().enumerate() {
        for ((side, end), wanted) in ends.iter().zip(actor.ends[channel]) {
            if wanted {
                seats[me].add(*side, end.another(me));
            }
        }
    }
}

/// Waits until all have finished. When all that are left wait for ever, which they may, the channels are closed.
fn watch(world: &World, seats: &[Arc<Seat>], tasks: &[Task<()>]) -> Result<(), String> {
    let mut stuck_since = None;
    while !tasks.iter().all(Task::is_finished) {
        let before = world.glance();
        thread::sleep(Duration::from_micros(40));
        let left = seats.iter().filter(|seat| !seat.is_finished());
        let all_wait =
            left.clone().count() > 0 && left.clone().all(|seat| !seat.waits().is_empty());
        if world.glance() != before || !all_wait {
            stuck_since = None;
            continue;
        }
        match who_should_run(world, seats) {
            None => close_all(world, seats),
            Some(why) => {
                let since: Instant = *stuck_since.get_or_insert_with(Instant::now);
                if since.elapsed() > LAZY[usize::from(WAS_LAZY.load(Ordering::SeqCst))] {
                    WAS_LAZY.store(true, Ordering::SeqCst);
                    return Err(why);
                }
            }
        }
    }
    Ok(())
}

/// An actor that waits for something that it could have.
fn who_should_run(world: &World, seats: &[Arc<Seat>]) -> Option<String> {
    for (me, seat) in seats.iter().enumerate() {
        for case in seat.waits() {
            let Some(end) = seat.end(case) else { continue };
            let reason = if world.is_cut(case) {
                "nobody is on the other side any more"
            } else if can_do(case, &end) {
                "the buffer is ready for it"
            } else if others_wait(seats, me, case.other_side()) {
                "its counterpart waits as well"
            } else {
                continue;
            };
            return Some(format!("actor {me} still waits for {case:?}: {reason}"));
        }
    }
    None
}

fn can_do(case: Case, end: &End) -> bool {
    match (case, end.handle()) {
        (Case::Recv(_), _) => end.len() > 0,
        (Case::Send(_), Handle::Sender(tx)) => tx.capacity().is_none_or(|most| end.len() < most),
        (Case::Send(_), Handle::Receiver(_)) => unreachable!("a receiver where senders are"),
    }
}

fn others_wait(seats: &[Arc<Seat>], me: usize, case: Case) -> bool {
    let others = seats.iter().enumerate().filter(|(other, _)| *other != me);
    others
        .into_iter()
        .any(|(_, seat)| seat.waits().contains(&case))
}

fn close_all(world: &World, seats: &[Arc<Seat>]) {
    for channel in 0..world.channels.len() {
        if let Some(end) = seats.iter().find_map(|seat| seat.any_end(channel)) {
            end.close(NOBODY);
        }
    }
}

struct Player {
    me: usize,
    world: Arc<World>,
    seat: Arc<Seat>,
}

impl Player {
    fn play(&self, step: &Step) {
        match step {
            Step::Yield => yield_now(),
            Step::Clone(side) => {
                if let Some(end) = self.seat.end(*side) {
                    self.seat.add(*side, end.another(self.me));
                }
            }
            Step::Drop(side) => drop(self.seat.remove(*side)),
            Step::Close(side) => {
                if let Some(end) = self.seat.end(*side) {
                    end.close(self.me);
                }
            }
            Step::Do(case, patience) => {
                if let Some(end) = self.seat.end(*case) {
                    self.timed(&[*case], *patience, false, || {
                        self.operate(*case, &end, *patience)
                    });
                }
            }
            Step::Await(case, patience) => {
                // Whether a send that gives up has sent, is not known.
                let patience = match case {
                    Case::Send(_) => Patience::Forever,
                    Case::Recv(_) => *patience,
                };
                if let Some(end) = self.seat.end(*case) {
                    self.timed(&[*case], patience, false, || {
                        self.await_(*case, &end, patience)
                    });
                }
            }
            Step::Select(cases, patience) => {
                let ends: Vec<_> = cases.iter().map(|&case| self.seat.end(case)).collect();
                let cases: Vec<_> = cases
                    .iter()
                    .zip(ends)
                    .filter_map(|(&case, end)| Some((case, end?)))
                    .collect();
                let names: Vec<_> = cases.iter().map(|(case, _)| *case).collect();
                if !cases.is_empty() {
                    self.timed(&names, *patience, true, || self.select(&cases, *patience));
                }
            }
        }
    }

    /// Does it, and notes when it began, what came of it, and when it had ended.
    fn timed(&self, cases: &[Case], patience: Patience, by_select: bool, f: impl FnOnce() -> Did) {
        let start = self.world.now();
        if patience == Patience::Forever {
            self.seat.set_waits(cases);
        }
        let did = f();
        self.seat.set_waits(&[]);
        self.world.note(self.me, start, did, by_select);
    }

    fn message(&self) -> Counted {
        self.world.census.birth(self.world.now())
    }

    fn operate(&self, case: Case, end: &End, patience: Patience) -> Did {
        let channel = case.channel();
        if let Case::Recv(_) = case {
            let rx = end.receiver();
            let got = match patience {
                Patience::None => rx.try_recv().map_err(|error| error.is_disconnected()),
                Patience::For(time) => rx.recv_timeout(time).map_err(|e| e.is_disconnected()),
                Patience::Forever => rx.recv().map_err(|_| true),
            };
            return match got {
                Ok(msg) => Did::Received(channel, msg.id),
                Err(true) => Did::Disconnected(case),
                Err(false) => Did::Nothing(vec![case]),
            };
        }
        let (tx, msg) = (end.sender(), self.message());
        let id = msg.id;
        let failed = match patience {
            Patience::None => tx
                .try_send(msg)
                .map_err(|e| (e.is_disconnected(), e.into_inner())),
            Patience::For(time) => tx
                .send_timeout(msg, time)
                .map_err(|e| (e.is_disconnected(), e.into_inner())),
            Patience::Forever => tx.send(msg).map_err(|e| (true, e.into_inner())),
        };
        match failed {
            Ok(()) => Did::Sent(channel, id),
            Err((gone, msg)) => {
                assert_eq!(msg.id, id, "another message came back");
                if gone {
                    Did::Disconnected(case)
                } else {
                    Did::Nothing(vec![case])
                }
            }
        }
    }

    fn await_(&self, case: Case, end: &End, patience: Patience) -> Did {
        let channel = case.channel();
        if let Case::Send(_) = case {
            let msg = self.message();
            let id = msg.id;
            return match block_on(end.sender().send_async(msg)) {
                Ok(()) => Did::Sent(channel, id),
                Err(error) => {
                    assert_eq!(error.into_inner().id, id, "another message came back");
                    Did::Disconnected(case)
                }
            };
        }
        let mut recv = pin!(end.receiver().recv_async());
        let mut poll = || recv.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let polled = match patience {
            Patience::None => poll(),
            Patience::For(time) => match poll() {
                Poll::Pending => {
                    sleep(time);
                    poll()
                }
                ready => ready,
            },
            Patience::Forever => Poll::Ready(block_on(recv.as_mut())),
        };
        match polled {
            Poll::Ready(Ok(msg)) => Did::Received(channel, msg.id),
            Poll::Ready(Err(_)) => Did::Disconnected(case),
            Poll::Pending => Did::Nothing(vec![case]),
        }
    }

    fn select(&self, cases: &[(Case, Arc<End>)], patience: Patience) -> Did {
        let mut select = Select::new();
        for (case, end) in cases {
            match case {
                Case::Send(_) => select.send(end.sender()),
                Case::Recv(_) => select.recv(end.receiver()),
            };
        }
        let chosen = match patience {
            Patience::None => select.try_select().ok(),
            Patience::For(time) => select.select_timeout(time).ok(),
            Patience::Forever => Some(select.select()),
        };
        let Some(chosen) = chosen else {
            return Did::Nothing(cases.iter().map(|(case, _)| *case).collect());
        };
        let (case, end) = &cases[chosen.index()];
        if let Case::Recv(channel) = *case {
            return match chosen.recv(end.receiver()) {
                Ok(msg) => Did::Received(channel, msg.id),
                Err(_) => Did::Disconnected(*case),
            };
        }
        let msg = self.message();
        let id = msg.id;
        match chosen.send(end.sender(), msg) {
            Ok(()) => Did::Sent(case.channel(), id),
            Err(error) => {
                assert_eq!(error.into_inner().id, id, "another message came back");
                Did::Disconnected(*case)
            }
        }
    }
}
