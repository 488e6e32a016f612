//! A shutdown at SIGTERM: workers finish what they have begun, within a grace period. The program sends itself the signal.
//!
//! ```text
//! $ cargo run -p goroutines --example shutdown
//! signal 15: finishing
//! 4 workers have ended, and no job was lost
//! ```

use std::{error::Error, io, time::Duration};

use goroutines::{
    Config, JoinSet, chan::select, context::Context, process::Command, signal, sleep,
};

/// Does jobs until its context is done. Returns how many it began, and how many it ended.
fn work() -> (u64, u64) {
    let (mut begun, mut ended) = (0, 0);
    while Context::current().err().is_none() {
        begun += 1;
        // A job is not broken off: it runs under no context.
        Context::background().run(|| sleep(Duration::from_millis(1)));
        ended += 1;
    }
    (begun, ended)
}

fn program() -> io::Result<()> {
    let stop = signal::notify(&[signal::SIGTERM, signal::SIGINT])?;
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        workers.spawn(work);
    }

    Command::new("kill")
        .args(["-TERM", &std::process::id().to_string()])
        .status()?;
    select! {
        recv(stop) -> number => println!("signal {}: finishing", number.unwrap()),
        recv(workers.ended()) -> ended => unreachable!("before it was told to: {ended:?}"),
    }

    workers.cancel_all();
    let (grace, _) = Context::background().with_timeout(Duration::from_secs(60));
    let mut count = 0;
    while let Some(result) = workers.join_next_ctx(&grace).map_err(io::Error::other)? {
        let (begun, ended) = result.unwrap();
        assert_eq!(begun, ended);
        count += 1;
    }
    println!("{count} workers have ended, and no job was lost");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    Ok(unsafe { goroutines::run(Config::new(), program) }??)
}
