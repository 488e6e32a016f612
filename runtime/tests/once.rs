//! What Once, OnceLock and LazyLock promise, to goroutines and to threads. Four Ps.

mod common;

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{Census, On, settle, until};
use goroutines::{
    Builder, chan, go, sleep,
    sync::{LazyLock, Once, OnceLock, OnceState},
    yield_now,
};

fn start() {
    common::start(4);
}

const BOTH: [On; 2] = [On::Goroutine, On::Thread];

/// The text of the panic that `f` must end with.
fn panic_text(f: impl FnOnce()) -> String {
    text(catch_unwind(AssertUnwindSafe(f)).expect_err("no panic"))
}

fn text(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => (*other.downcast::<&str>().expect("a text")).to_owned(),
    }
}

/// A goroutine that runs the closure of `once`: it has begun, and runs `end` when the sender sends.
fn running(once: &Arc<Once>, end: fn()) -> (goroutines::JoinHandle<()>, chan::Sender<()>) {
    let ((tx, rx), (began, begun)) = (chan::bounded(0), chan::bounded(1));
    let once = Arc::clone(once);
    let runner = go(move || {
        once.call_once(|| {
            began.send(()).unwrap();
            rx.recv().unwrap();
            end();
        });
    });
    begun.recv().unwrap();
    (runner, tx)
}

#[test]
fn one_closure_runs_and_all_see_what_it_did() {
    start();
    for round in 0..100 {
        let once = Arc::new(Once::new());
        let times = Arc::new(AtomicUsize::new(0));
        let handles: Vec<_> = (0..16)
            .map(|i| {
                let (once, times) = (Arc::clone(&once), Arc::clone(&times));
                let on = if i % 8 == 7 {
                    On::Thread
                } else {
                    On::Goroutine
                };
                on.spawn(move || {
                    once.call_once(|| {
                        if round % 2 == 0 {
                            yield_now();
                        }
                        // Not one step: a second closure would be seen.
                        let before = times.load(Ordering::Relaxed);
                        times.store(before + 1, Ordering::Relaxed);
                    });
                    assert!(once.is_completed());
                    assert_eq!(times.load(Ordering::Relaxed), 1);
                })
            })
            .collect();
        handles.into_iter().for_each(|one| one.join());
    }
}

#[test]
fn a_closure_may_park_while_many_wait() {
    start();
    let once = Arc::new(Once::new());
    let (first, tx) = running(&once, || ());
    let came = Arc::new(AtomicUsize::new(0));
    let waiting: Vec<_> = (0..1000)
        .map(|i| {
            let (once, came) = (Arc::clone(&once), Arc::clone(&came));
            let on = if i % 100 == 0 {
                On::Thread
            } else {
                On::Goroutine
            };
            on.spawn(move || {
                came.fetch_add(1, Ordering::SeqCst);
                match i % 3 {
                    0 => once.wait(),
                    1 => once.wait_force(),
                    _ => once.call_once(|| unreachable!("a second closure")),
                }
                assert!(once.is_completed());
            })
        })
        .collect();
    until(|| came.load(Ordering::SeqCst) == 1000);
    settle();
    assert!(!once.is_completed());
    assert!(!waiting.iter().any(common::Handle::is_finished));
    tx.send(()).unwrap();
    first.join().unwrap();
    waiting.into_iter().for_each(|one| one.join());
}

#[test]
fn a_wait_may_begin_before_the_first_call() {
    start();
    for on in BOTH {
        let once = Arc::new(Once::new());
        let waiting = [Once::wait, Once::wait_force].map(|wait| {
            let once = Arc::clone(&once);
            on.spawn(move || wait(&once))
        });
        settle();
        assert!(!waiting.iter().any(common::Handle::is_finished));
        once.call_once(|| ());
        waiting.into_iter().for_each(|one| one.join());
    }
}

