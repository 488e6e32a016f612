// std::sync::{Once, OnceState, OnceLock, LazyLock}: every stable public item by its full type.

use super::sync::*;

pub(crate) fn facts() -> Vec<Fact> {
    let mut all = over_t![OnceLock<T>, LazyLock<T>, LazyLock<u8, T>];
    all.extend(plain![Once, OnceState]);
    all
}

#[allow(deprecated)]
static FIRST: Once = ONCE_INIT;
static SECOND: Once = Once::new();
static CELL: OnceLock<u8> = OnceLock::new();
static LAZY: LazyLock<u8> = LazyLock::new(|| 1);

fn once<F: FnOnce(), S: FnOnce(&OnceState)>() {
    let _: fn(&Once, F) = Once::call_once::<F>;
    let _: fn(&Once, S) = Once::call_once_force::<S>;
    let _: fn(&Once) -> bool = Once::is_completed;
    let _: [fn(&Once); 2] = [Once::wait, Once::wait_force];
    let _: fn(&OnceState) -> bool = OnceState::is_poisoned;
}

fn once_lock<F: FnOnce() -> u8>() {
    type C = OnceLock<u8>;
    let _: fn(&C) -> Option<&u8> = C::get;
    let _: fn(&mut C) -> Option<&mut u8> = C::get_mut;
    let _: fn(&C) -> &u8 = C::wait;
    let _: fn(&C, u8) -> Result<(), u8> = C::set;
    let _: fn(&C, F) -> &u8 = C::get_or_init::<F>;
    let _: fn(C) -> Option<u8> = C::into_inner;
    let _: fn(&mut C) -> Option<u8> = C::take;
    let _: fn(u8) -> C = From::from;
}

fn lazy_lock<F: FnOnce() -> u8>() {
    type Z<F> = LazyLock<u8, F>;
    let _: fn(F) -> Z<F> = LazyLock::new;
    let _: fn(&Z<F>) -> &u8 = LazyLock::force;
    let _: fn(&mut Z<F>) -> &mut u8 = LazyLock::force_mut;
    let _: fn(&Z<F>) -> Option<&u8> = LazyLock::get;
    let _: fn(&mut Z<F>) -> Option<&mut u8> = LazyLock::get_mut;
}

pub(crate) fn texts() -> Vec<String> {
    let mut all = vec![format!("{FIRST:?} {SECOND:?} {CELL:?} {LAZY:?}")];
    SECOND.call_once_force(|state| all.push(format!("{state:?}")));
    CELL.get_or_init(|| 1);
    LazyLock::force(&LAZY);
    all.push(format!("{SECOND:?} {CELL:?} {LAZY:?}"));
    all
}
