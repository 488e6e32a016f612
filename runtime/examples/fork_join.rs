//! Fork-join: a sum whose halves are added at the same time, where a processor has nothing else to do. The pieces may wait:
//! here each locks a mutex.
//!
//! ```text
//! $ cargo run -p goroutines --example fork_join
//! the sum of 1 to 1000000 is 500000500000
//! of at least 900 pieces
//! ```

use goroutines::{Config, StartError, join, sync::Mutex};

fn sum(numbers: &[u64], pieces: &Mutex<u32>) -> u64 {
    if numbers.len() <= 1000 {
        *pieces.lock().unwrap() += 1;
        return numbers.iter().sum();
    }
    let (left, right) = numbers.split_at(numbers.len() / 2);
    let (left, right) = join(|| sum(left, pieces), || sum(right, pieces));
    left + right
}

fn program() {
    let numbers: Vec<u64> = (1..=1_000_000).collect();
    let pieces = Mutex::new(0);
    println!("the sum of 1 to 1000000 is {}", sum(&numbers, &pieces));
    assert!(pieces.into_inner().unwrap() >= 900);
    println!("of at least 900 pieces");
}

fn main() -> Result<(), StartError> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { goroutines::run(Config::new(), program) }
}
