//! Groups of goroutines that stop together: at the first error, or when the time of their context is up.
//!
//! ```text
//! $ cargo run -p goroutines --example errgroup
//! all pages: 12 bytes
//! first error: page 3 does not exist
//! stopped because of it: 4
//! with a deadline: context deadline exceeded
//! ```

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use goroutines::{
    context::{Context, ContextError},
    errgroup, sleep,
    sync::Mutex,
};

fn main() -> Result<(), goroutines::StartError> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { goroutines::start()? };

    // The goroutines borrow from outside of the group, because the group returns when all of them have ended.
    let (pages, bytes) = (["one", "two", "three", "4"], Mutex::new(0));
    let result = errgroup::scope(|group| {
        group.limit(2); // two run at the same time
        for page in &pages {
            group.go(|| {
                *bytes.lock().unwrap() += page.len();
                Ok(())
            });
        }
        Ok::<(), String>(())
    });
    assert_eq!(result, Ok(()));
    println!("all pages: {} bytes", bytes.lock().unwrap());

    // The first error cancels the context of the group. Sends, receives and sleeps of the others end early then.
    let stopped = AtomicUsize::new(0);
    let result = errgroup::scope(|group| {
        for page in 1..=5 {
            let stopped = &stopped;
            group.go(move || {
                if page == 3 {
                    return Err(format!("page {page} does not exist"));
                }
                sleep(Duration::from_secs(3600));
                if Context::current().is_cancelled() {
                    // Relaxed, as the load: the end of the group lies between them.
                    stopped.fetch_add(1, Relaxed);
                }
                Ok(())
            });
        }
        Ok(())
    });
    println!("first error: {}", result.unwrap_err());
    println!("stopped because of it: {}", stopped.load(Relaxed));

    // A group descends from the context under which it is made, and ends with it.
    let (context, _canceller) = Context::background().with_timeout(Duration::from_millis(20));
    let result: Result<(), ContextError> = context.run(|| {
        errgroup::scope(|group| {
            group.go(|| Context::current().sleep(Duration::from_secs(3600)));
            Ok(())
        })
    });
    println!("with a deadline: {}", result.unwrap_err());
    Ok(())
}
