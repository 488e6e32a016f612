//! Many goroutines, and whichever of them ends first.

use std::{
    error::Error,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Builder,
    chan::{self, Receiver, Sender},
    context::{Canceller, Context, ContextError},
    go::no_goroutine,
};
use goroutines_sched::current;

/// Goroutines that are waited for together: [`join_next`](JoinSet::join_next) gives the result of whichever ends first.
///
/// The goroutines run under the set's [`context`](JoinSet::context), which descends from that of the maker of the set.
/// Dropping the set cancels it: their sends, receives and sleeps end early then. Nothing waits for them to end, which
/// [`shutdown`](JoinSet::shutdown) does; and [`detach_all`](JoinSet::detach_all) lets them run on.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// let mut set = goroutines::JoinSet::new();
/// for i in 1..=3 {
///     set.spawn(move || i * i);
/// }
/// let mut sum = 0;
/// while let Some(square) = set.join_next() {
///     sum += square.unwrap();
/// }
/// assert_eq!(sum, 14);
/// ```
///
/// In a `select!`, beside other channels:
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::chan::{never, select};
///
/// let stop = never::<()>();
/// let mut set = goroutines::JoinSet::new();
/// set.spawn(|| panic!("worker"));
/// select! {
///     recv(set.ended()) -> ended => assert!(ended.unwrap().into_result().is_err()),
///     recv(stop) -> _ => set.shutdown(),
/// }
/// ```
#[doc(alias = "TaskTracker")]
#[doc(alias = "FuturesUnordered")]
pub struct JoinSet<T> {
    tell: Sender<Ended<T>>,
    ended: Receiver<Ended<T>>,
    left: Arc<AtomicUsize>,
    context: Context,
    canceller: Canceller,
}

/// The end of a goroutine of a [`JoinSet`], as [`JoinSet::ended`] receives it. Until it is dropped, the set counts the
/// goroutine, so [`shutdown`](JoinSet::shutdown) and the like wait for further ends: it is to be dropped before.
pub struct Ended<T> {
    id: u64,
    result: thread::Result<T>,
    _counted: Counted,
}

/// Counts one while it exists.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(left: &Arc<AtomicUsize>) -> Counted {
        // Relaxed: only the number matters. What a goroutine did is ordered by the channel.
        left.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(left))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // Relaxed: as in `new`.
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T> Ended<T> {
    /// The number that [`JoinSet::spawn`] returned for the goroutine.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What the goroutine returned, or the payload of the panic that ended it.
    pub fn into_result(self) -> thread::Result<T> {
        self.result
    }
}

impl<T> fmt::Debug for Ended<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ended")
            .field("id", &self.id)
            .field("panicked", &self.result.is_err())
            .finish_non_exhaustive()
    }
}

/// No goroutine of a [`JoinSet`] ended in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JoinNextTimeoutError;

impl fmt::Display for JoinNextTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no goroutine of the set ended in time")
    }
}

impl Error for JoinNextTimeoutError {}

impl<T> JoinSet<T> {
    /// An empty set. Its context descends from [`Context::current`].
    pub fn new() -> JoinSet<T> {
        let (tell, ended) = chan::unbounded();
        let (context, canceller) = Context::current().with_cancel();
        JoinSet {
            tell,
            ended,
            left: Arc::default(),
            context,
            canceller,
        }
    }

    /// Returns how many goroutines of the set have not been joined: those that run, and those that have ended.
    pub fn len(&self) -> usize {
        // Relaxed: only the number matters.
        self.left.load(Ordering::Relaxed)
    }

    /// Returns whether there is no goroutine to be joined.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The context under which the goroutines run.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Cancels the context of the goroutines, also of those that are started later. They have to be joined all the same.
    pub fn cancel_all(&self) {
        self.canceller.cancel();
    }

    /// Receives the end of each goroutine of the set, for a `select!`. A clone takes the ends that it receives from the
    /// set: a call of the set that waits for an end meanwhile does not learn that there is none left.
    pub fn ended(&self) -> &Receiver<Ended<T>> {
        &self.ended
    }

    /// Waits for the end of a goroutine of the set and returns what it returned, or the payload of the panic that ended
    /// it. `None` when the set is empty. As [`JoinHandle::join`](crate::JoinHandle::join), it does not end with the
    /// caller's context.
    ///
    /// # Parks
    ///
    /// Until one has ended. A plain OS thread sleeps.
    #[doc(alias = "select_all")]
    #[doc(alias = "WaitAny")]
    pub fn join_next(&mut self) -> Option<thread::Result<T>> {
        self.next().map(Ended::into_result)
    }

    /// As [`join_next`](JoinSet::join_next), with the number that [`spawn`](JoinSet::spawn) returned.
    ///
    /// # Parks
    ///
    /// Until one has ended. A plain OS thread sleeps.
    pub fn join_next_with_id(&mut self) -> Option<(u64, thread::Result<T>)> {
        self.next().map(|ended| (ended.id, ended.result))
    }

    fn next(&mut self) -> Option<Ended<T>> {
        if self.is_empty() {
            return None;
        }
        // The set has a sender, so this is an end.
        Context::background().run(|| self.ended.recv()).ok()
    }

    /// As [`join_next`](JoinSet::join_next), if one has ended already; else `None`.
    pub fn try_join_next(&mut self) -> Option<thread::Result<T>> {
        self.ended.try_recv().ok().map(Ended::into_result)
    }

