//! A call with a time, which is tried again: the server does not answer the first two questions. Each answer comes through a
//! channel of its own.
//!
//! ```text
//! $ cargo run -p goroutines --example retry
//! try 1: deadline has elapsed
//! try 2: deadline has elapsed
//! try 3: 42
//! ```

use std::time::Duration;

use goroutines::{Config, StartError, chan, go, sleep, sync::oneshot, timeout};

struct Question {
    n: u32,
    answer: oneshot::Sender<u32>,
}

/// Keeps the first two questions, and answers the others.
fn serve(questions: chan::Receiver<Question>) {
    let mut kept = Vec::new();
    for question in questions {
        if kept.len() < 2 {
            kept.push(question);
        } else {
            // The asker may have given up.
            let _ = question.answer.send(question.n * question.n - 7);
        }
    }
}

fn program() {
    let (server, questions) = chan::bounded(0);
    go(move || serve(questions));
    for n in 1.. {
        let (answer, answered) = oneshot::channel();
        server.send(Question { n: 7, answer }).unwrap();
        // The third try has all the time that it needs.
        let time = Duration::from_millis(if n < 3 { 10 } else { 60_000 });
        match timeout(time, |_| answered.recv()) {
            Ok(answer) => {
                println!("try {n}: {}", answer.unwrap());
                break;
            }
            Err(late) => println!("try {n}: {late}"),
        }
        sleep(Duration::from_millis(1 << n)); // a longer pause each time
    }
}

fn main() -> Result<(), StartError> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { goroutines::run(Config::new(), program) }
}
