//! Waits for locks under a context: its end is an error, and takes no lock, permit or wake-up along.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use common::{On, settle};
use goroutines::{
    Builder,
    context::{Canceller, Context, ContextError},
    go,
    sync::{Barrier, Condvar, Mutex, RwLock, Semaphore, WaitGroup},
};

const SIDES: [On; 2] = [On::Goroutine, On::Thread];
const SOON: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(3600);
/// How often an end meets what it must not disturb.
const ROUNDS: usize = 10_000;

fn start() {
    common::start(2);
}

fn with_cancel() -> (Context, Canceller) {
    Context::background().with_cancel()
}

fn cancelled() -> Context {
    let (ctx, canceller) = with_cancel();
    canceller.cancel();
    ctx
}

/// What can be held, and waited for under a context.
trait Hold: Send + Sync + 'static {
    fn new() -> Self;
    /// Calls `f` while it is held, so that `take` waits.
    fn held(&self, f: &mut dyn FnMut());
    /// Takes it under `ctx`, and gives it back.
    fn take(&self, ctx: &Context) -> Result<(), ContextError>;
    /// Returns whether it is free.
    fn is_free(&self) -> bool;
}

impl Hold for Mutex<()> {
    fn new() -> Self {
        Mutex::new(())
    }

    fn held(&self, f: &mut dyn FnMut()) {
        let _guard = self.lock().unwrap();
        f();
    }

    fn take(&self, ctx: &Context) -> Result<(), ContextError> {
        self.lock_ctx(ctx).map(|guard| drop(guard.unwrap()))
    }

    fn is_free(&self) -> bool {
        self.try_lock().is_ok()
    }
}

/// Readers that wait for a writer.
struct Reading(RwLock<()>);

impl Hold for Reading {
    fn new() -> Self {
        Reading(RwLock::new(()))
    }

    fn held(&self, f: &mut dyn FnMut()) {
        let _guard = self.0.write().unwrap();
        f();
    }

    fn take(&self, ctx: &Context) -> Result<(), ContextError> {
        self.0.read_ctx(ctx).map(|guard| drop(guard.unwrap()))
    }

    fn is_free(&self) -> bool {
        self.0.try_write().is_ok()
    }
}

/// Writers that wait for a reader.
struct Writing(RwLock<()>);

impl Hold for Writing {
    fn new() -> Self {
        Writing(RwLock::new(()))
    }

    fn held(&self, f: &mut dyn FnMut()) {
        let _guard = self.0.read().unwrap();
        f();
    }

    fn take(&self, ctx: &Context) -> Result<(), ContextError> {
        self.0.write_ctx(ctx).map(|guard| drop(guard.unwrap()))
    }

    fn is_free(&self) -> bool {
        self.0.try_write().is_ok()
    }
}

impl Hold for Semaphore {
    fn new() -> Self {
        Semaphore::new(1)
    }

    fn held(&self, f: &mut dyn FnMut()) {
        let _permit = self.acquire();
        f();
    }

    fn take(&self, ctx: &Context) -> Result<(), ContextError> {
        self.acquire_ctx(ctx).map(drop)
    }

    fn is_free(&self) -> bool {
        self.available_permits() == 1 && self.try_acquire().is_ok()
    }
}

/// Calls a generic function for each kind.
macro_rules! each {
    ($function:ident $(, $argument:expr)*) => {
        $function::<Mutex<()>>($($argument),*);
        $function::<Reading>($($argument),*);
        $function::<Writing>($($argument),*);
        $function::<Semaphore>($($argument),*);
    };
}

#[test]
fn under_a_context_that_is_done_what_is_free_is_taken_and_what_is_held_is_an_error_at_once() {
    fn check<H: Hold>() {
        let (lock, ctx) = (H::new(), cancelled());
        let (late, _) = Context::background().with_deadline(Instant::now());
        assert_eq!(lock.take(&ctx), Ok(()));
        assert_eq!(lock.take(&late), Ok(()));
        lock.held(&mut || {
            assert_eq!(lock.take(&ctx), Err(ContextError::Cancelled));
            assert_eq!(lock.take(&late), Err(ContextError::DeadlineExceeded));
        });
        assert!(lock.is_free());
    }
    start();
    for on in SIDES {
        on.spawn(|| {
            each!(check);
        })
        .join();
    }
}