    /// As [`join_next`](JoinSet::join_next), for `timeout` at most. A timeout that no clock can hold is none.
    ///
    /// # Parks
    ///
    /// Until one has ended, or the time is up. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// When none ended in time. The set is as before.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::JoinSet;
    /// use std::time::Duration;
    ///
    /// let mut set = JoinSet::new();
    /// let (tx, rx) = goroutines::chan::bounded::<u32>(0);
    /// set.spawn(move || rx.recv());
    /// assert!(set.join_next_timeout(Duration::from_millis(1)).is_err());
    /// tx.send(7).unwrap();
    /// let message = set.join_next_timeout(Duration::MAX).unwrap().unwrap();
    /// assert_eq!(message.unwrap(), Ok(7));
    /// ```
    pub fn join_next_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<thread::Result<T>>, JoinNextTimeoutError> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.join_next_deadline(deadline),
            None => Ok(self.join_next()),
        }
    }

    /// As [`join_next`](JoinSet::join_next), until `deadline` at most.
    ///
    /// # Parks
    ///
    /// Until one has ended, or the deadline has come. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// When none ended by then. The set is as before.
    pub fn join_next_deadline(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<thread::Result<T>>, JoinNextTimeoutError> {
        if self.is_empty() {
            return Ok(None);
        }
        match Context::background().run(|| self.ended.recv_deadline(deadline)) {
            Ok(ended) => Ok(Some(ended.into_result())),
            Err(_) => Err(JoinNextTimeoutError),
        }
    }

    /// As [`join_next`](JoinSet::join_next), until `context` is done at most.
    ///
    /// # Parks
    ///
    /// Until one has ended, or the context is done. A plain OS thread sleeps.
    ///
    /// # Errors
    ///
    /// Why the context is done, if it was before one ended. The set is as before.
    pub fn join_next_ctx(
        &mut self,
        context: &Context,
    ) -> Result<Option<thread::Result<T>>, ContextError> {
        if self.is_empty() {
            return Ok(None);
        }
        match self.ended.recv_ctx(context) {
            Ok(ended) => Ok(Some(ended.into_result())),
            // The set has a sender, so it is not disconnected.
            Err(_) => Err(context.err().unwrap_or(ContextError::Cancelled)),
        }
    }

    /// Waits for all goroutines of the set, and returns what they returned, in the order in which they ended.
    ///
    /// # Parks
    ///
    /// Until all have ended, or one has panicked. A plain OS thread sleeps.
    ///
    /// # Panics
    ///
    /// With the payload of the first of them that panicked. The others are cancelled, as when the set is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// let mut set = goroutines::JoinSet::new();
    /// for i in 0..3 {
    ///     set.spawn(move || i);
    /// }
    /// let mut all = set.join_all();
    /// all.sort_unstable();
    /// assert_eq!(all, [0, 1, 2]);
    /// ```
    pub fn join_all(mut self) -> Vec<T> {
        let mut all = Vec::with_capacity(self.len());
        while let Some(result) = self.join_next() {
            all.push(result.unwrap_or_else(|payload| resume_unwind(payload)));
        }
        all
    }

    /// Cancels the context of the goroutines and waits for their ends. Their results are dropped.
    ///
    /// # Parks
    ///
    /// Until all have ended. A plain OS thread sleeps.
    pub fn shutdown(&mut self) {
        self.cancel_all();
        while self.next().is_some() {}
    }

    /// Lets all goroutines of the set run on, which is empty then. They keep the context that they have, and it is not
    /// cancelled by this set any more. Results of those that have ended are dropped.
    pub fn detach_all(&mut self) {
        let (context, canceller) = Context::current().with_cancel();
        self.context = context;
        // Dropping a canceller does not cancel.
        self.canceller = canceller;
        self.left = Arc::default();
        // Results are dropped, which may panic: last.
        (self.tell, self.ended) = chan::unbounded();
    }
}

impl<T: Send + 'static> JoinSet<T> {
    /// Starts a goroutine of the set. Returns its number, which is the first one's [`id`](Ended::id) at its end.
    ///
    /// # Panics
    ///
    /// As [`go`](crate::go()).
    #[track_caller]
    pub fn spawn<F>(&mut self, f: F) -> u64
    where
        F: FnOnce() -> T + Send + 'static,
    {
        match self.spawn_with(Builder::new(), f) {
            Ok(id) => id,
            Err(error) => no_goroutine("JoinSet::spawn", "JoinSet::spawn_with", &error),
        }
    }

    /// As [`spawn`](JoinSet::spawn), with the name and stack that `builder` says.
    ///
    /// # Errors
    ///
    /// As [`Builder::spawn`]. The set is as before.
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{Builder, JoinSet, thread};
    ///
    /// let mut set = JoinSet::new();
    /// let builder = Builder::new().name("worker".to_owned());
    /// let id = set.spawn_with(builder, || thread::current().name().map(str::to_owned))?;
    /// let (ended, name) = set.join_next_with_id().unwrap();
    /// assert_eq!((ended, name.unwrap().as_deref()), (id, Some("worker")));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn spawn_with<F>(&mut self, builder: Builder, f: F) -> std::io::Result<u64>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        let counted = Counted::new(&self.left);
        let (tell, context) = (self.tell.clone(), self.context.clone());
        let handle = builder.spawn(move || {
            let result = context.run(|| catch_unwind(AssertUnwindSafe(f)));
            let ended = Ended {
                id: current().id(),
                result,
                _counted: counted,
            };
            // Where the set is gone, the result is dropped here.
            drop(Context::background().run(|| tell.send(ended)));
        })?;
        Ok(handle.id())
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> JoinSet<T> {
        JoinSet::new()
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.cancel_all();
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet")
            .field("len", &self.len())
            .field("context", &self.context)
            .finish()
    }
}
