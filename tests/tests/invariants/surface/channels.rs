// crossbeam-channel: every public item by its full type.

use super::channel::*;

pub(crate) fn facts() -> Vec<Fact> {
    let mut all = over_t![
        Sender<T>,
        Receiver<T>,
        &'static Receiver<T>,
        Iter<'static, T>,
        TryIter<'static, T>,
        IntoIter<T>,
        SendError<T>,
        TrySendError<T>,
        SendTimeoutError<T>,
    ];
    all.extend(plain![
        RecvError,
        TryRecvError,
        RecvTimeoutError,
        TrySelectError,
        SelectTimeoutError,
        TryReadyError,
        ReadyTimeoutError,
        Select<'static>,
        SelectedOperation<'static>,
    ]);
    all
}

fn functions() {
    let _: fn(usize) -> (Sender<u8>, Receiver<u8>) = bounded;
    let _: fn() -> (Sender<u8>, Receiver<u8>) = unbounded;
    let _: fn(Duration) -> Receiver<Instant> = after;
    let _: fn(Instant) -> Receiver<Instant> = at;
    let _: fn(Duration) -> Receiver<Instant> = tick;
    let _: fn() -> Receiver<u8> = never;
}

fn sender() {
    type S = Sender<u8>;
    let _: fn(&S, u8) -> Result<(), TrySendError<u8>> = S::try_send;
    let _: fn(&S, u8) -> Result<(), SendError<u8>> = S::send;
    let _: fn(&S, u8, Duration) -> Result<(), SendTimeoutError<u8>> = S::send_timeout;
    let _: fn(&S, u8, Instant) -> Result<(), SendTimeoutError<u8>> = S::send_deadline;
    let _: [fn(&S) -> bool; 2] = [S::is_empty, S::is_full];
    let _: fn(&S) -> usize = S::len;
    let _: fn(&S) -> Option<usize> = S::capacity;
    let _: fn(&S, &S) -> bool = S::same_channel;
}

fn receiver() {
    type R = Receiver<u8>;
    let _: fn(&R) -> Result<u8, TryRecvError> = R::try_recv;
    let _: fn(&R) -> Result<u8, RecvError> = R::recv;
    let _: fn(&R, Duration) -> Result<u8, RecvTimeoutError> = R::recv_timeout;
    let _: fn(&R, Instant) -> Result<u8, RecvTimeoutError> = R::recv_deadline;
    let _: [fn(&R) -> bool; 2] = [R::is_empty, R::is_full];
    let _: fn(&R) -> usize = R::len;
    let _: fn(&R) -> Option<usize> = R::capacity;
    let _: fn(&R) -> Iter<'_, u8> = R::iter;
    let _: fn(&R) -> TryIter<'_, u8> = R::try_iter;
    let _: fn(&R, &R) -> bool = R::same_channel;
    let _: for<'a> fn(&'a R) -> Iter<'a, u8> = |all| all.into_iter();
    let _: fn(R) -> IntoIter<u8> = R::into_iter;
}

