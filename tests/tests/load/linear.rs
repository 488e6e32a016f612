//! What concurrent calls of channels and locks return can be explained by calls one after the other: many short
//! histories, of goroutines that change threads whenever they can and of plain threads, against the models of
//! `goroutines_tests::linear`.
//!
//! `GOROUTINE_HISTORIES=100000` runs more of them.

use std::{env, sync::Arc, thread, time::Duration};

use goroutines::{
    Config,
    chan::{self, Receiver, Select, Sender},
    go,
    sync::{Condvar, Mutex, RwLock, Semaphore},
    yield_now,
};
use goroutines_tests::{
    Dice,
    linear::{
        Call, Channel, ChannelOp, Condition, ConditionOp, History, Lock, LockOp, Model, Permits,
        PermitsOp, check,
    },
    start_with,
};

/// What one actor does in a history.
type Actor = Box<dyn FnOnce() + Send>;

fn histories() -> u64 {
    let set = env::var("GOROUTINE_HISTORIES");
    set.map_or(400, |text| {
        text.parse()
            .expect("GOROUTINE_HISTORIES is a number of histories")
    })
}

/// Lets the actors run at the same time, some on plain threads, and waits for all.
fn play(actors: Vec<Actor>, dice: &mut Dice) {
    let mut threads = Vec::new();
    let mut goroutines = Vec::new();
    for actor in actors {
        match dice.once_in(4) {
            true => threads.push(thread::spawn(actor)),
            false => goroutines.push(go(actor)),
        }
    }
    for goroutine in goroutines {
        goroutine.join().unwrap();
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Runs histories of `run`, which gives one with its model, and checks each.
fn explained<M: Model>(run: impl Fn(&mut Dice) -> (M, Vec<Call<M::Op>>)) {
    start_with(Config::new().procs(3).force_migration(true));
    for seed in 0..histories() {
        let (model, calls) = run(&mut Dice::new(seed));
        if let Err(refused) = check(&model, &calls) {
            panic!("history {seed}: {refused}");
        }
    }
}

fn ours<Op>(history: Arc<History<Op>>) -> Vec<Call<Op>> {
    let history = Arc::into_inner(history).expect("the actors have ended");
    history.into_calls()
}

fn maybe_yield(dice: &mut Dice) {
    if dice.once_in(3) {
        yield_now();
    }
}

/// One actor of a channel: its handles, both of which it drops at its end.
struct Trader {
    me: usize,
    tx: Sender<u64>,
    rx: Receiver<u64>,
    /// A channel on which nothing comes, for selects.
    never: Receiver<u64>,
    history: Arc<History<ChannelOp>>,
    dice: Dice,
}

impl Trader {
    fn run(mut self, steps: usize) {
        for step in 0..steps {
            let id = (self.me * 100 + step) as u64;
            match self.dice.roll(12) {
                0..4 => self.send(id),
                4..9 => self.receive(),
                9 => self.select(),
                10 if self.dice.once_in(8) => {
                    let close = || self.tx.close();
                    self.history
                        .record(self.me, close, |_| Some(ChannelOp::Closed));
                }
                _ => maybe_yield(&mut self.dice),
            }
        }
        let (tx, rx, history) = (self.tx, self.rx, self.history);
        history.record(self.me, || drop(tx), |()| Some(ChannelOp::SenderGone));
        history.record(self.me, || drop(rx), |()| Some(ChannelOp::ReceiverGone));
    }

    fn send(&mut self, id: u64) {
        if self.dice.once_in(3) {
            let call = || self.tx.try_send(id);
            let _ = self.history.record(self.me, call, |sent| {
                Some(match sent {
                    Ok(()) => ChannelOp::Sent(id),
                    Err(error) if error.is_full() => ChannelOp::Full,
                    Err(_) => ChannelOp::SendCut,
                })
            });
            return;
        }
        let time = self.dice.micros(200);
        let call = || self.tx.send_timeout(id, time);
        let _ = self.history.record(self.me, call, |sent| match sent {
            Ok(()) => Some(ChannelOp::Sent(id)),
            Err(error) if error.is_timeout() => None,
            Err(_) => Some(ChannelOp::SendCut),
        });
    }

    fn receive(&mut self) {
        if self.dice.once_in(3) {
            let call = || self.rx.try_recv();
            let _ = self.history.record(self.me, call, |got| {
                Some(match got {
                    Ok(id) => ChannelOp::Received(*id),
                    Err(error) if error.is_empty() => ChannelOp::Empty,
                    Err(_) => ChannelOp::ReceiveCut,
                })
            });
            return;
        }
        let time = self.dice.micros(200);
        let call = || self.rx.recv_timeout(time);
        let _ = self.history.record(self.me, call, |got| match got {
            Ok(id) => Some(ChannelOp::Received(*id)),
            Err(error) if error.is_timeout() => None,
            Err(_) => Some(ChannelOp::ReceiveCut),
        });
    }

    fn select(&mut self) {
        let time = self.dice.micros(200);
        let call = || {
            let mut select = Select::new();
            select.recv(&self.never);
            let ours = select.recv(&self.rx);
            let chosen = select.select_timeout(time).ok()?;
            assert_eq!(chosen.index(), ours, "nothing comes on the other one");
            Some(chosen.recv(&self.rx))
        };
        self.history.record(self.me, call, |got| {
            Some(match got.as_ref()? {
                Ok(id) => ChannelOp::Received(*id),
                Err(_) => ChannelOp::ReceiveCut,
            })
        });
    }
}

#[test]
fn channels() {
    explained(|dice| {
        let capacity = dice.pick(&[Some(0), Some(0), Some(1), Some(2), Some(3), None]);
        let (tx, rx) = match capacity {
            Some(capacity) => chan::bounded(capacity),
            None => chan::unbounded(),
        };
        let history = Arc::new(History::default());
        let count = dice.between(2, 5);
        let (_silent, never) = chan::bounded(1);
        let actors = (0..count).map(|me| {
            let trader = Trader {
                me,
                tx: tx.clone(),
                rx: rx.clone(),
                never: never.clone(),
                history: Arc::clone(&history),
                dice: dice.fork(),
            };
            let steps = dice.between(3, 10);
            Box::new(move || trader.run(steps)) as Actor
        });
        let actors: Vec<_> = actors.collect();
        drop((tx, rx));
        play(actors, dice);
        let model = Channel {
            capacity,
            senders: count,
            receivers: count,
        };
        (model, ours(history))
    });
}

/// Lets a few actors make some steps each, and returns what they did.
fn crowd<Op: Send + 'static>(
    dice: &mut Dice,
    step: impl Fn((&History<Op>, usize), &mut Dice) + Clone + Send + 'static,
) -> Vec<Call<Op>> {
    let history = Arc::new(History::default());
    let actors = (0..dice.between(2, 5)).map(|me| {
        let (step, history, mut dice) = (step.clone(), Arc::clone(&history), dice.fork());
        Box::new(move || {
            for _ in 0..dice.between(2, 8) {
                step((&history, me), &mut dice);
            }
        }) as Actor
    });
    let actors = actors.collect();
    play(actors, dice);
    ours(history)
}

/// What calls that ask for something are in a history. One that does not wait is refused; one that waits asks at one point, and
/// takes or gives up at another.
struct Ask<Op> {
    asks: Op,
    takes: Op,
    gives_up: Op,
    refused: Op,
}

const WRITE: Ask<LockOp> = Ask {
    asks: LockOp::Asks,
    takes: LockOp::Write,
    gives_up: LockOp::GivesUp,
    refused: LockOp::WriteRefused,
};
const READ: Ask<LockOp> = Ask {
    asks: LockOp::Asks,
    takes: LockOp::Read,
    gives_up: LockOp::GivesUp,
    refused: LockOp::ReadRefused,
};

/// Asks in one of three ways, holds for a moment what was given, and gives it back, which is `done` in the history.
fn ask_and_hold<Op, G>(
    (history, me): (&History<Op>, usize),
    dice: &mut Dice,
    ops: Ask<Op>,
    (at_once, within, wait): (
        impl FnOnce() -> Option<G>,
        impl FnOnce(Duration) -> Option<G>,
        impl FnOnce() -> Option<G>,
    ),
    done: Op,
) {
    let way = dice.roll(3);
    let time = dice.micros(200);
    let start = history.now();
    let given = match way {
        0 => at_once(),
        1 => within(time),
        _ => wait(),
    };
    let span = (start, history.now());
    if given.is_none() && way == 0 {
        history.add(me, span, ops.refused);
    } else {
        history.add(me, span, ops.asks);
        let then = if given.is_some() {
            ops.takes
        } else {
            ops.gives_up
        };
        history.add(me, span, then);
    }
    maybe_yield(dice);
    if let Some(guard) = given {
        history.record(me, || drop(guard), |()| Some(done));
    }
}

#[test]
fn mutexes() {
    explained(|dice| {
        let lock = Arc::new(Mutex::new(()));
        let calls = crowd(dice, move |at, dice| {
            let ways = (
                || lock.try_lock().ok(),
                |time| lock.try_lock_for(time).ok(),
                || lock.lock().ok(),
            );
            ask_and_hold(at, dice, WRITE, ways, LockOp::WriteDone);
        });
        (Lock, calls)
    });
}

#[test]
fn locks_of_readers_and_writers() {
    explained(|dice| {
        let lock = Arc::new(RwLock::new(()));
        let calls = crowd(dice, move |at, dice| {
            if dice.once_in(3) {
                let ways = (
                    || lock.try_write().ok(),
                    |time| lock.try_write_for(time).ok(),
                    || lock.write().ok(),
                );
                ask_and_hold(at, dice, WRITE, ways, LockOp::WriteDone);
            } else {
                let ways = (
                    || lock.try_read().ok(),
                    |time| lock.try_read_for(time).ok(),
                    || lock.read().ok(),
                );
                ask_and_hold(at, dice, READ, ways, LockOp::ReadDone);
            }
        });
        (Lock, calls)
    });
}

#[test]
fn semaphores() {
    explained(|dice| {
        let most = dice.between(1, 4);
        let permits = Arc::new(Semaphore::new(most));
        let calls = crowd(dice, move |at, dice| {
            let n = dice.between(1, most);
            let ops = Ask {
                asks: PermitsOp::Asks,
                takes: PermitsOp::Taken(n),
                gives_up: PermitsOp::GivesUp,
                refused: PermitsOp::Refused(n),
            };
            let ways = (
                || permits.try_acquire_many(n).ok(),
                |time| permits.acquire_many_timeout(n, time).ok(),
                || Some(permits.acquire_many(n)),
            );
            ask_and_hold(at, dice, ops, ways, PermitsOp::Given(n));
        });
        (Permits(most), calls)
    });
}

/// One step of an actor of a condition variable: it waits for a time, or notifies.
fn wait_or_notify(
    (lock, condition): &(Mutex<()>, Condvar),
    (history, me): (&History<ConditionOp>, usize),
    dice: &mut Dice,
) {
    if dice.once_in(2) {
        let guard = lock.lock().unwrap();
        let time = dice.micros(2000);
        let start = history.now();
        let (guard, result) = condition.wait_timeout(guard, time).unwrap();
        let span = (start, history.now());
        drop(guard);
        history.add(me, span, ConditionOp::Waits(me));
        let left = match result.timed_out() {
            true => ConditionOp::TimedOut(me),
            false => ConditionOp::Woken(me),
        };
        history.add(me, span, left);
        return;
    }
    let guard = dice.once_in(2).then(|| lock.lock().unwrap());
    if dice.once_in(4) {
        let call = || condition.notify_all();
        history.record(me, call, |()| Some(ConditionOp::All));
    } else {
        let call = || condition.notify_one();
        history.record(me, call, |()| Some(ConditionOp::One));
    }
    drop(guard);
}

#[test]
fn conditions() {
    explained(|dice| {
        let both = Arc::default();
        let calls = crowd(dice, move |at, dice| {
            wait_or_notify(&both, at, dice);
            maybe_yield(dice);
        });
        (Condition, calls)
    });
}
