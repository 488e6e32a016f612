//! Goroutines beside tokio: a goroutine waits for a future, a task waits for channels and for goroutines.
//!
//! ```text
//! $ cargo run -p goroutines --example mixed_async
//! a goroutine waited for a task: 20
//! a task waited for goroutines: [0, 1, 4, 9]
//! ```

use std::time::Duration;

use goroutines::{block_on, chan, go};
use tokio::runtime;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park: tokio runs on threads of its
    // own and is not entered on a goroutine.
    unsafe { goroutines::start()? };
    let tokio = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()?;

    // The future runs on tokio, which has the timers and sockets. The goroutine parks until its output is there.
    let handle = tokio.handle().clone();
    let waits = go(move || {
        block_on(handle.spawn(async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            20
        }))
    });
    println!("a goroutine waited for a task: {}", waits.join().unwrap()?);

    // Both ends of a channel have async calls, and a handle is a future.
    let (questions, todo) = chan::bounded::<(u32, chan::Sender<u32>)>(0);
    let server = go(move || {
        for (n, answer) in todo {
            answer.send(n * n).unwrap();
        }
    });
    let task = tokio.spawn(async move {
        let mut squares = Vec::new();
        for n in 0..4 {
            let (tx, rx) = chan::bounded(1);
            questions.send_async((n, tx)).await.unwrap();
            squares.push(rx.recv_async().await.unwrap());
        }
        drop(questions); // the loop of the server ends
        server.await.unwrap();
        squares
    });
    println!("a task waited for goroutines: {:?}", block_on(task)?);
    Ok(())
}
