// The API of crossbeam-channel.

use std::time::Instant;

const SHORT: Duration = Duration::from_millis(2);
const LONG: Duration = Duration::from_secs(20);

#[test]
fn senders_and_receivers_have_every_method() {
    start();
    let (tx, rx): (channel::Sender<i32>, channel::Receiver<i32>) = channel::bounded(2);
    assert_eq!((tx.capacity(), rx.capacity(), tx.len(), rx.len()), (Some(2), Some(2), 0, 0));
    assert!(tx.is_empty() && rx.is_empty() && !tx.is_full() && !rx.is_full());
    tx.send(1).unwrap();
    tx.try_send(2).unwrap();
    assert!(tx.is_full() && rx.is_full() && !tx.is_empty());
    assert_eq!(tx.try_send(3), Err(channel::TrySendError::Full(3)));
    assert_eq!(tx.send_timeout(3, SHORT), Err(channel::SendTimeoutError::Timeout(3)));
    assert_eq!(
        tx.send_deadline(3, Instant::now() + SHORT),
        Err(channel::SendTimeoutError::Timeout(3))
    );
    let (tx2, rx2) = (tx.clone(), rx.clone());
    assert!(tx.same_channel(&tx2) && rx.same_channel(&rx2));
    assert!(!tx.same_channel(&channel::bounded(2).0));
    assert_eq!((rx.recv(), rx2.try_recv()), (Ok(1), Ok(2)));
    assert_eq!(rx.try_recv(), Err(channel::TryRecvError::Empty));
    assert_eq!(rx.recv_timeout(SHORT), Err(channel::RecvTimeoutError::Timeout));
    assert_eq!(
        rx.recv_deadline(Instant::now() + SHORT),
        Err(channel::RecvTimeoutError::Timeout)
    );
    drop((tx, tx2));
    assert_eq!(rx.recv(), Err(channel::RecvError));
    assert_eq!(rx.try_recv(), Err(channel::TryRecvError::Disconnected));
    assert_eq!(rx.recv_timeout(SHORT), Err(channel::RecvTimeoutError::Disconnected));
}

#[test]
fn errors_keep_the_message_and_say_what_is_wrong() {
    start();
    let (tx, rx) = channel::unbounded::<String>();
    drop(rx);
    let error = tx.send("m".to_owned()).unwrap_err();
    assert_eq!(error.to_string(), "sending on a disconnected channel");
    assert_eq!(format!("{error:?}"), "\"SendError(..)\"");
    assert_eq!(error.into_inner(), "m");
    let error = tx.try_send("m".to_owned()).unwrap_err();
    assert!(error.is_disconnected() && !error.is_full());
    assert_eq!(format!("{error:?}"), "\"Disconnected(..)\"");
    assert_eq!(error.into_inner(), "m");
    let error = tx.send_timeout("m".to_owned(), SHORT).unwrap_err();
    assert!(error.is_disconnected() && !error.is_timeout());
    assert_eq!(error.into_inner(), "m");
    let texts = [
        channel::TrySendError::Full(1).to_string(),
        channel::SendTimeoutError::Timeout(1).to_string(),
        channel::RecvError.to_string(),
        channel::TryRecvError::Empty.to_string(),
        channel::TryRecvError::Disconnected.to_string(),
        channel::RecvTimeoutError::Timeout.to_string(),
        channel::RecvTimeoutError::Disconnected.to_string(),
        channel::TrySelectError.to_string(),
        channel::SelectTimeoutError.to_string(),
        channel::TrySendError::from(channel::SendError(1)).to_string(),
        channel::TryRecvError::from(channel::RecvError).to_string(),
        channel::RecvTimeoutError::from(channel::RecvError).to_string(),
        format!("{:?}", channel::TrySendError::Full(1)),
        format!("{:?}", channel::SendTimeoutError::Timeout(1)),
    ];
    let original = {
        use crossbeam_channel as channel;
        [
            channel::TrySendError::Full(1).to_string(),
            channel::SendTimeoutError::Timeout(1).to_string(),
            channel::RecvError.to_string(),
            channel::TryRecvError::Empty.to_string(),
            channel::TryRecvError::Disconnected.to_string(),
            channel::RecvTimeoutError::Timeout.to_string(),
            channel::RecvTimeoutError::Disconnected.to_string(),
            channel::TrySelectError.to_string(),
            channel::SelectTimeoutError.to_string(),
            channel::TrySendError::from(channel::SendError(1)).to_string(),
            channel::TryRecvError::from(channel::RecvError).to_string(),
            channel::RecvTimeoutError::from(channel::RecvError).to_string(),
            format!("{:?}", channel::TrySendError::Full(1)),
            format!("{:?}", channel::SendTimeoutError::Timeout(1)),
        ]
    };
    assert_eq!(texts, original);
}

