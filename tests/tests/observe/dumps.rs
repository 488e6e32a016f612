//! A dump shows every goroutine that is off its thread with its stack: where it waits, in which function of the program, and
//! on what.

use std::{
    future::poll_fn,
    hint::black_box,
    sync::{Arc, mpsc},
    task::Poll,
    time::Duration,
};

use goroutines::{
    Builder, JoinHandle, block_on,
    chan::{self, Receiver, Sender, select},
    context::Context,
    debug::{ChannelCounts, ContextState, Dump, Object, State, WaitReason},
    go, sleep,
    sync::{Barrier, Condvar, Mutex, Once, RwLock, Semaphore, WaitGroup},
    thread,
};
use goroutines_tests::{assert_shown, groups_in, seen_in, start};

/// The functions in which goroutines wait here: each has a name of its own, and a frame behind its call.
macro_rules! functions {
    ($($name:ident($($arg:ident: $type:ty),*) $body:expr;)*) => {
        $(#[inline(never)]
        fn $name($($arg: $type),*) {
            $body;
            black_box(());
        })*
    };
}

type Shared<T> = Arc<T>;

functions! {
    in_recv(rx: Receiver<u32>) assert!(rx.recv().is_ok());
    in_send(tx: Sender<u32>) tx.send(1).unwrap();
    in_counted(tx: Sender<u32>) assert!(tx.send(4).is_err());
    in_select(rx: Receiver<u32>, never: Receiver<u32>) select! {
        recv(rx) -> msg => assert!(msg.is_ok()),
        recv(never) -> _ => unreachable!(),
    };
    in_lock(lock: Shared<Mutex<()>>) drop(lock.lock());
    in_read(lock: Shared<RwLock<()>>) drop(lock.read());
    in_write(lock: Shared<RwLock<()>>) drop(lock.write());
    in_condvar(pair: Shared<(Mutex<()>, Condvar)>) drop(pair.1.wait(pair.0.lock().unwrap()));
    in_acquire(permits: Shared<Semaphore>) drop(permits.acquire());
    in_group(group: WaitGroup) group.wait();
    in_barrier(barrier: Shared<Barrier>) assert!(!barrier.wait().is_leader());
    in_once(once: Shared<Once>) once.call_once(|| ());
    in_join(joined: JoinHandle<()>) joined.join().unwrap();
    in_park() thread::park();
    in_sleep() sleep(Duration::from_millis(500));
    in_future(rx: mpsc::Receiver<std::task::Waker>, tx: mpsc::Sender<std::task::Waker>) {
        let mut polls = 0;
        block_on(poll_fn(|context| {
            polls += 1;
            tx.send(context.waker().clone()).unwrap();
            if polls == 1 { Poll::Pending } else { Poll::Ready(()) }
        }));
        drop(rx);
    };
    in_scope(rx: Receiver<u32>) thread::scope(|scope| {
        scope.spawn(|| in_recv(rx));
    });
}

/// `waiting` waits for `reason` in `function`, which has called `primitive`; `end` ends the wait.
#[track_caller]
fn shown(
    function: &str,
    primitive: &str,
    reason: WaitReason,
    waiting: JoinHandle<()>,
    end: impl FnOnce(),
) {
    let snapshot = seen_in(function, 1, State::Waiting(reason));
    assert_shown(&snapshot, function, primitive, "dumps.rs");
    end();
    waiting.join().unwrap();
}

#[test]
fn a_goroutine_that_waits_in_a_channel_is_shown_there() {
    start(2);
    let (tx, rx) = chan::bounded(0);
    let waiting = go(move || in_recv(rx));
    shown("in_recv", "recv", WaitReason::ChanReceive, waiting, || {
        tx.send(1).unwrap()
    });
    let (tx, rx) = chan::bounded(0);
    let waiting = go(move || in_send(tx));
    shown("in_send", "send", WaitReason::ChanSend, waiting, || {
        assert_eq!(rx.recv(), Ok(1))
    });
    let ((tx, rx), (_tx, never)) = (chan::bounded(0), chan::bounded(0));
    let waiting = go(move || in_select(rx, never));
    // The function that waits is one of several, as the macro has it.
    shown("in_select", "", WaitReason::Select, waiting, || {
        tx.send(1).unwrap()
    });
}

