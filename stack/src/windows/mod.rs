//! Windows: the stacks, where their address space comes from, and the lists of those that are not in use.
//!
//! Imports `memory/`; `faults/` imports it. Two stores that are no windows lie here too, because they are address space
//! that is handed out the same way: `image.rs` and `slab.rs`.
//!
//! | file | essay |
//! |---|---|
//! | `window.rs` | one window in use: guards, colour |
//! | `chunk.rs` | the reservations of an arena, and ranges of windows that are no stacks yet |
//! | `lifo.rs` | the list inside a cache |
//! | `arena.rs` | the address space of a class: the states of a window, scarcity |
//! | `admission.rs` | windows that are promised before they are taken |
//! | `shared.rs` | the shared list of a class: `acquire` and `release` |
//! | `cache.rs` | the lists of one P, in front of the shared ones |
//! | `reclaim.rs` | memory of windows that lie on the shared lists for a while |
//! | `slot.rs` | the place of a stack that may be missing |
//! | `image.rs` | the live bytes of stacks that are copied out |
//! | `slab.rs` | descriptors that lie side by side and never move |

pub(crate) mod admission;
pub(crate) mod arena;
pub(crate) mod cache;
pub(crate) mod chunk;
pub(crate) mod image;
pub(crate) mod lifo;
pub(crate) mod reclaim;
pub(crate) mod shared;
pub(crate) mod slab;
pub(crate) mod slot;
pub(crate) mod window;
