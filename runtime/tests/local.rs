//! `goroutine_local!` beside `thread_local!`: on goroutines and on plain OS threads.

mod common;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc, Mutex as StdMutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use common::{Census, Counted, On, settle};
use goroutines::{
    chan, goroutine_local,
    thread::{self, AccessError, Builder, LocalKey},
    yield_now,
};

const SIDES: [On; 2] = [On::Goroutine, On::Thread];

fn start() {
    common::start(2);
}

mod declared {
    use goroutines::goroutine_local;

    goroutine_local! {}
    goroutine_local!(static ALONE: u8 = 1);
    goroutine_local! { pub(crate) static LAST: u8 = 2; }
    goroutine_local! {
        /// With a comment and an attribute,
        #[allow(non_upper_case_globals, reason = "it is what is tested")]
        pub static lower: std::cell::Cell<Option<&'static str>> = const { std::cell::Cell::new(None) };
        static PRIVATE: Vec<u8> = {
            let start = 3;
            vec![start; 2]
        };
        pub(super) static COMMA: (u8, u8) = (1, 2)
    }
    pub(super) fn sum() -> u8 {
        ALONE.with(|n| *n) + PRIVATE.with(|all| all.iter().sum::<u8>())
    }
}

#[test]
fn every_form_of_a_declaration_is_taken() {
    start();
    assert_eq!(declared::sum(), 7);
    assert_eq!(declared::LAST.with(|n| *n), 2);
    assert_eq!(declared::COMMA.with(|pair| pair.1), 2);
    declared::lower.set(Some("x"));
    assert_eq!(declared::lower.get(), Some("x"));
    fn inside() -> u32 {
        goroutine_local!(static COUNT: Cell<u32> = const { Cell::new(10) });
        COUNT.replace(COUNT.get() + 1)
    }
    assert_eq!((inside(), inside()), (10, 11));
    fn by_reference(key: &'static LocalKey<u8>) -> u8 {
        key.with(|n| *n)
    }
    assert_eq!(by_reference(&declared::LAST), 2);
    assert_eq!(format!("{:?}", declared::LAST), "LocalKey { .. }");
}

#[test]
fn a_key_is_shared_whatever_its_values_are() {
    fn shared<T: Send + Sync>() {}
    shared::<LocalKey<Rc<Cell<u8>>>>();
}

#[test]
fn each_has_its_own_value_and_makes_it_when_it_needs_it() {
    start();
    static MADE: AtomicUsize = AtomicUsize::new(0);
    goroutine_local!(static OWN: Cell<usize> = {
        MADE.fetch_add(1, Ordering::Relaxed);
        Cell::new(0)
    });
    let mut made = 0;
    for side in SIDES {
        let all: Vec<_> = (1..=50)
            .map(|n| {
                side.spawn(move || {
                    if n % 2 == 0 {
                        return;
                    }
                    OWN.set(OWN.get() + n);
                    yield_now();
                    OWN.set(OWN.get() + n);
                    assert_eq!(OWN.get(), 2 * n);
                })
            })
            .collect();
        all.into_iter().for_each(common::Handle::join);
        made += 25;
        assert_eq!(MADE.load(Ordering::Relaxed), made);
    }
}

