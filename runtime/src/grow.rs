//! Recursion of any depth.

use goroutines_sched as sched;

/// Calls `f`, on a further stack if less than `red_zone` bytes are left of this one.
///
/// For recursion whose depth depends on the input (parsers, trees, solvers): a function that calls this
/// at each level never reaches the end of a stack. `#[goroutines::grow]` does that to a whole
/// function.
///
/// The further stacks, *segments*, are each of a larger class than the one before, until a chain has
/// 1 GiB. They start as a page, grow in place as goroutine stacks do, and are given back when `f` returns;
/// only the one that was left last is kept for the next crossing. Nothing is moved or allocated: `f`
/// stays where it is, and its result or its panic is passed to the caller. Where enough stack is left the
/// call costs a comparison, some nanoseconds.
///
/// `red_zone` has to cover what is used until the next call of `grow`: the frames in between, library
/// calls included. 32 KiB are a good start.
///
/// Works on goroutines, and on plain threads too, also before the runtime has been started. Inside `f`
/// everything is as outside: it can park, and a goroutine can resume on another thread.
///
/// A recursion that never ends does end: at the end of the chain it overflows, with a message, as on
/// any stack. Backtraces go through all segments, down to where the goroutine or thread began.
///
/// # Panics
///
/// With the panic of `f`. When `red_zone` is more than the largest stack has, and when there is no
/// memory or address space for a segment.
///
/// # Parks
///
/// If `f` does.
///
/// # Examples
///
/// ```
/// fn depth(levels: u64) -> u64 {
///     goroutines::grow(32 * 1024, || match levels {
///         0 => 0,
///         _ => 1 + depth(levels - 1),
///     })
/// }
/// assert_eq!(depth(100_000), 100_000);
/// ```
#[inline]
pub fn grow<F, R>(red_zone: usize, f: F) -> R
where
    F: FnOnce() -> R,
{
    if sched::has_stack(red_zone) {
        return f();
    }
    sched::on_segment(red_zone, f)
}
