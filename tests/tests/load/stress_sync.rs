//! Ten thousand goroutines that change threads whenever they can, over a graph of channels and every kind of lock. The
//! sums must be exact. The only test of its process, because the settings are the process's.
//!
//! ```text
//!   9600 workers ──► 24 channels of all kinds ──► 300 relays ──► 6 channels ──► 100 collectors
//!        │
//!        └── accounts (mutexes) · a ledger (rwlock) · a store (mutex, condition) · gates (semaphores)
//! ```
//!
//! Messages go one way, and locks are taken in the order of their numbers, so that there is no circle of waits.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use goroutines::{
    Config,
    chan::{self, Receiver, Select, Sender},
    go, sleep,
    sync::{Condvar, Mutex, RwLock, Semaphore, WaitGroup},
    yield_now,
};
use goroutines_tests::{Dice, start_with};

const WORKERS: u64 = 9_600;
const RELAYS: u64 = 300;
const COLLECTORS: u64 = 100;
const STEPS: u64 = 12;

/// A short time, often none.
fn moment(dice: &mut Dice) -> Duration {
    Duration::from_micros((dice.roll(4) * dice.roll(300)) as u64)
}

fn maybe_yield(dice: &mut Dice) {
    if dice.once_in(3) {
        yield_now();
    }
}

type Ends = (Vec<Sender<u64>>, Vec<Receiver<u64>>);

fn channels(count: usize) -> Ends {
    (0..count)
        .map(|i| match i % 4 {
            0 => chan::bounded(0),
            1 => chan::bounded(1),
            2 => chan::bounded(16),
            _ => chan::unbounded(),
        })
        .unzip()
}

/// What the workers share besides channels.
struct Town {
    /// Money is moved between them, and stays the same in all.
    accounts: Vec<Mutex<i64>>,
    /// Two numbers that are equal whenever the lock is free.
    ledger: RwLock<(u64, u64)>,
    store: (Mutex<u64>, Condvar),
    gates: Vec<Semaphore>,
    /// How many are inside of each gate.
    inside: Vec<Mutex<usize>>,
}

const GATE: usize = 3;

impl Town {
    fn new() -> Town {
        Town {
            accounts: (0..40).map(|_| Mutex::new(100)).collect(),
            ledger: RwLock::new((0, 0)),
            store: (Mutex::new(0), Condvar::new()),
            gates: (0..8).map(|_| Semaphore::new(GATE)).collect(),
            inside: (0..8).map(|_| Mutex::new(0)).collect(),
        }
    }

    fn transfer(&self, dice: &mut Dice) {
        let (a, b) = (dice.roll(40), dice.roll(40));
        if a == b {
            return;
        }
        let mut lower = self.accounts[a.min(b)].lock().unwrap();
        maybe_yield(dice);
        // Another goroutine may hold the other one for too long.
        let Ok(mut upper) = self.accounts[a.max(b)].try_lock_for(moment(dice)) else {
            return;
        };
        let amount = dice.roll(50) as i64;
        let (left, right) = (*lower - amount, *upper + amount);
        maybe_yield(dice);
        (*lower, *upper) = (left, right);
    }

    /// How many entries were made: one, or none.
    fn write_or_read(&self, dice: &mut Dice) -> u64 {
        if dice.roll(4) > 0 {
            let ledger = self.ledger.read().unwrap();
            maybe_yield(dice);
            assert_eq!(ledger.0, ledger.1, "a reader saw half of an entry");
            return 0;
        }
        let Ok(mut ledger) = self.ledger.try_write_for(moment(dice)) else {
            return 0;
        };
        ledger.0 += 1;
        maybe_yield(dice);
        ledger.1 += 1;
        1
    }

    /// By how much the store has grown.
    fn deliver_or_fetch(&self, dice: &mut Dice) -> i64 {
        let (stock, delivered) = &self.store;
        if dice.roll(2) == 0 {
            *stock.lock().unwrap() += 2;
            delivered.notify_one();
            delivered.notify_one();
            return 2;
        }
        let stock = stock.lock().unwrap();
        let waited = delivered.wait_timeout_while(stock, moment(dice), |stock| *stock == 0);
        let (mut stock, _) = waited.unwrap();
        if *stock == 0 {
            return 0;
        }
        *stock -= 1;
        -1
    }

    fn pass_a_gate(&self, dice: &mut Dice) {
        let gate = dice.roll(8);
        let n = 1 + dice.roll(2);
        let permits = match dice.roll(2) {
            0 => Some(self.gates[gate].acquire_many(n)),
            _ => self.gates[gate].acquire_many_timeout(n, moment(dice)).ok(),
        };
        let Some(_permits) = permits else { return };
        {
            let mut inside = self.inside[gate].lock().unwrap();
            *inside += n;
            assert!(*inside <= GATE, "too many are inside");
        }
        maybe_yield(dice);
        *self.inside[gate].lock().unwrap() -= n;
    }
}

