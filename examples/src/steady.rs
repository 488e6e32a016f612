//! Workers that outlive their server.

use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use goroutines::{
    sleep,
    sync::{Mutex, PoisonError},
    thread,
};

use crate::{on_stop, say};

/// How long a worker waits after a failure: so much, twice as much after the next one, and so on.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What the workers have come to.
struct Board {
    /// Those that have worked since the last failure.
    working: Vec<bool>,
    is_steady: bool,
}

/// Repeats `step` in `workers` goroutines until SIGTERM, and returns how many steps were made.
///
/// Each worker has what `connect` returns until a step fails, and connects again then. It makes a step that failed again,
/// since nobody knows how far that came: a step that was made twice must be as one that was made once. The numbers of
/// the worker and the step say which step it is.
///
/// Says on stdout: `steady` once all work; `lost: ` and the reason at the first failure after that; `steady` again.
pub fn steady<C, E: Display>(
    workers: usize,
    connect: impl Fn() -> Result<C, E> + Sync,
    step: impl Fn(&mut C, usize, u64) -> Result<(), E> + Sync,
) -> u64 {
    let stops = Arc::new(AtomicBool::new(false));
    on_stop({
        let stops = stops.clone();
        move || stops.store(true, Ordering::Relaxed)
    });
    let made = AtomicU64::new(0);
    let board = Mutex::new(Board {
        working: vec![false; workers],
        is_steady: false,
    });
    let work = |worker| {
        let (mut client, mut number, mut pause) = (None, 0, PAUSE);
        loop {
            let result = client.take().map_or_else(&connect, Ok);
            let result = result.and_then(|mut client| {
                step(&mut client, worker, number)?;
                Ok(client)
            });
            tell(&board, worker, result.as_ref().err());
            match result {
                Ok(same) => {
                    client = Some(same);
                    number += 1;
                    made.fetch_add(1, Ordering::Relaxed);
                    pause = PAUSE;
                    // Only after a success: a step that failed may have been made all the same, and is not counted yet.
                    if stops.load(Ordering::Relaxed) {
                        break;
                    }
                }
                Err(_) => {
                    sleep(pause);
                    pause = LONGEST_PAUSE.min(pause * 2);
                }
            }
        }
    };
    thread::scope(|scope| {
        for worker in 0..workers {
            scope.spawn(move || work(worker));
        }
    });
    made.into_inner()
}

fn tell<E: Display>(board: &Mutex<Board>, worker: usize, failure: Option<&E>) {
    let mut board = board.lock().unwrap_or_else(PoisonError::into_inner);
    match failure {
        None => {
            board.working[worker] = true;
            if !board.is_steady && board.working.iter().all(|&works| works) {
                board.is_steady = true;
                say(format_args!("steady"));
            }
        }
        Some(error) => {
            if board.is_steady {
                say(format_args!("lost: {error}"));
            }
            board.is_steady = false;
            board.working.fill(false);
        }
    }
}
