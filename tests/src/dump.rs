//! Looking for goroutines in dumps.

use goroutines::debug::{Dump, Group, Snapshot, State};

use crate::until;

/// The groups with a frame of the function with this name.
pub fn groups_in<'a>(snapshot: &'a Snapshot, function: &str) -> Vec<&'a Group> {
    let is_in = |group: &&Group| {
        let frames = snapshot.frames(group);
        frames.iter().any(|frame| {
            let name = frame.function.as_deref().unwrap_or_default();
            name.rsplit("::").next() == Some(function)
        })
    };
    snapshot.groups().iter().filter(is_in).collect()
}

/// Waits until `count` goroutines, and no others, are in the function with this name, all in `state`. Returns that snapshot.
///
/// # Panics
///
/// When it does not come to that within a minute.
#[track_caller]
pub fn seen_in(function: &str, count: usize, state: State) -> Snapshot {
    let mut seen = None;
    until(&format!("{count} in {function} are in {state:?}"), || {
        let snapshot = Dump::new().take();
        let groups = groups_in(&snapshot, function);
        let all: usize = groups.iter().map(|group| group.count).sum();
        let fits = all == count && groups.iter().all(|group| group.state == state);
        seen = fits.then_some(snapshot);
        fits
    });
    seen.expect("until has returned")
}

/// Asserts that the stacks of the goroutines in `function` are whole, begin with a function whose name has `primitive` in
/// it, and have a line of `file`.
///
/// # Panics
///
/// When they are not.
#[track_caller]
pub fn assert_shown(snapshot: &Snapshot, function: &str, primitive: &str, file: &str) {
    let groups = groups_in(snapshot, function);
    assert!(!groups.is_empty(), "none in {function}");
    for group in groups {
        let frames = snapshot.frames(group);
        let text = format!("{function}, {primitive}: {frames:#?}");
        assert!(group.is_complete(), "{text}");
        let first = frames[0].function.as_deref().unwrap_or_default();
        assert!(first.contains(primitive), "{text}");
        let mut places = frames.iter().filter_map(|frame| frame.place.as_ref());
        assert!(places.any(|(path, _)| path.ends_with(file)), "{text}");
    }
}
