//! What the channels and sets say of ends and of wrong input, beside what tokio's of the same names say: the same values, and
//! the same words where the error is a type of its own. (The receiver of a oneshot and the errors of senders are those of
//! `chan`, with crossbeam's words.)

use std::{panic::catch_unwind, sync::Arc, time::Duration};

use goroutines::{
    JoinSet,
    sync::{broadcast, oneshot, watch},
    timeout,
};
use goroutines_tests::{start, until};
use tokio::sync as theirs;

/// Runs a future of tokio's on this thread, which is no goroutine.
fn wait<F: Future>(future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().unwrap().block_on(future)
}

#[test]
fn a_set_that_is_empty_has_no_end_however_often_it_is_asked() {
    start(2);
    let ours = {
        let mut set = JoinSet::new();
        set.spawn(|| 1);
        [set.join_next(), set.join_next(), set.join_next()].map(|end| end.map(Result::unwrap))
    };
    let of_tokio = wait(async {
        let mut set = tokio::task::JoinSet::new();
        set.spawn(async { 1 });
        let ends = [
            set.join_next().await,
            set.join_next().await,
            set.join_next().await,
        ];
        ends.map(|end| end.map(Result::unwrap))
    });
    assert_eq!(ours, of_tokio);
}

#[test]
fn a_set_that_is_dropped_while_it_is_full_frees_what_its_members_hold() {
    start(2);
    let held = Arc::new(());
    let mut set = JoinSet::new();
    for _ in 0..20 {
        let held = Arc::clone(&held);
        set.spawn(move || {
            // Ends with the context of the set.
            let _ = goroutines::chan::never::<u8>().recv();
            held
        });
    }
    drop(set);
    until("all is freed", || Arc::strong_count(&held) == 1);
    wait(async {
        let mut set = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let held = Arc::clone(&held);
            set.spawn(async move {
                std::future::pending::<()>().await;
                held
            });
        }
        drop(set);
    });
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn a_oneshot_whose_other_side_is_gone_says_so_and_gives_the_value_back() {
    start(2);
    let (ours, receiver) = oneshot::channel();
    let (of_tokio, theirs) = theirs::oneshot::channel();
    drop((receiver, theirs));
    assert_eq!((ours.is_closed(), of_tokio.is_closed()), (true, true));
    assert_eq!(ours.send("back"), of_tokio.send("back"));

    let (sender, ours) = oneshot::channel::<u8>();
    let (theirs, of_tokio) = theirs::oneshot::channel::<u8>();
    drop((sender, theirs));
    assert!(ours.recv().is_err() && wait(of_tokio).is_err());
    let said = ours.recv().unwrap_err().to_string();
    assert_eq!(said, "receiving on an empty and disconnected channel");
}

#[test]
fn a_watch_without_receivers_refuses_a_value_and_without_senders_tells_the_last_one() {
    start(2);
    let (ours, mut receiver) = watch::channel(1);
    let (of_tokio, mut theirs) = theirs::watch::channel(1);
    drop((receiver, theirs));
    assert_eq!(ours.send(2).unwrap_err().0, of_tokio.send(2).unwrap_err().0);
    assert_eq!((*ours.borrow(), *of_tokio.borrow()), (1, 1));
    assert_eq!(ours.send_replace(3), of_tokio.send_replace(3));

    (receiver, theirs) = (ours.subscribe(), of_tokio.subscribe());
    ours.send(4).unwrap();
    of_tokio.send(4).unwrap();
    drop((ours, of_tokio));
    let ends = [receiver.changed(), receiver.changed()].map(|end| end.is_ok());
    let of_theirs = wait(async { [theirs.changed().await, theirs.changed().await] });
    assert_eq!(ends, of_theirs.map(|end| end.is_ok()));
    assert_eq!(ends, [true, false]);
    assert_eq!((*receiver.borrow(), *theirs.borrow()), (4, 4));
}

#[test]
fn a_broadcast_counts_what_is_lost_and_says_it_in_the_same_words() {
    start(2);
    // A power of two, which tokio's capacity would become.
    let (ours, mut receiver) = broadcast::channel(4);
    let (of_tokio, mut theirs) = theirs::broadcast::channel(4);
    for n in 0..11 {
        assert_eq!(ours.send(n).unwrap(), of_tokio.send(n).unwrap());
    }
    drop((ours, of_tokio));
    for _ in 0..7 {
        let (one, other) = (receiver.recv(), wait(theirs.recv()));
        assert_eq!(one.as_ref().ok(), other.as_ref().ok());
        let said = one.err().map(|error| error.to_string());
        assert_eq!(said, other.err().map(|error| error.to_string()));
    }

    let (ours, mut receiver) = broadcast::channel::<u8>(1);
    let (of_tokio, mut theirs) = theirs::broadcast::channel::<u8>(1);
    let said = receiver.try_recv().unwrap_err().to_string();
    assert_eq!(said, theirs.try_recv().unwrap_err().to_string());
    drop((receiver, theirs));
    assert_eq!(ours.send(9).unwrap_err().0, of_tokio.send(9).unwrap_err().0);
    // Neither can keep nothing.
    assert!(catch_unwind(|| broadcast::channel::<u8>(0)).is_err());
    assert!(catch_unwind(|| theirs::broadcast::channel::<u8>(0)).is_err());
}

#[test]
fn a_time_that_is_up_is_told_in_the_same_words() {
    start(2);
    let ours = timeout(Duration::ZERO, |_| goroutines::chan::never::<u8>().recv());
    let of_tokio =
        wait(async { tokio::time::timeout(Duration::ZERO, std::future::pending::<()>()).await });
    assert_eq!(
        ours.unwrap_err().to_string(),
        of_tokio.unwrap_err().to_string()
    );
}
