// crossbeam_utils::sync::WaitGroup: every public item by its full type.

use super::group::*;

pub(crate) fn facts() -> Vec<Fact> {
    plain![WaitGroup]
}

fn wait_group() {
    let _: fn() -> WaitGroup = WaitGroup::new;
    let _: fn(WaitGroup) = WaitGroup::wait;
}

pub(crate) fn texts() -> Vec<String> {
    vec![format!("{:?}", WaitGroup::new())]
}
