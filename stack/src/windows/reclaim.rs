//! Reclaiming: windows that lie on the shared lists for a while give their memory back to the kernel.

use crate::memory::class::Class;
use crate::windows::admission::{reserve, unreserve};
use crate::windows::shared;
use crate::windows::window::Stack;

/// Windows whose memory is given back between two looks at a list.
const BATCH: usize = 16;

/// Gives back to the kernel the memory of those windows that have lain on a shared list since the last call. Returns whether
/// there are others, which the next call may find idle.
///
/// For a thread that calls it from time to time. While it works on some windows they are not on the list, so it admits them
/// first, as a cache does.
pub fn give_back_idle() -> bool {
    let mut others = false;
    for &class in Class::ALL {
        while shared::idle(class) > 0 && reserve(class, BATCH).is_ok() {
            let mut batch = shared::take_idle(class, BATCH);
            batch.iter_mut().for_each(Stack::clear);
            shared::put_cold(class, batch);
            unreserve(class, BATCH);
        }
        others |= shared::note_idle(class) > 0;
    }
    others
}