#[test]
fn the_end_of_a_context_ends_the_waits_under_it_and_its_children_while_the_lock_is_held() {
    fn check<H: Hold>(on: On) {
        let lock = Arc::new(H::new());
        let (ctx, canceller) = with_cancel();
        lock.held(&mut || {
            let waiters: Vec<_> = (0..8)
                .map(|i| {
                    // Some wait under a child, whose own canceller is gone.
                    let ctx = if i % 2 == 0 {
                        ctx.clone()
                    } else {
                        ctx.with_timeout(LONG).0
                    };
                    let lock = Arc::clone(&lock);
                    on.spawn(move || lock.take(&ctx))
                })
                .collect();
            settle();
            assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
            canceller.cancel();
            for waiter in waiters {
                assert_eq!(waiter.join(), Err(ContextError::Cancelled));
            }
        });
        assert!(lock.is_free());
    }
    start();
    for on in SIDES {
        each!(check, on);
    }
}

#[test]
fn a_deadline_ends_a_wait_and_a_lock_that_comes_before_it_is_taken() {
    fn check<H: Hold>(on: On) {
        let lock = Arc::new(H::new());
        let spawn = |timeout| {
            let (lock, (ctx, _)) = (
                Arc::clone(&lock),
                Context::background().with_timeout(timeout),
            );
            on.spawn(move || lock.take(&ctx))
        };
        let mut patient = None;
        lock.held(&mut || {
            assert_eq!(spawn(SOON).join(), Err(ContextError::DeadlineExceeded));
            patient = Some(spawn(LONG));
            settle();
        });
        assert_eq!(patient.unwrap().join(), Ok(()));
        assert!(lock.is_free());
    }
    start();
    for on in SIDES {
        each!(check, on);
    }
}

#[test]
fn the_background_waits_as_long_as_it_takes() {
    fn check<H: Hold>() {
        let lock = Arc::new(H::new());
        let mut waiter = None;
        lock.held(&mut || {
            let lock = Arc::clone(&lock);
            waiter = Some(go(move || lock.take(&Context::background())));
            settle();
        });
        assert_eq!(waiter.unwrap().join().unwrap(), Ok(()));
    }
    start();
    each!(check);
}

/// Each round a context ends beside the moment at which the lock is given up. A waiter without an end stands behind the
/// one that may leave: it must get the lock.
fn ends_beside_an_unlock<H: Hold>(on: On, rounds: usize) {
    let lock = Arc::new(H::new());
    let (mut given_up, mut taken) = (0, 0);
    for round in 0..rounds {
        let (ctx, canceller) = with_cancel();
        let mut others = None;
        lock.held(&mut || {
            let spawn = |ctx: Context| {
                let lock = Arc::clone(&lock);
                on.spawn(move || lock.take(&ctx))
            };
            others = Some((spawn(ctx.clone()), spawn(Context::background())));
            for _ in 0..round % 4 {
                goroutines::yield_now();
            }
            if round % 3 == 0 {
                canceller.cancel();
            }
        });
        canceller.cancel();
        let (waiter, behind) = others.unwrap();
        match waiter.join() {
            Ok(()) => taken += 1,
            Err(error) => {
                assert_eq!(error, ContextError::Cancelled);
                given_up += 1;
            }
        }
        assert_eq!(behind.join(), Ok(()));
        assert!(lock.is_free());
    }
    assert_eq!(given_up + taken, rounds);
}

#[test]
fn an_end_beside_an_unlock_loses_no_lock() {
    start();
    go(|| {
        each!(ends_beside_an_unlock, On::Goroutine, ROUNDS);
    })
    .join()
    .unwrap();
    each!(ends_beside_an_unlock, On::Thread, ROUNDS / 100);
}

