//! Takes profiles of its waits, for tests/observe/block_profiles.rs: one case per argument. Prints `well`.

use std::{
    env,
    ops::RangeInclusive,
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use goroutines::{
    Builder, blocking, chan,
    debug::{
        WaitReason,
        profile::{self, Owner, Profile, ProfileError, ProfileKind, Sample, StackEnd},
    },
    go, grow, sleep,
    sync::Mutex,
    yield_now,
};
use goroutines_sched::{GRef, current};
use goroutines_tests::until;

fn main() {
    // SAFETY: nothing here keeps an address of a thread-local across a park.
    unsafe { goroutines::start() }.unwrap();
    let case = env::args().nth(1).unwrap_or_default();
    match case.as_str() {
        "reasons" => reasons(),
        "threads" => threads(),
        "short" => short(),
        "locks" => locks(),
        "limits" => limits(),
        "rounds" => rounds(),
        _ => panic!("no case {case:?}"),
    }
    println!("well");
}

/// Goroutines and threads that are to wait.
struct Waiters {
    tell: chan::Sender<(GRef, WaitReason)>,
    told: chan::Receiver<(GRef, WaitReason)>,
}

impl Waiters {
    fn new() -> Waiters {
        let (tell, told) = chan::unbounded();
        Waiters { tell, told }
    }

    /// What says that the caller is about to wait for this.
    fn about(&self, reason: WaitReason) -> impl FnOnce() + Send + use<> {
        let tell = self.tell.clone();
        move || tell.send((current(), reason)).unwrap()
    }

    /// A goroutine of this name that calls `body`, which waits for this.
    fn spawn(
        &self,
        name: &str,
        reason: WaitReason,
        body: impl FnOnce() + Send + 'static,
    ) -> goroutines::JoinHandle<()> {
        let about = self.about(reason);
        named(name, move || {
            about();
            body();
        })
    }

    /// Returns when so many wait.
    fn wait(&self, count: usize) {
        let all: Vec<_> = self.told.iter().take(count).collect();
        until("all wait", || {
            all.iter()
                .all(|(g, reason)| g.wait_reason() == Some(*reason))
        });
    }
}

fn samples_of<'a>(profile: &'a Profile, wanted: &str) -> Vec<&'a Sample> {
    let is = |sample: &&Sample| matches!(sample.owner(), Owner::Goroutine { name: Some(name), .. } if name == wanted);
    profile.samples().iter().filter(is).collect()
}

fn named<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> goroutines::JoinHandle<T> {
    Builder::new().name(name.to_owned()).spawn(body).unwrap()
}

/// The samples of a goroutine: of so many waits for this, in a function of this name.
fn assert_waits(profile: &Profile, name: &str, reason: WaitReason, count: RangeInclusive<u64>) {
    assert_are(profile, &samples_of(profile, name), name, reason, count);
}

/// They are of so many waits for this, in a function of this name, which took some time, and not longer than the profile. The
/// compiler may make several calls of one in a loop.
fn assert_are(
    profile: &Profile,
    samples: &[&Sample],
    function: &str,
    reason: WaitReason,
    count: RangeInclusive<u64>,
) {
    for sample in samples {
        assert_is(profile, sample, function, reason);
    }
    let waits = samples.iter().map(|sample| sample.count()).sum();
    assert!(count.contains(&waits), "{function}: {samples:#?}");
    let time: Duration = samples.iter().map(|sample| sample.time()).sum();
    let all = profile.duration();
    // The two clocks may differ a little.
    let is_possible = time > Duration::ZERO && time < all + all / 10;
    assert!(is_possible, "{function}: {time:?} of {all:?}");
}

/// It waits for this, in a function of this name, and its stack is whole.
fn assert_is(profile: &Profile, sample: &Sample, function: &str, reason: WaitReason) {
    let frames = profile.frames(sample);
    let all = format!("{function}: {sample:#?}: {frames:#?}");
    assert_eq!(sample.reason(), Some(reason), "{all}");
    assert_eq!(sample.end(), StackEnd::Begin, "{all}");
    // In release builds names are without paths.
    let here = |frame: &goroutines::debug::Frame| {
        let name = frame.function.as_deref().unwrap_or_default();
        name == function || name.ends_with(&format!("::{function}"))
    };
    assert!(frames.iter().any(here), "{all}");
}

#[inline(never)]
fn receives(receiver: &chan::Receiver<u32>) {
    while receiver.recv().is_ok() {}
}

#[inline(never)]
fn locks_it(mutex: &Mutex<u32>) {
    *mutex.lock().unwrap() += 1;
}

#[inline(never)]
fn joins(handle: goroutines::JoinHandle<()>) {
    handle.join().unwrap();
}

#[inline(never)]
fn sleeps() {
    for _ in 0..3 {
        sleep(Duration::from_millis(20));
    }
    std::hint::black_box(6);
}

