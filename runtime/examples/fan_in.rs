//! Fan-in: one goroutine takes from several channels with `select!`, and gives up when nothing comes for a second.
//!
//! ```text
//! $ cargo run -p goroutines --example fan_in
//! temperature has ended
//! pressure has ended
//! no reading for 1s: wind is silent
//! temperature: 3 readings, pressure: 4 readings
//! ```

use std::time::Duration;

use goroutines::{chan, go, sleep};

/// Sends `count` readings, one each `pause`.
fn sensor(count: u32, pause: Duration) -> chan::Receiver<u32> {
    let (tx, rx) = chan::bounded(0);
    go(move || {
        for n in 0..count {
            sleep(pause);
            tx.send(n).unwrap();
        }
    });
    rx
}

fn main() -> Result<(), goroutines::StartError> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { goroutines::start()? };

    let patience = Duration::from_secs(1);
    let mut temperature = sensor(3, Duration::from_millis(2));
    let mut pressure = sensor(4, Duration::from_millis(3));
    let (_silent, wind) = chan::bounded::<u32>(0);
    let mut counts = [0, 0];
    let mut ended = Vec::new();
    loop {
        // Waits for the first of them. A channel that has ended is always ready, with an error: `never` takes its
        // place, which is never ready.
        chan::select! {
            recv(temperature) -> reading => match reading {
                Ok(_) => counts[0] += 1,
                Err(_) => {
                    ended.push("temperature");
                    temperature = chan::never();
                }
            },
            recv(pressure) -> reading => match reading {
                Ok(_) => counts[1] += 1,
                Err(_) => {
                    ended.push("pressure");
                    pressure = chan::never();
                }
            },
            recv(wind) -> reading => println!("wind: {reading:?}"),
            default(patience) => break,
        }
    }

    ended.sort_by_key(|&name| name != "temperature");
    for name in ended {
        println!("{name} has ended");
    }
    println!("no reading for {patience:?}: wind is silent");
    println!(
        "temperature: {} readings, pressure: {} readings",
        counts[0], counts[1]
    );
    Ok(())
}
