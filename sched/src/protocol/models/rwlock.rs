//! The reader-writer lock: a writer is alone, no waiter is left asleep, and a starving waiter is let in.
//!
//! As for the other locks, this is the source that runs: see [`locks`](super::locks).

use std::sync::{
    Arc,
    atomic::{AtomicBool as StdAtomicBool, Ordering::Relaxed},
};

use loom::thread;

use super::{
    explore,
    locks::{Guarded, PREEMPTIONS, door::lose_patience, later, raw::rawrw::RawRw, together},
};

fn read(shared: &Guarded<RawRw>) {
    assert!(shared.lock.read(None).unwrap());
    shared.get();
    // SAFETY: locked above.
    unsafe { shared.lock.unlock_read() };
}

fn write(shared: &Guarded<RawRw>) {
    assert!(shared.lock.write(None));
    shared.add();
    // SAFETY: locked above.
    unsafe { shared.lock.unlock_write() };
}

fn write_and_read(shared: &Guarded<RawRw>) {
    assert!(shared.lock.write(None));
    shared.add();
    let written = shared.get();
    // SAFETY: locked above.
    unsafe { shared.lock.downgrade() };
    assert_eq!(shared.get(), written);
    // SAFETY: a reader since the downgrade.
    unsafe { shared.lock.unlock_read() };
}

fn write_for_a_while(shared: &Guarded<RawRw>) {
    if shared.lock.write(Some(&later())) {
        shared.add();
        // SAFETY: locked above.
        unsafe { shared.lock.unlock_write() };
    }
}

fn read_for_a_while(shared: &Guarded<RawRw>) {
    if shared.lock.read(Some(&later())).unwrap() {
        shared.get();
        // SAFETY: locked above.
        unsafe { shared.lock.unlock_read() };
    }
}

fn rw_is_as_new(shared: &Guarded<RawRw>) {
    assert!(shared.lock.is_new());
    assert!(shared.get() <= 2);
}

#[test]
fn a_writer_is_alone_and_nobody_is_forgotten() {
    together(RawRw::new, &[read, write, read], rw_is_as_new);
    together(RawRw::new, &[write, read, write], |shared| {
        assert_eq!(shared.get(), 2);
        rw_is_as_new(shared);
    });
}

fn read_impatiently(shared: &Guarded<RawRw>) {
    lose_patience();
    read(shared);
}

fn write_impatiently(shared: &Guarded<RawRw>) {
    lose_patience();
    write(shared);
}

fn write_twice(shared: &Guarded<RawRw>) {
    write(shared);
    write(shared);
}

fn read_twice(shared: &Guarded<RawRw>) {
    read(shared);
    read(shared);
}

#[test]
fn a_writer_that_starves_is_let_in_by_readers_and_by_writers() {
    together(
        RawRw::new,
        &[read_twice, write_impatiently, read],
        rw_is_as_new,
    );
    let programs: &[fn(&_)] = &[write_twice, write_impatiently, read_impatiently];
    together(RawRw::new, programs, |shared| {
        assert_eq!(shared.get(), 3);
        assert!(shared.lock.is_new());
    });
}

#[test]
fn readers_that_starve_are_let_in_together() {
    let programs: &[fn(&_)] = &[write_twice, read_impatiently, read_impatiently];
    together(RawRw::new, programs, rw_is_as_new);
}

/// This thread is inside as `access` says; `programs` run, the first of them until it waits and then starves. This
/// thread leaves, and runs `mine`; the lock is as new then.
fn behind_us(reads: bool, programs: &'static [fn(&Guarded<RawRw>)], mine: fn(&Guarded<RawRw>)) {
    explore(Some(PREEMPTIONS), move || {
        let shared = Guarded::new(RawRw::new());
        assert!(if reads {
            shared.lock.read(None).unwrap()
        } else {
            shared.lock.write(None)
        });
        let run = |program: &fn(&Guarded<RawRw>)| {
            let (shared, program) = (Arc::clone(&shared), *program);
            thread::spawn(move || program(&shared))
        };
        let first = run(&programs[0]);
        while !shared.lock.has_waiters() {
            thread::yield_now();
        }
        let others: Vec<_> = programs[1..].iter().map(run).collect();
        shared.lock.starve();
        // SAFETY: locked above.
        unsafe {
            if reads {
                shared.lock.unlock_read();
            } else {
                shared.lock.unlock_write();
            }
        }
        mine(&shared);
        first.join().unwrap();
        others.into_iter().for_each(|one| one.join().unwrap());
        assert!(shared.lock.is_new());
    });
}

/// A lock in a phase is given to those who wait, and taken by nobody: one test each for who waits, so that they run side
/// by side.
macro_rules! given_in_a_phase {
    ($($name:ident: $reads:expr, [$first:expr, $second:expr], $last:expr;)*) => {$(
        #[test]
        fn $name() {
            behind_us($reads, &[$first, $second], $last);
        }
    )*};
}

