// Once, OnceLock, LazyLock.

static ONCE: sync::Once = sync::Once::new();
static LAZY: sync::LazyLock<Vec<i32>> = sync::LazyLock::new(|| vec![1, 2, 3]);
static CELL: sync::OnceLock<String> = sync::OnceLock::new();

#[test]
fn a_once_runs_once() {
    start();
    let runs = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let all: Vec<_> = (0..10)
        .map(|_| {
            let runs = Arc::clone(&runs);
            thread::spawn(move || {
                ONCE.call_once(|| {
                    thread::sleep(Duration::from_millis(2));
                    runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                });
                assert!(ONCE.is_completed());
                runs.load(std::sync::atomic::Ordering::SeqCst)
            })
        })
        .collect();
    assert!(all.into_iter().all(|one| one.join().unwrap() == 1));
    ONCE.wait();
    ONCE.wait_force();
}

#[test]
fn a_once_is_poisoned_by_a_panic_and_can_be_forced() {
    start();
    let once = Arc::new(sync::Once::new());
    let other = Arc::clone(&once);
    assert!(thread::spawn(move || other.call_once(|| panic!("in it"))).join().is_err());
    let other = Arc::clone(&once);
    assert!(thread::spawn(move || other.call_once(|| ())).join().is_err());
    once.call_once_force(|state: &sync::OnceState| assert!(state.is_poisoned()));
    assert!(once.is_completed());
    once.call_once(|| panic!("not again"));
}

#[test]
fn a_once_lock_has_every_method() {
    start();
    assert_eq!(CELL.get(), None);
    assert_eq!(CELL.get_or_init(|| "first".to_owned()), "first");
    assert_eq!(CELL.set("second".to_owned()), Err("second".to_owned()));
    assert_eq!(CELL.wait(), "first");
    let mut cell = sync::OnceLock::from(1);
    *cell.get_mut().unwrap() += 1;
    assert_eq!(cell.clone(), cell);
    assert_eq!(format!("{cell:?}"), "OnceLock(2)");
    assert_eq!(cell.take(), Some(2));
    assert_eq!(format!("{cell:?}"), "OnceLock(<uninit>)");
    assert_eq!(cell.into_inner(), None);
    assert_eq!(sync::OnceLock::<i32>::default(), sync::OnceLock::new());
}

#[test]
fn a_once_lock_is_waited_for() {
    start();
    let cell = Arc::new(sync::OnceLock::new());
    let other = Arc::clone(&cell);
    let waiter = thread::spawn(move || *other.wait());
    thread::sleep(Duration::from_millis(2));
    cell.set(9).unwrap();
    assert_eq!(waiter.join().unwrap(), 9);
}

#[test]
fn a_lazy_lock_is_made_when_it_is_used() {
    start();
    assert_eq!(LAZY.len(), 3);
    assert_eq!(sync::LazyLock::force(&LAZY)[0], 1);
    let lazy = sync::LazyLock::new(|| 5);
    assert_eq!(format!("{lazy:?}"), "LazyLock(<uninit>)");
    assert_eq!(*lazy, 5);
    assert_eq!(format!("{lazy:?}"), "LazyLock(5)");
    assert_eq!(*sync::LazyLock::<u8>::default(), 0);
    let bad = Arc::new(sync::LazyLock::<i32, _>::new(|| panic!("in it")));
    for _ in 0..2 {
        let bad = Arc::clone(&bad);
        assert!(thread::spawn(move || **bad).join().is_err());
    }
}
