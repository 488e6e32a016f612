//! A client that keeps to a rate: four goroutines send requests, together at most one each 5 ms and three at once. A
//! request that would have to wait beyond its time is not sent.
//!
//! ```text
//! $ cargo run -p goroutines --example rate_limited
//! 12 requests were sent, in 45 ms or more
//! one that had no time: context deadline exceeded
//! ```

use std::time::{Duration, Instant};

use goroutines::{Config, StartError, chan, context::Context, sync::Limiter, thread};

fn program() {
    let limiter = Limiter::new(Duration::from_millis(5), 3);
    let (requests, server) = chan::unbounded();
    let start = Instant::now();
    thread::scope(|scope| {
        for client in 0..4 {
            let (limiter, requests) = (&limiter, requests.clone());
            scope.spawn(move || {
                for number in 0..3 {
                    limiter.wait();
                    requests.send((client, number)).unwrap();
                }
            });
        }
    });
    // Three at once, and each of the other nine 5 ms after the one before it.
    assert!(start.elapsed() >= Duration::from_millis(45));
    println!("{} requests were sent, in 45 ms or more", server.len());

    let slow = Limiter::new(Duration::from_secs(3600), 1);
    slow.wait();
    let (soon, _) = Context::background().with_timeout(Duration::from_secs(60));
    let refused = slow.wait_ctx(&soon).unwrap_err(); // at once: the next one is in an hour
    println!("one that had no time: {refused}");
}

fn main() -> Result<(), StartError> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { goroutines::run(Config::new(), program) }
}
