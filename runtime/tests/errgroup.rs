//! Error groups: the first error stops the others, and all have ended when the scope does.

mod common;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
    time::Duration,
};

use common::{Census, On, settle, until};
use goroutines::{chan, context::Context, errgroup, sync::Mutex, yield_now};

const SIDES: [On; 2] = [On::Goroutine, On::Thread];
const LONG: Duration = Duration::from_secs(3600);

fn start() {
    common::start(2);
}

fn text(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .unwrap_or("another payload")
}

#[test]
fn without_an_error_the_scope_returns_its_value_when_all_have_ended() {
    start();
    for on in SIDES {
        on.spawn(|| {
            let mut numbers = vec![0; 50];
            let value = errgroup::scope(|g| {
                for (i, number) in numbers.iter_mut().enumerate() {
                    g.go(move || {
                        yield_now();
                        *number = i;
                        Ok(())
                    });
                }
                Ok::<_, String>("value")
            });
            assert_eq!(value, Ok("value"));
            assert_eq!(numbers, (0..50).collect::<Vec<_>>());
        })
        .join();
    }
    assert_eq!(errgroup::scope(|_| Ok::<_, ()>(1)), Ok(1));
}

#[test]
fn the_first_error_ends_the_waits_of_the_others_and_is_the_result() {
    start();
    let census = Census::new();
    let ended = AtomicU32::new(0);
    let (_tx, rx) = chan::bounded::<u32>(0);
    let (full, _keep) = chan::bounded::<u32>(0);
    let result: Result<(), (&str, common::Counted)> = errgroup::scope(|g| {
        for i in 0..9 {
            let (rx, full, ended, census) = (&rx, &full, &ended, &census);
            let ctx = g.context().clone();
            g.go(move || {
                match i % 3 {
                    0 => assert!(rx.recv().is_err()),
                    1 => assert!(full.send(i).is_err()),
                    _ => goroutines::sleep(LONG),
                }
                assert!(ctx.is_cancelled() && Context::current().is_cancelled());
                ended.fetch_add(1, Ordering::SeqCst);
                Err(("later", census.birth(1)))
            });
        }
        let census = &census;
        g.go(move || {
            settle();
            Err(("first", census.birth(0)))
        });
        Ok(())
    });
    assert_eq!(ended.load(Ordering::SeqCst), 9);
    let (which, counted) = result.unwrap_err();
    assert_eq!((which, counted.id, census.alive()), ("first", 0, 1));
}

#[test]
fn a_panic_is_thrown_again_with_its_payload_after_all_have_ended() {
    start();
    for on in SIDES {
        on.spawn(|| {
            let ended = AtomicU32::new(0);
            let caught = catch_unwind(AssertUnwindSafe(|| {
                errgroup::scope(|g| {
                    g.go(|| {
                        goroutines::sleep(LONG);
                        ended.fetch_add(1, Ordering::SeqCst);
                        Err("an error counts less")
                    });
                    g.go(|| {
                        settle();
                        panic!("in the group")
                    });
                    Ok(())
                })
            }));
            assert_eq!(text(&*caught.unwrap_err()), "in the group");
            assert_eq!(ended.load(Ordering::SeqCst), 1);
        })
        .join();
    }
}

#[test]
fn a_panic_counts_more_than_an_earlier_error() {
    start();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        errgroup::scope(|g| {
            g.go(|| Err("first"));
            g.go(|| {
                goroutines::sleep(LONG);
                panic!("second")
            });
            Ok(())
        })
    }));
    assert_eq!(text(&*caught.unwrap_err()), "second");
}

#[test]
fn a_panic_of_the_body_stops_and_awaits_the_goroutines() {
    start();
    let ended = AtomicU32::new(0);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        errgroup::scope(|g| {
            g.go(|| {
                goroutines::sleep(LONG);
                ended.fetch_add(1, Ordering::SeqCst);
                Ok::<(), ()>(())
            });
            panic!("in the body")
        })
    }));
    let caught = caught.map(|_: Result<(), ()>| ());
    assert_eq!(text(&*caught.unwrap_err()), "in the body");
    assert_eq!(ended.load(Ordering::SeqCst), 1);
}

