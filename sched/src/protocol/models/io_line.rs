//! The line of a socket (io_line.rs): no waiter sleeps while there is something for it, and none is woken twice.
//!
//! The socket counts units. A unit arrives first, and is then announced, as in the kernel. The callers go through W1
//! to W7 as `net` does. A caller that sleeps forever shows as a deadlock.

use std::{
    io::{self, ErrorKind},
    sync::atomic::AtomicUsize as Plain,
};

use loom::{
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    thread,
};

use super::explore;
use crate::protocol::{
    io_line::{EVENT, Line, Node, RECHECK, Refusal, Waiter},
    parker::Parker,
    timers::NEVER,
    wait_seq::WaitSeq,
};

const BY_TIMER: u32 = 9;

/// A caller that waits.
struct Caller {
    wait_seq: WaitSeq,
    parker: Parker,
    /// How often it was made ready.
    woken: Plain,
    /// Whether its timer is in a heap.
    armed: AtomicBool,
}

impl Caller {
    fn leaked() -> &'static Caller {
        Box::leak(Box::new(Caller {
            wait_seq: WaitSeq::new(),
            parker: Parker::new(),
            woken: Plain::new(0),
            armed: AtomicBool::new(false),
        }))
    }
}

#[derive(Clone, Copy)]
struct Ticket(&'static Caller, u32);

impl Waiter for Ticket {
    fn claim(self, outcome: u32) -> bool {
        self.0.wait_seq.claim(self.1, outcome)
    }

    fn takes_event(self) -> bool {
        true
    }
}

fn wake(ticket: Ticket) {
    ticket.0.woken.fetch_add(1, Relaxed);
    ticket.0.parker.notify();
}

struct Socket {
    line: Line<Ticket>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    units: usize,
    /// Whether the other side has ended.
    ended: bool,
    /// Whether it is registered with the kernel.
    registered: bool,
    /// The number of this use of the record.
    generation: usize,
}

enum Got {
    Units(usize),
    /// The end, or the line was closed.
    End,
    TimedOut,
}

impl Socket {
    fn new(registered: bool) -> Arc<Socket> {
        let socket = Socket {
            line: Line::new(),
            state: Mutex::new(State {
                registered,
                ..State::default()
            }),
        };
        socket.line.set_registered(registered, wake);
        Arc::new(socket)
    }

    /// `units` arrive in one event, and the end if `ended`.
    fn arrive(&self, units: usize, ended: bool) {
        let mut state = self.state.lock().unwrap();
        state.units += units;
        state.ended |= ended;
        let tells = state.registered;
        drop(state);
        if tells {
            self.line.announce(ended, || true, wake);
        }
    }

    /// As the kernel: units that are there already make an event.
    fn register(&self) {
        let mut state = self.state.lock().unwrap();
        state.registered = true;
        let (any, ended) = (state.units != 0 || state.ended, state.ended);
        drop(state);
        self.line.set_registered(true, wake);
        if any {
            self.line.announce(ended, || true, wake);
        }
    }

    fn unregister(&self) {
        self.state.lock().unwrap().registered = false;
        self.line.set_registered(false, wake);
    }

    /// The call that does not wait.
    fn receive(&self, most: usize) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap();
        if state.units == 0 && !state.ended {
            return Err(ErrorKind::WouldBlock.into());
        }
        let got = state.units.min(most);
        state.units -= got;
        Ok(got)
    }

    /// W1 to W7.
    fn take(&self, caller: &'static Caller, most: usize) -> Got {
        loop {
            if self.line.look().is_closed() {
                return Got::End;
            }
            let takes_all = |&got: &usize| got != 0 && got < most;
            let call = || self.receive(most);
            match self.line.attempt(false, call, takes_all, wake) {
                Some(Ok(0)) => return Got::End,
                Some(got) => return Got::Units(got.expect("units")),
                None => {}
            }
            if !self.line.look().is_registered() {
                self.register();
                continue;
            }
            if self.wait(caller) == BY_TIMER {
                return Got::TimedOut;
            }
        }
    }

    /// W3 to W6.
    fn wait(&self, caller: &'static Caller) -> u32 {
        let ticket = Ticket(caller, caller.wait_seq.open());
        let node = Node::new(ticket);
        let woken = caller.woken.load(Relaxed);
        // SAFETY: the node stays until it was taken out, or `withdraw` returned.
        match unsafe { self.line.enlist(&node, NEVER) } {
            Ok(_) => {
                caller.armed.store(true, Release);
                // SAFETY: `enlist` left it locked.
                unsafe { self.line.unlock() };
            }
            Err(Refusal::Late) => unreachable!("there is no deadline"),
            Err(_) => {
                // No other thread has the ticket. Loom: other threads continue, and their stores are seen.
                assert!(ticket.claim(RECHECK));
                thread::yield_now();
                return RECHECK;
            }
        }
        caller.parker.wait(|| None);
        assert_eq!(caller.woken.load(Relaxed), woken + 1, "woken twice");
        let outcome = caller.wait_seq.outcome();
        if outcome != EVENT {
            self.line.withdraw(&node);
        }
        outcome
    }

    /// A timer ends the first wait of `caller`, if that has begun.
    fn fire(&self, caller: &'static Caller) {
        if caller.armed.load(Acquire) && caller.wait_seq.claim(1, BY_TIMER) {
            wake(Ticket(caller, 1));
        }
    }
}