#[inline(never)]
fn on_a_segment(receiver: &chan::Receiver<u32>) {
    grow(1 << 20, || assert!(receiver.recv().is_err()));
    std::hint::black_box(5);
}

/// Each wait is counted, where it is, and for how long at least.
fn reasons() {
    let profile = profile::block(Duration::ZERO).unwrap();
    let waiters = Waiters::new();
    let (sends, receiver) = chan::bounded(0);
    let (held, segment) = chan::bounded(0);
    let (lets, slow) = chan::bounded::<()>(0);
    let mutex = Arc::new(Mutex::new(0));
    let guard = mutex.lock().unwrap();
    let other = mutex.clone();
    let slow = go(move || assert!(slow.recv().is_err()));
    let receive = WaitReason::ChanReceive;
    let mut all = vec![
        waiters.spawn("receives", receive, move || receives(&receiver)),
        waiters.spawn("on_a_segment", receive, move || on_a_segment(&segment)),
        waiters.spawn("joins", WaitReason::Join, move || joins(slow)),
        waiters.spawn("locks_it", WaitReason::MutexLock, move || locks_it(&other)),
    ];
    all.push(named("sleeps", sleeps));
    all.push(named("yields", || (0..100).for_each(|_| yield_now())));
    waiters.wait(4);
    drop(guard);
    drop((sends, held, lets));
    for one in all {
        one.join().unwrap();
    }
    let profile = profile.stop();
    assert_eq!((profile.kind(), profile.lost()), (ProfileKind::Block, 0));
    assert_waits(&profile, "receives", receive, 1..=1);
    assert_waits(&profile, "on_a_segment", receive, 1..=1);
    assert_waits(&profile, "joins", WaitReason::Join, 1..=1);
    // One whose time has passed before it leaves its thread does not wait.
    assert_waits(&profile, "sleeps", WaitReason::Sleep, 1..=3);
    assert_waits(&profile, "locks_it", WaitReason::MutexLock, 1..=1);
    assert!(samples_of(&profile, "yields").is_empty());
}

/// Waits with a deadline, on a plain thread.
#[inline(never)]
fn thread_waits_for_a_time(receiver: &chan::Receiver<u32>) {
    for _ in 0..3 {
        let got = receiver.recv_timeout(Duration::from_millis(20));
        assert_eq!(got, Err(chan::RecvTimeoutError::Timeout));
    }
    std::hint::black_box(1);
}

#[inline(never)]
fn thread_receives(receiver: &chan::Receiver<u32>) {
    assert!(receiver.recv().is_err());
    std::hint::black_box(2);
}

#[inline(never)]
fn receives_in_a_call(receiver: &chan::Receiver<u32>) {
    blocking(|| assert!(receiver.recv().is_err()));
    std::hint::black_box(3);
}

struct ReceivesInDrop(chan::Receiver<u32>);

impl Drop for ReceivesInDrop {
    fn drop(&mut self) {
        receives_while_it_unwinds(&self.0);
    }
}

#[inline(never)]
fn receives_while_it_unwinds(receiver: &chan::Receiver<u32>) {
    assert!(receiver.recv().is_err());
    std::hint::black_box(4);
}

/// Plain threads, and goroutines that keep their threads.
fn threads() {
    let profile = profile::block(Duration::ZERO).unwrap();
    let waiters = Waiters::new();
    let receive = WaitReason::ChanReceive;
    let (sends, receiver) = chan::bounded::<u32>(0);
    let (in_thread, in_call, in_drop) = (receiver.clone(), receiver.clone(), receiver);
    let about = waiters.about(receive);
    let thread = thread::spawn(move || {
        thread_waits_for_a_time(&in_thread);
        about();
        thread_receives(&in_thread);
    });
    let call = waiters.spawn("call", receive, move || receives_in_a_call(&in_call));
    let unwinds = waiters.spawn("unwinds", receive, move || {
        let _drop = ReceivesInDrop(in_drop);
        panic::resume_unwind(Box::new(()));
    });
    waiters.wait(3);
    drop(sends);
    thread.join().unwrap();
    call.join().unwrap();
    unwinds.join().unwrap_err();
    let profile = profile.stop();
    assert_eq!(profile.lost(), 0);
    for (name, function) in [
        ("call", "receives_in_a_call"),
        ("unwinds", "receives_while_it_unwinds"),
    ] {
        let samples = samples_of(&profile, name);
        assert_are(&profile, &samples, function, receive, 1..=1);
    }
    for (function, count) in [
        ("thread_waits_for_a_time", 1..=3),
        ("thread_receives", 1..=1),
    ] {
        let is = |sample: &&Sample| {
            let mut frames = profile.frames(sample).into_iter();
            let ends = |name: String| name.ends_with(function);
            *sample.owner() == Owner::Thread && frames.any(|it| it.function.is_some_and(ends))
        };
        let samples: Vec<_> = profile.samples().iter().filter(is).collect();
        assert_are(&profile, &samples, function, receive, count);
    }
}

