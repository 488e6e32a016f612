//! Threads with little stack.

use std::thread;

use goroutines::{Config, go, set_gomaxprocs};

use crate::try_start;

pub(crate) fn start_on_a_small_stack() {
    let small = thread::Builder::new().stack_size(16 << 10);
    let small = small.spawn(|| {
        let started = try_start(Config::new().procs(2));
        let joined = go(|| 7).join().unwrap();
        // Makes Ps that there were not before.
        let before = set_gomaxprocs(5);
        (started.is_ok(), joined, before)
    });
    println!("{:?}", small.unwrap().join().unwrap());
}
