//! Settings that are on or off: of the configuration, and of the environment, which overrides it.

use std::env;

use crate::start::config::{Config, StartError};

/// The flags that a [`Config`] sets; `None` for those it does not set.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Switches {
    migration_check: Option<bool>,
    force_migration: Option<bool>,
    hog_stacks: bool,
}

impl Switches {
    /// Whether migrate.rs searches goroutines that change threads.
    pub(crate) fn migration_check(self) -> Result<bool, StartError> {
        resolve("GOROUTINE_MIGRATION_CHECK", self.migration_check, true)
    }

    /// Whether goroutines change threads as often as they can.
    pub(crate) fn force_migration(self) -> Result<bool, StartError> {
        resolve("GOROUTINE_FORCE_MIGRATION", self.force_migration, false)
    }

    /// Whether reports of hogs show their stacks, where the environment does not say.
    pub(crate) fn hog_stacks(self) -> bool {
        self.hog_stacks
    }
}

impl Config {
    /// Whether a goroutine is searched for addresses of its old thread's storage before it resumes on another thread.
    /// The environment variable `GOROUTINE_MIGRATION_CHECK`, `on` or `off`, overrides it. Default: on.
    #[must_use]
    pub fn migration_check(mut self, on: bool) -> Config {
        self.switches.migration_check = Some(on);
        self
    }

    /// Whether a goroutine changes threads each time it runs, where another thread takes it. For tests. The
    /// environment variable `GOROUTINE_FORCE_MIGRATION`, `on` or `off`, overrides it. Default: off.
    #[must_use]
    pub fn force_migration(mut self, on: bool) -> Config {
        self.switches.force_migration = Some(on);
        self
    }

    /// Whether reports of hogs show their stacks. `GODEBUG=hogstacks=1` overrides it. Default: off.
    #[must_use]
    pub fn hog_stacks(mut self, on: bool) -> Config {
        self.switches.hog_stacks = on;
        self
    }
}

fn resolve(variable: &'static str, said: Option<bool>, default: bool) -> Result<bool, StartError> {
    match env::var_os(variable) {
        Some(value) => parse(variable, &value.to_string_lossy()),
        None => Ok(said.unwrap_or(default)),
    }
}

/// `on` or `off`; an empty value is neither.
fn parse(variable: &'static str, value: &str) -> Result<bool, StartError> {
    match value.trim().to_ascii_lowercase().as_str() {
        "on" | "1" => Ok(true),
        "off" | "0" => Ok(false),
        _ => Err(StartError::Switch(variable, value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_on_or_off() {
        for (value, on) in [("on", true), ("1", true), (" Off ", false), ("0", false)] {
            assert_eq!(parse("GOROUTINE_X", value).unwrap(), on);
        }
        for bad in ["", "yes", "2"] {
            let error = parse("GOROUTINE_X", bad).unwrap_err().to_string();
            assert!(
                error.contains(&format!("GOROUTINE_X is `{bad}`")),
                "{error}"
            );
            assert!(error.contains("`off`"), "{error}");
        }
    }

    #[test]
    fn without_the_environment_the_configuration_decides_and_without_it_the_default() {
        for default in [false, true] {
            assert_eq!(
                resolve("GOROUTINE_NOBODY_SETS_THIS", None, default).unwrap(),
                default
            );
            for said in [false, true] {
                let resolved = resolve("GOROUTINE_NOBODY_SETS_THIS", Some(said), default);
                assert_eq!(resolved.unwrap(), said);
            }
        }
    }
}
