//! The reports, and the workloads that they share with the criterion benches.
//!
//! A report is a program of `bin/`, whose work a folder here does:
//!
//! - [`switch`]: what a switch costs.
//! - [`stack`]: what stacks cost.
//! - [`latency`]: how late goroutines run.
//! - [`sleepers`]: what many sleepers cost.
//! - [`scaling`]: how the scheduler would scale to 128 Ps, by a model.
//! - [`net`]: what serving connections costs, beside other runtimes and a loop without one.
//! - [`rivals`]: what the same workloads cost on other runtimes.
//! - [`budget`]: how many instructions operations take, beside what is recorded.
//!
//! In each, `mod.rs` has its arguments and its run, `scenario.rs` (or the rows) what there is to measure, `text.rs` how it is
//! printed. What they share is [`report`], and, for measuring, [`cpu`], [`sample`], [`stats`] and [`stopwatch`]. No report knows
//! another.

pub mod budget;
pub mod cpu;
pub mod latency;
pub mod net;
mod random;
pub mod report;
pub mod rivals;
pub mod sample;
pub mod scaling;
pub mod sleepers;
pub mod stack;
pub mod stats;
pub mod stopwatch;
pub mod switch;

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::*;

    fn commands() -> [Command; 8] {
        [
            switch::Arguments::command(),
            stack::Arguments::command(),
            latency::Arguments::command(),
            sleepers::Arguments::command(),
            scaling::Arguments::command(),
            net::Arguments::command(),
            rivals::Arguments::command(),
            budget::Arguments::command(),
        ]
    }

    #[test]
    fn the_arguments_are_described_without_contradiction() {
        commands().into_iter().for_each(Command::debug_assert);
    }

    #[test]
    fn every_report_has_the_shared_arguments() {
        for mut command in commands() {
            let help = command.render_help().to_string();
            for flag in ["--json", "--quick", "--only", "--rounds"] {
                assert!(help.contains(flag), "{flag}: {help}");
            }
        }
    }
}
