//! An executor beside the runtime, as the documentation of `block_on` advises: futures run there, goroutines wait for
//! what it hands out, and its tasks wait for goroutines and channels.

use std::{sync::OnceLock, time::Duration};

use goroutines::{Config, block_on, chan, go, yield_now};
use tokio::runtime::{Handle, Runtime};

fn executor() -> &'static Handle {
    static EXECUTOR: OnceLock<Runtime> = OnceLock::new();
    let executor = EXECUTOR.get_or_init(|| {
        // SAFETY: the tests keep nothing of a thread over a call that can park: no executor is entered on a goroutine.
        unsafe { Config::new().procs(4).force_migration(true).start() }.unwrap();
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .unwrap()
    });
    executor.handle()
}

#[test]
fn goroutines_wait_for_futures_that_an_executor_runs() {
    let handle = executor();
    let all: Vec<_> = (0..200)
        .map(|n| {
            go(move || {
                let mut sum = 0;
                for _ in 0..10 {
                    let task = handle.spawn(async move {
                        tokio::time::sleep(Duration::from_micros(200)).await;
                        n
                    });
                    sum += block_on(task).unwrap();
                    yield_now();
                }
                sum
            })
        })
        .collect();
    for (n, one) in all.into_iter().enumerate() {
        assert_eq!(one.join().unwrap(), 10 * n);
    }
}

#[test]
fn a_plain_thread_waits_for_futures_that_an_executor_runs() {
    let task = executor().spawn(async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        7
    });
    assert_eq!(block_on(task).unwrap(), 7);
}

#[test]
fn tasks_of_an_executor_wait_for_goroutines_and_channels() {
    let handle = executor();
    let (questions, todo) = chan::bounded::<(u32, chan::Sender<u32>)>(4);
    let server = go(move || {
        let mut count = 0;
        for (n, answer) in todo {
            answer.send(n * n).unwrap();
            count += 1;
        }
        count
    });
    let all: Vec<_> = (0..200)
        .map(|n| {
            let questions = questions.clone();
            handle.spawn(async move {
                let (tx, rx) = chan::bounded(1);
                questions.send_async((n, tx)).await.unwrap();
                let square = rx.recv_async().await.unwrap();
                let doubled = go(move || 2 * square).await.unwrap();
                assert_eq!(doubled, 2 * n * n);
            })
        })
        .collect();
    drop(questions);
    all.into_iter().for_each(|one| block_on(one).unwrap());
    assert_eq!(server.join().unwrap(), 200);
}

#[test]
fn what_a_future_panics_with_reaches_the_goroutine_as_the_executors_error() {
    let handle = executor();
    let outcome =
        go(move || block_on(handle.spawn(async { assert_eq!(1, 2, "on purpose") }))).join();
    let error: tokio::task::JoinError = outcome.unwrap().unwrap_err();
    assert!(error.is_panic());
}
