//! The requests: a word, and perhaps others behind it, on a line.

use std::time::Duration;

/// The most bytes that a line may have.
pub(super) const MOST: usize = 256;

/// How often the numbers may be asked for.
const SHORTEST: u64 = 10;
const LONGEST: u64 = 3_600_000;

/// How many groups or sites are listed where the client does not say.
const LISTED: usize = 50;

/// What `hello` lists.
pub(super) const KNOWN: [&str; 5] = ["hello", "stats", "goroutines", "dump", "bye"];

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

fn listing(words: &[&str]) -> Result<Request, String> {
    let (kind, most) = match *words {
        [] => ("group", LISTED),
        [kind] => (kind, LISTED),
        [kind, most] => match most.parse() {
            Ok(most @ 1..) => (kind, most),
            _ => {
                return Err(format!(
                    "`{}` is no number of groups or sites: say 1 or more",
                    most.escape_debug()
                ));
            }
        },
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
            ("goroutines site 1 2", "`goroutines` takes a kind"),
        ] {
            let error = Request::of(line).expect_err(line);
            assert!(error.starts_with(says), "{line}: {error}");
        }
    }
}
