//! What a type can do, as a list of the names of traits: `probe!(Type)`.
//!
//! A constant of an inherent impl goes before one of a trait. So `Probe::<T>::SEND` is `true` where the bound of the
//! inherent impl holds, and the `false` of [`Otherwise`] elsewhere. That needs a concrete type: in a generic function
//! it would always be `false`.

use std::marker::PhantomData;

/// One fact: the type as it is written, and the traits that it has.
pub(crate) type Fact = (&'static str, Vec<&'static str>);

pub(crate) struct Probe<T: ?Sized>(PhantomData<T>);

/// Hands the list of traits to `$then`, behind what else it is told.
macro_rules! traits {
    ($then:ident $($more:tt)*) => {
        $then! { ($($more)*)
            SEND: Send,
            SYNC: Sync,
            UNPIN: Unpin,
            UNWIND_SAFE: std::panic::UnwindSafe,
            REF_UNWIND_SAFE: std::panic::RefUnwindSafe,
            CLONE: Clone,
            COPY: Copy,
            DEBUG: std::fmt::Debug,
            DISPLAY: std::fmt::Display,
            DEFAULT: Default,
            PARTIAL_EQ: PartialEq,
            EQ: Eq,
            PARTIAL_ORD: PartialOrd,
            HASH: std::hash::Hash,
            ERROR: std::error::Error,
            DEREF: std::ops::Deref,
            DEREF_MUT: std::ops::DerefMut,
            INTO_ITERATOR: IntoIterator,
            ITERATOR: Iterator,
            FUSED: std::iter::FusedIterator,
            EXACT_SIZE: ExactSizeIterator,
        }
    };
}

macro_rules! define {
    (() $($name:ident: $bound:path,)*) => {
        pub(crate) trait Otherwise {
            $(const $name: bool = false;)*
        }
        impl<T: ?Sized> Otherwise for Probe<T> {}
        $(impl<T: ?Sized + $bound> Probe<T> {
            pub(crate) const $name: bool = true;
        })*
    };
}
traits! { define }

macro_rules! ask {
    (($type:ty) $($name:ident: $bound:path,)*) => {{
        let mut holds = Vec::new();
        $(if Probe::<$type>::$name { holds.push(stringify!($name)); })*
        holds
    }};
}

/// What can be shared, but not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Stays(PhantomData<*const ()>);

// SAFETY: there is nothing in it.
unsafe impl Sync for Stays {}

/// The facts of types without an element.
macro_rules! plain {
    ($($type:ty),* $(,)?) => { vec![$((stringify!($type), traits!(ask $type))),*] };
}

/// The facts of types over `T`, for elements of every kind: with everything, `!Sync`, neither, `!Send`, not unwind
/// safe, without `Clone` and `Debug`.
macro_rules! over_t {
    ($($type:ty),* $(,)?) => {
        [$({
            type Of<T> = $type;
            vec![
                (concat!(stringify!($type), ", T = u8"), traits!(ask Of<u8>)),
                (concat!(stringify!($type), ", T = Cell"), traits!(ask Of<std::cell::Cell<u8>>)),
                (concat!(stringify!($type), ", T = Rc"), traits!(ask Of<std::rc::Rc<u8>>)),
                (concat!(stringify!($type), ", T = Stays"), traits!(ask Of<Stays>)),
                (concat!(stringify!($type), ", T = &mut"), traits!(ask Of<&'static mut u8>)),
                (concat!(stringify!($type), ", T = Opaque"), traits!(ask Of<Opaque>)),
            ]
        }),*]
        .concat()
    };
}

/// Has nothing but the automatic traits.
pub(crate) struct Opaque;
