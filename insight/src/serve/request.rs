//! The requests: a word, and perhaps others behind it, on a line.

use std::{ops::RangeInclusive, time::Duration};

use crate::profile::ProfileKind;

/// The most bytes that a line may have.
pub(super) const MOST: usize = 256;

/// How often the numbers may be asked for.
const SHORTEST: u64 = 10;
const LONGEST: u64 = 3_600_000;

/// How many groups or sites are listed where the client does not say.
pub(super) const LISTED: usize = 50;

/// The most seconds that a wait is asked to be old.
const OLDEST: u64 = 31_536_000;

/// The most seconds that a profile or a trace takes.
const LONGEST_LOOK: u64 = 60;

/// What `hello` lists.
pub(super) const KNOWN: [&str; 10] = [
    "hello",
    "stats",
    "goroutines",
    "longest",
    "waits",
    "leaks",
    "profile",
    "trace",
    "dump",
    "bye",
];

/// What a client may ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Request {
    Hello,
    /// Numbers of the scheduler, once or every so often.
    Stats(Option<Duration>),
    /// Groups with their stacks, so many at most.
    Groups(usize),
    /// Counts by closure and state, so many at most.
    Sites(usize),
    /// The goroutines that have waited longest, so many at most.
    Longest(usize),
    /// The rings of the wait graph.
    Waits,
    /// Goroutines that have waited for so long, or longer.
    Leaks(Duration),
    /// A profile of this kind, for so long.
    Profile(ProfileKind, Duration),
    /// A trace of so long, as a page.
    Trace(Duration),
    Dump,
    Bye,
}

impl Request {
    /// The request in `line`, or what is wrong with it.
    pub(super) fn of(line: &str) -> Result<Request, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["hello"] => Ok(Request::Hello),
            ["stats"] => Ok(Request::Stats(None)),
            ["stats", ms] => period(ms).map(|every| Request::Stats(Some(every))),
            ["goroutines", ref rest @ ..] => listing(rest),
            ["longest"] => Ok(Request::Longest(LISTED)),
            ["longest", most] => number(most, "goroutines").map(Request::Longest),
            ["waits"] => Ok(Request::Waits),
            ["leaks", time] => seconds("leaks", time, 0..=OLDEST).map(Request::Leaks),
            ["leaks"] => Err("`leaks`: say for how many seconds they have waited".to_owned()),
            ["profile", ref rest @ ..] => profile(rest),
            ["trace", time] => seconds("trace", time, 1..=LONGEST_LOOK).map(Request::Trace),
            ["trace"] => Err("`trace`: say for how many seconds".to_owned()),
            ["dump"] => Ok(Request::Dump),
            ["bye"] => Ok(Request::Bye),
            [] => Err("an empty line is no request: `hello` lists them".to_owned()),
            [word, ..] if KNOWN.contains(&word) => Err(format!("`{word}` takes no such words")),
            [word, ..] => Err(format!(
                "`{}` is no request: `hello` lists them",
                word.escape_debug()
            )),
        }
    }
}

fn period(ms: &str) -> Result<Duration, String> {
    match ms.parse() {
        Ok(ms @ SHORTEST..=LONGEST) => Ok(Duration::from_millis(ms)),
        _ => Err(format!(
            "`stats {}`: the milliseconds between two answers are {SHORTEST} to {LONGEST}",
            ms.escape_debug()
        )),
    }
}

fn seconds(request: &str, word: &str, range: RangeInclusive<u64>) -> Result<Duration, String> {
    match word.parse() {
        Ok(seconds) if range.contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!(
            "`{request} {}`: the seconds are {} to {}",
            word.escape_debug(),
            range.start(),
            range.end()
        )),
    }
}

/// How many `things` are wanted at most.
fn number(word: &str, things: &str) -> Result<usize, String> {
    match word.parse() {
        Ok(most @ 1..) => Ok(most),
        _ => Err(format!(
            "`{}` is no number of {things}: say 1 or more",
            word.escape_debug()
        )),
    }
}

/// The word for a kind of profile, in requests and in answers.
pub(super) fn word_of(kind: ProfileKind) -> &'static str {
    match kind {
        ProfileKind::Cpu => "cpu",
        ProfileKind::Block => "block",
        ProfileKind::Contention => "contention",
    }
}

