//! Idle windows: those on the shared lists that nobody needs for a while give their memory back.

use crate::arena::{self, reserve, unreserve};
use crate::class::Class;
use crate::window::Stack;

/// Windows whose memory is given back between two looks at a list.
const BATCH: usize = 16;

/// Gives the memory of those windows on the shared lists back to the kernel that nobody has needed since the last call.
/// Returns whether there are others, which the next call may find idle.
///
/// For a thread that calls it now and then. While it works on some windows they are not on the list, so it admits them first
/// as a cache does.
pub fn give_back_idle() -> bool {
    let mut others = false;
    for &class in Class::ALL {
        while arena::idle(class) > 0 && reserve(class, BATCH).is_ok() {
            let mut batch = arena::take_idle(class, BATCH);
            batch.iter_mut().for_each(Stack::clear);
            arena::put_cold(class, batch);
            unreserve(class, BATCH);
        }
        others |= arena::note_idle(class) > 0;
    }
    others
}
