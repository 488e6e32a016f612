//! Selects of goroutines on one P.

use std::io;
use std::time::Instant;

use goroutines::chan::{bounded, select};
use goroutines::go;

use super::goroutine::{join, on_goroutine};
use crate::sample::Sample;

/// A `select!` over four channels, of which one has a message.
///
/// # Errors
///
/// If a message is lost.
pub fn ready(operations: u64) -> io::Result<Sample> {
    let operations = operations.max(1);
    on_goroutine(move || {
        let channels: [_; 4] = std::array::from_fn(|_| bounded(1));
        let [(a, from_a), (b, from_b), (c, from_c), (d, from_d)] = &channels;
        let mut sum = 0;
        let start = Instant::now();
        for word in 0..operations {
            let to = [a, b, c, d][(word % 4) as usize];
            to.send(word)
                .map_err(|_| io::Error::other("a channel is gone"))?;
            sum += select! {
                recv(from_a) -> word => word.unwrap_or(0),
                recv(from_b) -> word => word.unwrap_or(0),
                recv(from_c) -> word => word.unwrap_or(0),
                recv(from_d) -> word => word.unwrap_or(0),
            };
        }
        let elapsed = start.elapsed();
        check_sum(sum, operations)?;
        Ok(Sample {
            elapsed,
            operations,
        })
    })
}

/// A `select!` over four unbuffered channels, which waits; another goroutine sends to them in turn.
///
/// # Errors
///
/// If a message is lost.
pub fn waiting(operations: u64) -> io::Result<Sample> {
    let operations = operations.max(1);
    on_goroutine(move || {
        let channels: [_; 4] = std::array::from_fn(|_| bounded::<u64>(0));
        let [from_a, from_b, from_c, from_d] = channels.each_ref().map(|(_, from)| from);
        let senders = channels.each_ref().map(|(to, _)| to.clone());
        let other = go(move || {
            (0..operations).try_for_each(|word| {
                let sent = senders[(word % 4) as usize].send(word);
                sent.map_err(|_| io::Error::other("the other goroutine hung up"))
            })
        });
        let mut sum = 0;
        let start = Instant::now();
        for _ in 0..operations {
            sum += select! {
                recv(from_a) -> word => word.unwrap_or(0),
                recv(from_b) -> word => word.unwrap_or(0),
                recv(from_c) -> word => word.unwrap_or(0),
                recv(from_d) -> word => word.unwrap_or(0),
            };
        }
        let elapsed = start.elapsed();
        join(other)?;
        check_sum(sum, operations)?;
        Ok(Sample {
            elapsed,
            operations,
        })
    })
}

/// Returns whether each word below `words` arrived.
fn check_sum(sum: u64, words: u64) -> io::Result<()> {
    if sum == words * (words - 1) / 2 {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "not all of {words} words arrived"
        )))
    }
}
