//! What the tests across crates share.

mod depth;
mod dice;
mod program;
mod start;
mod wait;
mod waiting;

pub use depth::{below, deep};
pub use dice::Dice;
pub use program::{Death, program, run};
pub use start::{alone, start, start_with};
pub use wait::{compute, until, until_metrics};
pub use waiting::{EVERYBODY, Waiting, Who};
