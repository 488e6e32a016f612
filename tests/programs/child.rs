//! One case per argument; most of them die, and tests/failure/crash.rs looks at how.

use std::{
    env, hint, io,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use goroutines::{Builder, Config, chan, go, goroutine_local, grow, sleep, yield_now};

fn main() -> ExitCode {
    let case = env::args().nth(1).unwrap_or_default();
    match case.as_str() {
        "overflow" => overflow(Builder::new()),
        "overflow-named" => {
            overflow(Builder::new().name("deep".to_owned()).stack_size(1 << 20));
        }
        "overflow-of-a-thread" => overflow_of_a_thread(),
        "overflow-on-a-segment" => overflow_on_a_segment(),
        "overflow-of-a-thread-on-a-segment" => overflow_of_a_thread_on_a_segment(),
        "overflow-without-end" => overflow_without_end(),
        "grow-at-the-end-of-a-thread" => grow_at_the_end_of_a_thread(),
        "grow-without-address-space" => grow_without_address_space(),
        "wild-pointer" => wild_pointer(),
        "go-before-start" => {
            go(|| ());
        }
        "start-twice" => {
            start(1);
            report(start_result(1));
        }
        "start" => report(start_result_default()),
        "overflow-of-the-default" => {
            report(start_result_default());
            let deep = go(|| recurse(0));
            println!("returned {:?}", deep.join().is_ok());
        }
        "recover-after-bad-start" => {
            report(start_result(0));
            report(start_result(2));
            println!("joined {}", go(|| 7).join().unwrap());
        }
        "no-address-space" => no_address_space(),
        "no-guards" => no_guards(),
        "double-panic" => double_panic(),
        "unjoined-result-panics" => unjoined_result_panics(),
        "local-panics-in-drop" => local_panics_in_drop(),
        "main-returns" => main_returns(),
        "park-while-unwinding" => park_while_unwinding(),
        other => {
            eprintln!("child: no case `{other}`");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn start_result(procs: usize) -> Result<(), goroutines::StartError> {
    // SAFETY: the cases keep no thread-local storage over a call that can park.
    unsafe { Config::new().procs(procs).start() }
}

fn start_result_default() -> Result<(), goroutines::StartError> {
    // SAFETY: as above.
    unsafe { goroutines::start() }
}

fn start(procs: usize) {
    start_result(procs).expect("the runtime starts");
}

fn report(result: Result<(), goroutines::StartError>) {
    match result {
        Ok(()) => println!("Ok"),
        Err(error) => println!("Err: {error}"),
    }
}

/// Recurses for ever, in frames that the compiler cannot fold away.
fn recurse(depth: u64) -> u64 {
    let frame = hint::black_box([depth; 16]);
    if depth == u64::MAX {
        return 0;
    }
    recurse(depth + 1) + frame[(depth % 16) as usize]
}

fn overflow(builder: Builder) {
    start(1);
    let deep = builder.spawn(|| recurse(0)).unwrap();
    println!("returned {:?}", deep.join().is_ok());
}

fn overflow_of_a_thread() {
    start(1);
    go(|| ()).join().unwrap();
    let deep = thread::Builder::new()
        .name("plain".to_owned())
        .stack_size(128 << 10)
        .spawn(|| recurse(0))
        .unwrap();
    println!("returned {:?}", deep.join().is_ok());
}

/// More than the stacks have from which this is called.
const ONTO_A_SEGMENT: usize = 600 << 10;

fn overflow_on_a_segment() {
    start(1);
    let builder = Builder::new().name("deep".to_owned());
    let deep = builder
        .stack_size(256 << 10)
        .spawn(|| grow(ONTO_A_SEGMENT, || recurse(0)));
    println!("returned {:?}", deep.unwrap().join().is_ok());
}

fn overflow_of_a_thread_on_a_segment() {
    let deep = thread::Builder::new()
        .name("plain".to_owned())
        .stack_size(128 << 10)
        .spawn(|| grow(ONTO_A_SEGMENT, || recurse(0)))
        .unwrap();
    println!("returned {:?}", deep.join().is_ok());
}

/// Recurses for ever through `grow`; large frames, so that the end comes soon.
#[goroutines::grow]
fn recurse_and_grow(depth: u64) -> u64 {
    let frame = hint::black_box([0_u8; 16 << 10]);
    recurse_and_grow(depth + 1) + u64::from(frame[(depth % 16) as usize])
}

fn overflow_without_end() {
    start(1);
    println!("returned {}", go(|| recurse_and_grow(0)).join().is_ok());
}

/// Grows in a destructor of the thread's storage, when std has taken its signal stack away already.
struct GrowsInDrop;

impl Drop for GrowsInDrop {
    fn drop(&mut self) {
        println!("in a destructor: {}", grow(ONTO_A_SEGMENT, || 1 + 1));
    }
}

thread_local! {
    static AT_THE_END: GrowsInDrop = const { GrowsInDrop };
}

fn grow_at_the_end_of_a_thread() {
    for _ in 0..2 {
        let plain = thread::Builder::new()
            .stack_size(128 << 10)
            .spawn(|| {
                AT_THE_END.with(|_| ());
                grow(ONTO_A_SEGMENT, || hint::black_box(()));
            })
            .unwrap();
        plain.join().unwrap();
    }
}

fn grow_without_address_space() {
    start(1);
    go(|| ()).join().unwrap();
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    // Room for whatever the allocator wants, and not for a window of a gibibyte.
    let bytes = pages * 4096 + (512 << 20);
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    // SAFETY: `limit` is a valid rlimit for the call.
    let refused = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
    assert_eq!(refused, 0);
    let failed = go(|| grow(100 << 20, || ())).join().unwrap_err();
    println!("{}", failed.downcast_ref::<String>().unwrap());
    println!("went on with {}", go(|| 7).join().unwrap());
}

fn wild_pointer() {
    start(1);
    let wild = go(|| {
        let address = hint::black_box(0x10_usize) as *const u8;
        // SAFETY: there is none; that is what this case is about.
        unsafe { address.read_volatile() }
    });
    println!("returned {:?}", wild.join().is_ok());
}

/// Uses up the address space with goroutines that stay; then releases them and continues.
fn no_address_space() {
    let limit = libc::rlimit {
        rlim_cur: 8 << 30,
        rlim_max: 8 << 30,
    };
    // SAFETY: `limit` is a valid rlimit for the call.
    let limited = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
    assert_eq!(limited, 0);
    start(1);
    let release = Arc::new(AtomicBool::new(false));
    let ran = Arc::new(AtomicUsize::new(0));
    let mut handles = Vec::new();
    let error: io::Error = loop {
        let (release, ran) = (release.clone(), ran.clone());
        let body = move || {
            // Acquire: partner is the store below.
            while !release.load(Ordering::Acquire) {
                sleep(Duration::from_millis(20));
            }
            // Relaxed: read after the joins.
            ran.fetch_add(1, Ordering::Relaxed);
        };
        match Builder::new().spawn(body) {
            Ok(handle) => handles.push(handle),
            Err(error) => break error,
        }
        assert!(handles.len() < 1_000_000, "8 GiB never ran out");
    };
    println!("Err: {error}");
    // Release: partner is the load in the goroutines.
    release.store(true, Ordering::Release);
    let made = handles.len();
    for handle in handles {
        handle.join().unwrap();
    }
    // Relaxed: the joins order it.
    assert_eq!(ran.load(Ordering::Relaxed), made);
    // What they held is there for others.
    for _ in 0..made {
        go(|| ()).join().unwrap();
    }
    println!("went on after {}", if made > 1000 { "many" } else { "few" });
}

/// Parks goroutines until one cannot be made; then releases them and continues.
fn no_guards() {
    start(2);
    let (gate, closed) = chan::bounded::<()>(0);
    let mut handles = Vec::with_capacity(100_000);
    let error = loop {
        let closed = closed.clone();
        match Builder::new().spawn(move || closed.recv().is_err()) {
            Ok(handle) => handles.push(handle),
            Err(error) => break error,
        }
        assert!(handles.len() < 100_000, "nothing ran out");
    };
    println!("Err: {error}");
    println!("{} goroutines", handles.len());
    // Those that are there run on, deep into their stacks.
    drop(gate);
    assert!(handles.into_iter().all(|handle| handle.join().unwrap()));
    let again: Vec<_> = (0..30_000)
        .map(|i| go(move || recurse_to(100, i as u64)))
        .collect();
    assert!(
        again
            .into_iter()
            .enumerate()
            .all(|(i, one)| one.join().unwrap() == i as u64 + 100)
    );
    println!("went on");
}

/// Recurses `depth` deep.
fn recurse_to(depth: u64, value: u64) -> u64 {
    let frame = hint::black_box([value; 16]);
    if depth == 0 {
        return value;
    }
    recurse_to(depth - 1, value) + 1 + frame[3] - value
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("second");
    }
}

fn double_panic() {
    start(1);
    let doubly = go(|| {
        let _second = PanicsInDrop;
        panic!("first");
    });
    println!("returned {:?}", doubly.join().is_ok());
}

fn local_panics_in_drop() {
    start(1);
    goroutine_local!(static LOCAL: PanicsInDrop = const { PanicsInDrop });
    let joined = go(|| LOCAL.with(|_| ())).join();
    println!("still here: {}", joined.is_ok());
}

fn unjoined_result_panics() {
    start(1);
    let go_on = Arc::new(AtomicBool::new(false));
    let seen = go_on.clone();
    drop(go(move || {
        // Acquire: partner is the store below; the handle is gone by then.
        while !seen.load(Ordering::Acquire) {
            yield_now();
        }
        PanicsInDrop
    }));
    // Release: partner is the load above.
    go_on.store(true, Ordering::Release);
    thread::sleep(Duration::from_secs(20));
    println!("still here");
}

fn main_returns() {
    start(2);
    for _ in 0..10 {
        go(|| sleep(Duration::from_secs(3600)));
    }
    go(|| {
        loop {
            yield_now();
        }
    });
    println!("main returns");
}

/// Waits for a goroutine in a destructor, while unwinding.
struct JoinsInDrop(Option<goroutines::JoinHandle<u32>>, Arc<AtomicUsize>);

impl Drop for JoinsInDrop {
    fn drop(&mut self) {
        assert!(thread::panicking());
        sleep(Duration::from_millis(5));
        let value = self.0.take().map(|handle| handle.join().unwrap());
        // Relaxed: read after a join.
        self.1.store(value.unwrap_or(0) as usize, Ordering::Relaxed);
        assert!(thread::panicking());
    }
}

fn park_while_unwinding() {
    start(1);
    let seen = Arc::new(AtomicUsize::new(0));
    let in_drop = seen.clone();
    let failed = go(move || {
        let slow = go(|| {
            // Another goroutine panics and catches meanwhile, on any thread.
            for _ in 0..100 {
                assert!(!thread::panicking());
                assert!(go(|| panic!("inner")).join().is_err());
                yield_now();
            }
            42
        });
        let _guard = JoinsInDrop(Some(slow), in_drop);
        panic!("outer");
    });
    let payload = failed.join().unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"outer"));
    // Relaxed: the join orders it.
    assert_eq!(seen.load(Ordering::Relaxed), 42);
    assert!(
        go(thread::panicking)
            .join()
            .is_ok_and(|panicking| !panicking)
    );
    println!("unwound");
}
