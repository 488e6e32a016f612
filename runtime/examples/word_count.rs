//! A pipeline that counts words: one goroutine reads lines, four split and count them, and the counts are added up.
//!
//! ```text
//! $ cargo run -p goroutines --example word_count
//! 4 the
//! 3 fox
//! 2 dog
//! 10 different words
//! ```

use std::collections::HashMap;

use goroutines::{Config, JoinSet, StartError, chan, go};

const TEXT: &str = "The quick fox saw the dog.
The fox ran.
A lazy dog slept; the fox did not.";

fn count(lines: chan::Receiver<&str>) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for line in lines {
        for word in line.split(|c: char| !c.is_alphabetic()) {
            if word.len() > 1 {
                *counts.entry(word.to_lowercase()).or_default() += 1;
            }
        }
    }
    counts
}

fn program() {
    // At most eight lines are in memory: a reader that is faster than the counters waits.
    let (tx, lines) = chan::bounded(8);
    go(move || {
        for line in TEXT.lines() {
            tx.send(line).unwrap();
        }
    });
    let mut counters = JoinSet::new();
    for _ in 0..4 {
        let lines = lines.clone();
        counters.spawn(move || count(lines));
    }
    let mut total: HashMap<String, usize> = HashMap::new();
    for (word, n) in counters.join_all().into_iter().flatten() {
        *total.entry(word).or_default() += n;
    }
    let mut all: Vec<_> = total.iter().collect();
    all.sort_by_key(|&(word, n)| (usize::MAX - n, word));
    for (word, n) in &all[..3] {
        println!("{n} {word}");
    }
    println!("{} different words", all.len());
}

fn main() -> Result<(), StartError> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { goroutines::run(Config::new(), program) }
}