/// Short waits are sampled, and stand for all.
fn short() {
    const ROUNDS: u64 = 50_000;
    let profile = profile::block(Duration::from_micros(100)).unwrap();
    let began = Instant::now();
    let (sends, receives) = chan::bounded(0);
    let sender = named("sender", move || {
        (0..ROUNDS).for_each(|n| sends.send(n).unwrap())
    });
    let receiver = named("receiver", move || receives.iter().count());
    sender.join().unwrap();
    assert_eq!(receiver.join().unwrap() as u64, ROUNDS);
    let elapsed = began.elapsed();
    let profile = profile.stop();
    let both = ["sender", "receiver"].map(|name| samples_of(&profile, name));
    let all = both.iter().flatten();
    let count: u64 = all.clone().map(|sample| sample.count()).sum();
    let time: Duration = all.map(|sample| sample.time()).sum();
    // Each message makes one of the two wait, now and then both.
    assert!(
        (ROUNDS / 5..=3 * ROUNDS).contains(&(count + profile.lost())),
        "{count}"
    );
    assert!(
        time > Duration::ZERO && time < elapsed * 4,
        "{time:?} of {elapsed:?}"
    );
}

/// Of a contention profile are waits for locks alone.
fn locks() {
    let profile = profile::contention(Duration::ZERO).unwrap();
    let waiters = Waiters::new();
    let mutex = Arc::new(Mutex::new(0));
    let guard = mutex.lock().unwrap();
    let other = mutex.clone();
    let waits = waiters.spawn("locks_it", WaitReason::MutexLock, move || locks_it(&other));
    named("sleeps", sleeps).join().unwrap();
    waiters.wait(1);
    // Long enough for a number in a folded line, which has microseconds.
    sleep(Duration::from_millis(1));
    drop(guard);
    waits.join().unwrap();
    let profile = profile.stop();
    assert_eq!(profile.kind(), ProfileKind::Contention);
    assert_waits(&profile, "locks_it", WaitReason::MutexLock, 1..=1);
    assert!(samples_of(&profile, "sleeps").is_empty());
    let mut folded = Vec::new();
    profile.write_folded(&mut folded).unwrap();
    let folded = String::from_utf8(folded).unwrap();
    assert!(folded.starts_with("goroutine locks_it;"), "{folded}");
    assert!(folded.contains(";[mutex lock] "), "{folded}");
    // What is inside of the call that waits is left out.
    assert!(!folded.contains("park"), "{folded}");
    let mut pprof = Vec::new();
    profile.write_pprof(&mut pprof).unwrap();
    for word in ["contentions", "delay", "mutex lock", "locks_it"] {
        let has = pprof.windows(word.len()).any(|it| it == word.as_bytes());
        assert!(has, "{word}");
    }
}

/// What is not in it: waits that began before, those that have not ended; and one profile at a time.
fn limits() {
    let waiters = Waiters::new();
    let receive = WaitReason::ChanReceive;
    let (sends, before) = chan::bounded::<u32>(0);
    let (kept, never) = chan::bounded::<u32>(0);
    let before = waiters.spawn("before", receive, move || receives(&before));
    waiters.wait(1);
    let profile = profile::block(Duration::ZERO).unwrap();
    assert!(matches!(
        profile::block(Duration::ZERO),
        Err(ProfileError::AlreadyRunning)
    ));
    assert!(matches!(
        profile::contention(Duration::ZERO),
        Err(ProfileError::AlreadyRunning)
    ));
    let never = waiters.spawn("never", receive, move || receives(&never));
    waiters.wait(1);
    drop(sends);
    before.join().unwrap();
    let profile = profile.stop();
    for name in ["before", "never"] {
        assert!(samples_of(&profile, name).is_empty(), "{name}");
    }
    drop(kept);
    never.join().unwrap();
    // One that is dropped makes room for the next.
    drop(profile::block(Duration::ZERO).unwrap());
    drop(profile::contention(Duration::MAX).unwrap());
}

/// Profiles begin and end beside a busy program.
fn rounds() {
    let ended = AtomicBool::new(false);
    goroutines::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                while !ended.load(Relaxed) {
                    let (sends, receives) = chan::bounded(1);
                    let sender = go(move || (0..20).try_for_each(|n| sends.send(n)));
                    receives.iter().for_each(drop);
                    sender.join().unwrap().unwrap();
                    sleep(Duration::from_micros(50));
                }
            });
        }
        for round in 0..30 {
            let rate = Duration::from_micros([0, 1, 100][round % 3]);
            let profile = profile::block(rate).unwrap();
            sleep(Duration::from_millis(5));
            let profile = profile.stop();
            for sample in profile.samples() {
                assert_eq!(
                    sample.end(),
                    StackEnd::Begin,
                    "{:#?}",
                    profile.frames(sample)
                );
            }
        }
        ended.store(true, Relaxed);
    });
}
