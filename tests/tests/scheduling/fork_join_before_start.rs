//! Before the runtime is started `join` runs one closure after the other.

use std::thread::current;

use goroutines::join;
use goroutines_tests::start;

#[test]
fn join_runs_both_on_the_thread_before_the_start_and_joins_after_it() {
    let mut order = Vec::new();
    let here = current().id();
    let nested = || join(|| current().id(), || current().id());
    let ((a, b), c) = join(nested, || current().id());
    assert_eq!([a, b, c], [here; 3]);
    let cell = std::sync::Mutex::new(&mut order);
    let first = || cell.lock().unwrap().push(1);
    join(first, || cell.lock().unwrap().push(2));
    assert_eq!(order, [1, 2]);
    // The closure during which the runtime starts has a caller that has offered nothing.
    let started = join(|| start(2), || join(|| 3, || 4));
    assert_eq!(started.1, (3, 4));
}
