//! No goroutine starves: a waiting one has a turn after a bounded number of rounds, and where rounds are long, after a
//! bounded time. The bounds are many times what is promised: they tell waiting for a turn from waiting for ever.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use goroutines::{JoinHandle, chan, go, sleep, yield_now};
use goroutines_sched::{WaitReason, rounds};
use goroutines_tests::{alone, compute};

/// Runs until it is dropped or stopped.
struct Until(Arc<AtomicBool>, Vec<JoinHandle<()>>);

impl Until {
    fn new() -> Until {
        Until(Arc::default(), Vec::new())
    }

    /// One more goroutine that repeats `turn` until the end, at most for ten seconds: a test that fails ends, too.
    fn run(&mut self, mut turn: impl FnMut() + Send + 'static) {
        let stop = Arc::clone(&self.0);
        let end = Instant::now() + Duration::from_secs(10);
        self.1.push(go(move || {
            // Relaxed: only to end.
            while !stop.load(Ordering::Relaxed) && Instant::now() < end {
                turn();
            }
        }));
    }

    /// Two that hand a message to and fro, and compute for `round` each time.
    fn ping_pong(&mut self, round: Duration) {
        let (ping, pinged) = chan::bounded(0);
        let (pong, ponged) = chan::bounded(0);
        self.run(move || {
            compute(round);
            if ping.send(()).is_ok() {
                let _ = ponged.recv();
            }
        });
        self.run(move || {
            compute(round);
            if pinged.recv().is_ok() {
                let _ = pong.send(());
            }
        });
    }

    fn stop(self) {
        // Relaxed: only to end.
        self.0.store(true, Ordering::Relaxed);
        self.1.into_iter().for_each(|one| one.join().unwrap());
    }
}

/// Counts the rounds that `one` waits between two of its turns, and returns the most.
fn most_rounds_between_turns(turns: u32, give_way: fn()) -> JoinHandle<u32> {
    go(move || {
        let mut most = 0;
        for _ in 0..turns {
            let before = rounds().unwrap();
            give_way();
            most = most.max(rounds().unwrap().wrapping_sub(before));
        }
        most
    })
}

#[test]
fn one_in_the_ring_has_its_turn_beside_a_fast_pair() {
    let _alone = alone(1);
    let mut others = Until::new();
    others.ping_pong(Duration::ZERO);
    // It yields, so it goes to the tail: no more than the pair is there.
    let most = most_rounds_between_turns(1000, yield_now).join().unwrap();
    others.stop();
    assert!(most <= 3 * 61, "{most} rounds");
}

#[test]
fn one_in_the_ring_has_its_turn_in_time_beside_a_pair_with_long_rounds() {
    let _alone = alone(1);
    let mut others = Until::new();
    others.ping_pong(Duration::from_millis(1));
    // By count alone its turn would come each 61st round, which are 61 ms: 2.4 s in all.
    let start = Instant::now();
    let most = most_rounds_between_turns(40, yield_now).join().unwrap();
    let took = start.elapsed();
    others.stop();
    // A machine that is busy with other things stretches rounds and slices alike.
    assert!(most < 61, "{most} rounds; 40 turns took {took:?}");
}

#[test]
fn all_in_the_ring_have_a_turn_before_the_pair_has_another_slice() {
    let _alone = alone(1);
    let mut others = Until::new();
    others.ping_pong(Duration::from_millis(1));
    let spread = |all: Vec<JoinHandle<Option<u32>>>| {
        let ran: Vec<u32> = all
            .into_iter()
            .map(|g| g.join().unwrap().unwrap())
            .collect();
        ran[49].wrapping_sub(ran[0])
    };
    let spawn = || (0..50).map(|_| go(rounds)).collect::<Vec<_>>();
    // One a slice would be 50 slices of some rounds each, one each 61st round 3050 of them.
    let in_ring = go(move || spread(spawn())).join().unwrap();
    let in_global_queue = spread(spawn());
    others.stop();
    assert!(in_ring < 150, "{in_ring} rounds");
    assert!(in_global_queue < 150, "{in_global_queue} rounds");
}