/// The waiter has the only reference to its context, and frees it while the canceller may still be at it.
#[test]
fn a_context_may_be_dropped_beside_its_end() {
    start();
    let lock = Arc::new(Mutex::new(()));
    let _guard = lock.lock().unwrap();
    for _ in 0..ROUNDS {
        let (ctx, canceller) = with_cancel();
        let (child, _) = ctx.with_timeout(LONG);
        let waiter = |ctx: Context| {
            let lock = Arc::clone(&lock);
            go(move || lock.lock_ctx(&ctx).is_err())
        };
        let waiters = [waiter(ctx), waiter(child)];
        let canceller = go(move || canceller.cancel());
        assert!(
            waiters
                .map(|one| one.join().unwrap())
                .iter()
                .all(|&ended| ended)
        );
        canceller.join().unwrap();
    }
}

#[test]
fn a_thousand_waiters_end_with_one_context() {
    start();
    let slots = Arc::new(Semaphore::new(0));
    let (ctx, canceller) = with_cancel();
    let waiters: Vec<_> = (0..1000)
        .map(|i| {
            let (slots, ctx) = (Arc::clone(&slots), ctx.clone());
            go(move || slots.acquire_many_owned_ctx(i % 5 + 1, &ctx).map(drop))
        })
        .collect();
    settle();
    canceller.cancel();
    for waiter in waiters {
        assert_eq!(waiter.join().unwrap(), Err(ContextError::Cancelled));
    }
    assert_eq!(slots.available_permits(), 0);
    slots.add_permits(2);
    assert!(Arc::clone(&slots).acquire_owned_ctx(&ctx).is_ok());
    assert!(slots.acquire_many_ctx(3, &ctx).is_err() && slots.acquire_many_ctx(0, &ctx).is_ok());
}

#[test]
fn who_wants_many_permits_and_gives_up_lets_those_behind_pass() {
    start();
    let slots = Arc::new(Semaphore::new(1));
    let (ctx, canceller) = with_cancel();
    let many = {
        let slots = Arc::clone(&slots);
        go(move || slots.acquire_many_ctx(2, &ctx).map(drop))
    };
    settle();
    let few = {
        let slots = Arc::clone(&slots);
        go(move || slots.acquire_many(1).forget())
    };
    canceller.cancel();
    assert_eq!(many.join().unwrap(), Err(ContextError::Cancelled));
    few.join().unwrap();
}

#[test]
fn a_poisoned_lock_is_an_error_of_the_lock_and_not_of_the_context() {
    start();
    let mutex = Arc::new(Mutex::new(1));
    let rwlock = Arc::new(RwLock::new(1));
    let failed = {
        let (mutex, rwlock) = (Arc::clone(&mutex), Arc::clone(&rwlock));
        go(move || {
            let _guards = (mutex.lock().unwrap(), rwlock.write().unwrap());
            panic!("under the locks");
        })
    };
    assert!(failed.join().is_err());
    for ctx in [Context::background(), cancelled()] {
        let guard = mutex.lock_ctx(&ctx).unwrap().unwrap_err().into_inner();
        assert_eq!(*guard, 1);
        // It is held: the context comes first.
        if ctx.is_cancelled() {
            assert!(mutex.lock_ctx(&ctx).is_err());
        }
        let changed = Condvar::new();
        let (short, _) = ctx.with_timeout(SOON);
        let (_guard, answer) = changed.wait_ctx(guard, &short).unwrap_err().into_inner();
        assert_eq!(answer, Err(short.err().unwrap()));
        assert!(rwlock.read_ctx(&ctx).unwrap().is_err());
        assert!(rwlock.write_ctx(&ctx).unwrap().is_err());
    }
}

