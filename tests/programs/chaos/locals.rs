//! Scene: values that belong to a goroutine, with destructors that wait; and addresses of a thread's storage that are
//! held over parks.

use std::{
    cell::{Cell, RefCell},
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use goroutines::{chan, go, goroutine_local, sleep, yield_now};

use crate::{
    board::Actor,
    crew::{Kind, hire},
};

/// Waits when it is destroyed, and counts.
struct Kept(usize, Option<Arc<AtomicUsize>>);

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(gone) = &self.1 {
            match self.0 % 3 {
                0 => yield_now(),
                1 => sleep(std::time::Duration::from_micros(50)),
                _ => {
                    let (tx, rx) = chan::bounded(0);
                    go(move || tx.send(()).expect("the other one waits"));
                    rx.recv().expect("the other one sends");
                }
            }
            // Relaxed: read after the end of all.
            gone.fetch_add(1, Ordering::Relaxed);
        }
    }
}

goroutine_local! {
    static KEPT: RefCell<Kept> = RefCell::new(Kept(0, None));
    static COUNT: Cell<usize> = Cell::new(0);
}

std::thread_local! {
    static OF_THE_THREAD: Cell<usize> = const { Cell::new(0) };
}

pub fn play(actor: &mut Actor) {
    let gone = Arc::new(AtomicUsize::new(0));
    let count = actor.dice.between(1, 8);
    let all: Vec<_> = (0..count)
        .map(|n| {
            let (kind, gone) = (Kind::pick_goroutine(actor), gone.clone());
            hire(actor, kind, "keeper", n, move |me| {
                KEPT.with_borrow_mut(|kept| *kept = Kept(n, Some(gone)));
                for step in 0..me.dice.between(1, 20) {
                    COUNT.set(step);
                    me.at("holds an address of its thread's storage");
                    hold(me);
                    assert_eq!(COUNT.get(), step, "a goroutine's own value");
                    assert_eq!(KEPT.with_borrow(|kept| kept.0), n);
                }
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.done(actor));
    // Relaxed: local values are destroyed before a goroutine counts as ended.
    assert_eq!(gone.load(Ordering::Relaxed), count, "values destroyed");
}

/// Parks with an address of the thread's storage on its stack.
#[inline(never)]
fn hold(me: &mut Actor) {
    let address = OF_THE_THREAD.with(std::ptr::from_ref);
    black_box(address);
    match me.dice.roll(3) {
        0 => yield_now(),
        1 => sleep(me.dice.micros(200)),
        _ => {
            let (tx, rx) = chan::bounded(0);
            go(move || tx.send(()).expect("the other one waits"));
            rx.recv().expect("the other one sends");
        }
    }
    black_box(address);
}
