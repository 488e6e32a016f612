//! What the tests across crates share.

mod depth;
mod dice;
mod dump;
pub mod linear;
mod program;
mod sockets;
mod start;
mod streams;
mod text;
mod wait;
mod waiting;

pub use depth::{below, deep};
pub use dice::Dice;
pub use dump::{assert_shown, groups_in, seen_in};
pub use program::{Death, program, run};
pub use sockets::{in_epoll, nothing_left_by, tcp_pair};
pub use start::{alone, start, start_with};
pub use streams::Stream;
pub use text::in_order;
pub use wait::{compute, until, until_metrics};
pub use waiting::{EVERYBODY, Waiting, Who};