/// A destructor that runs during a panic keeps its thread while it waits.
#[test]
fn a_goroutine_that_unwinds_waits_under_a_context_as_well() {
    struct Locks(Arc<Mutex<()>>, Context, Arc<AtomicBool>);
    impl Drop for Locks {
        fn drop(&mut self) {
            let ended = self.0.lock_ctx(&self.1).is_err();
            self.2.store(ended, Ordering::SeqCst);
        }
    }
    start();
    let lock = Arc::new(Mutex::new(()));
    let guard = lock.lock().unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let (ctx, canceller) = with_cancel();
    let locks = Locks(Arc::clone(&lock), ctx, Arc::clone(&ended));
    let unwinds = go(move || {
        let _locks = locks;
        panic!("on purpose");
    });
    settle();
    canceller.cancel();
    assert!(unwinds.join().is_err());
    assert!(ended.load(Ordering::SeqCst));
    drop(guard);
}

/// What others reach of such a goroutine lies in a box, as its stack may be elsewhere.
#[test]
fn goroutines_whose_stacks_are_copied_wait_under_a_context_as_well() {
    start();
    let lock = Arc::new(Mutex::new(()));
    let guard = lock.lock().unwrap();
    let (ctx, canceller) = with_cancel();
    let waiters: Vec<_> = (0..40)
        .map(|_| {
            let (lock, ctx) = (Arc::clone(&lock), ctx.clone());
            // SAFETY: nothing of its stack is lent to others.
            let builder = unsafe { Builder::new().copy_stack() };
            builder.spawn(move || lock.lock_ctx(&ctx).is_err()).unwrap()
        })
        .collect();
    settle();
    canceller.cancel();
    assert!(waiters.into_iter().all(|one| one.join().unwrap()));
    drop(guard);
}

#[test]
fn a_condition_is_waited_for_until_the_context_is_done_and_the_guard_comes_back() {
    start();
    for on in SIDES {
        on.spawn(|| {
            let (mutex, changed) = (Mutex::new(1), Condvar::new());
            for (ctx, error) in [
                (cancelled(), ContextError::Cancelled),
                (
                    Context::background().with_timeout(SOON).0,
                    ContextError::DeadlineExceeded,
                ),
            ] {
                let guard = mutex.lock().unwrap();
                let (mut guard, answer) = changed.wait_ctx(guard, &ctx).unwrap();
                assert_eq!(answer, Err(error));
                *guard += 1;
                assert!(mutex.try_lock().is_err());
                let (guard, answer) = changed.wait_while_ctx(guard, &ctx, |_| true).unwrap();
                assert_eq!(answer, Err(error));
                // The condition counts more than the context.
                let (_, answer) = changed.wait_while_ctx(guard, &ctx, |_| false).unwrap();
                assert_eq!(answer, Ok(()));
            }
            assert_eq!(*mutex.lock().unwrap(), 3);
        })
        .join();
    }
}

/// One notification, two waiters, one of which may give up at that moment: the other must get it, or the first says that it
/// was notified and passes it on.
#[test]
fn an_end_beside_a_notification_loses_none() {
    struct Shop {
        stock: Mutex<usize>,
        changed: Condvar,
        passed_on: AtomicUsize,
    }
    start();
    let shop = Arc::new(Shop {
        stock: Mutex::new(0),
        changed: Condvar::new(),
        passed_on: AtomicUsize::new(0),
    });
    for _ in 0..ROUNDS {
        let (ctx, canceller) = with_cancel();
        let visitor = {
            let shop = Arc::clone(&shop);
            go(move || {
                let stock = shop.stock.lock().unwrap();
                let (stock, answer) = shop.changed.wait_ctx(stock, &ctx).unwrap();
                drop(stock);
                if answer.is_ok() {
                    shop.passed_on.fetch_add(1, Ordering::SeqCst);
                    shop.changed.notify_one();
                }
            })
        };
        let buyer = {
            let shop = Arc::clone(&shop);
            go(move || {
                let stock = shop.stock.lock().unwrap();
                *shop.changed.wait_while(stock, |stock| *stock == 0).unwrap() -= 1;
            })
        };
        let canceller = go(move || canceller.cancel());
        goroutines::yield_now();
        *shop.stock.lock().unwrap() += 1;
        shop.changed.notify_one();
        buyer.join().unwrap();
        visitor.join().unwrap();
        canceller.join().unwrap();
    }
    assert_eq!(*shop.stock.lock().unwrap(), 0);
}