#[test]
fn iterators() {
    start();
    let (tx, rx) = channel::unbounded();
    (0..6).for_each(|n| tx.send(n).unwrap());
    assert_eq!(rx.iter().take(2).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(rx.try_iter().take(2).collect::<Vec<_>>(), [2, 3]);
    drop(tx);
    assert_eq!((&rx).into_iter().take(1).collect::<Vec<_>>(), [4]);
    assert_eq!(rx.into_iter().collect::<Vec<_>>(), [5]);
}

#[test]
fn many_select_over_two_channels_and_each_message_comes_once() {
    start();
    let (a, from_a) = channel::bounded::<u64>(0);
    let (b, from_b) = channel::unbounded::<u64>();
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let (from_a, from_b) = (from_a.clone(), from_b.clone());
            thread::spawn(move || {
                let (mut sum, mut open, never) = (0, [true, true], channel::never());
                while open[0] || open[1] {
                    channel::select! {
                        recv(if open[0] { &from_a } else { &never }) -> n => match n {
                            Ok(n) => sum += n,
                            Err(_) => open[0] = false,
                        },
                        recv(if open[1] { &from_b } else { &never }) -> n => {
                            if let Ok(n) = n { sum += n } else { open[1] = false }
                        }
                    }
                }
                sum
            })
        })
        .collect();
    let givers: Vec<_> = (0..4)
        .map(|_| {
            let (a, b) = (a.clone(), b.clone());
            thread::spawn(move || {
                for n in 0..500 {
                    channel::select! {
                        send(a, n) -> sent => sent.unwrap(),
                        send(b, n) -> sent => sent.unwrap(),
                    }
                }
            })
        })
        .collect();
    drop((a, b));
    givers.into_iter().for_each(|giver| giver.join().unwrap());
    let sum: u64 = takers.into_iter().map(|taker| taker.join().unwrap()).sum();
    assert_eq!(sum, 4 * (0..500).sum::<u64>());
}

#[test]
fn select_has_every_form() {
    start();
    let (tx, rx) = channel::bounded::<i32>(1);
    // Only a default.
    assert_eq!(channel::select! { default => 1 }, 1);
    assert_eq!(channel::select! { default(SHORT) => 2 }, 2);
    // Nothing is there.
    let got = channel::select! {
        recv(rx) -> message => message.unwrap(),
        default => -1,
    };
    assert_eq!(got, -1);
    let got = channel::select! {
        recv(rx) -> message => message.unwrap(),
        default(SHORT) => -2
    };
    assert_eq!(got, -2);
    // By reference and by expression, with and without blocks and commas.
    channel::select! { send(&tx, 5) -> sent => { sent.unwrap() } }
    let handles = [rx.clone()];
    let got = channel::select! {
        recv(handles[0]) -> message => message,
        send(tx, 6) -> _ => unreachable!(),
    };
    assert_eq!(got, Ok(5));
    // Leaving the scope around.
    let left = (|| {
        for n in 0.. {
            channel::select! {
                send(tx, n) -> _ => if n == 0 { continue } else { break },
                default => return n,
            }
        }
        -1
    })();
    assert_eq!(left, 1);
    assert_eq!(rx.recv(), Ok(0));
    // Another type in each arm's message.
    let (words, from_words) = channel::bounded::<&str>(1);
    words.send("w").unwrap();
    let got = channel::select_biased! {
        recv(rx) -> n => format!("{n:?}"),
        recv(from_words) -> word => word.unwrap().to_owned(),
    };
    assert_eq!(got, "w");
    // Disconnected.
    drop((tx, words));
    let gone = channel::select! { recv(rx) -> n => n.is_err(), recv(from_words) -> w => w.is_err() };
    assert!(gone);
}

