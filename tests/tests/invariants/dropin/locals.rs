// What belongs to a thread.

use std::cell::{Cell, RefCell};

local! {
    /// A number.
    static NUMBER: Cell<u32> = const { Cell::new(1) };
    pub(crate) static NAMES: RefCell<Vec<String>> = RefCell::new(Vec::new());
}
local!(static ONE: Tell = Tell);

static DROPS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

struct Tell;

impl Drop for Tell {
    fn drop(&mut self) {
        DROPS.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn each_thread_has_a_value_of_its_own() {
    start();
    let all: Vec<_> = (0..10)
        .map(|i| {
            thread::spawn(move || {
                assert_eq!(NUMBER.get(), 1);
                NUMBER.set(i);
                thread::yield_now();
                thread::sleep(Duration::from_millis(1));
                NUMBER.with(Cell::get) == i
            })
        })
        .collect();
    assert!(all.into_iter().all(|one| one.join().unwrap()));
}

#[test]
fn cells_have_short_forms() {
    start();
    thread::spawn(|| {
        assert_eq!((NUMBER.replace(5), NUMBER.take()), (1, 5));
        NAMES.with_borrow_mut(|names| names.push("a".to_owned()));
        assert_eq!(NAMES.with_borrow(Vec::len), 1);
        assert_eq!(NAMES.take(), ["a"]);
        NAMES.set(vec!["b".to_owned()]);
        assert_eq!(NAMES.replace(Vec::new()), ["b"]);
        assert!(NAMES.try_with(|names| names.borrow().is_empty()).unwrap());
    })
    .join()
    .unwrap();
}

#[test]
fn values_are_dropped_at_the_end() {
    start();
    let before = DROPS.load(std::sync::atomic::Ordering::SeqCst);
    thread::spawn(|| ()).join().unwrap();
    assert_eq!(DROPS.load(std::sync::atomic::Ordering::SeqCst), before);
    thread::spawn(|| ONE.with(|_| ())).join().unwrap();
    assert_eq!(DROPS.load(std::sync::atomic::Ordering::SeqCst), before + 1);
}