#[test]
fn no_more_than_the_limit_run_at_once_and_all_run() {
    start();
    for limit in [1, 3] {
        let (running, most, all) = (
            AtomicUsize::new(0),
            AtomicUsize::new(0),
            AtomicUsize::new(0),
        );
        let result: Result<(), ()> = errgroup::scope(|g| {
            g.limit(limit);
            for _ in 0..100 {
                g.go(|| {
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    // The first ones wait for each other, so as many as allowed do run at once.
                    while most.load(Ordering::SeqCst) < limit {
                        yield_now();
                    }
                    yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                    all.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                });
            }
            Ok(())
        });
        assert_eq!(result, Ok(()));
        assert_eq!(
            (most.load(Ordering::SeqCst), all.load(Ordering::SeqCst)),
            (limit, 100)
        );
    }
}

#[test]
fn try_go_starts_only_below_the_limit() {
    start();
    let (tx, rx) = chan::bounded::<()>(0);
    let result = errgroup::scope(|g| {
        assert!(g.try_go(|| Ok::<(), ()>(())), "without a limit always");
        let inner = errgroup::scope(|g| {
            g.limit(2);
            assert!(g.try_go(|| rx.recv().map_err(drop)));
            assert!(g.try_go(|| rx.recv().map_err(drop)));
            assert!(!g.try_go(|| unreachable!("there is no place")));
            tx.send(()).unwrap();
            until(|| g.try_go(|| Ok(())));
            tx.send(()).unwrap();
            Ok(())
        });
        assert_eq!(inner, Ok(()));
        Ok(())
    });
    assert_eq!(result, Ok(()));
}

#[test]
fn a_place_is_given_back_by_a_panic_and_waited_for_when_the_context_is_done() {
    start();
    let ran = AtomicU32::new(0);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        errgroup::scope(|g| {
            g.limit(1);
            g.go(|| panic!("the only place"));
            for _ in 0..3 {
                g.go(|| {
                    ran.fetch_add(1, Ordering::SeqCst);
                    Ok::<(), ()>(())
                });
            }
            Ok(())
        })
    }));
    assert_eq!(text(&*caught.unwrap_err()), "the only place");
    assert_eq!(ran.load(Ordering::SeqCst), 3);
}

#[test]
fn limits_that_cannot_be_are_refused() {
    start();
    for (limits, message) in [(&[0][..], "allow at least 1"), (&[1, 2], "a limit already")] {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            errgroup::scope(|g: &errgroup::Group<'_, '_, ()>| {
                limits.iter().for_each(|&n| g.limit(n));
                Ok(())
            })
        }));
        let payload = caught.unwrap_err();
        let text = payload
            .downcast_ref::<String>()
            .map_or_else(|| text(&*payload), String::as_str);
        assert!(text.contains(message), "{text}");
    }
}

#[test]
fn a_group_stops_with_the_context_of_its_caller() {
    start();
    let (ctx, canceller) = Context::background().with_cancel();
    let (_tx, rx) = chan::bounded::<u32>(0);
    let (ready, waits) = chan::bounded(1);
    let group = goroutines::go(move || {
        ctx.run(|| {
            errgroup::scope(|g| {
                g.go(|| {
                    ready.send(()).unwrap();
                    rx.recv().map(drop)
                });
                Ok(())
            })
        })
    });
    waits.recv().unwrap();
    settle();
    assert!(!group.is_finished());
    canceller.cancel();
    assert!(group.join().unwrap().is_err());
}

#[test]
fn errors_may_borrow_and_groups_nest() {
    start();
    let names = ["one".to_owned(), "two".to_owned()];
    let log = Mutex::new(Vec::new());
    let result = errgroup::scope(|outer| {
        outer.go(|| {
            errgroup::scope(|inner| {
                inner.go(|| {
                    log.lock().unwrap().push("inner");
                    Err(names[1].as_str())
                });
                Ok(())
            })
        });
        Ok(())
    });
    assert_eq!(result, Err("two"));
    assert_eq!(*log.lock().unwrap(), ["inner"]);
}

#[test]
fn what_has_the_group_s_context_stops_when_the_scope_ends() {
    start();
    let escaped = errgroup::scope(|g| {
        g.go(|| Ok::<(), ()>(()));
        Ok(g.context().clone())
    });
    assert!(escaped.unwrap().is_cancelled());
}

/// Panics with its number when it is dropped, unless that is 0.
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            std::panic::panic_any(self.0);
        }
    }
}

fn panic_of<T>(f: impl FnOnce() -> T) -> Option<u32> {
    let payload = catch_unwind(AssertUnwindSafe(f)).err()?;
    Some(*payload.downcast::<u32>().expect("a bomb's number"))
}

