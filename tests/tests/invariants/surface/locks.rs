// std::sync without Once and its kin, and without mpsc: every stable public item by its full type.

use super::sync::*;

pub(crate) fn facts() -> Vec<Fact> {
    let mut all = over_t![
        Mutex<T>,
        MutexGuard<'static, T>,
        RwLock<T>,
        RwLockReadGuard<'static, T>,
        RwLockWriteGuard<'static, T>,
        PoisonError<T>,
        TryLockError<T>,
        LockResult<T>,
        TryLockResult<T>,
        Arc<T>,
        Weak<T>,
    ];
    all.extend(plain![
        Mutex<dyn Send>,
        Mutex<[u8]>,
        MutexGuard<'static, str>,
        RwLock<dyn Send + Sync>,
        RwLockReadGuard<'static, str>,
        RwLockWriteGuard<'static, str>,
        Condvar,
        WaitTimeoutResult,
        Barrier,
        BarrierWaitResult,
    ]);
    all
}

const MUTEX: Mutex<u8> = Mutex::new(1);
const LOCK: RwLock<u8> = RwLock::new(1);
static CONDITION: Condvar = Condvar::new();
static BARRIER: Barrier = Barrier::new(1);

fn mutex() {
    type M = Mutex<u8>;
    let _: fn(&M) -> LockResult<MutexGuard<'_, u8>> = M::lock;
    let _: fn(&M) -> TryLockResult<MutexGuard<'_, u8>> = M::try_lock;
    let _: fn(&M) -> bool = M::is_poisoned;
    let _: fn(&M) = M::clear_poison;
    let _: fn(M) -> LockResult<u8> = M::into_inner;
    let _: fn(&mut M) -> LockResult<&mut u8> = M::get_mut;
    let _: fn(u8) -> M = From::from;
    let _: fn(&Mutex<str>) -> LockResult<MutexGuard<'_, str>> = Mutex::lock;
    let _: fn(&Mutex<[u8; 2]>) -> &Mutex<[u8]> = |m| m;
    let _: fn(Arc<Mutex<u8>>) -> Arc<Mutex<dyn Send>> = |m| m;
}

fn rwlock() {
    type L = RwLock<u8>;
    let _: fn(&L) -> LockResult<RwLockReadGuard<'_, u8>> = L::read;
    let _: fn(&L) -> TryLockResult<RwLockReadGuard<'_, u8>> = L::try_read;
    let _: fn(&L) -> LockResult<RwLockWriteGuard<'_, u8>> = L::write;
    let _: fn(&L) -> TryLockResult<RwLockWriteGuard<'_, u8>> = L::try_write;
    let _: fn(&L) -> bool = L::is_poisoned;
    let _: fn(&L) = L::clear_poison;
    let _: fn(L) -> LockResult<u8> = L::into_inner;
    let _: fn(&mut L) -> LockResult<&mut u8> = L::get_mut;
    let _: fn(u8) -> L = From::from;
    let _: fn(RwLockWriteGuard<'static, u8>) -> RwLockReadGuard<'static, u8> =
        RwLockWriteGuard::downgrade;
    let _: fn(&RwLock<str>) -> LockResult<RwLockReadGuard<'_, str>> = RwLock::read;
    let _: fn(&RwLock<[u8; 2]>) -> &RwLock<[u8]> = |l| l;
}

#[allow(deprecated)]
fn condvar<'a, F: FnMut(&mut u8) -> bool>() {
    type G<'a> = MutexGuard<'a, u8>;
    type Timed<'a> = LockResult<(G<'a>, WaitTimeoutResult)>;
    let _: fn(&Condvar, G<'a>) -> LockResult<G<'a>> = Condvar::wait;
    let _: fn(&Condvar, G<'a>, F) -> LockResult<G<'a>> = Condvar::wait_while;
    let _: fn(&Condvar, G<'a>, u32) -> LockResult<(G<'a>, bool)> = Condvar::wait_timeout_ms;
    let _: fn(&Condvar, G<'a>, Duration) -> Timed<'a> = Condvar::wait_timeout;
    let _: fn(&Condvar, G<'a>, Duration, F) -> Timed<'a> = Condvar::wait_timeout_while;
    let _: [fn(&Condvar); 2] = [Condvar::notify_one, Condvar::notify_all];
    let _: fn(&WaitTimeoutResult) -> bool = WaitTimeoutResult::timed_out;
}

fn barrier() {
    let _: fn(&Barrier) -> BarrierWaitResult = Barrier::wait;
    let _: fn(&BarrierWaitResult) -> bool = BarrierWaitResult::is_leader;
}

fn poison() {
    type P = PoisonError<u8>;
    let _: fn(u8) -> P = P::new;
    let _: fn(P) -> u8 = P::into_inner;
    let _: fn(&P) -> &u8 = P::get_ref;
    let _: fn(&mut P) -> &mut u8 = P::get_mut;
    let _: fn(P) -> TryLockError<u8> = TryLockError::Poisoned;
    let _: fn(P) -> TryLockError<u8> = From::from;
    let _: TryLockError<u8> = TryLockError::WouldBlock;
    let _: fn(usize) -> atomic::AtomicUsize = atomic::AtomicUsize::new;
}

pub(crate) fn texts() -> Vec<String> {
    let mutex = MUTEX;
    let held = format!("{mutex:?} {:?}", mutex.lock().map(|_guard| format!("{mutex:?}")));
    let lock = LOCK;
    let written = format!("{lock:?} {:?}", lock.write().map(|_guard| format!("{lock:?}")));
    let guards = format!("{0:?} {0} {1:?} {1}", mutex.lock().unwrap(), lock.read().unwrap());
    let waits = format!("{CONDITION:?} {BARRIER:?} {:?}", BARRIER.wait());
    let poison = PoisonError::new(1);
    let errors = format!("{poison} {poison:?} {0} {0:?}", TryLockError::<u8>::WouldBlock);
    vec![held, written, guards, waits, errors]
}
