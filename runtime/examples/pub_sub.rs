//! Publish and subscribe: each subscriber gets each message of its topic. One that is too slow loses the oldest, and is told
//! how many; the publisher never waits.
//!
//! ```text
//! $ cargo run -p goroutines --example pub_sub
//! weather: ["rain", "sun", "wind"] to both subscribers
//! prices: 95 were lost, and then came [95, 96, 97, 98, 99]
//! ```

use std::collections::HashMap;

use goroutines::{Config, StartError, go, sync::broadcast, sync::broadcast::RecvError};

fn program() {
    let mut topics = HashMap::new();
    for name in ["weather", "prices"] {
        let (topic, _) = broadcast::channel::<String>(5);
        topics.insert(name, topic);
    }
    let mut subscribers: Vec<_> = (0..2).map(|_| topics["weather"].subscribe()).collect();
    let readers: Vec<_> = subscribers
        .drain(..)
        .map(|mut news| go(move || std::iter::from_fn(|| news.recv().ok()).collect::<Vec<_>>()))
        .collect();
    let mut slow = topics["prices"].subscribe();

    for weather in ["rain", "sun", "wind"] {
        topics["weather"].send(weather.to_owned()).unwrap();
    }
    for price in 0..100 {
        topics["prices"].send(price.to_string()).unwrap();
    }
    drop(topics); // nothing more is published

    let mut heard = readers.into_iter().map(|reader| reader.join().unwrap());
    let (first, second) = (heard.next().unwrap(), heard.next().unwrap());
    assert_eq!(first, second);
    println!("weather: {first:?} to both subscribers");

    let Err(RecvError::Lagged(lost)) = slow.recv() else {
        unreachable!("100 messages do not fit into 5 places")
    };
    let left: Vec<u32> = std::iter::from_fn(|| slow.recv().ok()?.parse().ok()).collect();
    println!("prices: {lost} were lost, and then came {left:?}");
}

fn main() -> Result<(), StartError> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { goroutines::run(Config::new(), program) }
}