#[test]
fn a_goroutine_that_waits_in_a_channel_is_shown_with_the_counts_of_the_channel() {
    start(2);
    let (tx, rx) = chan::bounded(3);
    (1..=3).for_each(|message| tx.send(message).unwrap());
    let waiting = [tx.clone(), tx.clone()].map(|tx| go(move || in_counted(tx)));
    let state = State::Waiting(WaitReason::ChanSend);
    let snapshot = seen_in("in_counted", 2, state);
    let counts = ChannelCounts {
        len: Some(3),
        capacity: Some(3),
        senders: 3,
        receivers: 1,
        is_never: false,
    };
    let groups = groups_in(&snapshot, "in_counted");
    assert!(groups.iter().all(|group| group.channel == Some(counts)));
    let mut text = Vec::new();
    snapshot.write_text(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("(3 of 3 messages, 3 senders, 1 receiver)"),
        "{text}"
    );
    let mut json = Vec::new();
    snapshot.write_json(&mut json).unwrap();
    let json = String::from_utf8(json).unwrap();
    let as_json =
        r#""channel": {"len": 3, "capacity": 3, "senders": 3, "receivers": 1, "never": false}"#;
    assert!(json.contains(as_json), "{json}");
    drop(rx);
    for waits in waiting {
        waits.join().unwrap();
    }
}

#[test]
fn a_goroutine_that_waits_for_a_lock_is_shown_there() {
    start(2);
    go(|| {
        let lock = Arc::new(Mutex::new(()));
        let (held, other) = (lock.lock(), lock.clone());
        let waiting = go(move || in_lock(other));
        shown("in_lock", "lock", WaitReason::MutexLock, waiting, || {
            drop(held)
        });

        let lock = Arc::new(RwLock::new(()));
        let (held, other) = (lock.write(), lock.clone());
        let waiting = go(move || in_read(other));
        shown("in_read", "read", WaitReason::RwLockRead, waiting, || {
            drop(held)
        });

        let (held, other) = (lock.read(), lock.clone());
        let waiting = go(move || in_write(other));
        shown(
            "in_write",
            "write",
            WaitReason::RwLockWrite,
            waiting,
            || drop(held),
        );
    })
    .join()
    .unwrap();
}

#[test]
fn a_goroutine_that_waits_for_others_is_shown_there() {
    start(2);
    let pair = Arc::new((Mutex::new(()), Condvar::new()));
    let other = pair.clone();
    let waiting = go(move || in_condvar(other));
    shown(
        "in_condvar",
        "wait",
        WaitReason::CondvarWait,
        waiting,
        || pair.1.notify_one(),
    );

    let permits = Arc::new(Semaphore::new(0));
    let other = permits.clone();
    let waiting = go(move || in_acquire(other));
    shown(
        "in_acquire",
        "acquire",
        WaitReason::SemaphoreAcquire,
        waiting,
        || {
            permits.add_permits(1);
        },
    );

    let group = WaitGroup::new();
    let other = group.clone();
    let waiting = go(move || in_group(other));
    shown(
        "in_group",
        "wait",
        WaitReason::WaitGroupWait,
        waiting,
        || drop(group),
    );

    let barrier = Arc::new(Barrier::new(2));
    let other = barrier.clone();
    let waiting = go(move || in_barrier(other));
    shown(
        "in_barrier",
        "wait",
        WaitReason::BarrierWait,
        waiting,
        || assert!(barrier.wait().is_leader()),
    );

    let once = Arc::new(Once::new());
    let (tx, rx) = chan::bounded::<()>(0);
    let (begun, begins) = mpsc::channel();
    let other = once.clone();
    let runs = go(move || {
        other.call_once(|| {
            begun.send(()).unwrap();
            assert!(rx.recv().is_err());
        });
    });
    begins.recv().unwrap();
    let waiting = go(move || in_once(once));
    shown("in_once", "call_once", WaitReason::Once, waiting, || {
        drop(tx)
    });
    runs.join().unwrap();

    let (tx, rx) = chan::bounded(0);
    let waiting = go(move || in_scope(rx));
    let snapshot = seen_in("in_scope", 1, State::Waiting(WaitReason::Scope));
    assert_shown(&snapshot, "in_scope", "scope", "dumps.rs");
    tx.send(1).unwrap();
    waiting.join().unwrap();
}

#[test]
fn a_goroutine_that_waits_for_an_end_or_for_time_is_shown_there() {
    start(2);
    let joined = go(in_park);
    let thread = joined.thread().clone();
    let waiting = go(move || in_join(joined));
    let snapshot = seen_in("in_join", 1, State::Waiting(WaitReason::Join));
    assert_shown(&snapshot, "in_join", "join", "dumps.rs");
    let parked = seen_in("in_park", 1, State::Waiting(WaitReason::Park));
    assert_shown(&parked, "in_park", "park", "dumps.rs");
    // It tells which goroutine it is that it waits for.
    let target = groups_in(&snapshot, "in_join")[0].joins;
    assert_eq!(target, Some(groups_in(&parked, "in_park")[0].ids[0]));
    thread.unpark();
    waiting.join().unwrap();

    shown("in_sleep", "sleep", WaitReason::Sleep, go(in_sleep), || ());

    let (to, from) = mpsc::channel();
    let (unused, rx) = mpsc::channel();
    drop(unused);
    let waiting = go(move || in_future(rx, to));
    shown("in_future", "block_on", WaitReason::Future, waiting, || {
        from.recv().unwrap().wake();
    });
}

