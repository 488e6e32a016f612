//! What messages call the goroutine that runs here.

use crate::{stacks::fault_hooks, switch::current::on_goroutine};

/// What a message calls the goroutine that runs here (`goroutine 17 [name]`), and the type of the closure that it was
/// spawned as. `None` on a plain OS thread. It takes no lock and does not park.
///
/// # Examples
///
/// ```
/// assert!(goroutines_sched::describe_goroutine().is_none()); // a plain thread
/// ```
pub fn describe_goroutine() -> Option<(String, &'static str)> {
    if !on_goroutine() {
        return None;
    }
    let mut words = String::new();
    fault_hooks::describe(&mut words);
    Some((words, fault_hooks::origin().unwrap_or("?")))
}
