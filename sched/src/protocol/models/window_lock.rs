//! The lock of a run window: one M inside at a time, no goroutine forgotten, memory passed on.

use std::sync::atomic::AtomicBool as StdAtomicBool;

use loom::{
    cell::UnsafeCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::explore;
use crate::protocol::window_lock::{Linked, WindowLock};

/// A goroutine of the model: its link, and the queue it is made ready into.
struct Member {
    link: UnsafeCell<usize>,
    ready: AtomicUsize,
}

#[derive(Clone, Copy)]
struct MemberRef(&'static Member);

impl Linked for MemberRef {
    fn word(self) -> usize {
        std::ptr::from_ref(self.0) as usize
    }
    unsafe fn of(word: usize) -> Self {
        // SAFETY: the members are leaked, and the word is the address of one.
        MemberRef(unsafe { &*(word as *const Member) })
    }
    fn set_next(self, word: usize) {
        // SAFETY: the thread that enters or leaves owns the link; loom checks it.
        self.0.link.with_mut(|link| unsafe { *link = word });
    }
    fn next(self) -> usize {
        // SAFETY: the thread that takes the line owns the link of each member in it; loom checks it.
        self.0.link.with(|link| unsafe { *link })
    }
    fn is_visitor(self) -> bool {
        false
    }
}

struct Window {
    handover: WindowLock,
    /// The memory of the window: loom reports a race when two are inside.
    memory: UnsafeCell<usize>,
    entered: AtomicUsize,
}

impl Window {
    /// One M that runs one goroutine of the window to its end; what it makes ready it runs as well.
    fn run(&self, who: MemberRef) {
        self.run_all(vec![who]);
    }

    fn run_all(&self, mut runnable: Vec<MemberRef>) {
        while let Some(who) = runnable.pop() {
            if self.handover.enter(who) {
                self.be_inside(&mut runnable);
            }
        }
    }

    /// One M whose goroutine has not run, and uses another window if an M is inside. Returns whether it got in.
    fn try_to_run(&self) -> bool {
        let mut runnable = Vec::new();
        let entered = self.handover.try_enter();
        if entered {
            self.be_inside(&mut runnable);
        }
        self.run_all(runnable);
        entered
    }

    /// Entered already: runs, and leaves.
    fn be_inside(&self, runnable: &mut Vec<MemberRef>) {
        // SAFETY: inside; loom checks it.
        self.memory.with_mut(|memory| unsafe { *memory += 1 });
        self.entered.fetch_add(1, Ordering::Relaxed);
        self.handover.leave(|one: MemberRef| {
            one.0.ready.fetch_add(1, Ordering::Relaxed);
            runnable.push(one);
        });
    }
}

fn everybody_gets_in(count: usize, preemptions: Option<usize>) {
    explore(preemptions, move || {
        let window = Arc::new(Window {
            handover: WindowLock::new(),
            memory: UnsafeCell::new(0),
            entered: AtomicUsize::new(0),
        });
        let others: Vec<_> = (1..count)
            .map(|_| {
                let window = window.clone();
                thread::spawn(move || window.run(member()))
            })
            .collect();
        window.run(member());
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(window.entered.load(Ordering::Relaxed), count);
        // SAFETY: every M has left.
        window
            .memory
            .with(|memory| assert_eq!(unsafe { *memory }, count));
    });
}

/// Leaked: a stale access to a G must find a G. Loom's own bookkeeping of it ends with the iteration.
fn member() -> MemberRef {
    MemberRef(Box::leak(Box::new(Member {
        link: UnsafeCell::new(0),
        ready: AtomicUsize::new(0),
    })))
}

#[test]
fn two_goroutines_of_a_window_run_one_after_the_other() {
    everybody_gets_in(2, None);
}

#[test]
fn of_three_goroutines_none_is_left_in_line() {
    everybody_gets_in(3, Some(3));
}

/// Two enter, or stand in line; the third tries, while none, one or both of them are there.
#[test]
fn who_tries_is_alone_inside_and_leaves_nobody_in_line() {
    static TRIED: [StdAtomicBool; 2] = [const { StdAtomicBool::new(false) }; 2];
    explore(Some(3), || {
        let window = Arc::new(Window {
            handover: WindowLock::new(),
            memory: UnsafeCell::new(0),
            entered: AtomicUsize::new(0),
        });
        let others = [(); 2].map(|()| {
            let window = window.clone();
            thread::spawn(move || window.run(member()))
        });
        let got_in = window.try_to_run();
        // Relaxed: only whether it ever happened counts.
        TRIED[usize::from(got_in)].store(true, Ordering::Relaxed);
        others.into_iter().for_each(|one| one.join().unwrap());
        let count = 2 + usize::from(got_in);
        assert_eq!(window.entered.load(Ordering::Relaxed), count);
        // SAFETY: every M has left.
        window
            .memory
            .with(|memory| assert_eq!(unsafe { *memory }, count));
    });
    assert!(TRIED.iter().all(|one| one.load(Ordering::Relaxed)));
}
