//! What concurrent calls of channels and locks return can be explained by calls one after the other: many short
//! histories, of goroutines that change threads whenever they can and of plain threads, against the models of
//! `goroutines_tests::linear`.
//!
//! `GOROUTINE_HISTORIES=100000` runs more of them.

use std::{env, sync::Arc, thread};

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

/// A call that asks and takes, or asks and gives up: two points over one span. One that does not wait is refused instead.
enum Ask<Op> {
    Waits { gives_up: Op },
    Refused(Op),
}

const LOCK_WAITS: Ask<LockOp> = Ask::Waits {
    gives_up: LockOp::GivesUp,
};
const PERMITS_WAIT: Ask<PermitsOp> = Ask::Waits {
    gives_up: PermitsOp::GivesUp,
};

/// Records `call`, which asks and takes if it is given what it asks for.
fn attempt<Op, G>(
    (history, me): (&History<Op>, usize),
    call: impl FnOnce() -> Option<G>,
    [asks, takes]: [Op; 2],
    not_given: Ask<Op>,
) -> Option<G> {
    let start = history.now();
    let given = call();
    let span = (start, history.now());
    let then = match (&given, not_given) {
        (Some(_), _) => takes,
        (None, Ask::Waits { gives_up }) => gives_up,
        (None, Ask::Refused(refused)) => {
            history.add(me, span, refused);
            return None;
        }
    };
    history.add(me, span, asks);
    history.add(me, span, then);
    given
}

#[test]
fn mutexes() {
    explained(|dice| {
        let (lock, history) = (Arc::new(Mutex::new(())), Arc::new(History::default()));
        let actors = (0..dice.between(2, 5)).map(|me| {
            let (lock, history, mut dice) = (lock.clone(), Arc::clone(&history), dice.fork());
            Box::new(move || {
                for _ in 0..dice.between(2, 8) {
                    let asks = [LockOp::Asks, LockOp::Write];
                    let guard = match dice.roll(3) {
                        0 => {
                            let call = || lock.try_lock().ok();
                            attempt(
                                (&history, me),
                                call,
                                asks,
                                Ask::Refused(LockOp::WriteRefused),
                            )
                        }
                        1 => {
                            let time = dice.micros(200);
                            let call = || lock.try_lock_for(time).ok();
                            attempt((&history, me), call, asks, LOCK_WAITS)
                        }
                        _ => attempt((&history, me), || lock.lock().ok(), asks, LOCK_WAITS),
                    };
                    maybe_yield(&mut dice);
                    if let Some(guard) = guard {
                        history.record(me, || drop(guard), |()| Some(LockOp::WriteDone));
                    }
                }
            }) as Actor
        });
        let actors: Vec<_> = actors.collect();
        play(actors, dice);
        (Lock, ours(history))
    });
}

/// One step of an actor of a lock for readers and writers.
fn read_or_write(lock: &RwLock<()>, (history, me): (&History<LockOp>, usize), dice: &mut Dice) {
    let asks = [LockOp::Asks, LockOp::Write];
    if dice.once_in(3) {
        let guard = match dice.roll(3) {
            0 => {
                let call = || lock.try_write().ok();
                attempt(
                    (history, me),
                    call,
                    asks,
                    Ask::Refused(LockOp::WriteRefused),
                )
            }
            1 => {
                let time = dice.micros(200);
                attempt(
                    (history, me),
                    || lock.try_write_for(time).ok(),
                    asks,
                    LOCK_WAITS,
                )
            }
            _ => attempt((history, me), || lock.write().ok(), asks, LOCK_WAITS),
        };
        maybe_yield(dice);
        if let Some(guard) = guard {
            history.record(me, || drop(guard), |()| Some(LockOp::WriteDone));
        }
        return;
    }
    let asks = [LockOp::Asks, LockOp::Read];
    let guard = match dice.roll(3) {
        0 => {
            let call = || lock.try_read().ok();
            attempt((history, me), call, asks, Ask::Refused(LockOp::ReadRefused))
        }
        1 => {
            let time = dice.micros(200);
            let call = || lock.try_read_for(time).ok();
            attempt((history, me), call, asks, LOCK_WAITS)
        }
        _ => attempt((history, me), || lock.read().ok(), asks, LOCK_WAITS),
    };
    maybe_yield(dice);
    if let Some(guard) = guard {
        history.record(me, || drop(guard), |()| Some(LockOp::ReadDone));
    }
}

#[test]
fn locks_of_readers_and_writers() {
    explained(|dice| {
        let (lock, history) = (Arc::new(RwLock::new(())), Arc::new(History::default()));
        let actors = (0..dice.between(2, 5)).map(|me| {
            let (lock, history, mut dice) = (lock.clone(), Arc::clone(&history), dice.fork());
            Box::new(move || {
                for _ in 0..dice.between(2, 8) {
                    read_or_write(&lock, (&history, me), &mut dice);
                }
            }) as Actor
        });
        let actors: Vec<_> = actors.collect();
        play(actors, dice);
        (Lock, ours(history))
    });
}

#[test]
fn semaphores() {
    explained(|dice| {
        let most = dice.between(1, 4);
        let (permits, history) = (Arc::new(Semaphore::new(most)), Arc::new(History::default()));
        let actors = (0..dice.between(2, 5)).map(|me| {
            let (permits, history, mut dice) = (permits.clone(), Arc::clone(&history), dice.fork());
            Box::new(move || {
                for _ in 0..dice.between(2, 8) {
                    let n = dice.between(1, most);
                    let asks = [PermitsOp::Asks, PermitsOp::Taken(n)];
                    let permit = match dice.roll(3) {
                        0 => {
                            let call = || permits.try_acquire_many(n).ok();
                            attempt(
                                (&history, me),
                                call,
                                asks,
                                Ask::Refused(PermitsOp::Refused(n)),
                            )
                        }
                        1 => {
                            let time = dice.micros(200);
                            let call = || permits.acquire_many_timeout(n, time).ok();
                            attempt((&history, me), call, asks, PERMITS_WAIT)
                        }
                        _ => {
                            let call = || Some(permits.acquire_many(n));
                            attempt((&history, me), call, asks, PERMITS_WAIT)
                        }
                    };
                    maybe_yield(&mut dice);
                    if let Some(permit) = permit {
                        history.record(me, || drop(permit), |()| Some(PermitsOp::Given(n)));
                    }
                }
            }) as Actor
        });
        let actors: Vec<_> = actors.collect();
        play(actors, dice);
        (Permits(most), ours(history))
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
        let (both, history) = (Arc::default(), Arc::new(History::default()));
        let actors = (0..dice.between(2, 5)).map(|me| {
            let (both, history, mut dice) = (Arc::clone(&both), Arc::clone(&history), dice.fork());
            Box::new(move || {
                for _ in 0..dice.between(2, 8) {
                    wait_or_notify(&both, (&history, me), &mut dice);
                    maybe_yield(&mut dice);
                }
            }) as Actor
        });
        let actors: Vec<_> = actors.collect();
        play(actors, dice);
        (Condition, ours(history))
    });
}
