//! Selects that send: their message is made when they were chosen. Meanwhile a receiver may leave them, and they may
//! have no message in the end. No receiver waits for a message that does not come, and no message is lost.

use std::{
    mem::ManuallyDrop,
    ptr::{self, NonNull},
    sync::Arc,
};

use loom::thread;

use super::{
    End, Msg, PREEMPTIONS, Port, SOON, Timeout, all,
    core::{
        promise::Begun,
        side::Side,
        waiter::{Case, Waiter, Who},
    },
    door::{ParkState, Ticket, WaitReason, arm, park_until, waitq::Node},
    explore, meet, ports, recv_all, recv_soon, send_one,
};

/// The node of a case that waits, as the selects of runtime make it.
fn node(ticket: Ticket, landing: &ParkState) -> Node<Waiter> {
    let case = Case {
        ticket,
        number: 0,
        watches: false,
        revocable: false,
        landing: NonNull::from(landing),
    };
    Waiter::node(Who::Case(case), ptr::null_mut())
}

impl Port {
    /// A select with this one case, until it is chosen. Returns what it has then.
    fn select_to_send(&self) -> Begun {
        let channel = self.handle.channel();
        loop {
            if let Some(begun) = channel.begin_send() {
                return begun;
            }
            let (ticket, landing) = (arm(), ParkState::new());
            let node = node(ticket, &landing);
            let mut core = channel.lock();
            if core.send_is_ready(ticket.g(), true) {
                continue;
            }
            // SAFETY: it stays until it has left below.
            let told = unsafe { core.enlist(Side::Sender, &node) };
            drop(core);
            if let Some(watchers) = told {
                watchers.wake();
            }
            // SAFETY: the waker that claims the ticket reads the park state.
            unsafe { park_until(WaitReason::Select, ticket, None, || landing.park()) };
            // SAFETY: the node was put into this queue.
            unsafe { channel.lock().leave(Side::Sender, &node) };
            return match node.data.end() {
                End::Served if channel.capacity() == Some(0) => Begun::Promise,
                End::Served => Begun::Room,
                End::Disconnected => Begun::Disconnected,
                end => unreachable!("{end:?}"),
            };
        }
    }

    /// Sends the message that was made.
    fn complete(&self, begun: Begun, number: usize) -> End {
        let msg = ManuallyDrop::new(Msg::new(&self.world, number));
        let channel = self.handle.channel();
        // SAFETY: what was won is used once; the message is given up unless it comes back.
        let end = unsafe {
            match begun {
                Begun::Promise => channel.keep_promise(&raw const *msg),
                Begun::Room => channel.send_to_room(&raw const *msg),
                Begun::Disconnected => End::Disconnected,
            }
        };
        if end != End::Served {
            drop(ManuallyDrop::into_inner(msg));
        }
        end
    }
}

fn select_one<const NUMBER: usize>(tx: Port) -> Vec<usize> {
    let begun = tx.select_to_send();
    match tx.complete(begun, NUMBER) {
        End::Served => vec![NUMBER],
        _ => vec![],
    }
}

/// Chosen, but no message is sent.
fn select_in_vain(tx: Port) -> Vec<usize> {
    match tx.select_to_send() {
        Begun::Promise => tx.handle.channel().break_promise(),
        Begun::Room => tx.handle.channel().give_back_room(),
        Begun::Disconnected => {}
    }
    vec![]
}

/// Tries without waiting; then receives all that come.
fn try_and_recv_all(rx: Port) -> Vec<usize> {
    let tried = rx.recv(Timeout::Now);
    tried.into_iter().chain(rx.recv_all()).collect()
}

#[test]
fn a_select_and_a_receiver_meet_whoever_comes_first() {
    for capacity in [0, 1] {
        meet(capacity, &[select_one::<0>], &[recv_all], all);
        meet(
            capacity,
            &[select_one::<0>, select_one::<1>],
            &[recv_all],
            all,
        );
        meet(
            capacity,
            &[select_one::<0>, send_one::<1>],
            &[recv_all],
            all,
        );
    }
}

#[test]
fn a_receiver_that_leaves_a_select_leaves_the_message_to_the_next() {
    for capacity in [0, 1] {
        meet(capacity, &[select_one::<0>], &[recv_soon, recv_all], all);
        meet(capacity, &[select_one::<0>], &[try_and_recv_all], all);
        meet(
            capacity,
            &[select_one::<0>, send_one::<1>],
            &[try_and_recv_all],
            all,
        );
    }
    meet(
        0,
        &[select_one::<0>, select_one::<1>],
        &[recv_soon, recv_all],
        all,
    );
}

#[test]
fn who_was_promised_a_message_that_does_not_come_is_served_by_others() {
    for capacity in [0, 1] {
        meet(capacity, &[select_in_vain], &[recv_all], all);
        meet(capacity, &[select_in_vain, send_one::<1>], &[recv_all], all);
        meet(
            capacity,
            &[select_in_vain, select_one::<1>],
            &[recv_all],
            all,
        );
        meet(
            capacity,
            &[select_in_vain, send_one::<1>],
            &[recv_soon, recv_all],
            all,
        );
    }
}

/// The message is made only when the receiver has come back: the receiver does not wait for it.
#[test]
fn a_deadline_holds_while_the_message_is_made() {
    for timeout in [Timeout::Now, SOON] {
        explore(Some(PREEMPTIONS), move || {
            let [tx, rx] = ports(0);
            let has_left = Arc::new((loom::sync::Mutex::new(false), loom::sync::Condvar::new()));
            let seen = Arc::clone(&has_left);
            let select = thread::spawn(move || {
                let begun = tx.select_to_send();
                let mut left = seen.0.lock().unwrap();
                while !*left {
                    left = seen.1.wait(left).unwrap();
                }
                drop(left);
                assert_eq!(tx.complete(begun, 0), End::Served);
            });
            let got = rx.recv(timeout);
            assert_eq!(got, Err(End::TimedOut));
            *has_left.0.lock().unwrap() = true;
            has_left.1.notify_one();
            assert_eq!(rx.recv(Timeout::Never), Ok(0));
            select.join().unwrap();
        });
    }
}
