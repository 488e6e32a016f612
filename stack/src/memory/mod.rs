//! Memory: pages, and which of them fault.
//!
//! The lowest folder of the crate: it imports nothing of the others, and `windows/` and `faults/` import it. It knows sizes
//! and addresses, and no stack in use.
//!
//! | file | essay |
//! |---|---|
//! | `map.rs` | address space that is reserved and costs nothing until it is touched |
//! | `class.rs` | the sizes that a window can have |
//! | `step.rs` | where a soft guard stands, and where it goes next |
//! | `guard.rs` | pages that fault, in two flavours |
//! | `ranges.rs` | guards of several windows by one system call |

pub(crate) mod class;
pub(crate) mod guard;
pub(crate) mod map;
pub(crate) mod ranges;
pub(crate) mod step;