#[test]
fn a_panic_poisons_with_the_words_of_std() {
    let (ours, std) = (Once::new(), std::sync::Once::new());
    assert_eq!(panic_text(|| ours.call_once(|| panic!("first"))), "first");
    assert!(catch_unwind(|| std.call_once(|| panic!())).is_err());
    assert!(!ours.is_completed());
    let texts = [
        (
            panic_text(|| ours.call_once(|| unreachable!())),
            panic_text(|| std.call_once(|| ())),
        ),
        (panic_text(|| ours.wait()), panic_text(|| std.wait())),
    ];
    for (ours, std) in texts {
        assert_eq!(ours, std);
    }
}

#[test]
fn force_heals_a_poisoned_once() {
    let once = Once::new();
    assert!(catch_unwind(|| once.call_once_force(|_| panic!())).is_err());
    // Still poisoned when the next one panics, too.
    assert!(
        catch_unwind(|| {
            once.call_once_force(|state| {
                assert!(state.is_poisoned());
                panic!();
            })
        })
        .is_err()
    );
    let mut told = None;
    once.call_once_force(|state| told = Some(format!("{state:?} {}", state.is_poisoned())));
    assert_eq!(told.as_deref(), Some("OnceState { poisoned: true } true"));
    assert!(once.is_completed());
    once.call_once(|| unreachable!());
    once.call_once_force(|_| unreachable!());
    once.wait();
    once.wait_force();
    Once::new().call_once_force(|state| assert!(!state.is_poisoned()));
}

#[test]
fn a_panic_reaches_waiters_and_not_forced_calls() {
    start();
    for on in BOTH {
        let once = Arc::new(Once::new());
        let (failing, tx) = running(&once, || panic!("while others wait"));
        let with = |f: fn(&Once)| {
            let once = Arc::clone(&once);
            on.spawn(move || f(&once))
        };
        let call = with(|once| once.call_once(|| ()));
        let wait = with(Once::wait);
        let wait_force = with(Once::wait_force);
        settle();
        tx.send(()).unwrap();
        assert!(failing.join().is_err());
        for poisoned in [call, wait] {
            let payload = poisoned.try_join().expect_err("not told of the poison");
            assert_eq!(text(payload), "Once instance has previously been poisoned");
        }
        settle();
        assert!(!wait_force.is_finished());
        once.call_once_force(|state| assert!(state.is_poisoned()));
        wait_force.join();
    }
}

#[test]
fn a_waiting_force_runs_its_closure_after_a_panic() {
    start();
    let once = Arc::new(Once::new());
    let (failing, tx) = running(&once, || panic!("while others wait"));
    let ran = Arc::new(AtomicUsize::new(0));
    settle();
    let waiting: Vec<_> = (0..8)
        .map(|i| {
            let (once, ran) = (Arc::clone(&once), Arc::clone(&ran));
            BOTH[i % 2].spawn(move || {
                once.call_once_force(|_| {
                    ran.fetch_add(1, Ordering::SeqCst);
                });
                assert_eq!(ran.load(Ordering::SeqCst), 1);
            })
        })
        .collect();
    settle();
    tx.send(()).unwrap();
    assert!(failing.join().is_err());
    waiting.into_iter().for_each(|one| one.join());
    assert!(once.is_completed());
}

#[test]
fn a_closure_that_asks_for_itself_panics_instead_of_waiting_for_ever() {
    start();
    for on in BOTH {
        on.spawn(|| {
            let needle = "would wait for itself";
            let again: [fn(&Once); 4] = [
                |once| once.call_once(|| ()),
                |once| once.call_once_force(|_| ()),
                Once::wait,
                Once::wait_force,
            ];
            for again in again {
                let once = Once::new();
                assert!(panic_text(|| once.call_once(|| again(&once))).contains(needle));
                // The panic came out of the closure.
                assert!(panic_text(|| once.wait()).contains("poisoned"));
            }
            let lock = OnceLock::new();
            assert!(
                panic_text(|| _ = lock.get_or_init(|| *lock.get_or_init(|| 1))).contains(needle)
            );
            assert!(
                panic_text(|| _ = lock.get_or_init(|| lock.set(1).map_or(2, |()| 3)))
                    .contains(needle)
            );
            assert_eq!(lock.get_or_init(|| 5), &5);

            static LAZY: LazyLock<u32> = LazyLock::new(|| *LAZY + 1);
            assert!(catch_unwind(|| *LAZY).is_err());
        })
        .join();
    }
}

