//! Futures in the line of a socket (io_line.rs), and the list of their wakers (waker_list.rs): each future is woken for what
//! comes, and takes nothing from the waiters behind it.
//!
//! The socket counts units, as in io_line.rs. A future is polled by a thread, its executor; the runner is another thread.

use std::{io::ErrorKind, ptr::NonNull};

use loom::{
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    thread,
};

use super::explore;
use crate::protocol::{
    io_line::{EVENT, Line, Node, RECHECK, Waiter},
    parker::Parker,
    timers::NEVER,
    wait_seq::WaitSeq,
    waker_list::{HasSlot, WakerList, WakerSlot},
};

/// What wakers wake: a thread, by a number that says which waker it was.
struct Executor {
    parker: Parker,
    woken: AtomicUsize,
}

type Waker = (&'static Executor, usize);

struct FutureWait {
    node: Node<IoWaiter>,
    slot: WakerSlot<Waker>,
}

impl HasSlot for FutureWait {
    type Waker = Waker;

    fn slot(&self) -> &WakerSlot<Waker> {
        &self.slot
    }
}

struct Goroutine {
    wait_seq: WaitSeq,
    parker: Parker,
}

#[derive(Clone, Copy)]
enum IoWaiter {
    Goroutine(&'static Goroutine, u32),
    Future(NonNull<FutureWait>),
}

// SAFETY: what it names is leaked.
unsafe impl Send for IoWaiter {}

impl Waiter for IoWaiter {
    fn claim(self, outcome: u32) -> bool {
        match self {
            IoWaiter::Goroutine(g, number) => g.wait_seq.claim(number, outcome),
            IoWaiter::Future(_) => true,
        }
    }

    fn takes_event(self) -> bool {
        matches!(self, IoWaiter::Goroutine(..))
    }
}

fn leaked() -> &'static FutureWait {
    let wait: &'static mut FutureWait = Box::leak(Box::new(FutureWait {
        node: Node::new(IoWaiter::Future(NonNull::dangling())),
        slot: WakerSlot::new(),
    }));
    let this = NonNull::from(&mut *wait);
    wait.node = Node::new(IoWaiter::Future(this));
    wait
}

struct World {
    line: Line<IoWaiter>,
    units: Mutex<usize>,
    wakers: WakerList<FutureWait>,
    runner: Parker,
    /// Whether the runner is to end.
    over: AtomicUsize,
}

impl World {
    fn new() -> Arc<World> {
        let world = Arc::new(World {
            line: Line::new(),
            units: Mutex::new(0),
            wakers: WakerList::new(),
            runner: Parker::new(),
            over: AtomicUsize::new(0),
        });
        world.line.set_registered(true, |_| ());
        world
    }

    fn wake(&self, waiter: IoWaiter) {
        match waiter {
            IoWaiter::Goroutine(g, _) => g.parker.notify(),
            // SAFETY: leaked.
            IoWaiter::Future(wait) => {
                if unsafe { self.wakers.push(wait) } {
                    self.runner.notify();
                }
            }
        }
    }

    /// `units` arrive in one event.
    fn arrive(&self, units: usize) {
        *self.units.lock().unwrap() += units;
        self.line.announce(false, || true, |w| self.wake(w));
    }

    /// W1, W2 and W7. True: it got a unit.
    fn attempt(&self) -> bool {
        let receive = || {
            let mut units = self.units.lock().unwrap();
            *units = units.checked_sub(1).ok_or(ErrorKind::WouldBlock)?;
            Ok(())
        };
        let wake = |waiter| self.wake(waiter);
        self.line
            .attempt(false, receive, |()| false, wake)
            .is_some()
    }

    /// The runner, until it is over.
    fn run(&self) {
        while self.over.load(Acquire) == 0 {
            self.wakers.run(|wait| {
                // SAFETY: leaked.
                if let Some((executor, number)) = unsafe { wait.as_ref() }.slot.take() {
                    executor.woken.fetch_max(number, AcqRel);
                    executor.parker.notify();
                }
            });
            self.runner.wait(|| None);
        }
    }

    fn end(&self) {
        self.over.store(1, Release);
        self.runner.notify();
    }