#[test]
fn a_wait_group_is_waited_for_until_the_context_is_done() {
    start();
    for on in SIDES {
        let group = WaitGroup::new();
        let busy = group.clone();
        let (ctx, canceller) = with_cancel();
        let waiters: Vec<_> = [ctx.clone(), Context::background(), ctx.with_timeout(LONG).0]
            .map(|ctx| (group.clone(), ctx))
            .into_iter()
            .map(|(group, ctx)| on.spawn(move || group.wait_ctx(&ctx)))
            .collect();
        drop(group);
        settle();
        canceller.cancel();
        let mut waiters = waiters.into_iter();
        assert_eq!(waiters.next().unwrap().join(), Err(ContextError::Cancelled));
        let patient = waiters.next().unwrap();
        assert_eq!(waiters.next().unwrap().join(), Err(ContextError::Cancelled));
        assert_eq!(
            busy.clone().wait_ctx(&cancelled()),
            Err(ContextError::Cancelled)
        );
        drop(busy);
        assert_eq!(patient.join(), Ok(()));
        assert_eq!(WaitGroup::new().wait_ctx(&cancelled()), Ok(()));
    }
}

#[test]
fn an_end_beside_the_last_of_a_wait_group_leaves_no_waiter_behind() {
    start();
    for _ in 0..ROUNDS {
        let group = WaitGroup::new();
        let (ctx, canceller) = with_cancel();
        let waiters = [ctx, Context::background()].map(|ctx| {
            let group = group.clone();
            go(move || group.wait_ctx(&ctx))
        });
        let canceller = go(move || canceller.cancel());
        drop(group);
        let [may_give_up, patient] = waiters.map(|one| one.join().unwrap());
        assert!(matches!(may_give_up, Ok(()) | Err(ContextError::Cancelled)));
        assert_eq!(patient, Ok(()));
        canceller.join().unwrap();
    }
}

#[test]
fn who_gives_up_at_a_barrier_has_not_arrived() {
    start();
    for on in SIDES {
        let barrier = Arc::new(Barrier::new(3));
        let (ctx, canceller) = with_cancel();
        let arrive = |ctx: Context| {
            let barrier = Arc::clone(&barrier);
            on.spawn(move || barrier.wait_ctx(&ctx).map(|result| result.is_leader()))
        };
        let patient = arrive(Context::background());
        assert_eq!(arrive(cancelled()).join(), Err(ContextError::Cancelled));
        let gives_up = arrive(ctx);
        settle();
        canceller.cancel();
        assert_eq!(gives_up.join(), Err(ContextError::Cancelled));
        let second = arrive(Context::background());
        settle();
        assert!(!patient.is_finished() && !second.is_finished());
        // The group is complete with it, and nothing is left to be cancelled.
        let last = arrive(cancelled());
        let leaders = [patient, second, last].map(|one| usize::from(one.join().unwrap()));
        assert_eq!(leaders.iter().sum::<usize>(), 1);
    }
}

/// Each round one may leave while the last arrives. If it left, another completes the group; in no case does one of
/// three pass alone, or wait for ever.
#[test]
fn an_end_beside_the_last_at_a_barrier_leaves_the_group_whole_or_without_one() {
    start();
    let barrier = Arc::new(Barrier::new(3));
    for _ in 0..ROUNDS {
        let (ctx, canceller) = with_cancel();
        let arrive = |ctx: Context| {
            let barrier = Arc::clone(&barrier);
            go(move || barrier.wait_ctx(&ctx).map(|result| result.is_leader()))
        };
        let may_leave = arrive(ctx);
        let others = [(); 2].map(|()| arrive(Context::background()));
        let canceller = go(move || canceller.cancel());
        let leader = may_leave.join().unwrap();
        let mut leaders = usize::from(leader == Ok(true));
        if leader.is_err() {
            leaders += usize::from(barrier.wait().is_leader());
        }
        for other in others {
            leaders += usize::from(other.join().unwrap().unwrap());
        }
        assert_eq!(leaders, 1);
        canceller.join().unwrap();
    }
}