#[test]
fn a_closure_may_use_another_once() {
    let (outer, inner) = (Once::new(), Once::new());
    outer.call_once(|| inner.call_once(|| ()));
    assert!(outer.is_completed() && inner.is_completed());
}

#[test]
fn a_destructor_may_call_while_its_goroutine_unwinds() {
    start();
    struct Farewell(Arc<Once>);
    impl Drop for Farewell {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            self.0.call_once(|| sleep(Duration::from_millis(1)));
            self.0.wait();
        }
    }
    for on in BOTH {
        for busy in [false, true] {
            let once = Arc::new(Once::new());
            let farewell = Farewell(Arc::clone(&once));
            let other = busy.then(|| running(&once, || sleep(Duration::from_millis(20))));
            let other = other.map(|(runner, tx)| {
                tx.send(()).unwrap();
                runner
            });
            let failed = on.spawn(move || {
                let _farewell = farewell;
                panic!("elsewhere");
            });
            assert!(failed.try_join().is_err());
            other.into_iter().for_each(|other| other.join().unwrap());
            // The closure itself did not panic.
            assert!(once.is_completed());
        }
    }
}

#[test]
fn goroutines_with_copied_stacks_wait_too() {
    start();
    let once = Arc::new(Once::new());
    let lock = Arc::new(OnceLock::new());
    let handles: Vec<_> = (0..50)
        .map(|i| {
            let (once, lock) = (Arc::clone(&once), Arc::clone(&lock));
            // SAFETY: the closure lends nothing of its stack to others.
            let builder = unsafe { Builder::new().copy_stack() };
            let wait = move || {
                once.call_once(|| sleep(Duration::from_millis(5)));
                let value: &String = match i % 2 {
                    0 => lock.wait(),
                    _ => lock.get_or_init(|| {
                        sleep(Duration::from_millis(5));
                        "made".to_owned()
                    }),
                };
                value.clone()
            };
            builder.spawn(wait).unwrap()
        })
        .collect();
    for handle in handles {
        assert_eq!(handle.join().unwrap(), "made");
    }
}

#[test]
fn a_once_lock_is_made_once_and_shared() {
    start();
    let census = Census::new();
    let lock = Arc::new(OnceLock::new());
    let handles: Vec<_> = (0..32)
        .map(|i| {
            let (lock, census) = (Arc::clone(&lock), census.clone());
            BOTH[i % 2].spawn(move || {
                let value = lock.get_or_init(|| {
                    sleep(Duration::from_millis(2));
                    census.birth(7)
                });
                std::ptr::from_ref(value).addr()
            })
        })
        .collect();
    let places: Vec<_> = handles.into_iter().map(|one| one.join()).collect();
    assert!(places.iter().all(|&place| place == places[0]));
    assert_eq!((census.born(), census.alive()), (1, 1));
    drop(lock);
    assert_eq!(census.alive(), 0);
}

#[test]
fn a_once_lock_stays_empty_when_its_closure_panics() {
    start();
    let lock = Arc::new(OnceLock::new());
    let same = Arc::clone(&lock);
    let waiting = go(move || *same.wait());
    for on in BOTH {
        let lock = Arc::clone(&lock);
        let failed = on.spawn(move || *lock.get_or_init(|| panic!("no value")));
        assert_eq!(text(failed.try_join().unwrap_err()), "no value");
    }
    assert_eq!(lock.get(), None);
    assert_eq!(format!("{lock:?}"), "OnceLock(<uninit>)");
    assert!(!waiting.is_finished());
    assert_eq!(lock.get_or_init(|| 1), &1);
    assert_eq!(waiting.join().unwrap(), 1);
}

