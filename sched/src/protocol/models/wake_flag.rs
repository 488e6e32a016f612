//! Wake flags: no wake is lost, and the owner is made ready once per park, never in another wait. The steps are those
//! of wake_flag.rs.

use loom::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::explore;
use crate::protocol::{parker::Parker, wait_seq::WaitSeq, wake_flag::WakeFlag};

const WOKEN: u32 = 0;
const BY_TIMER: u32 = 1;

struct World {
    signal: WakeFlag,
    wait_seq: WaitSeq,
    parker: Parker,
    /// What the owner waits for: how many givers have come.
    come: AtomicUsize,
    readied: AtomicUsize,
}

impl World {
    fn new() -> Arc<World> {
        Arc::new(World {
            signal: WakeFlag::new(),
            wait_seq: WaitSeq::new(),
            parker: Parker::new(),
            come: AtomicUsize::new(0),
            readied: AtomicUsize::new(0),
        })
    }

    fn ready(&self) {
        self.readied.fetch_add(1, Ordering::Relaxed);
        self.parker.notify();
    }

    fn give(&self) {
        // Relaxed: the wake flag orders it.
        self.come.fetch_add(1, Ordering::Relaxed);
        if let Some(number) = self.signal.give()
            && self.wait_seq.claim(number, WOKEN)
        {
            self.ready();
        }
    }

    /// O1 to O4, until `count` have come; returns how often the owner has parked.
    fn wait_for(&self, count: usize, timer: impl Fn(&Arc<World>, u32), this: &Arc<World>) -> usize {
        let mut parks = 0;
        loop {
            self.signal.take();
            if self.come.load(Ordering::Relaxed) == count {
                return parks;
            }
            let number = self.wait_seq.open();
            if self.signal.park(number) {
                parks += 1;
                timer(this, number);
                self.parker.wait(|| None);
            } else {
                assert!(self.wait_seq.claim(number, WOKEN));
            }
        }
    }
}

#[test]
fn no_signal_is_lost_and_each_park_ends_once() {
    explore(Some(3), || {
        let world = World::new();
        let givers: Vec<_> = (0..2)
            .map(|_| {
                let world = Arc::clone(&world);
                thread::spawn(move || world.give())
            })
            .collect();
        let parks = world.wait_for(2, |_, _| (), &world);
        for giver in givers {
            giver.join().unwrap();
        }
        assert_eq!(world.readied.load(Ordering::Relaxed), parks);
    });
}

#[test]
fn a_giver_that_comes_after_the_timer_wakes_nobody_out_of_the_next_wait() {
    explore(Some(3), || {
        let world = World::new();
        let giver = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.give())
        };
        // The timer may end the first wait; the owner waits for the giver.
        let fired = Arc::new(AtomicUsize::new(0));
        let timers = {
            let fired = Arc::clone(&fired);
            move |this: &Arc<World>, number| {
                if fired.fetch_add(1, Ordering::Relaxed) == 0 {
                    let this = Arc::clone(this);
                    thread::spawn(move || {
                        if this.wait_seq.claim(number, BY_TIMER) {
                            this.ready();
                        }
                    });
                }
            }
        };
        let parks = world.wait_for(1, timers, &world);
        giver.join().unwrap();
        assert_eq!(world.readied.load(Ordering::Relaxed), parks);
    });
}