fn select_list<'a>() {
    type O<'a> = SelectedOperation<'a>;
    let _: [fn() -> Select<'a>; 3] = [Select::new, Select::new_biased, Select::default];
    let _: fn(&mut Select<'a>, &'a Sender<u8>) -> usize = Select::send;
    let _: fn(&mut Select<'a>, &'a Receiver<u8>) -> usize = Select::recv;
    let _: fn(&mut Select<'a>, usize) = Select::remove;
    let _: fn(&mut Select<'a>) -> Result<O<'a>, TrySelectError> = Select::try_select;
    let _: fn(&mut Select<'a>) -> O<'a> = Select::select;
    let _: fn(&mut Select<'a>, Duration) -> Result<O<'a>, SelectTimeoutError> =
        Select::select_timeout;
    let _: fn(&mut Select<'a>, Instant) -> Result<O<'a>, SelectTimeoutError> =
        Select::select_deadline;
    let _: fn(&mut Select<'a>) -> Result<usize, TryReadyError> = Select::try_ready;
    let _: fn(&mut Select<'a>) -> usize = Select::ready;
    let _: fn(&mut Select<'a>, Duration) -> Result<usize, ReadyTimeoutError> =
        Select::ready_timeout;
    let _: fn(&mut Select<'a>, Instant) -> Result<usize, ReadyTimeoutError> =
        Select::ready_deadline;
    let _: fn(&O<'a>) -> usize = O::index;
    let _: fn(O<'a>, &Sender<u8>, u8) -> Result<(), SendError<u8>> = O::send;
    let _: fn(O<'a>, &Receiver<u8>) -> Result<u8, RecvError> = O::recv;
}

fn errors() {
    let _: fn(u8) -> SendError<u8> = SendError;
    let _: [fn(u8) -> TrySendError<u8>; 2] = [TrySendError::Full, TrySendError::Disconnected];
    let _: [fn(u8) -> SendTimeoutError<u8>; 2] =
        [SendTimeoutError::Timeout, SendTimeoutError::Disconnected];
    let _ = (RecvError, TrySelectError, SelectTimeoutError, TryReadyError);
    let _ = (ReadyTimeoutError, TryRecvError::Empty, TryRecvError::Disconnected);
    let _ = (RecvTimeoutError::Timeout, RecvTimeoutError::Disconnected);
    let _: fn(SendError<Opaque>) -> Opaque = SendError::into_inner;
    let _: fn(TrySendError<Opaque>) -> Opaque = TrySendError::into_inner;
    let _: fn(SendTimeoutError<Opaque>) -> Opaque = SendTimeoutError::into_inner;
    let _: [fn(&TrySendError<u8>) -> bool; 2] =
        [TrySendError::is_full, TrySendError::is_disconnected];
    let _: [fn(&SendTimeoutError<u8>) -> bool; 2] =
        [SendTimeoutError::is_timeout, SendTimeoutError::is_disconnected];
    let _: [fn(&TryRecvError) -> bool; 2] = [TryRecvError::is_empty, TryRecvError::is_disconnected];
    let _: [fn(&RecvTimeoutError) -> bool; 2] =
        [RecvTimeoutError::is_timeout, RecvTimeoutError::is_disconnected];
    let _: fn(SendError<u8>) -> TrySendError<u8> = From::from;
    let _: fn(SendError<u8>) -> SendTimeoutError<u8> = From::from;
    let _: fn(RecvError) -> TryRecvError = From::from;
    let _: fn(RecvError) -> RecvTimeoutError = From::from;
}

/// Both macros, by both of their paths.
fn macros(rx: Receiver<u8>, tx: Sender<u8>) -> Option<u8> {
    select! { recv(rx) -> got => got.ok(), send(tx, 1) -> _ => None, default => None }
        .or_else(|| select_biased! { recv(rx) -> got => got.ok(), default => None })
        .or_else(|| super::channel::select! { recv(rx) -> got => got.ok(), default => None })
}

/// What is printed: to people, and where `unwrap` fails.
pub(crate) fn texts() -> Vec<String> {
    let mut all = Vec::new();
    macro_rules! both {
        ($($error:expr),* $(,)?) => { $(all.push(format!("{0} / {0:?}", $error));)* };
    }
    both![
        SendError(1),
        TrySendError::Full(1),
        TrySendError::Disconnected(1),
        SendTimeoutError::Timeout(1),
        SendTimeoutError::Disconnected(1),
        RecvError,
        TryRecvError::Empty,
        TryRecvError::Disconnected,
        RecvTimeoutError::Timeout,
        RecvTimeoutError::Disconnected,
        TrySelectError,
        SelectTimeoutError,
    ];
    all.push(format!("{TryReadyError:?} {ReadyTimeoutError:?}"));
    let (tx, rx) = bounded::<u8>(1);
    all.push(format!("{tx:?} {rx:?} {:?} {:?}", rx.iter(), rx.try_iter()));
    all.push(format!("{:?} {:?}", Select::new(), rx.into_iter()));
    all
}