#[test]
fn a_biased_select_takes_the_first_that_can_go() {
    start();
    let (tx, rx) = channel::unbounded();
    let (other_tx, other) = channel::unbounded();
    (0..100).for_each(|n| tx.send(n).unwrap());
    (0..100).for_each(|n| other_tx.send(n).unwrap());
    for _ in 0..100 {
        channel::select_biased! {
            recv(rx) -> n => assert!(n.is_ok()),
            recv(other) -> _ => panic!("not its turn"),
        }
    }
    let mut counts = [0, 0];
    (0..100).for_each(|n| tx.send(n).unwrap());
    for _ in 0..100 {
        channel::select! {
            recv(rx) -> _ => counts[0] += 1,
            recv(other) -> _ => counts[1] += 1,
        }
    }
    assert!(counts.iter().all(|&count| count > 10), "{counts:?}");
}

#[test]
fn select_by_hand_has_every_method() {
    start();
    let (tx, rx) = channel::bounded::<i32>(1);
    let (other_tx, other) = channel::bounded::<i32>(1);
    let mut select = channel::Select::new();
    let (one, two) = (select.recv(&rx), select.recv(&other));
    assert!(select.try_select().is_err());
    assert!(select.try_ready().is_err());
    assert!(select.select_timeout(SHORT).is_err());
    assert!(select.select_deadline(Instant::now() + SHORT).is_err());
    assert!(select.ready_timeout(SHORT).is_err());
    assert!(select.ready_deadline(Instant::now() + SHORT).is_err());
    other_tx.send(5).unwrap();
    assert_eq!(select.ready(), two);
    assert_eq!(select.try_ready(), Ok(two));
    assert_eq!(select.ready_timeout(LONG), Ok(two));
    let operation: channel::SelectedOperation<'_> = select.select();
    assert_eq!(operation.index(), two);
    assert_eq!(operation.recv(&other), Ok(5));
    select.remove(two);
    let put = select.send(&other_tx);
    assert_ne!(put, one);
    let operation = select.select_timeout(LONG).unwrap();
    assert_eq!(operation.index(), put);
    operation.send(&other_tx, 6).unwrap();
    drop(select);
    assert_eq!(other.recv(), Ok(6));
    let mut biased = channel::Select::new_biased();
    tx.send(1).unwrap();
    other_tx.send(2).unwrap();
    let first = biased.recv(&rx);
    biased.recv(&other);
    let operation = biased.try_select().unwrap();
    assert_eq!(operation.index(), first);
    assert_eq!(operation.recv(&rx), Ok(1));
}

#[test]
fn channels_of_time() {
    start();
    let begin = Instant::now();
    let after: channel::Receiver<Instant> = channel::after(SHORT);
    let at = channel::at(begin + SHORT);
    assert!(after.recv().unwrap() >= begin + SHORT);
    assert!(at.recv().unwrap() >= begin + SHORT);
    assert_eq!(after.try_recv(), Err(channel::TryRecvError::Empty));
    let tick = channel::tick(SHORT);
    let (one, two) = (tick.recv().unwrap(), tick.recv().unwrap());
    assert!(two >= one + SHORT);
    assert_eq!(tick.capacity(), Some(1));
    let never = channel::never::<i32>();
    assert_eq!(never.capacity(), Some(0));
    let timeout = channel::select! {
        recv(never) -> _ => false,
        recv(channel::after(SHORT)) -> _ => true,
    };
    assert!(timeout);
    assert!(never.recv_timeout(SHORT).is_err());
}

#[test]
fn what_is_left_is_dropped_once() {
    start();
    struct Tell(Arc<std::sync::atomic::AtomicU32>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }
    let count = Arc::new(std::sync::atomic::AtomicU32::new(0));
    for capacity in [Some(10), None] {
        let (tx, rx) = capacity.map_or_else(channel::unbounded, channel::bounded);
        (0..5).for_each(|_| assert!(tx.send(Tell(count.clone())).is_ok()));
        drop(rx.recv().unwrap());
        drop(rx);
        drop(tx);
    }
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 10);
}
