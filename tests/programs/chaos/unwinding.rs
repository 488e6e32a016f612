//! Scene: a panic unwinds through guards whose destructors wait for others: for joins, messages, locks, time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use goroutines::{
    block_on, blocking, chan, set_gomaxprocs, sleep,
    sync::{Mutex, Semaphore, WaitGroup},
    yield_now,
};

use crate::{
    board::Actor,
    crew::{Deliberate, Hired, Kind, fall, hire},
    settings::settings,
};

/// What a destructor waits for. The other side is another actor.
enum Deed {
    Join(Hired<()>),
    Receive(chan::Receiver<u8>),
    ReceiveAsFuture(chan::Receiver<u8>),
    Select(chan::Receiver<u8>),
    Send(chan::Sender<u8>),
    Lock(Arc<Mutex<()>>),
    Acquire(Arc<Semaphore>),
    Wait(WaitGroup),
    Sleep,
    Yield,
    Blocking,
    Resize,
    /// Another panic, which is caught.
    Fall,
}

/// Does its deed when it is dropped.
struct LastDeed<'a> {
    me: &'a mut Actor,
    deed: Option<Deed>,
    done: Arc<AtomicUsize>,
}

impl Drop for LastDeed<'_> {
    fn drop(&mut self) {
        self.me.at("does a last deed");
        let time = self.me.dice.micros(500);
        match self.deed.take().expect("it is dropped once") {
            Deed::Join(hired) => {
                self.me.at("joins in a destructor");
                assert!(hired.join().is_ok(), "who is joined does not panic");
            }
            Deed::Receive(rx) => {
                self.me.at("receives in a destructor");
                rx.recv().expect("the sender sends");
            }
            Deed::ReceiveAsFuture(rx) => {
                self.me.at("receives as a future in a destructor");
                block_on(rx.recv_async()).expect("the sender sends");
            }
            Deed::Select(rx) => {
                self.me.at("selects in a destructor");
                chan::select! {
                    recv(rx) -> got => { got.expect("the sender sends"); }
                    recv(chan::never::<u8>()) -> _ => unreachable!(),
                }
            }
            Deed::Send(tx) => {
                self.me.at("sends in a destructor");
                tx.send(1).expect("the receiver receives");
            }
            Deed::Lock(mutex) => {
                self.me.at("locks in a destructor");
                drop(mutex.lock());
            }
            Deed::Acquire(semaphore) => {
                self.me.at("acquires in a destructor");
                drop(semaphore.acquire());
            }
            Deed::Wait(group) => {
                self.me.at("waits for a group in a destructor");
                group.wait();
            }
            Deed::Sleep => {
                self.me.at("sleeps in a destructor");
                sleep(time);
            }
            Deed::Yield => {
                self.me.at("yields in a destructor");
                (0..5).for_each(|_| yield_now());
            }
            Deed::Blocking => {
                self.me.at("blocks in a destructor");
                blocking(|| std::thread::sleep(time));
            }
            Deed::Resize => {
                self.me.at("changes the number of Ps in a destructor");
                set_gomaxprocs(self.me.dice.between(1, 8));
            }
            Deed::Fall => {
                self.me.at("panics again, and catches it, in a destructor");
                let me = &*self.me;
                let caught = catch_unwind(AssertUnwindSafe(|| {
                    me.at("yields before the second panic");
                    yield_now();
                    fall()
                }));
                assert!(caught.expect_err("it panicked").is::<Deliberate>());
            }
        }
        self.me.at("has done a last deed");
        // Relaxed: read after the join.
        self.done.fetch_add(1, Ordering::Relaxed);
    }
}