#[test]
fn a_reference_outlives_parks_and_the_making_of_others() {
    start();
    goroutine_local! {
        static FIRST: RefCell<Vec<usize>> = RefCell::new(vec![1]);
        static OTHERS: [Cell<u8>; 100] = const { [const { Cell::new(7) }; 100] };
    }
    let all: Vec<_> = (0..100)
        .map(|n| {
            goroutines::go(move || {
                let id = thread::current().id();
                FIRST.with(|first| {
                    for round in 0..20 {
                        first.borrow_mut().push(n + round);
                        yield_now();
                    }
                    OTHERS.with(|others| assert_eq!(others[99].get(), 7));
                    assert_eq!(first.borrow().len(), 21);
                    assert_eq!(first.borrow()[20], n + 19);
                });
                assert_eq!(thread::current().id(), id);
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn cells_and_refcells_have_their_shortcuts() {
    start();
    goroutine_local! {
        static CELL: Cell<u32> = const { Cell::new(5) };
        static REFCELL: RefCell<String> = RefCell::new("a".to_owned());
        static LAZY: Cell<u32> = panic!("the initialiser runs although a value is set");
        static LAZY_REF: RefCell<u32> = panic!("the initialiser runs although a value is set");
    }
    for side in SIDES {
        side.spawn(|| {
            assert_eq!(
                (CELL.get(), CELL.replace(6), CELL.take(), CELL.get()),
                (5, 5, 6, 0)
            );
            CELL.set(9);
            assert_eq!(CELL.get(), 9);
            REFCELL.with_borrow_mut(|text| text.push('b'));
            assert_eq!(REFCELL.with_borrow(Clone::clone), "ab");
            assert_eq!(REFCELL.replace("c".to_owned()), "ab");
            REFCELL.set("d".to_owned());
            assert_eq!(
                (REFCELL.take(), REFCELL.take()),
                ("d".to_owned(), String::new())
            );
            LAZY.set(1);
            LAZY.set(2);
            LAZY_REF.set(3);
            assert_eq!((LAZY.get(), LAZY_REF.replace(0)), (2, 3));
        })
        .join();
    }
}

#[test]
fn a_refcell_that_is_borrowed_panics_as_a_refcell_does() {
    start();
    goroutine_local!(static HELD: RefCell<u32> = const { RefCell::new(0) });
    let result = goroutines::go(|| HELD.with_borrow_mut(|_| HELD.set(1))).join();
    assert!(result.is_err());
}

#[test]
fn an_initialiser_that_panics_leaves_nothing_and_may_try_again() {
    start();
    static TRIES: AtomicUsize = AtomicUsize::new(0);
    goroutine_local!(static SECOND: usize = match TRIES.fetch_add(1, Ordering::Relaxed) {
        0 => panic!("not yet"),
        n => n,
    });
    goroutines::go(|| {
        let first = std::panic::catch_unwind(|| SECOND.with(|n| *n));
        assert!(first.is_err());
        assert_eq!(SECOND.with(|n| *n), 1);
    })
    .join()
    .unwrap();
}

#[test]
fn an_initialiser_that_sets_its_own_value_has_the_last_word() {
    start();
    static CENSUS: StdMutex<Option<Census>> = StdMutex::new(None);
    let census = Census::new();
    *CENSUS.lock().unwrap() = Some(census.clone());
    fn birth(id: u64) -> Counted {
        CENSUS.lock().unwrap().as_ref().unwrap().birth(id)
    }
    goroutine_local!(static TWICE: RefCell<Counted> = {
        TWICE.set(birth(1));
        RefCell::new(birth(2))
    });
    goroutines::go(|| assert_eq!(TWICE.with_borrow(|value| value.id), 2))
        .join()
        .unwrap();
    assert_eq!((census.born(), census.alive()), (2, 0));
}

/// Says when it is dropped.
struct Dropped(&'static str, Arc<StdMutex<Vec<&'static str>>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.1.lock().unwrap().push(self.0);
    }
}

#[test]
fn destructors_run_before_the_join_the_youngest_first() {
    start();
    goroutine_local! {
        static A: RefCell<Option<Dropped>> = const { RefCell::new(None) };
        static B: RefCell<Option<Dropped>> = const { RefCell::new(None) };
        static UNUSED: RefCell<Option<Dropped>> = panic!("nobody asked for it");
    }
    for side in SIDES {
        let log = Arc::new(StdMutex::new(Vec::new()));
        let theirs = Arc::clone(&log);
        side.spawn(move || {
            B.set(Some(Dropped("b", Arc::clone(&theirs))));
            A.set(Some(Dropped("a", theirs)));
            let _ = &UNUSED;
        })
        .join();
        assert_eq!(*log.lock().unwrap(), ["a", "b"]);
    }
}

#[test]
fn destructors_run_when_the_goroutine_panicked_was_detached_or_scoped() {
    start();
    goroutine_local!(static VALUE: RefCell<Option<Counted>> = const { RefCell::new(None) });
    let census = Census::new();
    let value = census.birth(1);
    let failed = goroutines::go(move || {
        VALUE.set(Some(value));
        panic!("on purpose");
    });
    assert!(failed.join().is_err());
    assert_eq!(census.alive(), 0);

    let value = census.birth(2);
    thread::scope(|s| {
        s.spawn(|| VALUE.set(Some(value)));
    });
    assert_eq!(
        census.alive(),
        0,
        "the scope did not wait for the destructors"
    );

    for id in 0..100 {
        let value = census.birth(id);
        drop(goroutines::go(move || VALUE.set(Some(value))));
    }
    common::until(|| census.alive() == 0);
}

#[test]
fn a_destructor_runs_on_its_goroutine_and_may_park() {
    start();
    struct Sends(chan::Sender<thread::ThreadId>);
    impl Drop for Sends {
        fn drop(&mut self) {
            thread::sleep(std::time::Duration::from_millis(1));
            yield_now();
            self.0.send(thread::current().id()).unwrap();
        }
    }
    goroutine_local!(static SENDS: RefCell<Option<Sends>> = const { RefCell::new(None) });
    for side in SIDES {
        let (tx, rx) = chan::bounded(0);
        let handle = side.spawn(move || {
            SENDS.set(Some(Sends(tx)));
            thread::current().id()
        });
        settle();
        if side == On::Goroutine {
            assert!(!handle.is_finished());
        }
        let from = rx.recv().unwrap();
        assert_eq!(handle.join(), from);
    }
}

#[test]
fn what_is_destroyed_stays_so_and_the_rest_can_be_used() {
    start();
    static SEEN: StdMutex<Vec<String>> = StdMutex::new(Vec::new());
    fn see(what: impl ToString) {
        SEEN.lock().unwrap().push(what.to_string());
    }
    struct Looks;
    impl Drop for Looks {
        fn drop(&mut self) {
            see(LOOKS.try_with(|_| ()).unwrap_err());
            see(PLAIN.get()); // no destructor: there to the last
            see(OLDER.with(|older| older.0));
            PLAIN.set(PLAIN.get() + 1);
            LATE.with(|_| ()); // made only now, and destroyed as well
        }
    }
    struct Late;
    impl Drop for Late {
        fn drop(&mut self) {
            see(format!("late {}", PLAIN.get()));
            see(LOOKS.try_with(|_| ()).is_err());
        }
    }
    struct Older(u8);
    impl Drop for Older {
        fn drop(&mut self) {
            see("older");
            let panic = std::panic::catch_unwind(|| LOOKS.with(|_| ()));
            let text = panic.unwrap_err().downcast::<&str>().unwrap();
            see(text.contains("use `try_with` in destructors"));
        }
    }
    goroutine_local! {
        static LOOKS: Looks = const { Looks };
        static LATE: Late = const { Late };
        static OLDER: Older = const { Older(8) };
        static PLAIN: Cell<u32> = const { Cell::new(40) };
    }
    for side in SIDES {
        side.spawn(|| {
            OLDER.with(|_| ());
            LOOKS.with(|_| ());
            PLAIN.set(41);
        })
        .join();
        let seen = std::mem::take(&mut *SEEN.lock().unwrap());
        let rest = ["late 42", "true", "older", "true"];
        assert_eq!(seen[..3], ["already destroyed", "41", "8"]);
        assert_eq!(seen[3..], rest);
    }
}

#[test]
fn an_access_error_is_as_stds() {
    struct Asks;
    impl Drop for Asks {
        fn drop(&mut self) {
            let error: AccessError = ASKS.try_with(|_| ()).unwrap_err();
            assert_eq!(error.to_string(), "already destroyed");
            assert_eq!(format!("{error:?}"), "AccessError");
            let copy = error;
            assert_eq!(copy, error);
            let _: Box<dyn std::error::Error> = Box::new(error);
            ASKED.fetch_add(1, Ordering::Relaxed);
        }
    }
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    goroutine_local!(static ASKS: Asks = const { Asks });
    goroutines::go(|| ASKS.with(|_| ())).join().unwrap();
    assert_eq!(ASKED.load(Ordering::Relaxed), 1);
}

#[test]
fn a_result_that_uses_locals_and_is_not_joined_leaks_nothing() {
    start();
    goroutine_local!(static VALUE: RefCell<Option<Counted>> = const { RefCell::new(None) });
    struct Result(Option<Counted>);
    impl Drop for Result {
        fn drop(&mut self) {
            // VALUE was never made in the goroutine itself.
            VALUE.set(self.0.take());
        }
    }
    let census = Census::new();
    for id in 0..100 {
        let value = census.birth(id);
        drop(goroutines::go(move || {
            settle();
            Result(Some(value))
        }));
    }
    common::until(|| census.alive() == 0);
}

#[test]
fn a_descriptor_that_is_used_again_remembers_nothing() {
    start();
    goroutine_local!(static SEEN: Cell<u32> = const { Cell::new(0) });
    for _ in 0..2000 {
        let before = Builder::new()
            .name("x".to_owned())
            .spawn(|| SEEN.replace(1))
            .unwrap();
        assert_eq!(before.join().unwrap(), 0);
        let nameless = goroutines::go(|| (SEEN.replace(1), thread::current().name().is_some()));
        assert_eq!(nameless.join().unwrap(), (0, false));
    }
}

#[test]
fn values_are_large_aligned_and_empty() {
    start();
    #[repr(align(128))]
    struct Aligned([u8; 3]);
    goroutine_local! {
        static BIG: [u64; 1000] = [3; 1000];
        static ALIGNED: Aligned = const { Aligned([5; 3]) };
        static NOTHING: () = const {};
    }
    for side in SIDES {
        side.spawn(|| {
            BIG.with(|big| assert_eq!(big.iter().sum::<u64>(), 3000));
            ALIGNED.with(|one| {
                assert_eq!(std::ptr::from_ref(one).addr() % 128, 0);
                assert_eq!(one.0, [5; 3]);
            });
            NOTHING.with(|()| ());
        })
        .join();
    }
}