given_in_a_phase! {
    in_a_phase_a_writer_gives_to_two_writers: false, [write, write], write;
    in_a_phase_a_writer_gives_to_a_reader_that_may_give_up: false, [read_impatiently, write], write;
    in_a_phase_a_reader_gives_to_a_writer_that_may_give_up: true, [write_impatiently, read], read;
    in_a_phase_a_reader_gives_to_two_writers: true, [write, write_for_a_while], write;
    in_a_phase_who_writes_and_reads_takes_from_nobody: false, [write_impatiently, read], write_and_read;
}

/// The last reader leaves while a woken waiter is on its way, and another one starves. The woken waiter may not come
/// in, so the reader sees to both.
#[test]
fn who_leaves_a_phased_lock_does_not_rely_on_who_was_woken() {
    static REACHED: StdAtomicBool = StdAtomicBool::new(false);
    explore(Some(PREEMPTIONS), || {
        let shared = Guarded::new(RawRw::new());
        assert!(shared.lock.write(None));
        let writers = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            let writer = thread::spawn(move || write(&shared));
            thread::yield_now();
            writer
        });
        // SAFETY: locked above.
        unsafe { shared.lock.unlock_write() };
        if shared.lock.try_read() {
            shared.lock.starve();
            if shared.lock.has_waiters() && shared.lock.somebody_was_woken() {
                // Relaxed: only whether it ever happened counts.
                REACHED.store(true, Relaxed);
            }
            shared.get();
            // SAFETY: locked above.
            unsafe { shared.lock.unlock_read() };
        }
        writers.into_iter().for_each(|one| one.join().unwrap());
        rw_is_as_new(&shared);
    });
    assert!(REACHED.load(Relaxed));
}

/// The writer is let in by the last reader, and has never seen the word that the other reader left.
#[test]
fn a_writer_that_is_let_in_comes_after_all_readers() {
    explore(Some(PREEMPTIONS), || {
        let shared = Guarded::new(RawRw::new());
        assert!([(); 2].map(|()| shared.lock.try_read()) == [true; 2]);
        let run = |program: fn(&Guarded<RawRw>)| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || program(&shared))
        };
        let writer = run(write_impatiently);
        while !shared.lock.has_waiters() {
            thread::yield_now();
        }
        shared.lock.starve();
        let reader = run(|shared| {
            shared.get();
            // SAFETY: one of the two that were locked above.
            unsafe { shared.lock.unlock_read() };
        });
        shared.get();
        // SAFETY: the other one.
        unsafe { shared.lock.unlock_read() };
        [writer, reader]
            .into_iter()
            .for_each(|one| one.join().unwrap());
        assert!(shared.lock.is_new());
    });
}

/// A free lock is not owned by a sleeping waiter: in some order the thread that has left it takes it again.
#[test]
fn who_comes_may_overtake_who_was_woken() {
    static OVERTOOK: [StdAtomicBool; 2] = [const { StdAtomicBool::new(false) }; 2];
    let others: [fn(&Guarded<RawRw>); 2] = [read, write];
    for (other, overtook) in others.into_iter().zip(&OVERTOOK) {
        explore(Some(PREEMPTIONS), move || {
            let shared = Guarded::new(RawRw::new());
            assert!(shared.lock.write(None));
            let other = thread::spawn({
                let shared = Arc::clone(&shared);
                move || other(&shared)
            });
            thread::yield_now();
            // SAFETY: locked above.
            unsafe { shared.lock.unlock_write() };
            if shared.lock.try_write() {
                if shared.lock.somebody_was_woken() {
                    // Relaxed: only whether it ever happened counts.
                    overtook.store(true, Relaxed);
                }
                shared.add();
                // SAFETY: locked above.
                unsafe { shared.lock.unlock_write() };
            }
            other.join().unwrap();
            rw_is_as_new(&shared);
        });
        assert!(overtook.load(Relaxed));
    }
}

#[test]
fn a_writer_that_becomes_a_reader_lets_readers_in_and_no_writer() {
    let programs: &[fn(&_)] = &[write_and_read, write, read];
    together(RawRw::new, programs, rw_is_as_new);
    let programs: &[fn(&_)] = &[write_and_read, write_impatiently, read_impatiently];
    together(RawRw::new, programs, rw_is_as_new);
}

#[test]
fn who_gives_up_on_a_reader_writer_lock_holds_nobody_up() {
    together(RawRw::new, &[read, write_for_a_while, read], rw_is_as_new);
    together(RawRw::new, &[write, write_for_a_while, read], rw_is_as_new);
    together(RawRw::new, &[write, read_for_a_while, write], rw_is_as_new);
}

#[test]
fn readers_do_not_wait_for_a_writer_that_has_given_up() {
    explore(Some(PREEMPTIONS), || {
        let shared = Guarded::new(RawRw::new());
        assert!(shared.lock.read(None).unwrap());
        let others = [write_for_a_while, read].map(|program| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || program(&shared))
        });
        // The writer cannot get in, and the other reader can, while this thread is inside.
        others.into_iter().for_each(|one| one.join().unwrap());
        // SAFETY: locked above.
        unsafe { shared.lock.unlock_read() };
        assert_eq!(shared.get(), 0);
        rw_is_as_new(&shared);
    });
}
