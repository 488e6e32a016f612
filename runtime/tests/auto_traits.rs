//! Which types may be sent to, or shared with, another thread, and which not. (`tests/tests/invariants/surface.rs` compares those
//! that have an original with it.) That this compiles is the test.

use std::rc::Rc;

use goroutines::{
    JoinHandle,
    chan::{Receiver, RecvFut, RecvStream, Select, SelectedOperation, SendFut, Sender, expansion},
    context::Context,
    thread::ScopedJoinHandle,
};

/// A trait that the type has not: with it, two implementations of `Probe` would fit.
macro_rules! is_not {
    ($of:ty: $bound:path) => {
        const _: fn() = || {
            trait Probe<Which> {
                fn probe() {}
            }
            struct Has;
            impl<T: ?Sized> Probe<()> for T {}
            impl<T: ?Sized + $bound> Probe<Has> for T {}
            let _ = <$of as Probe<_>>::probe;
        };
    };
}

macro_rules! is {
    ($of:ty: $bound:path) => {
        const _: fn() = || {
            fn probe<T: ?Sized + $bound>() {}
            let _ = probe::<$of>;
        };
    };
}

/// What carries messages is Send and Sync if these are Send.
macro_rules! as_its_messages {
    ($($of:ident $(<$lifetime:lifetime>)?),* $(,)?) => {$(
        is!($of<$($lifetime,)? std::cell::Cell<u8>>: Send);
        is!($of<$($lifetime,)? std::cell::Cell<u8>>: Sync);
        is_not!($of<$($lifetime,)? Rc<u8>>: Send);
        is_not!($of<$($lifetime,)? Rc<u8>>: Sync);
    )*};
}

as_its_messages!(
    Sender,
    Receiver,
    RecvFut<'static>,
    RecvStream<'static>,
    SendFut<'static>,
);

// A list does nothing to messages but to move them. What it has chosen has received one, or will send one.
is!(Select<'static>: Send);
is!(Select<'static>: Sync);
is_not!(SelectedOperation<'static>: Send);
is_not!(SelectedOperation<'static>: Sync);
is_not!(expansion::Arm<'static>: Send);
is_not!(expansion::Arm<'static>: Sync);
is_not!(expansion::Chosen<'static>: Send);
is_not!(expansion::Chosen<'static>: Sync);

// A handle gives its result to its only owner.
is!(JoinHandle<std::cell::Cell<u8>>: Send);
is!(JoinHandle<Rc<u8>>: Sync);
is_not!(JoinHandle<Rc<u8>>: Send);
is_not!(ScopedJoinHandle<'static, Rc<u8>>: Send);
is_not!(<JoinHandle<Rc<u8>> as IntoFuture>::IntoFuture: Send);
is!(<JoinHandle<std::cell::Cell<u8>> as IntoFuture>::IntoFuture: Send);

is!(Context: Send);
is!(Context: Sync);
