//! The page docs/surface-beside.md says what there is beside tokio and Go: each name of ours on it is compiled here.

use std::{collections::BTreeSet, fs, path::Path};

use goroutines::{JoinSet, chan, context, errgroup, sync, timeout};

/// Names of functions and methods, which exist, or this does not compile.
macro_rules! functions {
    ($($path:expr;)*) => {
        [$({
            let _ = $path;
            stringify!($path)
        }),*]
    };
}

/// Methods whose type arguments have no names.
fn unnamed() -> [&'static str; 2] {
    let (sender, mut receiver) = sync::watch::channel(0);
    sender.send_modify(|value| *value = 1);
    assert!(receiver.wait_for(|value| *value == 1).is_ok());
    [
        "sync::watch::Sender::send_modify",
        "sync::watch::Receiver::wait_for",
    ]
}

/// Names of types.
macro_rules! types {
    ($($type:ty;)*) => {
        [$({
            let _ = size_of::<$type>();
            stringify!($type)
        }),*]
    };
}

fn functions() -> impl Iterator<Item = &'static str> {
    functions! {
        chan::bounded::<u8>;
        chan::unbounded::<u8>;
        chan::Sender::<u8>::send;
        chan::Sender::<u8>::try_send;
        chan::Sender::<u8>::send_timeout;
        chan::Sender::<u8>::send_async;
        chan::Receiver::<u8>::recv;
        chan::Receiver::<u8>::try_recv;
        chan::Receiver::<u8>::close;
        chan::Receiver::<u8>::try_iter;
        chan::Sender::<u8>::is_closed;
        chan::Sender::<u8>::len;
        chan::Sender::<u8>::capacity;
        chan::Sender::<u8>::same_channel;
        sync::oneshot::channel::<u8>;
        sync::oneshot::Sender::<u8>::send;
        sync::oneshot::Sender::<u8>::is_closed;
        sync::watch::channel::<u8>;
        sync::watch::Sender::<u8>::send;
        sync::watch::Sender::<u8>::send_replace;
        sync::watch::Sender::<u8>::borrow;
        sync::watch::Sender::<u8>::subscribe;
        sync::watch::Sender::<u8>::receiver_count;
        sync::watch::Receiver::<u8>::borrow;
        sync::watch::Receiver::<u8>::borrow_and_update;
        sync::watch::Receiver::<u8>::changed;
        sync::watch::Receiver::<u8>::has_changed;
        sync::broadcast::channel::<u8>;
        sync::broadcast::Sender::<u8>::send;
        sync::broadcast::Sender::<u8>::subscribe;
        sync::broadcast::Sender::<u8>::len;
        sync::broadcast::Sender::<u8>::receiver_count;
        sync::broadcast::Receiver::<u8>::recv;
        sync::broadcast::Receiver::<u8>::try_recv;
        sync::broadcast::Receiver::<u8>::resubscribe;
        sync::broadcast::Receiver::<u8>::len;
        sync::Mutex::<u8>::lock;
        sync::Mutex::<u8>::lock_ctx;
        sync::RwLock::<u8>::read;
        sync::RwLock::<u8>::write_ctx;
        sync::RwLockWriteGuard::<'static, u8>::downgrade;
        sync::Semaphore::acquire;
        sync::Semaphore::acquire_many;
        sync::Semaphore::acquire_owned;
        sync::Semaphore::try_acquire;
        sync::Semaphore::add_permits;
        sync::Semaphore::forget_permits;
        sync::Semaphore::available_permits;
        sync::Barrier::wait_ctx;
        sync::OnceLock::<u8>::get_or_init::<fn() -> u8>;
        sync::OnceLock::<u8>::wait;
        JoinSet::<u8>::join_next;
        JoinSet::<u8>::join_next_with_id;
        JoinSet::<u8>::join_all;
        JoinSet::<u8>::shutdown;
        JoinSet::<u8>::detach_all;
        timeout::<u8, fn(&context::Context) -> u8>;
        sync::Mutex::<u8>::try_lock;
        sync::Condvar::wait::<u8>;
        sync::Condvar::notify_one;
        sync::Condvar::notify_all;
        sync::WaitGroup::wait;
        sync::WaitGroup::wait_ctx;
        context::Context::with_cancel;
        context::Context::with_deadline;
        context::Context::with_timeout;
        context::Context::done;
        context::Context::err;
        context::Context::with_value::<u8>;
        context::Context::value::<u8>;
        errgroup::scope::<fn(&errgroup::Group<'_, '_, u8>) -> Result<u8, u8>, u8, u8>;
        errgroup::Group::<'_, '_, u8>::go::<fn() -> Result<(), u8>>;
        errgroup::Group::<'_, '_, u8>::try_go::<fn() -> Result<(), u8>>;
        errgroup::Group::<'_, '_, u8>::limit;
        sync::Semaphore::acquire_many_ctx;
        sync::Semaphore::try_acquire_many;
        sync::Limiter::new;
        sync::Limiter::allow;
        sync::Limiter::reserve;
        sync::Limiter::wait;
        sync::Limiter::wait_ctx;
    }
    .into_iter()
}

fn types() -> impl Iterator<Item = &'static str> {
    types! {
        sync::Mutex<u8>;
        sync::MappedMutexGuard<'static, u8>;
        sync::RwLock<u8>;
        sync::Barrier;
        sync::OnceLock<u8>;
        sync::LazyLock<u8>;
        JoinSet<u8>;
        sync::Once;
        sync::WaitGroup;
        sync::atomic::AtomicU64;
    }
    .into_iter()
}

/// The name without its type arguments.
fn plain(name: &str) -> String {
    let mut depth = 0;
    let kept = |c: char| {
        depth += i32::from(c == '<');
        let keeps = depth == 0 && !c.is_whitespace();
        // The `>` of an arrow closes nothing.
        depth -= i32::from(c == '>' && depth > 0);
        keeps
    };
    let text: String = name
        .replace("->", "")
        .chars()
        .filter({
            let mut kept = kept;
            move |&c| kept(c)
        })
        .collect();
    text.replace("::::", "::").trim_end_matches("::").to_owned()
}

#[test]
fn every_name_of_ours_beside_tokio_and_go_exists() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/surface-beside.md");
    let page = fs::read_to_string(page).expect("the page");
    let mut named = BTreeSet::new();
    let mut rows = 0;
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 5, "three cells: {line}");
        if cells[2] == "here" || cells[2].starts_with("---") {
            continue;
        }
        rows += 1;
        let names: Vec<&str> = cells[2].split('`').skip(1).step_by(2).collect();
        assert!(
            !names.is_empty() || cells[2] == "no",
            "names, or `no`: {line}"
        );
        // What is not there has a reason.
        assert!(!names.is_empty() || cells[3].len() > 10, "why not: {line}");
        named.extend(names.iter().map(|name| (*name).to_owned()));
    }
    assert!(rows > 40, "{rows} rows");
    let there = functions().chain(types()).chain(unnamed()).map(plain);
    let there: BTreeSet<String> = there.collect();
    assert_eq!(named, there, "on the page, and compiled here");
}

#[test]
fn type_arguments_are_left_out() {
    assert_eq!(plain("sync::Mutex::<u8>::lock"), "sync::Mutex::lock");
    assert_eq!(plain("timeout :: < u8, fn(& A) -> B<u8> >"), "timeout");
    assert_eq!(
        plain("sync::MappedMutexGuard<'static, u8>"),
        "sync::MappedMutexGuard"
    );
}
