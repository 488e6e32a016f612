// thread.

#[test]
fn a_thread_is_joined_with_its_value_or_its_panic() {
    start();
    let handle: thread::JoinHandle<i32> = thread::spawn(|| 1 + 1);
    let result: thread::Result<i32> = handle.join();
    assert_eq!(result.unwrap(), 2);
    let panic = thread::spawn(|| panic!("told")).join().unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"told"));
}

#[test]
fn a_builder_gives_name_and_stack() {
    start();
    let builder = thread::Builder::new().name("worker".to_owned()).stack_size(128 << 10);
    let handle = builder
        .spawn(|| {
            assert!(!thread::panicking());
            thread::current().name().map(str::to_owned)
        })
        .unwrap();
    assert_eq!(handle.thread().name(), Some("worker"));
    assert_eq!(handle.join().unwrap().as_deref(), Some("worker"));
}

#[test]
fn each_thread_has_an_id() {
    start();
    let one = thread::spawn(|| thread::current().id());
    let id: thread::ThreadId = one.thread().id();
    assert_eq!(one.join().unwrap(), id);
    assert_ne!(id, thread::current().id());
    assert_eq!(thread::current().id(), thread::current().id());
}

#[test]
fn a_handle_tells_when_its_thread_has_ended() {
    start();
    let (tx, rx) = std::sync::mpsc::channel::<()>();
    let handle = thread::spawn(move || rx.recv().is_ok());
    assert!(!handle.is_finished());
    tx.send(()).unwrap();
    let patience = std::time::Instant::now() + Duration::from_secs(20);
    while !handle.is_finished() {
        assert!(std::time::Instant::now() < patience);
        thread::yield_now();
    }
    assert!(handle.join().unwrap());
}

#[test]
fn park_takes_the_token_of_unpark() {
    start();
    let flag = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let other = Arc::clone(&flag);
    let handle = thread::spawn(move || {
        while !other.load(std::sync::atomic::Ordering::SeqCst) {
            thread::park();
        }
    });
    let thread: thread::Thread = handle.thread().clone();
    flag.store(true, std::sync::atomic::Ordering::SeqCst);
    thread.unpark();
    handle.join().unwrap();
    // The thread has ended.
    thread.unpark();
    // Before the park.
    thread::current().unpark();
    thread::park_timeout(Duration::from_secs(20));
    thread::park_timeout(Duration::from_millis(1));
    thread::sleep(Duration::from_millis(1));
    assert!(thread::available_parallelism().unwrap().get() >= 1);
}

#[test]
fn a_scope_lends_what_is_on_the_stack() {
    start();
    let numbers = vec![1, 2, 3];
    let mut sum = 0;
    let total: i32 = thread::scope(|scope: &thread::Scope<'_, '_>| {
        scope.spawn(|| sum = numbers.iter().sum());
        let two: thread::ScopedJoinHandle<'_, i32> = scope.spawn(|| numbers[1]);
        let three = thread::Builder::new()
            .name("three".to_owned())
            .spawn_scoped(scope, || {
                scope.spawn(|| assert_eq!(numbers.len(), 3));
                numbers[2]
            })
            .unwrap();
        assert_eq!(three.thread().name(), Some("three"));
        two.join().unwrap() + three.join().unwrap()
    });
    assert_eq!((sum, total), (6, 5));
}

#[test]
fn a_scope_panics_for_panics_that_were_not_joined() {
    start();
    let taken = thread::scope(|scope| scope.spawn(|| panic!("taken")).join().is_err());
    assert!(taken);
    let thrown = thread::spawn(|| {
        thread::scope(|scope| {
            scope.spawn(|| panic!("not taken"));
        });
    })
    .join()
    .unwrap_err();
    assert_eq!(thrown.downcast_ref::<&str>(), Some(&"a scoped thread panicked"));
}

#[test]
fn a_scope_waits_also_when_it_unwinds() {
    start();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let other = Arc::clone(&done);
    let thrown = thread::spawn(move || {
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(5));
                other.store(true, std::sync::atomic::Ordering::SeqCst);
            });
            panic!("of the scope");
        });
    })
    .join()
    .unwrap_err();
    assert_eq!(thrown.downcast_ref::<&str>(), Some(&"of the scope"));
    assert!(done.load(std::sync::atomic::Ordering::SeqCst));
}
