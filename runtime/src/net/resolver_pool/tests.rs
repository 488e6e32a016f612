use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use goroutines_sched::WaitReason;

use super::{super::resolve::ask, *};
use crate::{chan::unbounded, context::Context, go, time::sleep};

fn in_goroutine<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    crate::net::start_for_tests();
    go(f).join().unwrap()
}

const ADDR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Lookups that last until they are released.
struct Gate {
    begun: Receiver<String>,
    let_go: chan::Sender<()>,
    calls: &'static AtomicUsize,
}

fn gated(idle: Duration) -> (&'static Pool, Gate) {
    let (say, begun) = unbounded();
    let (let_go, wait) = unbounded::<()>();
    let calls: &'static AtomicUsize = Box::leak(Box::default());
    let look_up = move |host: &str| {
        calls.fetch_add(1, Ordering::Relaxed);
        let _ = say.send(host.to_owned());
        let _ = wait.recv();
        match host {
            "no.such.name" => Err(io::Error::new(io::ErrorKind::NotFound, "no such name")),
            "panics" => panic!("as the test wants it"),
            _ => Ok(vec![ADDR]),
        }
    };
    let pool = Box::leak(Box::new(Pool::with_idle(
        Box::leak(Box::new(look_up)),
        idle,
    )));
    let gate = Gate {
        begun,
        let_go,
        calls,
    };
    (pool, gate)
}

fn forever() -> Context {
    Context::background()
}

#[test]
fn a_call_for_a_name_in_flight_shares_its_lookup() {
    in_goroutine(|| {
        let (pool, gate) = gated(IDLE);
        let askers: Vec<_> = (0..50)
            .map(|_| go(move || ask(pool, "a.example", &forever()).unwrap()))
            .collect();
        assert_eq!(gate.begun.recv().unwrap(), "a.example");
        let (say, waiter) = unbounded();
        go(move || {
            say.send(goroutines_sched::current()).unwrap();
            ask(pool, "a.example", &forever())
        });
        sleep(Duration::from_millis(20));
        let waiter = waiter.recv().unwrap();
        assert_eq!(waiter.wait_reason(), Some(WaitReason::Lookup));
        gate.let_go.send(()).unwrap();
        for asker in askers {
            assert_eq!(asker.join().unwrap(), [ADDR]);
        }
        assert_eq!(gate.calls.load(Ordering::Relaxed), 1);
        // Later on it is looked up anew.
        gate.let_go.send(()).unwrap();
        ask(pool, "a.example", &forever()).unwrap();
        assert_eq!(gate.calls.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn names_of_one_suffix_leave_half_of_the_threads_to_others() {
    in_goroutine(|| {
        let (pool, gate) = gated(IDLE);
        let slow: Vec<_> = (0..40)
            .map(|n| go(move || ask(pool, &format!("host{n}.slow.example"), &forever()).unwrap()))
            .collect();
        for _ in 0..SHARE {
            assert!(gate.begun.recv().unwrap().ends_with("slow.example"));
        }
        sleep(Duration::from_millis(20));
        assert!(gate.begun.is_empty());
        assert_eq!(pool.threads(), SHARE);
        // Each of a domain of its own: as many as there are threads left.
        let others: Vec<_> = (0..20)
            .map(|n| go(move || ask(pool, &format!("www.other{n}.example"), &forever()).unwrap()))
            .collect();
        for _ in SHARE..THREADS {
            assert!(gate.begun.recv().unwrap().starts_with("www.other"));
        }
        sleep(Duration::from_millis(20));
        assert!(gate.begun.is_empty());
        assert_eq!(pool.threads(), THREADS);
        for _ in 0..60 {
            gate.let_go.send(()).unwrap();
        }
        for asker in slow.into_iter().chain(others) {
            assert_eq!(asker.join().unwrap(), [ADDR]);
        }
        assert_eq!(gate.calls.load(Ordering::Relaxed), 60);
        let state = pool.lock();
        assert!(state.suffixes.is_empty() && state.in_flight.is_empty() && state.ready.is_empty());
    });
}

#[test]
fn a_deadline_abandons_a_lookup_which_others_still_get() {
    in_goroutine(|| {
        let (pool, gate) = gated(IDLE);
        let patient = go(move || ask(pool, "slow", &forever()).unwrap());
        gate.begun.recv().unwrap();
        let (ctx, _) = Context::background().with_timeout(Duration::from_millis(10));
        let begin = Instant::now();
        let error = ask(pool, "slow", &ctx).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begin.elapsed() >= Duration::from_millis(10));
        // A call whose time is up already begins no lookup.
        assert!(ask(pool, "another", &ctx).is_err());

        let (ctx, canceller) = Context::background().with_cancel();
        let cancelled = go(move || ask(pool, "slow", &ctx).unwrap_err());
        sleep(Duration::from_millis(5));
        canceller.cancel();
        let error = cancelled.join().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(error.to_string(), "context cancelled");

        gate.let_go.send(()).unwrap();
        assert_eq!(patient.join().unwrap(), [ADDR]);
        assert_eq!(gate.calls.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn threads_end_when_there_is_nothing_to_do() {
    in_goroutine(|| {
        let (pool, gate) = gated(Duration::from_millis(20));
        for _ in 0..3 {
            gate.let_go.send(()).unwrap();
            ask(pool, "a", &forever()).unwrap();
            assert!(pool.threads() <= 1);
            let end = Instant::now() + Duration::from_secs(60);
            while pool.threads() != 0 {
                assert!(Instant::now() < end);
                sleep(Duration::from_millis(5));
            }
        }
    });
}

#[test]
fn all_that_asked_get_the_error() {
    in_goroutine(|| {
        let (pool, gate) = gated(IDLE);
        for (host, kind) in [
            ("no.such.name", io::ErrorKind::NotFound),
            ("panics", io::ErrorKind::Other),
        ] {
            let askers: Vec<_> = (0..3)
                .map(|_| go(move || ask(pool, host, &forever()).unwrap_err()))
                .collect();
            gate.begun.recv().unwrap();
            sleep(Duration::from_millis(20));
            gate.let_go.send(()).unwrap();
            for asker in askers {
                assert_eq!(asker.join().unwrap().kind(), kind);
            }
        }
    });
}

#[test]
fn the_suffix_is_the_last_two_labels() {
    for (host, end) in [
        ("localhost", "localhost"),
        ("example.com", "example.com"),
        ("www.example.com", "example.com"),
        ("a.b.c.example.com.", "example.com"),
        ("", ""),
    ] {
        assert_eq!(suffix(host), end);
    }
}
