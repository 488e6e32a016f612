//! One case per argument; most of them die, and tests/crash.rs looks at how.

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

use goroutines::{Builder, Config, go, sleep, yield_now};

fn main() -> ExitCode {
    let case = env::args().nth(1).unwrap_or_default();
    match case.as_str() {
        "overflow" => overflow(Builder::new()),
        "overflow-named" => {
            overflow(Builder::new().name("deep".to_owned()).stack_size(1 << 20));
        }
        "overflow-of-a-thread" => overflow_of_a_thread(),
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
        "double-panic" => double_panic(),
        "unjoined-result-panics" => unjoined_result_panics(),
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

fn wild_pointer() {
    start(1);
    let wild = go(|| {
        let address = hint::black_box(0x10_usize) as *const u8;
        // SAFETY: there is none; that is what this case is about.
        unsafe { address.read_volatile() }
    });
    println!("returned {:?}", wild.join().is_ok());
}

/// Uses up the address space with goroutines that stay; then lets go of them and goes on.
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
            // Somebody else panics and catches meanwhile, on whatever thread this is.
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
