//! A worker pool: four goroutines take jobs from one channel and send their results into another.
//!
//! ```text
//! $ cargo run -p goroutines --example worker_pool
//! 10! ends with 2 zeros
//! 25! ends with 6 zeros
//! 50! ends with 12 zeros
//! 75! ends with 18 zeros
//! 100! ends with 24 zeros
//! ```

use goroutines::{chan, go};

/// How many zeros the factorial of `n` ends with.
fn zeros(n: u32) -> u32 {
    std::iter::successors(Some(n / 5), |n| Some(n / 5))
        .take_while(|&n| n > 0)
        .sum()
}

fn main() -> Result<(), goroutines::StartError> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { goroutines::start()? };

    // At most four jobs wait; then `send` parks its caller until a worker takes one.
    let (jobs, todo) = chan::bounded(4);
    let (done, results) = chan::unbounded();
    for _ in 0..4 {
        let (todo, done) = (todo.clone(), done.clone());
        go(move || {
            // Ends when all senders of `jobs` are gone and nothing is left.
            for n in todo {
                done.send((n, zeros(n))).unwrap();
            }
        });
    }
    drop(done); // the workers have the only senders now, so `results` ends with the last worker

    for n in [100, 25, 75, 10, 50] {
        jobs.send(n).unwrap();
    }
    drop(jobs);

    // Results come in the order in which they are ready.
    let mut all: Vec<_> = results.iter().collect();
    all.sort();
    for (n, zeros) in all {
        println!("{n}! ends with {zeros} zeros");
    }
    Ok(())
}
