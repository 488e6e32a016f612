//! Threads: a context resumes on another, and finds that thread's word; ticks go on, on all of them.

use crate::fiber::Fiber;
use goroutines_asm::{set_thread_word, thread_word, ticks, ticks_are_steady};
use std::{sync::mpsc, thread, time::Instant};

fn thread_id() -> usize {
    // SAFETY: no precondition.
    unsafe { libc::syscall(libc::SYS_gettid) as usize }
}

#[test]
fn resumes_on_another_thread() {
    let mut fiber = Fiber::new(|inside, _| {
        let mut seen = 0;
        // One loop, so that the compiler may keep what it likes from before the switch.
        loop {
            assert_eq!(
                thread_word() as usize,
                thread_id(),
                "the word of the thread we were on before"
            );
            seen += 1;
            if inside.suspend(seen) == 0 {
                return thread_id();
            }
            assert_eq!(
                thread_word() as usize,
                thread_id(),
                "the word of the thread we were on before"
            );
        }
    });
    for round in 1..=20 {
        fiber = thread::spawn(move || {
            assert!(thread_word().is_null(), "the word of a new thread is null");
            set_thread_word(thread_id() as *mut ());
            assert_eq!(fiber.resume(1), round);
            fiber
        })
        .join()
        .expect("the thread's asserts hold");
    }
    let before = thread_word();
    set_thread_word(thread_id() as *mut ());
    assert_eq!(fiber.resume(0), thread_id());
    set_thread_word(before);
}

#[test]
fn thread_words_are_separate() {
    let write = |value: usize| {
        set_thread_word(value as *mut ());
        thread::yield_now();
        assert_eq!(thread_word() as usize, value);
    };
    thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || (1..1000).for_each(|round| write((thread << 16) | round)));
        }
    });
}

#[test]
fn ticks_go_forward_with_the_time() {
    let mut last = ticks();
    for _ in 0..1000 {
        let (first, begin) = (ticks(), Instant::now());
        let mut now = first;
        loop {
            // Until the system's clock has moved; what is read after that is more.
            let has_moved = begin.elapsed().as_micros() >= 10;
            let next = ticks();
            assert!(next >= now, "{next} after {now}");
            now = next;
            if has_moved {
                break;
            }
        }
        assert!(first >= last && now > first, "{last}, {first}, {now}");
        last = now;
    }
    if !ticks_are_steady() {
        return;
    }
    // A message is sent before it is received, on whichever CPUs. They may differ by what a message takes.
    let (there, inbox) = mpsc::channel();
    let (back, answers) = mpsc::channel();
    let echo = thread::spawn(move || {
        while let Ok(sent) = inbox.recv() {
            let now = ticks();
            assert!(now >= sent, "{now} after {sent}");
            back.send(now).expect("the test waits for it");
        }
    });
    for _ in 0..1000 {
        there.send(ticks()).expect("the thread waits for it");
        let sent = answers.recv().expect("the thread answers");
        let now = ticks();
        assert!(now >= sent, "{now} after {sent}");
    }
    drop(there);
    echo.join().expect("its asserts hold");
}
