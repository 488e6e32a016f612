//! Calls that block their thread: inside `blocking` they keep a thread, and the other goroutines run on.
//!
//! ```text
//! $ cargo run -p goroutines --example blocking
//! the kernel is Linux
//! asked on the only processor, answered on it as well: 42
//! ```

use std::{fs, sync::mpsc};

use goroutines::{Config, blocking, go};

fn main() -> Result<(), goroutines::StartError> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { Config::new().procs(1).start()? };

    // Reading a file may take a millisecond of disk.
    let kernel = go(|| blocking(|| fs::read_to_string("/proc/sys/kernel/ostype")));
    println!("the kernel is {}", kernel.join().unwrap().unwrap().trim());

    // The channel of std blocks the thread of the first goroutine. The second one, which ends that, runs meanwhile,
    // although there is one processor: it goes to another thread for the time of the call.
    let (tx, rx) = mpsc::channel();
    let asks = go(move || blocking(|| rx.recv().unwrap()));
    let answers = go(move || tx.send(42).unwrap());
    let answer: u32 = asks.join().unwrap();
    answers.join().unwrap();
    println!("asked on the only processor, answered on it as well: {answer}");
    Ok(())
}
