//! Futures that wait in a channel, beside other waiters: a message is received once and in order, and no waiter is
//! left asleep when a future is dropped, at any time.

use std::{
    mem::{ManuallyDrop, MaybeUninit},
    sync::Arc,
    task::{Wake, Waker},
};

use loom::{
    sync::{Condvar, Mutex},
    thread,
};

use super::{
    Msg, PREEMPTIONS, Port, SOON, Timeout, all, all_in_order,
    core::{
        future_wait::{FutureWait, Polled, RecvWait},
        waiter::End,
    },
    explore, meet, offer_soon, ports, recv_all, recv_one, recv_soon, send_one, send_two,
};

/// The parker of a task, until its waker is called.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    ring: Condvar,
}

impl Wake for Bell {
    fn wake(self: Arc<Bell>) {
        *self.rung.lock().unwrap() = true;
        self.ring.notify_one();
    }
}

impl Bell {
    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.ring.wait(rung).unwrap();
        }
        *rung = false;
    }
}

/// A future that receives, as `RecvFut` is.
struct Receive<'a> {
    rx: &'a Port,
    wait: Option<RecvWait>,
}

impl Receive<'_> {
    fn new(rx: &Port) -> Receive<'_> {
        Receive { rx, wait: None }
    }

    /// `None`: pending.
    fn poll(&mut self, bell: &Arc<Bell>) -> Option<Option<usize>> {
        let mut msg = MaybeUninit::<Msg>::uninit();
        let waker = || Waker::from(Arc::clone(bell));
        let mut look = |wait: Option<&RecvWait>, waker: Option<Waker>| {
            let mut waker = waker;
            let channel = self.rx.handle.channel();
            // SAFETY: the wait is of this channel; the place may be written; it is polled again, or abandoned.
            unsafe { channel.poll_recv(wait, &mut waker, false, msg.as_mut_ptr()) }
        };
        let mut polled = look(self.wait.as_ref(), self.wait.is_some().then(waker));
        if let Polled::NeedsWait = polled {
            self.wait = Some(RecvWait::receiver(waker()));
            polled = look(self.wait.as_ref(), None);
        }
        let Polled::Ready(end) = polled else {
            return None;
        };
        if let Some(wait) = self.wait.take() {
            // SAFETY: a poll that is ready leaves the node in no queue.
            unsafe { wait.free() };
        }
        // SAFETY: `poll_recv` has moved the message there.
        Some((end == End::Served).then(|| unsafe { msg.assume_init() }.open()))
    }
}

impl Drop for Receive<'_> {
    fn drop(&mut self) {
        if let Some(wait) = self.wait.take() {
            self.rx.handle.channel().abandon_recv(wait);
        }
    }
}

fn await_one(rx: &Port) -> Option<usize> {
    let bell = Arc::new(Bell::default());
    let mut receive = Receive::new(rx);
    loop {
        match receive.poll(&bell) {
            Some(got) => return got,
            None => bell.wait(),
        }
    }
}

fn await_all(rx: Port) -> Vec<usize> {
    std::iter::from_fn(|| await_one(&rx)).collect()
}

/// Polled once, and dropped, perhaps with something to receive.
fn poll_and_drop(rx: Port) -> Vec<usize> {
    let polled = Receive::new(&rx).poll(&Arc::default());
    polled.flatten().into_iter().collect()
}

/// As [`poll_and_drop`], but another thread receives in between; then receives all that is left.
fn receive_beside_a_future(rx: Port) -> Vec<usize> {
    let mut receive = Receive::new(&rx);
    let mut got: Vec<_> = receive
        .poll(&Arc::default())
        .flatten()
        .into_iter()
        .collect();
    got.extend(rx.recv(Timeout::Never));
    drop(receive);
    got.extend(rx.recv_all());
    got
}

