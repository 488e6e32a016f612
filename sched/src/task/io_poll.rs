//! Futures that wait for a socket.
//!
//! A future's wait is W1 to W4 of io_line.rs; then it returns `Pending`, and its executor does what W5 and W6 are for a
//! goroutine. When the future is taken out of the line, a service goroutine (waker_list.rs) calls its waker, once. The
//! first such wait starts that goroutine.
//!
//! Timeouts and deadlines of the socket do not concern futures: an executor has timers of its own.

use std::{
    io,
    os::fd::RawFd,
    ptr::NonNull,
    sync::{Arc, PoisonError},
    task::Waker,
};

use crate::{
    gmp::{
        flag_waker::FlagWaker,
        io_waiter::{FutureWait, IoWaiter, SERVICE, WAKERS},
    },
    park::{
        io_register::register,
        io_wait::{Interest, IoSource, line},
        waker::wake,
    },
    protocol::io_line::{Line, Refusal},
    task::{
        inherited::replace_inherited,
        spawn::{Options, spawn},
    },
};

/// A future's place among the waiters for one direction of a socket. It leaves the line when it is dropped.
#[derive(Default)]
pub struct IoFuture(Option<Place>);

struct Place {
    wait: Arc<FutureWait>,
    line: &'static Line<IoWaiter>,
}

impl std::fmt::Debug for IoFuture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IoFuture")
            .field("has_waited", &self.0.is_some())
            .finish()
    }
}

impl IoFuture {
    /// One that has not waited.
    #[must_use]
    pub const fn new() -> IoFuture {
        IoFuture(None)
    }

    fn at(&mut self, line: &'static Line<IoWaiter>) -> &Place {
        if self
            .0
            .as_ref()
            .is_some_and(|place| !std::ptr::eq(place.line, line))
        {
            self.0 = None;
        }
        self.0.get_or_insert_with(|| Place {
            wait: FutureWait::new(),
            line,
        })
    }
}

impl Place {
    /// W3 and W4. False: the call is tried again.
    fn enter(&self) -> bool {
        // The count of the line, if it is not there from an earlier call.
        let count = Arc::into_raw(self.wait.clone());
        // SAFETY: the node lies in what the count keeps, which goes to the thread that takes the node out. It is in no other
        // line: a place is in its own.
        match unsafe { self.line.enlist(&self.wait.node, 0) } {
            Ok(was_there) => {
                // SAFETY: `enlist` left it locked.
                unsafe { self.line.unlock() };
                if was_there {
                    // SAFETY: the count of above, which no other thread has.
                    drop(unsafe { Arc::from_raw(count) });
                }
                true
            }
            Err(refusal) => {
                // SAFETY: the count of above: the line refused the node.
                drop(unsafe { Arc::from_raw(count) });
                debug_assert_ne!(refusal, Refusal::Late, "0 is before every deadline");
                false
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.line.withdraw(&self.wait.node) {
            // SAFETY: the count of the line, which the node has left.
            drop(unsafe { Arc::from_raw(Arc::as_ptr(&self.wait)) });
        }
        // The last count may be dropped on g0, where a waker's destructor, which is user code, must not run.
        drop(self.wait.slot.take());
    }
}

impl IoSource {
    /// W3 and W4 for a future: `waker` is called once a call may succeed. Ok(false): it may now.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the poller, or cannot tell when a call on `fd` may succeed.
    ///
    /// # Panics
    ///
    /// When the runtime has not been started.
    #[track_caller]
    pub fn wait_as_future(
        &self,
        fd: RawFd,
        interest: Interest,
        future: &mut IoFuture,
        waker: &Waker,
    ) -> io::Result<bool> {
        if SERVICE.get().is_none() {
            start_service()?;
        }
        let desc = self.need()?;
        let line = line(desc, interest);
        let seen = line.look();
        if !seen.is_registered() {
            let writes = interest == Interest::Write;
            return match register(desc, self.number(), fd, writes)? {
                // Tried once more: what came before is not announced in each case.
                true => Ok(false),
                false => Err(io::Error::from_raw_os_error(libc::ENOSPC)),
            };
        }
        if seen.is_closed() {
            return Err(io::Error::from_raw_os_error(libc::ECONNABORTED));
        }
        let place = future.at(line);
        // F1 before F2.
        let slot = &place.wait.slot;
        slot.set(|old| old.will_wake(waker), || waker.clone());
        Ok(place.enter())
    }
}

/// Starts the service goroutine, unless another caller does so at the same time.
#[cold]
#[track_caller]
fn start_service() -> io::Result<()> {
    static STARTING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if SERVICE.get().is_some() {
        return Ok(());
    }
    let options = Options {
        name: Some("goroutines: wakers".into()),
        copied: Some(false),
        ..Options::default()
    };
    let service = spawn(options, || call_wakers(SERVICE.wait()))?;
    SERVICE.get_or_init(|| FlagWaker::of(service.g()));
    Ok(())
}

/// X4 to X6, for ever.
fn call_wakers(own: &FlagWaker) {
    // The context of the goroutine that was the first to wait.
    drop(replace_inherited(None));
    loop {
        own.flag.take();
        WAKERS.run(|wait: NonNull<FutureWait>| {
            // SAFETY: the list's count, which it hands out here.
            let wait = unsafe { Arc::from_raw(wait.as_ptr()) };
            if let Some(waker) = wait.slot.take() {
                wake(waker);
            }
        });
        own.wait(None);
    }
}