#[test]
fn a_later_error_whose_destructor_panics_comes_out_with_its_own_payload() {
    start();
    for on in SIDES {
        on.spawn(|| {
            let got = panic_of(|| {
                errgroup::scope(|g| {
                    g.go(|| Err(Bomb(0)));
                    g.go(|| {
                        goroutines::sleep(LONG);
                        Err(Bomb(2))
                    });
                    Ok(())
                })
            });
            assert_eq!(got, Some(2));
        })
        .join();
    }
}

#[test]
fn an_error_that_a_panic_displaces_may_panic_too() {
    start();
    // The panic of the goroutine came first, and counts.
    let caught = catch_unwind(|| {
        errgroup::scope(|g| {
            g.go(|| Err(Bomb(1)));
            g.go(|| {
                goroutines::sleep(LONG);
                panic!("in the group")
            });
            Ok(())
        })
    });
    assert_eq!(text(&*caught.map(drop).unwrap_err()), "in the group");
}

#[test]
fn a_panic_s_payload_may_panic_when_it_is_dropped() {
    start();
    let caught = catch_unwind(|| {
        errgroup::scope(|g| {
            g.go(|| -> Result<(), ()> { panic!("first") });
            g.go(|| {
                goroutines::sleep(LONG);
                std::panic::panic_any(Bomb(1))
            });
            Ok(())
        })
    });
    assert_eq!(text(&*caught.unwrap_err()), "first");
}

#[test]
fn a_value_that_is_not_returned_may_panic_when_it_is_dropped() {
    start();
    let fail = |error: fn() -> Result<(), Bomb>| {
        panic_of(move || {
            errgroup::scope(|g| {
                g.go(error);
                Ok(Bomb(1))
            })
        })
    };
    assert_eq!(fail(|| Err(Bomb(0))), Some(1));
    assert_eq!(fail(|| Err(Bomb(2))), Some(1));
    assert_eq!(fail(|| std::panic::panic_any(3_u32)), Some(3));
}

#[test]
fn the_body_s_panic_comes_out_whatever_is_dropped_for_it() {
    start();
    let caught = catch_unwind(|| {
        errgroup::scope(|g| -> Result<(), Bomb> {
            g.go(|| Err(Bomb(1)));
            settle();
            panic!("in the body")
        })
    });
    assert_eq!(text(&*caught.map(drop).unwrap_err()), "in the body");
}

#[test]
fn an_error_of_the_body_stops_the_goroutines_and_is_the_result() {
    start();
    let ended = AtomicU32::new(0);
    let result = errgroup::scope(|g| {
        g.go(|| {
            goroutines::sleep(LONG);
            ended.fetch_add(1, Ordering::SeqCst);
            Err("later".parse::<u32>().unwrap_err())
        });
        let n: u32 = "no number".parse()?;
        Ok(n)
    });
    assert!(result.is_err());
    assert_eq!(ended.load(Ordering::SeqCst), 1);
    let result: Result<u32, std::num::ParseIntError> = errgroup::scope(|g| {
        g.go(|| "no number".parse::<u32>().map(drop));
        "5".parse::<u32>()
    });
    assert!(result.is_err());
    let result: Result<u32, std::num::ParseIntError> = errgroup::scope(|g| {
        g.go(|| "6".parse::<u32>().map(drop));
        "5".parse::<u32>()
    });
    assert_eq!(result, Ok(5));
}

#[derive(Debug, PartialEq)]
struct Own(String);

impl From<std::num::ParseIntError> for Own {
    fn from(error: std::num::ParseIntError) -> Own {
        Own(error.to_string())
    }
}

/// No type is written but that of the function.
fn sum(texts: &[&str]) -> Result<u32, Own> {
    let total = Mutex::new(0);
    let factor = errgroup::scope(|g| {
        let Some((first, rest)) = texts.split_first() else {
            return Err(Own("no number".to_owned()));
        };
        let factor: u32 = first.parse()?;
        for text in rest {
            g.go(|| {
                *total.lock().unwrap() += text.parse::<u32>()?;
                Ok(())
            });
        }
        Ok(factor)
    })?;
    Ok(factor * total.into_inner().unwrap())
}

#[test]
fn question_marks_and_early_errors_of_the_body_need_no_annotation_and_the_result_has_one_layer() {
    start();
    assert_eq!(sum(&["10", "2", "3"]), Ok(50));
    assert_eq!(sum(&[]), Err(Own("no number".to_owned())));
    assert!(sum(&["ten", "2"]).is_err() && sum(&["10", "two"]).is_err());
}
