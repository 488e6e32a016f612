//! [`in_current_span`]: a new goroutine goes on in the span of its spawner.

use tracing::Span;

/// Makes a closure that runs `f` in the span that the caller of this function is in.
///
/// The span lasts until `f` has returned. If the caller is in no span, `f` runs in none.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{go, tracing::{in_current_span, registry}};
/// use tracing::{Span, info_span};
/// use tracing_subscriber::util::SubscriberInitExt as _;
///
/// registry().init();
/// let request = info_span!("request").entered();
/// let (inside, outside) = (go(in_current_span(Span::current)), go(Span::current));
/// assert_eq!(inside.join().unwrap().id(), request.id());
/// assert_eq!(outside.join().unwrap().id(), None);
/// ```
pub fn in_current_span<F, R>(f: F) -> impl FnOnce() -> R + use<F, R>
where
    F: FnOnce() -> R,
{
    let span = Span::current();
    move || span.in_scope(f)
}
