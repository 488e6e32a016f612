//! The items of the environment variable `GODEBUG`: `schedtrace=1000,hogs=100,hogstacks=1,deadlock=0`.
//!
//! Go programs use the same variable, so unknown keys are ignored. An impossible value of a known key is an error.

use std::{env, time::Duration};

use crate::{observe::deadlock::Deadlock, start::config::StartError};

/// The reports that `GODEBUG` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GoDebug {
    /// How often a line on the scheduler goes to stderr.
    pub(crate) schedtrace: Option<Duration>,
    /// After how long a goroutine that makes no call is reported.
    pub(crate) hogs: Option<Duration>,
    /// Whether its stack is reported as well. `None`: not set.
    pub(crate) hogstacks: Option<bool>,
    /// What happens at a deadlock. `None`: not set.
    pub(crate) deadlock: Option<Deadlock>,
}

impl GoDebug {
    /// # Errors
    ///
    /// A known key has a value that is no number of milliseconds.
    pub(crate) fn from_env() -> Result<GoDebug, StartError> {
        env::var_os("GODEBUG").map_or(Ok(GoDebug::default()), |value| {
            parse(&value.to_string_lossy())
        })
    }
}

fn parse(value: &str) -> Result<GoDebug, StartError> {
    let mut debug = GoDebug::default();
    for item in value.split(',').map(str::trim) {
        let (key, number) = item.split_once('=').unwrap_or((item, ""));
        let place = match key.trim() {
            "schedtrace" => &mut debug.schedtrace,
            "hogs" => &mut debug.hogs,
            "hogstacks" => {
                debug.hogstacks = match number.trim() {
                    "0" => Some(false),
                    "1" => Some(true),
                    _ => return Err(StartError::Godebug(item.to_owned())),
                };
                continue;
            }
            "deadlock" => {
                debug.deadlock = match number.trim() {
                    "0" => Some(Deadlock::Off),
                    "1" => Some(Deadlock::Exit),
                    _ => return Err(StartError::Godebug(item.to_owned())),
                };
                continue;
            }
            _ => continue,
        };
        // The limit, a day, is longer than any useful period, and far from any overflow.
        let milliseconds = number.trim().parse().ok().filter(|&ms| ms <= 86_400_000);
        *place = match milliseconds {
            Some(0) => None,
            Some(ms) => Some(Duration::from_millis(ms)),
            None => return Err(StartError::Godebug(item.to_owned())),
        };
    }
    Ok(debug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keys_are_milliseconds_and_unknown_ones_are_nobodys_mistake() {
        let ms = |n| Some(Duration::from_millis(n));
        for (value, schedtrace, hogs) in [
            ("", None, None),
            ("schedtrace=1000", ms(1000), None),
            (
                "gctrace=1, hogs = 20 ,x,schedtrace=5,=3,http2debug=no",
                ms(5),
                ms(20),
            ),
            ("schedtrace=0,hogs=0", None, None),
            ("hogs=1,hogs=2", None, ms(2)),
        ] {
            let debug = parse(value).unwrap();
            let hogstacks = None;
            assert_eq!(
                debug,
                GoDebug {
                    schedtrace,
                    hogs,
                    hogstacks,
                    deadlock: None,
                },
                "{value}"
            );
        }
        for (value, hogstacks) in [("hogstacks=1", true), ("hogs=3,hogstacks= 0", false)] {
            assert_eq!(parse(value).unwrap().hogstacks, Some(hogstacks), "{value}");
        }
        for (value, deadlock) in [
            ("deadlock=1", Deadlock::Exit),
            ("x,deadlock= 0", Deadlock::Off),
        ] {
            assert_eq!(parse(value).unwrap().deadlock, Some(deadlock), "{value}");
        }
    }

    #[test]
    fn a_value_that_is_no_time_is_named() {
        for bad in [
            "schedtrace=",
            "schedtrace",
            "schedtrace=often",
            "hogs=-1",
            "hogs=1.5",
            "hogs=86400001",
            "hogstacks",
            "hogstacks=2",
            "deadlock",
            "deadlock=2",
        ] {
            let error = parse(&format!("gctrace=1,{bad}")).unwrap_err().to_string();
            assert!(error.contains(&format!("`{bad}`")), "{error}");
            assert!(error.contains("GODEBUG"), "{error}");
        }
    }
}