/// Accepts one unit.
fn acceptor(socket: &Arc<Socket>) -> thread::JoinHandle<()> {
    let (socket, caller) = (socket.clone(), Caller::leaked());
    thread::spawn(move || assert!(matches!(socket.take(caller, 1), Got::Units(1))))
}

#[test]
fn two_that_come_in_one_event_are_accepted_by_two() {
    explore(Some(3), || {
        let socket = Socket::new(true);
        let acceptors = [acceptor(&socket), acceptor(&socket)];
        socket.arrive(2, false);
        acceptors.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn two_that_come_one_after_the_other_are_accepted_by_two() {
    explore(Some(3), || {
        let socket = Socket::new(true);
        let acceptors = [acceptor(&socket), acceptor(&socket)];
        socket.arrive(1, false);
        socket.arrive(1, false);
        acceptors.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn a_reader_gets_all_that_comes_in_short_reads_and_the_end() {
    explore(Some(3), || {
        let socket = Socket::new(true);
        let reader = thread::spawn({
            let socket = socket.clone();
            move || {
                let caller = Caller::leaked();
                let mut all = 0;
                while let Got::Units(got) = socket.take(caller, 2) {
                    all += got;
                }
                all
            }
        });
        socket.arrive(1, false);
        socket.arrive(2, true);
        assert_eq!(reader.join().unwrap(), 3);
    });
}

#[test]
fn two_pollers_lose_nothing() {
    explore(Some(2), || {
        let socket = Socket::new(true);
        let poller = thread::spawn({
            let socket = socket.clone();
            move || socket.arrive(1, false)
        });
        let caller = Caller::leaked();
        let other = acceptor(&socket);
        socket.arrive(1, false);
        assert!(matches!(socket.take(caller, 1), Got::Units(1)));
        other.join().unwrap();
        poller.join().unwrap();
    });
}

#[test]
fn an_event_does_not_end_with_a_timeout() {
    explore(Some(3), || {
        let socket = Socket::new(true);
        let caller = Caller::leaked();
        let first = thread::spawn({
            let socket = socket.clone();
            move || match socket.take(caller, 1) {
                Got::Units(got) => got,
                Got::TimedOut => 0,
                Got::End => unreachable!("nobody ends it"),
            }
        });
        let timer = thread::spawn({
            let socket = socket.clone();
            move || socket.fire(caller)
        });
        // One acceptor takes the first unit, and the second is there for the other.
        socket.arrive(1, false);
        let got = first.join().unwrap();
        timer.join().unwrap();
        if got == 0 {
            assert!(matches!(socket.take(Caller::leaked(), 1), Got::Units(1)));
        }
    });
}

#[test]
fn an_event_goes_to_the_next_in_line_if_a_timer_was_first() {
    explore(Some(2), || {
        let socket = Socket::new(true);
        let caller = Caller::leaked();
        // Whoever gets a unit leaves one to the other; who goes without has left the first.
        let first = thread::spawn({
            let socket = socket.clone();
            move || match socket.take(caller, 1) {
                Got::Units(_) => socket.arrive(1, false),
                Got::TimedOut => {}
                Got::End => unreachable!("nobody ends it"),
            }
        });
        let second = thread::spawn({
            let socket = socket.clone();
            move || {
                assert!(matches!(socket.take(Caller::leaked(), 1), Got::Units(1)));
                socket.arrive(1, false);
            }
        });
        socket.fire(caller);
        socket.arrive(1, false);
        first.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn the_end_is_heard_by_all_although_one_has_taken_what_came_with_it() {
    explore(Some(2), || {
        let socket = Socket::new(true);
        let readers = [0, 1].map(|_| {
            let (socket, caller) = (socket.clone(), Caller::leaked());
            thread::spawn(move || match socket.take(caller, 2) {
                Got::Units(got) => got,
                Got::End => 0,
                Got::TimedOut => unreachable!("there is no timer"),
            })
        });
        socket.arrive(1, true);
        let got: usize = readers.into_iter().map(|one| one.join().unwrap()).sum();
        assert_eq!(got, 1);
    });
}

#[test]
fn who_waits_through_a_clone_registers_again_when_the_registered_one_is_closed() {
    explore(Some(3), || {
        let socket = Socket::new(true);
        let waiter = acceptor(&socket);
        let kernel = thread::spawn({
            let socket = socket.clone();
            move || socket.arrive(1, false)
        });
        socket.unregister();
        waiter.join().unwrap();
        kernel.join().unwrap();
    });
}

#[test]
fn closing_ends_each_wait() {
    explore(Some(3), || {
        let socket = Socket::new(true);
        let waiters = [0, 1].map(|_| {
            let (socket, caller) = (socket.clone(), Caller::leaked());
            thread::spawn(move || assert!(matches!(socket.take(caller, 1), Got::End)))
        });
        socket.line.close(wake);
        waiters.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn an_event_of_the_user_before_wakes_nobody() {
    explore(Some(3), || {
        let socket = Socket::new(true);
        let poller = thread::spawn({
            let socket = socket.clone();
            // An event of generation 0, on its way.
            move || {
                let current = || socket.state.lock().unwrap().generation == 0;
                socket.line.announce(false, current, wake);
            }
        });
        // The record is given back and used again; the new user waits for one event.
        let next = socket.clone();
        socket
            .line
            .reset(|| next.state.lock().unwrap().generation = 1);
        socket.line.set_registered(true, wake);
        assert!(!socket.line.look().is_ready());
        poller.join().unwrap();
        assert!(!socket.line.look().is_ready());
    });
}
