//! A pipeline: each stage is a goroutine, a channel lies between two stages. When the last stage has enough, it drops
//! its receiver; then each stage's next `send` fails, and the stages end one after the other.
//!
//! ```text
//! $ cargo run -p goroutines --example pipeline
//! the first five squares with a remainder of 1 by 3 and an even last digit:
//! 4
//! 16
//! 64
//! 100
//! 196
//! all stages have ended
//! ```

use goroutines::{JoinHandle, chan, go};

/// A stage: sends on what `f` makes of the messages of `input`, until either side has ended.
fn stage<T, U>(
    input: chan::Receiver<T>,
    f: impl Fn(T) -> Option<U> + Send + 'static,
) -> (chan::Receiver<U>, JoinHandle<()>)
where
    T: Send + 'static,
    U: Send + 'static,
{
    let (tx, output) = chan::bounded(0);
    let handle = go(move || {
        for message in input.iter().filter_map(f) {
            if tx.send(message).is_err() {
                return; // the next stage has ended
            }
        }
    });
    (output, handle)
}

fn main() -> Result<(), goroutines::StartError> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { goroutines::start()? };

    let (tx, numbers) = chan::bounded(0);
    // Endless, but for the failing `send`.
    let source = go(move || (1..).find(|&n: &u64| tx.send(n).is_err()));
    let (squares, square) = stage(numbers, |n| Some(n * n));
    let (thirds, third) = stage(squares, |n| (n % 3 == 1).then_some(n));
    let (evens, even) = stage(thirds, |n| (n % 2 == 0).then_some(n));

    println!("the first five squares with a remainder of 1 by 3 and an even last digit:");
    for n in evens.iter().take(5) {
        println!("{n}");
    }
    drop(evens);

    for stage in [square, third, even] {
        stage.join().unwrap();
    }
    assert!(source.join().unwrap().is_some());
    println!("all stages have ended");
    Ok(())
}
