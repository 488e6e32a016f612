//! Actors are hired: as goroutines of every kind, or as plain threads.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    sync::{OnceLock, mpsc},
    thread,
};

use goroutines::{Builder, JoinHandle, chan, lock_os_thread};

use crate::{board::Actor, board::broken, settings::settings};

/// What an actor runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Plain,
    /// A stack that starts with 2 KiB.
    Strict,
    /// A copy stack. Such an actor calls nothing that keeps its run window while it waits for others.
    Copied,
    /// A window of 8 MiB.
    Large,
    /// Stays on the thread of the actor that hired it.
    Pinned,
    /// Has a thread to itself.
    Locked,
    /// No goroutine.
    Thread,
}

/// The payload of panics that are part of the play, with a number that says which.
pub struct Deliberate(pub usize);

/// Panics as a part of the play.
pub fn fall() -> ! {
    panic_any(Deliberate(0))
}

impl Kind {
    /// Any kind; not copied unless the mode says so.
    pub fn any(by: &mut Actor) -> Kind {
        let copied = settings().mode.copied;
        if copied > 0 && by.dice.once_in(copied) {
            return Kind::Copied;
        }
        by.dice.pick(&[
            Kind::Plain,
            Kind::Plain,
            Kind::Plain,
            Kind::Plain,
            Kind::Strict,
            Kind::Large,
            Kind::Pinned,
            Kind::Locked,
            Kind::Thread,
        ])
    }

    /// A goroutine with a stack of its own that is bound to nothing.
    pub fn pick_goroutine(by: &mut Actor) -> Kind {
        by.dice
            .pick(&[Kind::Plain, Kind::Plain, Kind::Strict, Kind::Large])
    }

    /// A kind whose waits keep nothing: neither a run window nor a place on a thread.
    pub fn free(by: &mut Actor) -> Kind {
        by.dice.pick(&[
            Kind::Plain,
            Kind::Plain,
            Kind::Plain,
            Kind::Strict,
            Kind::Large,
            Kind::Thread,
        ])
    }

    /// A kind with a window of its own.
    pub fn uncopied(by: &mut Actor) -> Kind {
        match Kind::any(by) {
            Kind::Copied => Kind::Plain,
            kind => kind,
        }
    }

    /// Whether it may start a thread of std. That touches the stack while all signals are blocked, and a guard that is to
    /// move cannot be handled then.
    pub fn starts_threads(self) -> bool {
        !matches!(self, Kind::Strict | Kind::Copied)
    }

    /// Whether it may wait in `block_on` or in a scope for what any actor does.
    pub fn keeps_no_window(self) -> bool {
        self != Kind::Copied
    }
}

/// An actor that was hired.
#[must_use = "a hired actor is joined"]
pub enum Hired<T> {
    Goroutine(JoinHandle<T>),
    Thread(chan::Receiver<thread::Result<T>>),
}

/// Starts threads, so that goroutines need not: starting one blocks signals, which a small stack may not bear.
fn starter() -> &'static mpsc::Sender<Box<dyn FnOnce() + Send>> {
    static STARTER: OnceLock<mpsc::Sender<Box<dyn FnOnce() + Send>>> = OnceLock::new();
    STARTER.get_or_init(|| {
        let (give, given) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        thread::spawn(move || {
            for work in given {
                thread::spawn(work);
            }
        });
        give
    })
}

/// The starter must not be started by a goroutine either.
pub fn open() {
    starter();
}

/// Starts `work` as an actor.
#[track_caller]
pub fn hire<T: Send + 'static>(
    by: &mut Actor,
    kind: Kind,
    role: &'static str,
    number: usize,
    work: impl FnOnce(&mut Actor) -> T + Send + 'static,
) -> Hired<T> {
    let kind = match kind {
        // A thread has no goroutines pinned to it.
        Kind::Pinned if by.kind == Kind::Thread => Kind::Plain,
        kind => kind,
    };
    let mut actor = Actor::new(role, number, kind, by.slot(), by.dice.fork());
    let play = move || {
        if kind == Kind::Locked {
            lock_os_thread();
        }
        work(&mut actor)
    };
    let builder = match kind {
        Kind::Thread => {
            let (tell, told) = chan::bounded(1);
            let all = move || {
                // The receiver may be gone.
                let _ = tell.send(catch_unwind(AssertUnwindSafe(play)));
            };
            starter().send(Box::new(all)).expect("the starter lives");
            return Hired::Thread(told);
        }
        Kind::Pinned => {
            let pinned = Builder::new().pinned().spawn(play);
            return Hired::Goroutine(pinned.expect("room for a goroutine"));
        }
        Kind::Plain | Kind::Locked => Builder::new(),
        Kind::Strict => Builder::new().stack_start(2048),
        Kind::Large => Builder::new().stack_size(8 << 20),
        // SAFETY: what others reach of an actor while it is parked is allocated. A scene that shares what lies on a
        // stack hires others for it.
        Kind::Copied => unsafe { Builder::new().copy_stack() },
    };
    Hired::Goroutine(builder.spawn(play).expect("room for a goroutine"))
}

impl<T> Hired<T> {
    /// Waits for its end; the payload if it panicked.
    pub fn join(self) -> Result<T, Box<dyn Any + Send>> {
        match self {
            Hired::Goroutine(handle) => handle.join(),
            Hired::Thread(told) => told.recv().expect("a thread says how it ended"),
        }
    }

    /// Waits for its end, which is no panic.
    #[track_caller]
    pub fn done(self, by: &Actor) -> T {
        by.at("joins");
        match self.join() {
            Ok(value) => value,
            Err(_) => broken("a join returned a panic of an actor that does not panic"),
        }
    }

    /// Waits for its end, which is a panic of the play.
    #[track_caller]
    pub fn fallen(self, by: &Actor) {
        by.at("joins one that falls");
        match self.join() {
            Err(payload) if payload.is::<Deliberate>() => {}
            Err(_) => broken("a join returned the payload of another panic"),
            Ok(_) => broken("a join returned a value of an actor that panicked"),
        }
    }
}
