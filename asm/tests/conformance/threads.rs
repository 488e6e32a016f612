//! Threads: a context resumes on another, and finds that thread's word.

use crate::fiber::Fiber;
use goroutines_asm::{set_thread_word, thread_word};
use std::thread;

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