#[test]
fn goroutines_that_wait_alike_are_one_group_with_names_and_an_object() {
    start(2);
    #[inline(never)]
    fn in_crowd(rx: &Receiver<u32>) {
        assert!(rx.recv().is_err());
        black_box(());
    }
    let (tx, rx) = chan::bounded::<u32>(0);
    let crowd: Vec<_> = (0..50)
        .map(|number| {
            let rx = rx.clone();
            let builder = match number {
                0 => Builder::new().name("first".to_owned()),
                _ => Builder::new(),
            };
            builder.spawn(move || in_crowd(&rx)).unwrap()
        })
        .collect();
    let snapshot = seen_in("in_crowd", 50, State::Waiting(WaitReason::ChanReceive));
    let groups = groups_in(&snapshot, "in_crowd");
    let [group] = groups.as_slice() else {
        panic!("{groups:#?}");
    };
    assert!(
        matches!(group.object, Object::One(address) if address != 0),
        "{group:?}"
    );
    assert_eq!(group.ids.len(), 20);
    assert_eq!(
        group.names.iter().map(|(_, name)| name).collect::<Vec<_>>(),
        ["first"]
    );
    assert!(
        group.spawned_as.contains("goroutines_that_wait_alike"),
        "{group:?}"
    );
    let mut text = Vec::new();
    snapshot.write_text(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("\n50 goroutines [chan receive] channel 0x"),
        "{text}"
    );
    assert!(text.contains("\"first\""), "{text}");
    assert!(text.contains("in_crowd"), "{text}");
    let mut json = Vec::new();
    snapshot.write_json(&mut json).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["version"], 1);
    let of_crowd = |group: &&serde_json::Value| group["count"] == 50;
    let group = json["groups"].as_array().unwrap().iter().find(of_crowd);
    let group = group.unwrap_or_else(|| panic!("{json:#}"));
    assert_eq!(group["state"], "chan receive");
    assert_eq!(group["complete"], true);
    assert_eq!(group["object"]["kind"], "channel");
    let frames = group["frames"].as_array().unwrap();
    let function = |frame: &serde_json::Value| frame["function"].to_string();
    assert!(
        frames
            .iter()
            .any(|frame| function(frame).contains("in_crowd")),
        "{json:#}"
    );
    drop(tx);
    crowd.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn a_dump_shows_the_frames_of_the_runtime_only_where_it_is_asked_to() {
    start(2);
    #[inline(never)]
    fn in_all(rx: &Receiver<u32>) {
        assert!(rx.recv().is_err());
        black_box(());
    }
    let (tx, rx) = chan::bounded::<u32>(0);
    let waiting = go(move || in_all(&rx));
    let short = seen_in("in_all", 1, State::Waiting(WaitReason::ChanReceive));
    let long = Dump::new().runtime_frames(true).take();
    let frames = |snapshot: &goroutines::debug::Snapshot| {
        snapshot.frames(groups_in(snapshot, "in_all")[0]).len()
    };
    assert!(frames(&long) > frames(&short) + 3);
    let few = Dump::new().groups(0).take();
    assert!(few.groups().is_empty());
    assert!(few.summary().further_goroutines > 0);
    assert_eq!(few.summary().further_goroutines, few.summary().goroutines);
    drop(tx);
    waiting.join().unwrap();
}

#[test]
fn the_context_of_a_goroutine_is_shown() {
    start(2);
    #[inline(never)]
    fn in_context(rx: &Receiver<u32>) {
        assert!(rx.recv().is_err());
        black_box(());
    }
    let (tx, rx) = chan::bounded::<u32>(0);
    let (with_cancel, _canceller) = Context::background().with_cancel();
    let (with_deadline, _later) = Context::background().with_timeout(Duration::from_secs(3600));
    let all = [with_cancel, with_deadline, Context::background()].map(|context| {
        let rx = rx.clone();
        context.run(|| go(move || in_context(&rx)))
    });
    let snapshot = seen_in("in_context", 3, State::Waiting(WaitReason::ChanReceive));
    let states = groups_in(&snapshot, "in_context");
    let states: Vec<_> = states.iter().map(|group| group.context).collect();
    for state in [Some(ContextState::Open), Some(ContextState::Deadline), None] {
        assert!(states.contains(&state), "{states:?}");
    }
    let mut text = Vec::new();
    snapshot.write_text(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains(", context\n"), "{text}");
    assert!(text.contains(", context with deadline in 3"), "{text}");
    drop(tx);
    all.into_iter().for_each(|one| one.join().unwrap());
}
