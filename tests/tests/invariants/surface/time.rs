// std::time: its items are std's own here, so that their names are enough.

use super::time::*;

pub(crate) fn facts() -> Vec<Fact> {
    plain![Duration, Instant, SystemTime, SystemTimeError, TryFromFloatSecsError]
}

const ZERO: SystemTime = UNIX_EPOCH;

fn same(a: Instant, b: Duration, c: SystemTime, d: SystemTimeError, e: TryFromFloatSecsError) {
    let _: (std::time::Instant, std::time::Duration, std::time::SystemTime) = (a, b, c);
    let _: (std::time::SystemTimeError, std::time::TryFromFloatSecsError) = (d, e);
}

pub(crate) fn texts() -> Vec<String> {
    vec![format!("{ZERO:?}")]
}