#[test]
fn a_goroutine_that_gives_way_at_a_checkpoint_does_not_go_before_the_ring() {
    let _alone = alone(1);
    let most = go(|| {
        let mut most = 0;
        for _ in 0..20 {
            let ran = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&ran);
            let before = rounds().unwrap();
            // It is in the ring from here on.
            let waits = go(move || {
                ran.store(true, Ordering::Release);
                rounds().unwrap()
            });
            // Acquire: partner is the store above.
            while !seen.load(Ordering::Acquire) {
                goroutines::checkpoint();
            }
            most = most.max(waits.join().unwrap().wrapping_sub(before));
        }
        most
    });
    let most = most.join().unwrap();
    assert!(most <= 8, "{most} rounds");
}

#[test]
fn one_in_the_global_queue_has_its_turn_beside_a_ring_that_refills_itself() {
    let _alone = alone(1);
    let mut others = Until::new();
    for _ in 0..3 {
        others.run(yield_now);
    }
    let (tx, rx) = chan::bounded::<u32>(1);
    // Made ready by an OS thread it goes to the global queue.
    let waits = go(move || {
        let sent: Vec<(u32, u32)> = rx.iter().map(|sent| (sent, rounds().unwrap())).collect();
        sent
    });
    let now = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&now);
    // Relaxed (both): the number of the round, more or less.
    others.run(move || {
        clock.store(u64::from(rounds().unwrap()), Ordering::Relaxed);
        yield_now();
    });
    let sender = thread::spawn(move || {
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(1));
            tx.send(now.load(Ordering::Relaxed) as u32).unwrap();
        }
    });
    sender.join().unwrap();
    let waits = waits.join().unwrap();
    others.stop();
    // The sender may lose its CPU between reading the number and sending it, but not each time.
    let prompt = waits
        .iter()
        .filter(|(sent, ran)| ran.wrapping_sub(*sent) <= 2 * 61)
        .count();
    assert_eq!(waits.len(), 100);
    assert!(prompt > 0, "{waits:?}");
}

#[test]
fn a_stream_into_the_global_queue_does_not_starve_the_ring_behind_a_pair() {
    let _alone = alone(1);
    let mut others = Until::new();
    others.ping_pong(Duration::from_micros(1));
    let stop = Arc::clone(&others.0);
    let waiting = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    // What an OS thread spawns goes to the global queue, which is never empty from here on.
    let stream = thread::spawn(move || {
        // Relaxed (all): only to end, and a count that limits memory.
        while !stop.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(10) {
            while waiting.load(Ordering::Relaxed) < 1000 {
                waiting.fetch_add(1, Ordering::Relaxed);
                let waiting = Arc::clone(&waiting);
                go(move || waiting.fetch_sub(1, Ordering::Relaxed));
            }
            thread::sleep(Duration::from_micros(100));
        }
    });
    let turns = go(|| {
        let spawned = go(|| (0..20).for_each(|_| yield_now()));
        spawned.join().unwrap();
    });
    turns.join().unwrap();
    let took = start.elapsed();
    others.stop();
    stream.join().unwrap();
    // The others end by themselves after ten seconds.
    assert!(took < Duration::from_secs(9), "{took:?}");
}

#[test]
fn a_sleeper_wakes_up_in_a_storm_of_yields() {
    let _alone = alone(1);
    let mut others = Until::new();
    for _ in 0..2000 {
        others.run(yield_now); // more than a ring holds
    }
    let most = go(|| {
        let mut most = 0;
        for _ in 0..20 {
            let due = Instant::now() + Duration::from_millis(1);
            sleep(Duration::from_millis(1));
            let late = due.elapsed();
            // Rounds that began after the time had come: timers are looked at before each of them.
            most = most.max(late.as_millis());
        }
        most
    });
    let most = most.join().unwrap();
    others.stop();
    assert!(most < 2000, "{most} ms late");
}

#[test]
fn waits_that_find_nothing_to_wait_for_let_the_others_go_as_yields_do() {
    let _alone = alone(1);
    let ran = Arc::new(AtomicBool::new(false));
    let turns = go({
        let ran = Arc::clone(&ran);
        move || {
            let seen = Arc::clone(&ran);
            // Relaxed (both): one P.
            drop(go(move || seen.store(true, Ordering::Relaxed)));
            let mut turns = 0;
            while !ran.load(Ordering::Relaxed) {
                // SAFETY: the commit does nothing, and nothing makes the caller ready.
                unsafe { goroutines_sched::park(WaitReason::Park, || false) };
                turns += 1;
            }
            turns
        }
    });
    let turns = turns.join().unwrap();
    assert!(turns <= 200, "others waited for {turns} turns");
}
