//! The first program: goroutines are started, and joined for what they return.
//!
//! ```text
//! $ cargo run -p goroutines --example hello
//! hello from goroutine 1
//! hello from goroutine 2
//! hello from goroutine 3
//! goroutine 4 panicked: nobody is here
//! ```

use goroutines::go;

fn main() -> Result<(), goroutines::StartError> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    unsafe { goroutines::start()? };

    let greetings: Vec<_> = (1..=3)
        .map(|n| go(move || format!("hello from goroutine {n}")))
        .collect();
    for greeting in greetings {
        println!("{}", greeting.join().unwrap());
    }

    // A panic ends its goroutine alone. Its message goes to stderr, its payload to `join`.
    let error = go(|| panic!("nobody is here")).join().unwrap_err();
    let message = error.downcast_ref::<&str>().unwrap();
    println!("goroutine 4 panicked: {message}");
    Ok(())
}
