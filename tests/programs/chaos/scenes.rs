//! The scenes by name.

use crate::{
    board::Actor, bound, channels, clocks, contexts, foreign, futures, limits, locals, locks,
    market, meetings, news, rough, sets, stacks, unwinding,
};

/// A small program with a promise that it checks. All actors that it hires have ended when it returns.
pub struct Scene {
    pub name: &'static str,
    pub about: &'static str,
    pub play: fn(&mut Actor),
}

const fn scene(name: &'static str, about: &'static str, play: fn(&mut Actor)) -> Scene {
    Scene { name, about, play }
}

pub const SCENES: &[Scene] = &[
    scene(
        "channels",
        "each message arrives once and in order, however it is sent and received",
        channels::play,
    ),
    scene(
        "market",
        "tokens go round over selects with timeouts, and none is lost",
        market::play,
    ),
    scene(
        "futures",
        "receives, sends and joins as futures that are dropped anywhere",
        futures::play,
    ),
    scene(
        "locks",
        "mutex, reader-writer lock and semaphore exclude, also with timeouts and parks under them",
        locks::play,
    ),
    scene(
        "foreign",
        "locks of other crates are held over parks",
        foreign::play,
    ),
    scene(
        "meetings",
        "barriers, conditions, once, park and unpark, wait groups",
        meetings::play,
    ),
    scene(
        "unwinding",
        "destructors wait for others while a panic unwinds",
        unwinding::play,
    ),
    scene(
        "bound",
        "goroutines that are pinned or locked stay on their thread",
        bound::play,
    ),
    scene(
        "rough",
        "blocking calls, announced and not, loops without calls, threads of std",
        rough::play,
    ),
    scene(
        "stacks",
        "deep stacks and segments with parks on them keep what they hold",
        stacks::play,
    ),
    scene(
        "contexts",
        "contexts, error groups and scopes end what they shall end",
        contexts::play,
    ),
    scene(
        "clocks",
        "tick, after and deadlines, shared by many",
        clocks::play,
    ),
    scene(
        "locals",
        "local values of goroutines, and addresses of a thread's",
        locals::play,
    ),
    scene(
        "news",
        "channels for one value, the latest value, and all receivers",
        news::play,
    ),
    scene(
        "sets",
        "sets of goroutines, joins of two closures, and ends in a select",
        sets::play,
    ),
    scene(
        "limits",
        "rates, permits and locks under contexts, and calls that have a time",
        limits::play,
    ),
];
