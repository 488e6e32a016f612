//! Keys of goroutine-local values: what `goroutine_local!` declares. Where the values lie: locals.rs.

use std::{
    any,
    marker::PhantomData,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::{self, NonNull},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    gmp::{
        identity::Identity,
        locals::{EMPTY, GONE, Head},
    },
    protocol::sync::lock,
    switch::current::current,
    sys::fatal,
};

/// How many keys have a number.
static KEYS: Mutex<usize> = Mutex::new(0);

#[repr(C)]
struct Local<T> {
    head: Head,
    value: mem::MaybeUninit<T>,
}

/// Names one value of type `T` in each goroutine and each OS thread. For a static.
pub struct LocalKey<T: 'static> {
    /// 0 while the key has not been used; then its slot, counted from 1.
    number: AtomicUsize,
    _value: PhantomData<fn() -> T>,
}

/// The error of a value that is being destroyed, or was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalGone;

impl<T: 'static> LocalKey<T> {
    /// A key without a number.
    pub const fn new() -> LocalKey<T> {
        LocalKey {
            number: AtomicUsize::new(0),
            _value: PhantomData,
        }
    }

    /// Calls `f` with the caller's value. If there is none yet, `init` makes it; `init` may take a value out of
    /// `seed`.
    ///
    /// # Errors
    ///
    /// The value has been destroyed: the goroutine or thread runs its destructors.
    #[inline(always)]
    pub fn with<R>(
        &'static self,
        init: impl FnOnce() -> T,
        f: impl FnOnce(&T) -> R,
    ) -> Result<R, LocalGone> {
        let value = match self.find() {
            Some(value) => value,
            None => self.make(init)?,
        };
        // SAFETY: the value was made, and it stays where it is until the caller ends, which is after `f`. No code has
        // exclusive access to it: `make` replaces only the value of an initialiser that calls itself, before there
        // are references that could still be used.
        Ok(f(unsafe { value.as_ref() }))
    }

    /// The caller's value, if it was made and not destroyed.
    #[inline(always)]
    fn find(&'static self) -> Option<NonNull<T>> {
        let locals = current().get().identity.get()?.locals();
        // Relaxed: a caller that has a value for the key has seen its number.
        let number = self.number.load(Ordering::Relaxed);
        // SAFETY: the locals are the caller's own, and no reference to the slots lives longer than this statement.
        let head = unsafe { (&*locals.slots.get()).get(number.wrapping_sub(1)).copied() }?;
        // SAFETY: a value in this key's slot was made for a T.
        (head != EMPTY && head != GONE).then(|| unsafe { value_of(head) })
    }

    #[cold]
    fn make(&'static self, init: impl FnOnce() -> T) -> Result<NonNull<T>, LocalGone> {
        let slot = self.slot();
        if Identity::own().locals().get(slot) == GONE {
            return Err(LocalGone);
        }
        let value = init();
        // `init` may have used the key, and the caller may be on another thread.
        let locals = Identity::own().locals();
        let head = locals.get(slot);
        if head == GONE {
            return Err(LocalGone);
        }
        if head != EMPTY {
            // SAFETY: the slot is this key's, so the value is a T; the references that `init` had to it ended with
            // `init`.
            let place = unsafe { value_of::<T>(head) };
            // SAFETY: the place is a box that holds a T; `init` has returned, and with it every reference that it
            // had.
            let old = unsafe { mem::replace(&mut *place.as_ptr(), value) };
            drop(old);
            return Ok(place);
        }
        let head = Box::into_raw(Box::new(Local {
            head: Head {
                next: ptr::null_mut(),
                slot,
                destroy: destroy::<T>,
                free: free::<T>,
            },
            value: mem::MaybeUninit::new(value),
        }))
        .cast::<Head>();
        locals.put(head, slot, mem::needs_drop::<T>());
        // SAFETY: `head` was just made for a T.
        Ok(unsafe { value_of(head) })
    }

    /// The key's slot, counted from 0.
    fn slot(&self) -> usize {
        let mut keys = lock(&KEYS);
        // Relaxed (both): the lock orders them.
        if self.number.load(Ordering::Relaxed) == 0 {
            *keys += 1;
            self.number.store(*keys, Ordering::Relaxed);
        }
        self.number.load(Ordering::Relaxed) - 1
    }
}

impl<T: 'static> Default for LocalKey<T> {
    fn default() -> LocalKey<T> {
        LocalKey::new()
    }
}

impl<T: 'static> std::fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// # Safety
///
/// `head` is that of a `Local<T>`.
#[inline(always)]
unsafe fn value_of<T>(head: *mut Head) -> NonNull<T> {
    // SAFETY: `head` is the first field of a `Local<T>` in a box, so its field `value` has an address in that box,
    // which is not null.
    unsafe { NonNull::new_unchecked((&raw mut (*head.cast::<Local<T>>()).value).cast()) }
}

/// # Safety
///
/// `head` is that of a `Local<T>` with a value, which no other code uses.
unsafe fn destroy<T>(head: *mut Head) {
    // SAFETY: `head` is that of a `Local<T>` whose value was made; its slot does not lead here any more, and it is
    // dropped here once.
    let dropped = catch_unwind(AssertUnwindSafe(|| unsafe {
        value_of::<T>(head).drop_in_place();
    }));
    if dropped.is_err() {
        fatal::fatal(format_args!(
            "a goroutine_local value of type {} panicked when it was dropped",
            any::type_name::<T>()
        ));
    }
}

/// # Safety
///
/// `head` is that of a `Local<T>`, and no code uses it any more.
unsafe fn free<T>(head: *mut Head) {
    // SAFETY: `make` made it of such a box. Dropping the box drops no value.
    drop(unsafe { Box::from_raw(head.cast::<Local<T>>()) });
}
