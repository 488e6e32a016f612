//! Which waiters get permits, and in which order.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use super::{super::waiter::PATIENCE, RawSemaphore};

impl RawSemaphore {
    fn waiting(&self) -> usize {
        self.queue_lock.lock();
        // SAFETY: the lock is held.
        let count = unsafe { (*self.queue.get()).len() };
        // SAFETY: locked above.
        unsafe { self.queue_lock.unlock() };
        count
    }
}

/// Threads that wait for so many permits each. They arrive in this order, and record the order in which they were served.
struct Line {
    semaphore: RawSemaphore,
    served: Mutex<Vec<usize>>,
}

type Threads = Vec<thread::JoinHandle<()>>;

fn line_of(wants: &[u64]) -> (Arc<Line>, Threads) {
    line_of_with(0, wants)
}

fn line_of_with(permits: u64, wants: &[u64]) -> (Arc<Line>, Threads) {
    let line = Arc::new(Line {
        semaphore: RawSemaphore::new(permits),
        served: Mutex::new(Vec::new()),
    });
    let come = wants.iter().enumerate().map(|(i, &wants)| {
        let same = Arc::clone(&line);
        let thread = thread::spawn(move || {
            assert!(same.semaphore.acquire(wants, None));
            same.served.lock().unwrap().push(i);
        });
        until(|| line.semaphore.waiting() == i + 1);
        thread
    });
    let threads = come.collect();
    (line, threads)
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_micros(100));
    }
}

#[test]
fn permits_are_given_in_the_order_of_coming() {
    for wants in [[1; 5], [1, 5, 1, 2, 1]] {
        let (line, threads) = line_of(&wants);
        for (i, &wants) in wants.iter().enumerate() {
            (0..wants).for_each(|_| assert!(line.semaphore.release(1)));
            until(|| line.served.lock().unwrap().len() == i + 1);
        }
        threads.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(*line.served.lock().unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(line.semaphore.free(), 0);
    }
}

#[test]
fn permits_that_come_together_go_to_all_for_whom_they_are_enough() {
    let (line, threads) = line_of(&[2, 3, 2]);
    assert!(line.semaphore.release(6));
    // They are enough for any two, and too few for the third, which may be on its way back into the line. Which two
    // that are is open: the third is woken when the first has its permits, and may overtake the second.
    until(|| line.served.lock().unwrap().len() == 2 && line.semaphore.waiting() == 1);
    assert!(line.semaphore.release(1));
    threads.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(line.semaphore.free(), 0);
}

#[test]
fn a_new_caller_takes_free_permits_until_a_waiter_starves() {
    let (line, threads) = line_of_with(1, &[2]);
    // Nothing is released, so nothing checks how long it has waited.
    assert!(line.semaphore.try_acquire(1));
    thread::sleep(2 * PATIENCE);
    assert!(line.semaphore.release(1));
    assert!(!line.semaphore.try_acquire(1) && line.semaphore.free() == 1);
    assert!(line.semaphore.release(1));
    threads.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(line.semaphore.free(), 0);
    // It is over with the last one.
    assert!(line.semaphore.release(2));
    assert!(line.semaphore.try_acquire(2));
}