/// Sends it by a future, and waits until it is sent.
fn await_sent<const NUMBER: usize>(tx: Port) -> Vec<usize> {
    let bell = Arc::new(Bell::default());
    let msg = ManuallyDrop::new(Msg::new(&tx.world, NUMBER));
    let channel = tx.handle.channel();
    let wait = FutureWait::sender(Waker::from(Arc::clone(&bell)));
    // SAFETY: a message, given up unless it comes back; the wait is new.
    match unsafe { channel.poll_send(&raw const *msg, Some(&wait)) } {
        Polled::Ready(end) => {
            assert_eq!(end, End::Served);
            // SAFETY: it was in no queue, and has no message.
            unsafe { wait.free() };
        }
        _ => loop {
            bell.wait();
            let mut waker = Some(Waker::from(Arc::clone(&bell)));
            if let Polled::Ready(end) = channel.poll_sent(&wait, &mut waker) {
                assert_eq!(end, End::Served);
                // SAFETY: the node was taken out, and the message sent.
                assert!(unsafe { wait.end(true) }.is_none());
                break;
            }
        },
    }
    vec![NUMBER]
}

/// Sends it by a future that is polled once.
fn try_sent<const NUMBER: usize>(tx: Port) -> Vec<usize> {
    let msg = ManuallyDrop::new(Msg::new(&tx.world, NUMBER));
    let channel = tx.handle.channel();
    let wait = FutureWait::sender(Waker::from(Arc::new(Bell::default())));
    // SAFETY: the message is given up unless it comes back; the wait is new.
    let is_sent = match unsafe { channel.poll_send(&raw const *msg, Some(&wait)) } {
        Polled::Ready(end) => {
            // SAFETY: the wait was in no queue, and has no message.
            unsafe { wait.free() };
            if end != End::Served {
                drop(ManuallyDrop::into_inner(msg));
            }
            end == End::Served
        }
        _ => channel.abandon_send(wait).is_none(),
    };
    if is_sent { vec![NUMBER] } else { vec![] }
}

#[test]
fn a_future_receives_each_message_once_and_in_order() {
    for capacity in [0, 1] {
        meet(capacity, &[send_two], &[await_all], all_in_order);
        meet(capacity, &[send_two], &[await_all, recv_all], all_in_order);
    }
    meet(0, &[send_one::<0>, offer_soon::<1>], &[await_all], all);
}

#[test]
fn messages_of_one_sender_stay_in_order_beside_a_future() {
    for capacity in [0, 1] {
        meet(
            capacity,
            &[send_two],
            &[receive_beside_a_future],
            all_in_order,
        );
    }
}

#[test]
fn a_future_that_is_dropped_takes_nothing_along_and_leaves_nobody_waiting() {
    for capacity in [0, 1] {
        meet(capacity, &[send_one::<0>], &[poll_and_drop, recv_all], all);
        meet(capacity, &[send_one::<0>], &[poll_and_drop, await_all], all);
        meet(
            capacity,
            &[send_two],
            &[poll_and_drop, recv_all],
            all_in_order,
        );
        meet(
            capacity,
            &[offer_soon::<0>],
            &[poll_and_drop, recv_soon, recv_all],
            all,
        );
    }
}

/// The waiter behind it in the queue gets the message for which it was woken, although the sender stays and sends
/// nothing more.
#[test]
fn what_a_dropped_future_was_told_of_goes_to_who_waits_behind_it() {
    explore(Some(PREEMPTIONS), || {
        let [tx, rx] = ports(0);
        let other = rx.clone();
        let polls = thread::spawn(move || poll_and_drop(other));
        let waits = thread::spawn(move || rx.recv(Timeout::Never));
        assert_eq!(tx.send(0, Timeout::Never), End::Served);
        if polls.join().unwrap().is_empty() {
            assert_eq!(waits.join().unwrap(), Ok(0));
        } else {
            drop(tx);
            assert_eq!(waits.join().unwrap(), Err(End::Disconnected));
        }
    });
}

#[test]
fn a_future_that_sends_has_sent_or_has_its_message() {
    for capacity in [0, 1] {
        meet(capacity, &[await_sent::<0>], &[recv_all], all);
        meet(capacity, &[await_sent::<0>], &[await_all], all);
        meet(capacity, &[try_sent::<0>, send_one::<1>], &[recv_all], all);
        meet(capacity, &[try_sent::<0>], &[recv_one, recv_soon], all);
        meet(
            capacity,
            &[try_sent::<0>],
            &[|rx| rx.recv(SOON).into_iter().collect()],
            |sent, got| {
                assert!(sent.len() >= got.concat().len());
            },
        );
    }
}