fn profile(words: &[&str]) -> Result<Request, String> {
    let [kind, time] = *words else {
        return Err("`profile` takes a kind and seconds".to_owned());
    };
    let known = [
        ProfileKind::Cpu,
        ProfileKind::Block,
        ProfileKind::Contention,
    ];
    let Some(of) = known.into_iter().find(|&known| word_of(known) == kind) else {
        return Err(format!(
            "`profile {}`: say cpu, block or contention",
            kind.escape_debug()
        ));
    };
    let request = format!("profile {kind}");
    let time = seconds(&request, time, 1..=LONGEST_LOOK)?;
    Ok(Request::Profile(of, time))
}

fn listing(words: &[&str]) -> Result<Request, String> {
    let (kind, most) = match *words {
        [] => ("group", LISTED),
        [kind] => (kind, LISTED),
        [kind, most] => (kind, number(most, "groups or sites")?),
        _ => return Err("`goroutines` takes a kind and a number".to_owned()),
    };
    match kind {
        "group" => Ok(Request::Groups(most)),
        "site" => Ok(Request::Sites(most)),
        kind => Err(format!(
            "`goroutines {}`: say group or site",
            kind.escape_debug()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_understood() {
        let every = Duration::from_millis;
        for (line, request) in [
            ("hello", Request::Hello),
            ("  stats ", Request::Stats(None)),
            ("stats 10", Request::Stats(Some(every(10)))),
            ("stats 3600000", Request::Stats(Some(every(3_600_000)))),
            ("goroutines", Request::Groups(50)),
            ("goroutines group 3", Request::Groups(3)),
            ("goroutines site", Request::Sites(50)),
            ("goroutines site 7", Request::Sites(7)),
            ("longest", Request::Longest(50)),
            ("longest 3", Request::Longest(3)),
            ("waits", Request::Waits),
            ("leaks 0", Request::Leaks(Duration::ZERO)),
            ("leaks 60", Request::Leaks(Duration::from_secs(60))),
            (
                "profile cpu 1",
                Request::Profile(ProfileKind::Cpu, Duration::from_secs(1)),
            ),
            (
                "profile block 60",
                Request::Profile(ProfileKind::Block, Duration::from_secs(60)),
            ),
            (
                "profile contention 5",
                Request::Profile(ProfileKind::Contention, Duration::from_secs(5)),
            ),
            ("trace 2", Request::Trace(Duration::from_secs(2))),
            ("dump", Request::Dump),
            ("bye", Request::Bye),
        ] {
            assert_eq!(Request::of(line), Ok(request), "{line}");
        }
    }

    #[test]
    fn what_is_no_request_is_told_what_is_wrong() {
        for (line, says) in [
            ("", "an empty line"),
            ("helo", "`helo` is no request"),
            ("\u{1b}[2J", "`\\u{1b}[2J` is no request"),
            ("hello you", "`hello` takes no such words"),
            ("stats 9", "`stats 9`: the milliseconds"),
            ("stats 3600001", "`stats 3600001`: the milliseconds"),
            ("stats -1", "`stats -1`: the milliseconds"),
            ("stats 10 10", "`stats` takes no such words"),
            ("goroutines all", "`goroutines all`: say group or site"),
            ("goroutines site 0", "`0` is no number"),
            ("longest 0", "`0` is no number of goroutines: say 1 or more"),
            ("longest 1 2", "`longest` takes no such words"),
            ("waits all", "`waits` takes no such words"),
            ("leaks", "`leaks`: say for how many seconds"),
            ("leaks -1", "`leaks -1`: the seconds are 0 to 31536000"),
            ("leaks 31536001", "`leaks 31536001`: the seconds"),
            ("profile", "`profile` takes a kind and seconds"),
            ("profile cpu", "`profile` takes a kind and seconds"),
            (
                "profile heap 1",
                "`profile heap`: say cpu, block or contention",
            ),
            ("profile cpu 0", "`profile cpu 0`: the seconds are 1 to 60"),
            ("profile block 61", "`profile block 61`: the seconds"),
            ("trace", "`trace`: say for how many seconds"),
            ("trace 0", "`trace 0`: the seconds are 1 to 60"),
            ("trace 61", "`trace 61`: the seconds are 1 to 60"),
            ("trace 1 2", "`trace` takes no such words"),
            ("goroutines site 1 2", "`goroutines` takes a kind"),
        ] {
            let error = Request::of(line).expect_err(line);
            assert!(error.starts_with(says), "{line}: {error}");
        }
    }
}