/// What was sent, in number and in sum; and what else a goroutine has done.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Sums {
    messages: u64,
    values: u64,
    entries: u64,
    stock: i64,
}

impl Sums {
    fn count(&mut self, value: u64) {
        self.messages += 1;
        self.values += value;
    }

    fn add(&mut self, other: Sums) {
        self.messages += other.messages;
        self.values += other.values;
        self.entries += other.entries;
        self.stock += other.stock;
    }
}

/// Sends `value` in one way or another; returns whether it did.
fn send(to: &[Sender<u64>], value: u64, dice: &mut Dice) -> bool {
    let tx = dice.pick_from(to);
    match dice.roll(4) {
        0 => tx.send(value).is_ok(),
        1 => tx.try_send(value).is_ok(),
        2 => tx.send_timeout(value, moment(dice)).is_ok(),
        _ => {
            let other = dice.pick_from(to);
            chan::select! {
                send(tx, value) -> res => res.is_ok(),
                send(other, value) -> res => res.is_ok(),
                default(moment(dice)) => false,
            }
        }
    }
}

fn work(me: u64, turn: u64, town: &Town, to: &[Sender<u64>]) -> Sums {
    let (mut dice, mut sums) = (Dice::new(me + (turn << 20)), Sums::default());
    for step in 0..STEPS {
        let value = me * STEPS + step;
        match dice.roll(8) {
            0..=2 if send(to, value, &mut dice) => sums.count(value),
            0..=2 => {}
            3 => town.transfer(&mut dice),
            4 => sums.entries += town.write_or_read(&mut dice),
            5 => sums.stock += town.deliver_or_fetch(&mut dice),
            6 => town.pass_a_gate(&mut dice),
            _ => sleep(moment(&mut dice)),
        }
        maybe_yield(&mut dice);
    }
    sums
}

/// Takes from all of `from` until each has ended; gives up waiting now and then.
fn take_all(me: u64, from: &[Receiver<u64>], mut each: impl FnMut(u64, &mut Dice)) {
    let mut dice = Dice::new(me);
    let mut open: Vec<_> = from.iter().collect();
    while !open.is_empty() {
        let mut select = Select::new();
        for rx in &open {
            select.recv(rx);
        }
        let chosen = match dice.roll(2) {
            0 => Some(select.select()),
            _ => select.select_timeout(moment(&mut dice)).ok(),
        };
        let Some(chosen) = chosen else { continue };
        let index = chosen.index();
        match chosen.recv(open[index]) {
            Ok(value) => each(value, &mut dice),
            Err(_) => drop(open.swap_remove(index)),
        }
    }
}

#[test]
fn ten_thousand_goroutines_on_changing_threads_lose_nothing() {
    start_with(Config::new().procs(4).force_migration(true));
    let began = Instant::now();
    let mut turn = 0;
    while turn == 0 || began.elapsed() < Duration::from_secs(4) {
        round(turn);
        turn += 1;
    }
}

fn round(turn: u64) {
    let town = Arc::new(Town::new());
    let (first, relayed) = channels(24);
    let (second, collected) = channels(6);
    let done = WaitGroup::new();
    let workers: Vec<_> = (0..WORKERS)
        .map(|me| {
            let (town, to, done) = (Arc::clone(&town), first.clone(), done.clone());
            go(move || {
                let sums = work(me, turn, &town, &to);
                drop(done);
                sums
            })
        })
        .collect();
    drop(first);
    for me in 0..RELAYS {
        let at = me as usize % (relayed.len() - 3);
        let (from, to) = (relayed[at..at + 4].to_vec(), second.clone());
        go(move || {
            take_all(WORKERS + me, &from, |value, dice| {
                dice.pick_from(&to).send(value).unwrap();
            });
        });
    }
    drop((second, relayed));
    let collectors: Vec<_> = (0..COLLECTORS)
        .map(|me| {
            let from = collected.clone();
            go(move || {
                let mut sums = Sums::default();
                take_all(WORKERS + RELAYS + me, &from, |value, dice| {
                    sums.count(value);
                    maybe_yield(dice);
                });
                sums
            })
        })
        .collect();
    done.wait();
    let (mut did, mut got) = (Sums::default(), Sums::default());
    workers
        .into_iter()
        .for_each(|one| did.add(one.join().unwrap()));
    collectors
        .into_iter()
        .for_each(|one| got.add(one.join().unwrap()));
    assert_eq!((got.messages, got.values), (did.messages, did.values));
    assert!(did.messages > WORKERS, "hardly anything was sent: {did:?}");
    let money: i64 = town.accounts.iter().map(|one| *one.lock().unwrap()).sum();
    assert_eq!(money, 40 * 100);
    assert_eq!(*town.ledger.read().unwrap(), (did.entries, did.entries));
    assert_eq!(*town.store.0.lock().unwrap() as i64, did.stock);
    for gate in &town.gates {
        assert_eq!(gate.available_permits(), GATE);
    }
}