#[test]
fn set_waits_for_a_closure_and_gives_its_value_back() {
    start();
    let lock = Arc::new(OnceLock::new());
    let (tx, rx) = chan::bounded::<()>(0);
    let same = Arc::clone(&lock);
    let (began, begun) = chan::bounded(1);
    let maker = go(move || {
        *same.get_or_init(|| {
            began.send(()).unwrap();
            rx.recv().map_or(0, |()| 1)
        })
    });
    begun.recv().unwrap();
    let setting = BOTH.map(|on| {
        let lock = Arc::clone(&lock);
        on.spawn(move || lock.set(2))
    });
    settle();
    assert!(!setting.iter().any(common::Handle::is_finished));
    assert_eq!(lock.get(), None);
    tx.send(()).unwrap();
    for one in setting {
        assert_eq!(one.join(), Err(2));
    }
    assert_eq!((maker.join().unwrap(), lock.get()), (1, Some(&1)));
}

#[test]
fn of_many_that_set_one_wins_and_no_value_is_lost() {
    start();
    for _ in 0..50 {
        let census = Census::new();
        let lock = Arc::new(OnceLock::new());
        let handles: Vec<_> = (0..8)
            .map(|i| {
                let (lock, value) = (Arc::clone(&lock), census.birth(i));
                BOTH[i as usize % 2].spawn(move || lock.set(value).is_ok())
            })
            .collect();
        let winners = handles.into_iter().map(|one| one.join());
        assert_eq!(winners.filter(|&won| won).count(), 1);
        assert_eq!(census.alive(), 1);
        drop(lock);
        assert_eq!(census.alive(), 0);
    }
}

#[test]
fn a_once_lock_is_taken_cloned_compared_and_changed() {
    let census = Census::new();
    let mut lock = OnceLock::from(census.birth(1));
    lock.get_mut().unwrap().id = 5;
    assert_eq!(lock.take().unwrap().id, 5);
    assert!(lock.get_mut().is_none() && lock.take().is_none());
    assert!(lock.set(census.birth(2)).is_ok());
    assert_eq!(lock.into_inner().unwrap().id, 2);
    drop(OnceLock::from(census.birth(3)));
    assert!(OnceLock::<u8>::default().into_inner().is_none());
    assert_eq!((census.born(), census.alive()), (3, 0));

    let (one, two, none) = (OnceLock::from(1), OnceLock::from(2), OnceLock::new());
    assert!(one == one.clone() && one != two && one != none && none == none.clone());
    assert_eq!(format!("{one:?} {none:?}"), {
        let (one, none) = (
            std::sync::OnceLock::from(1),
            std::sync::OnceLock::<u8>::new(),
        );
        format!("{one:?} {none:?}")
    });
    assert_eq!(
        format!("{one:#?}"),
        format!("{:#?}", std::sync::OnceLock::from(1))
    );
}

#[test]
fn what_a_lock_borrows_may_go_before_it() {
    // As with std's, whose destructor promises not to look at the value.
    let (once, lazy);
    let text = "borrowed".to_owned();
    once = OnceLock::from(&text);
    lazy = LazyLock::new(|| &text);
    assert_eq!(*once.get().unwrap(), *lazy);
}

#[test]
fn a_lazy_lock_is_made_by_its_first_use() {
    start();
    static TIMES: AtomicUsize = AtomicUsize::new(0);
    static LAZY: LazyLock<Vec<u32>> = LazyLock::new(|| {
        TIMES.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_millis(5));
        vec![1, 2, 3]
    });
    assert_eq!(LazyLock::get(&LAZY), None);
    assert_eq!(TIMES.load(Ordering::SeqCst), 0);
    let handles: Vec<_> = (0..16)
        .map(|i| BOTH[i % 2].spawn(|| LAZY.iter().sum::<u32>()))
        .collect();
    assert!(handles.into_iter().all(|one| one.join() == 6));
    assert_eq!(TIMES.load(Ordering::SeqCst), 1);
    assert_eq!(LazyLock::get(&LAZY), Some(&vec![1, 2, 3]));
}

