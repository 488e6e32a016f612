// mpsc.

use sync::mpsc;

#[test]
fn a_channel_carries_all_and_ends() {
    start();
    let (tx, rx): (mpsc::Sender<usize>, mpsc::Receiver<usize>) = mpsc::channel();
    for i in 0..4 {
        let tx = tx.clone();
        thread::spawn(move || (0..100).for_each(|_| tx.send(i).unwrap()));
    }
    drop(tx);
    assert_eq!(rx.iter().sum::<usize>(), 600);
    assert_eq!(rx.recv(), Err(mpsc::RecvError));
    assert_eq!(rx.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    assert_eq!(
        rx.recv_timeout(Duration::from_secs(1)),
        Err(mpsc::RecvTimeoutError::Disconnected)
    );
}

#[test]
fn a_sync_channel_waits_for_its_receiver() {
    start();
    let (tx, rx): (mpsc::SyncSender<i32>, _) = mpsc::sync_channel(1);
    tx.send(1).unwrap();
    assert_eq!(tx.try_send(2), Err(mpsc::TrySendError::Full(2)));
    let sender = thread::spawn(move || {
        tx.send(3).unwrap();
        tx
    });
    assert_eq!((rx.recv(), rx.recv()), (Ok(1), Ok(3)));
    let tx = sender.join().unwrap();
    assert_eq!(rx.try_recv(), Err(mpsc::TryRecvError::Empty));
    assert_eq!(
        rx.recv_timeout(Duration::from_millis(1)),
        Err(mpsc::RecvTimeoutError::Timeout)
    );
    drop(rx);
    assert_eq!(tx.send(4), Err(mpsc::SendError(4)));
    assert_eq!(tx.try_send(5), Err(mpsc::TrySendError::Disconnected(5)));
}

#[test]
fn iterators_end_as_they_should() {
    start();
    let (tx, rx) = mpsc::channel();
    (0..5).for_each(|i| tx.send(i).unwrap());
    assert_eq!(rx.try_iter().take(2).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(rx.try_iter().count(), 3);
    tx.send(7).unwrap();
    drop(tx);
    assert_eq!((&rx).into_iter().collect::<Vec<_>>(), [7]);
    assert_eq!(rx.into_iter().count(), 0);
}

#[test]
fn errors_say_what_is_wrong() {
    start();
    let texts = [
        mpsc::RecvError.to_string(),
        mpsc::SendError(1).to_string(),
        mpsc::TrySendError::Full(1).to_string(),
        mpsc::TrySendError::Disconnected(1).to_string(),
        mpsc::TryRecvError::Empty.to_string(),
        mpsc::TryRecvError::Disconnected.to_string(),
        mpsc::RecvTimeoutError::Timeout.to_string(),
        mpsc::RecvTimeoutError::Disconnected.to_string(),
        format!("{:?}", mpsc::SendError(1)),
        format!("{:?}", mpsc::TrySendError::Full(1)),
        mpsc::TrySendError::from(mpsc::SendError(1)).to_string(),
        mpsc::TryRecvError::from(mpsc::RecvError).to_string(),
        mpsc::RecvTimeoutError::from(mpsc::RecvError).to_string(),
    ];
    let expected = {
        use std::sync::mpsc;
        [
            mpsc::RecvError.to_string(),
            mpsc::SendError(1).to_string(),
            mpsc::TrySendError::Full(1).to_string(),
            mpsc::TrySendError::Disconnected(1).to_string(),
            mpsc::TryRecvError::Empty.to_string(),
            mpsc::TryRecvError::Disconnected.to_string(),
            mpsc::RecvTimeoutError::Timeout.to_string(),
            mpsc::RecvTimeoutError::Disconnected.to_string(),
            format!("{:?}", mpsc::SendError(1)),
            format!("{:?}", mpsc::TrySendError::Full(1)),
            mpsc::TrySendError::from(mpsc::SendError(1)).to_string(),
            mpsc::TryRecvError::from(mpsc::RecvError).to_string(),
            mpsc::RecvTimeoutError::from(mpsc::RecvError).to_string(),
        ]
    };
    assert_eq!(texts, expected);
}