pub fn play(actor: &mut Actor) {
    let done = Arc::new(AtomicUsize::new(0));
    let mut deeds = 0;
    let fallers: Vec<_> = (0..actor.dice.between(1, 4))
        .map(|n| {
            let (kind, done) = (Kind::uncopied(actor), done.clone());
            let count = actor.dice.between(1, 4);
            deeds += count;
            let falls = !actor.dice.once_in(5);
            let hired = hire(actor, kind, "faller", n, move |me| {
                me.at("hires those for whom its destructors wait");
                let mut others = Vec::new();
                fall_through(me, count, falls, &done, &mut others);
                others
            });
            (falls, hired)
        })
        .collect();
    for (falls, hired) in fallers {
        if falls {
            hired.fallen(actor);
        } else {
            for other in hired.done(actor) {
                other.done(actor);
            }
        }
    }
    // Relaxed: the joins order it.
    assert_eq!(done.load(Ordering::Relaxed), deeds, "destructors that ran");
}

/// Makes `count` guards, one in the frame of another, and then panics, or does not.
fn fall_through(
    me: &mut Actor,
    count: usize,
    falls: bool,
    done: &Arc<AtomicUsize>,
    others: &mut Vec<Hired<()>>,
) {
    if count == 0 {
        if falls {
            me.at("panics");
            fall();
        }
        return;
    }
    let deed = deed(me, others);
    let last = LastDeed {
        me,
        deed: Some(deed),
        done: done.clone(),
    };
    fall_through(&mut *last.me, count - 1, falls, done, others);
}

/// A deed, with its other side on the way.
fn deed(me: &mut Actor, others: &mut Vec<Hired<()>>) -> Deed {
    let kind = Kind::uncopied(me);
    let other = |me: &mut Actor, work: Box<dyn FnOnce(&mut Actor) + Send>| {
        hire(me, kind, "other", 0, move |me| {
            match me.dice.roll(3) {
                0 => sleep(me.dice.micros(500)),
                1 => yield_now(),
                _ => {}
            }
            work(me);
        })
    };
    let sends = |tx: chan::Sender<u8>| -> Box<dyn FnOnce(&mut Actor) + Send> {
        Box::new(move |me| {
            me.at("sends to a destructor");
            // A goroutine that does not unwind may have been dropped with its scene's end, but not before it received.
            tx.send(1).expect("the destructor receives");
        })
    };
    let capacity = me.dice.roll(2);
    match me.dice.roll(13) {
        0 => Deed::Join(other(me, Box::new(|me| me.at("is joined by a destructor")))),
        1 => {
            let (tx, rx) = chan::bounded(capacity);
            others.push(other(me, sends(tx)));
            Deed::Receive(rx)
        }
        2 => {
            let (tx, rx) = chan::bounded(capacity);
            others.push(other(me, sends(tx)));
            Deed::ReceiveAsFuture(rx)
        }
        3 => {
            let (tx, rx) = chan::bounded(capacity);
            others.push(other(me, sends(tx)));
            Deed::Select(rx)
        }
        4 => {
            let (tx, rx) = chan::bounded::<u8>(0);
            others.push(other(
                me,
                Box::new(move |me| {
                    me.at("receives from a destructor");
                    rx.recv().expect("the destructor sends");
                }),
            ));
            Deed::Send(tx)
        }
        5 => {
            let mutex = Arc::new(Mutex::new(()));
            let held = mutex.clone();
            let (tell, told) = chan::bounded(1);
            others.push(other(
                me,
                Box::new(move |me| {
                    let _guard = held.lock();
                    // The faller may be gone.
                    let _ = tell.send(());
                    me.at("holds a lock for which a destructor waits");
                    sleep(me.dice.micros(500));
                }),
            ));
            me.at("waits until the other one holds the lock");
            told.recv().expect("the other one locks");
            Deed::Lock(mutex)
        }
        6 => {
            let semaphore = Arc::new(Semaphore::new(0));
            let gives = semaphore.clone();
            others.push(other(me, Box::new(move |_| gives.add_permits(1))));
            Deed::Acquire(semaphore)
        }
        7 => {
            let group = WaitGroup::new();
            let member = group.clone();
            others.push(other(me, Box::new(move |_| drop(member))));
            Deed::Wait(group)
        }
        8 => Deed::Sleep,
        9 => Deed::Blocking,
        10 if settings().mode.resizes => Deed::Resize,
        11 => Deed::Fall,
        _ => Deed::Yield,
    }
}