#[test]
fn a_lazy_lock_is_changed_through_a_mutable_reference() {
    let mut lazy = LazyLock::new(|| String::from("a"));
    assert_eq!(LazyLock::get_mut(&mut lazy), None);
    LazyLock::force_mut(&mut lazy).push('b');
    lazy.push('c');
    LazyLock::get_mut(&mut lazy).unwrap().push('d');
    assert_eq!(LazyLock::force(&lazy), "abcd");
    assert_eq!(*LazyLock::<u32>::default(), 0);
}

#[test]
fn a_lazy_lock_whose_closure_panicked_is_lost_with_the_words_of_std() {
    let mut ours: LazyLock<u8> = LazyLock::new(|| panic!("no value"));
    let std: std::sync::LazyLock<u8> = std::sync::LazyLock::new(|| panic!("no value"));
    assert_eq!(panic_text(|| _ = *ours), "no value");
    assert_eq!(panic_text(|| _ = *std), "no value");
    assert_eq!(panic_text(|| _ = *ours), panic_text(|| _ = *std));
    assert_eq!(LazyLock::get(&ours), None);
    assert_eq!(LazyLock::get_mut(&mut ours), None);
    assert!(panic_text(|| _ = LazyLock::force_mut(&mut ours)).contains("poisoned"));
    assert_eq!(format!("{ours:?}"), format!("{std:?}"));
}

#[test]
fn waiters_for_a_lazy_lock_learn_of_its_panic() {
    start();
    let lazy = LazyLock::new(|| -> u8 {
        sleep(Duration::from_millis(20));
        panic!("no value")
    });
    let lazy = Arc::new(lazy);
    let handles: Vec<_> = (0..8)
        .map(|i| {
            let lazy = Arc::clone(&lazy);
            BOTH[i % 2].spawn(move || **lazy)
        })
        .collect();
    let mut texts: Vec<_> = handles
        .into_iter()
        .map(|one| text(one.try_join().unwrap_err()))
        .collect();
    texts.sort();
    assert_eq!(texts.pop().as_deref(), Some("no value"));
    assert!(
        texts
            .iter()
            .all(|text| text == "LazyLock instance has previously been poisoned")
    );
}

#[test]
fn closure_and_value_of_a_lazy_lock_are_dropped_once() {
    let census = Census::new();
    let captured = census.birth(1);
    drop(LazyLock::new(move || drop(captured)));
    assert_eq!(census.alive(), 0);

    let captured = census.birth(2);
    let made = census.clone();
    let lazy = LazyLock::new(move || {
        let captured = captured;
        made.birth(captured.id + 1)
    });
    assert_eq!(lazy.id, 3);
    assert_eq!(census.alive(), 1, "the closure has gone");
    drop(lazy);
    assert_eq!((census.born(), census.alive()), (3, 0));

    let captured = census.birth(4);
    let lazy = LazyLock::new(move || -> u8 { panic!("{captured:?}") });
    assert!(catch_unwind(AssertUnwindSafe(|| *lazy)).is_err());
    assert_eq!(census.alive(), 0);
}

#[test]
fn debug_texts_are_those_of_std() {
    assert_eq!(
        format!("{:?}", Once::new()),
        format!("{:?}", std::sync::Once::new())
    );
    let (ours, std) = (LazyLock::new(|| 5), std::sync::LazyLock::new(|| 5));
    assert_eq!(format!("{ours:?}"), format!("{std:?}"));
    assert_eq!(*ours, *std);
    assert_eq!(format!("{ours:?} {ours:#?}"), format!("{std:?} {std:#?}"));
}

#[test]
fn they_are_send_sync_and_unwind_safe_as_std_has_it() {
    fn all<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    fn send<T: Send>() {}
    all::<Once>();
    all::<OnceLock<String>>();
    all::<LazyLock<String>>();
    send::<OnceState>();
    send::<OnceLock<Cell<u8>>>();
    // A closure that is Send is enough: it is run once.
    fn sync<T: Sync>(_: &T) {}
    let cell = Cell::new(1);
    sync(&LazyLock::new(move || cell.get()));
}
