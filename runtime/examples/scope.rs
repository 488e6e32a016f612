//! Scoped goroutines: they borrow what their caller has, in parts and exclusively, because the scope ends after them.
//!
//! ```text
//! $ cargo run -p goroutines --example scope
//! sum of the squares of 1 to 1000: 333833500
//! longest word: goroutines
//! ```

use goroutines::thread;

fn main() -> Result<(), goroutines::StartError> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { goroutines::start()? };

    let mut numbers: Vec<u64> = (1..=1000).collect();
    thread::scope(|s| {
        for part in numbers.chunks_mut(250) {
            s.spawn(|| part.iter_mut().for_each(|n| *n *= *n));
        }
    });
    println!(
        "sum of the squares of 1 to 1000: {}",
        numbers.iter().sum::<u64>()
    );

    let text = String::from("many goroutines share few threads");
    let longest = thread::scope(|s| {
        let words: Vec<_> = text
            .split(' ')
            .map(|word| s.spawn(move || (word.len(), word)))
            .collect();
        words.into_iter().map(|word| word.join().unwrap()).max()
    });
    println!("longest word: {}", longest.unwrap().1);
    Ok(())
}