    /// A thread that does `f`.
    fn run_in(
        this: &Arc<World>,
        f: impl FnOnce(&World) + Send + 'static,
    ) -> thread::JoinHandle<()> {
        let world = this.clone();
        thread::spawn(move || f(&world))
    }

    /// W1 to W4 of a future. True: it got a unit.
    fn poll(&self, wait: &'static FutureWait, waker: Waker) -> bool {
        loop {
            if self.attempt() {
                return true;
            }
            wait.slot.set(|&(_, old)| old == waker.1, || waker);
            // SAFETY: leaked.
            if unsafe { self.line.enlist(&wait.node, 0) }.is_ok() {
                // SAFETY: `enlist` left it locked.
                unsafe { self.line.unlock() };
                return false;
            }
            thread::yield_now();
        }
    }

    /// W1 to W7 of a goroutine.
    fn take(&self) {
        let g: &'static Goroutine = Box::leak(Box::new(Goroutine {
            wait_seq: WaitSeq::new(),
            parker: Parker::new(),
        }));
        loop {
            if self.attempt() {
                return;
            }
            let number = g.wait_seq.open();
            let node = Node::new(IoWaiter::Goroutine(g, number));
            // SAFETY: the node stays until it was taken out.
            match unsafe { self.line.enlist(&node, NEVER) } {
                // SAFETY: `enlist` left it locked.
                Ok(_) => unsafe { self.line.unlock() },
                Err(_) => {
                    assert!(g.wait_seq.claim(number, RECHECK));
                    thread::yield_now();
                    continue;
                }
            }
            g.parker.wait(|| None);
            assert_eq!(g.wait_seq.outcome(), EVENT);
        }
    }
}

fn executor() -> &'static Executor {
    Box::leak(Box::new(Executor {
        parker: Parker::new(),
        woken: AtomicUsize::new(0),
    }))
}

#[test]
fn a_future_is_woken_for_what_comes() {
    explore(Some(3), || {
        let world = World::new();
        let runner = World::run_in(&world, World::run);
        let poller = World::run_in(&world, |world| world.arrive(1));
        let (wait, me) = (leaked(), executor());
        while !world.poll(wait, (me, 1)) {
            me.parker.wait(|| None);
        }
        poller.join().unwrap();
        world.end();
        runner.join().unwrap();
    });
}

#[test]
fn a_future_that_moves_to_another_task_is_woken_there() {
    explore(Some(3), || {
        let world = World::new();
        let runner = World::run_in(&world, World::run);
        let poller = World::run_in(&world, |world| world.arrive(1));
        let (wait, before, after) = (leaked(), executor(), executor());
        let mut done = world.poll(wait, (before, 1));
        // Polled again by another, which alone sleeps.
        while !done {
            done = world.poll(wait, (after, 2));
            if !done {
                after.parker.wait(|| None);
            }
        }
        poller.join().unwrap();
        world.end();
        runner.join().unwrap();
    });
}

#[test]
fn a_future_that_is_woken_and_dropped_takes_nothing_from_the_goroutine_behind_it() {
    explore(Some(3), || {
        let world = World::new();
        let acceptor = World::run_in(&world, World::take);
        let poller = World::run_in(&world, |world| world.arrive(1));
        let (wait, me) = (leaked(), executor());
        if world.poll(wait, (me, 1)) {
            world.arrive(1);
        }
        world.line.withdraw(&wait.node);
        wait.slot.take();
        poller.join().unwrap();
        acceptor.join().unwrap();
    });
}

#[test]
fn a_future_and_a_goroutine_share_what_comes_in_one_event() {
    explore(Some(2), || {
        let world = World::new();
        let runner = World::run_in(&world, World::run);
        let acceptor = World::run_in(&world, World::take);
        let (wait, me) = (leaked(), executor());
        let first = world.poll(wait, (me, 1));
        assert!(!first, "nothing has come");
        world.arrive(2);
        while !world.poll(wait, (me, 1)) {
            me.parker.wait(|| None);
        }
        acceptor.join().unwrap();
        world.end();
        runner.join().unwrap();
    });
}
