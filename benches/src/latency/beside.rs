//! What runs beside the one that is measured.

use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::world::{Running, World};

/// What runs beside the one that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Nothing.
    Nothing,
    /// Some that block their thread without saying so.
    Blockers,
    /// Some that loop without a call.
    Loops,
    /// Many that yield all the time.
    Yielders,
    /// Some that compute for a little while and yield.
    Workers,
}

impl Beside {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Beside::Nothing => "alone",
            Beside::Blockers => "8 that block 20 ms unannounced",
            Beside::Loops => "4 tight loops",
            Beside::Yielders => "1000 that yield",
            Beside::Workers => "64 that yield every 5 us",
        }
    }

    fn count(self) -> usize {
        match self {
            Beside::Nothing => 0,
            Beside::Blockers => 8,
            Beside::Loops => 4,
            Beside::Yielders => 1000,
            Beside::Workers => 64,
        }
    }

    /// One of them, once.
    fn turn<W: World>(self) {
        match self {
            Beside::Nothing => {}
            Beside::Blockers => {
                thread::sleep(Duration::from_millis(20));
                W::give_way();
            }
            Beside::Loops => (0..1000).for_each(|_| hint::spin_loop()),
            Beside::Yielders => W::give_way(),
            Beside::Workers => {
                compute(Duration::from_micros(5));
                W::give_way();
            }
        }
    }
}

/// Keeps the CPU busy.
pub fn compute(duration: Duration) {
    let start = Instant::now();
    while start.elapsed() < duration {
        hint::spin_loop();
    }
}

/// All of them, running.
pub struct Others {
    stop: Arc<AtomicBool>,
    running: Vec<Running<()>>,
}

impl Others {
    /// Starts them.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn start<W: World>(beside: Beside) -> Result<Others, String> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut others = Others {
            stop: Arc::clone(&stop),
            running: Vec::new(),
        };
        for _ in 0..beside.count() {
            let stop = Arc::clone(&stop);
            let one = W::run(move || {
                // Relaxed: only to end.
                while !stop.load(Ordering::Relaxed) {
                    beside.turn::<W>();
                }
            });
            match one {
                Ok(one) => others.running.push(one),
                Err(error) => return others.stop::<W>().and(Err(error)),
            }
        }
        Ok(others)
    }

    /// Ends them.
    ///
    /// # Errors
    ///
    /// When one has failed.
    pub fn stop<W: World>(self) -> Result<(), String> {
        // Relaxed: only to end.
        self.stop.store(true, Ordering::Relaxed);
        self.running.into_iter().try_for_each(Running::join)
    }
}
