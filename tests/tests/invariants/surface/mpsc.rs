// std::sync::mpsc: every stable public item by its full type.

use super::sync::mpsc::*;

pub(crate) fn facts() -> Vec<Fact> {
    let mut all = over_t![
        Sender<T>,
        SyncSender<T>,
        Receiver<T>,
        &'static Receiver<T>,
        Iter<'static, T>,
        TryIter<'static, T>,
        IntoIter<T>,
        SendError<T>,
        TrySendError<T>,
    ];
    all.extend(plain![RecvError, TryRecvError, RecvTimeoutError]);
    all
}

fn functions() {
    let _: fn() -> (Sender<u8>, Receiver<u8>) = channel;
    let _: fn(usize) -> (SyncSender<u8>, Receiver<u8>) = sync_channel;
}

fn senders() {
    let _: fn(&Sender<u8>, u8) -> Result<(), SendError<u8>> = Sender::send;
    let _: fn(&SyncSender<u8>, u8) -> Result<(), SendError<u8>> = SyncSender::send;
    let _: fn(&SyncSender<u8>, u8) -> Result<(), TrySendError<u8>> = SyncSender::try_send;
}

fn receiver() {
    type R = Receiver<u8>;
    let _: fn(&R) -> Result<u8, TryRecvError> = R::try_recv;
    let _: fn(&R) -> Result<u8, RecvError> = R::recv;
    let _: fn(&R, Duration) -> Result<u8, RecvTimeoutError> = R::recv_timeout;
    let _: fn(&R) -> Iter<'_, u8> = R::iter;
    let _: fn(&R) -> TryIter<'_, u8> = R::try_iter;
    let _: for<'a> fn(&'a R) -> Iter<'a, u8> = |all| all.into_iter();
    let _: fn(R) -> IntoIter<u8> = R::into_iter;
}

fn errors() {
    let _: fn(u8) -> SendError<u8> = SendError;
    let _: [fn(u8) -> TrySendError<u8>; 2] = [TrySendError::Full, TrySendError::Disconnected];
    let _ = (RecvError, TryRecvError::Empty, TryRecvError::Disconnected);
    let _ = (RecvTimeoutError::Timeout, RecvTimeoutError::Disconnected);
    let _: fn(SendError<u8>) -> TrySendError<u8> = From::from;
    let _: fn(RecvError) -> TryRecvError = From::from;
    let _: fn(RecvError) -> RecvTimeoutError = From::from;
}

pub(crate) fn texts() -> Vec<String> {
    let (tx, rx) = channel::<u8>();
    let (sync_tx, _sync_rx) = sync_channel::<u8>(1);
    let ends = format!("{tx:?} {sync_tx:?} {rx:?}");
    vec![ends, format!("{:?} {:?}", rx.iter(), rx.try_iter())]
}
