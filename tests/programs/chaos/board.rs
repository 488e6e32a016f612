//! The board: which actors there are, at which step, since when. And the watchdog that reads it.
//!
//! Each actor has a slot. It writes its step there with [`Actor::at`]: a text and the line of the source. A slot's
//! lock is the actor's own but for the watchdog's looks, so it orders nothing between actors.

use std::{
    fmt::Write as _,
    fs,
    panic::Location,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use goroutines_tests::Dice;

use crate::{crew::Kind, scenes::SCENES, settings::settings};

const SLOTS: usize = 8192;

/// What an actor last said.
#[derive(Clone, Copy)]
struct Record {
    role: &'static str,
    number: usize,
    kind: Kind,
    /// The slot of the actor that hired it.
    by: usize,
    step: &'static str,
    place: &'static Location<'static>,
    since: Instant,
    /// The thread that it said it on.
    thread: i32,
}

struct Slot(Mutex<Option<Record>>);

static BOARD: [Slot; SLOTS] = [const { Slot(Mutex::new(None)) }; SLOTS];

/// Where the next free slot is looked for.
static CURSOR: AtomicUsize = AtomicUsize::new(1);

/// The round that is played, for the reports.
pub static ROUND: AtomicUsize = AtomicUsize::new(0);

/// How often each scene was played.
pub static PLAYED: [AtomicUsize; SCENES.len()] = [const { AtomicUsize::new(0) }; SCENES.len()];

impl Slot {
    fn record(&self) -> MutexGuard<'_, Option<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An actor: its place on the board, and its dice.
pub struct Actor {
    slot: usize,
    pub kind: Kind,
    pub dice: Dice,
}

impl Actor {
    /// An actor that was hired by the one in slot `by`; 0 for none.
    #[track_caller]
    pub fn new(role: &'static str, number: usize, kind: Kind, by: usize, dice: Dice) -> Actor {
        let record = Record {
            role,
            number,
            kind,
            by,
            step: "begins",
            place: Location::caller(),
            since: Instant::now(),
            thread: thread_id(),
        };
        // Relaxed: it does not matter where the search begins.
        let start = CURSOR.fetch_add(1, Ordering::Relaxed);
        for slot in (start..start + SLOTS)
            .map(|n| n % SLOTS)
            .filter(|&n| n != 0)
        {
            let mut place = BOARD[slot].record();
            if place.is_none() {
                *place = Some(record);
                drop(place);
                return Actor { slot, kind, dice };
            }
        }
        panic!("more than {SLOTS} actors at a time");
    }

    /// Says what it does next.
    #[track_caller]
    pub fn at(&self, step: &'static str) {
        let place = Location::caller();
        if let Some(record) = &mut *BOARD[self.slot].record() {
            record.step = step;
            record.place = place;
            record.since = Instant::now();
            record.thread = thread_id();
        }
    }

    pub fn slot(&self) -> usize {
        self.slot
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        *BOARD[self.slot].record() = None;
    }
}

/// The kernel's number of this thread.
pub fn thread_id() -> i32 {
    // SAFETY: without arguments.
    unsafe { libc::gettid() }
}

/// How many actors there are.
pub fn actors() -> usize {
    BOARD.iter().filter(|slot| slot.record().is_some()).count()
}

/// Starts the watchdog.
pub fn watch() {
    let watchdog = || {
        loop {
            thread::sleep(Duration::from_millis(200));
            let old = settings().patience;
            let stuck = |slot: &Slot| slot.record().is_some_and(|r| r.since.elapsed() > old);
            if BOARD.iter().any(stuck) {
                end("STUCK", 3);
            }
        }
    };
    let builder = thread::Builder::new().name("watchdog".to_owned());
    builder.spawn(watchdog).expect("the watchdog starts");
}

/// A promise was broken: ends the process.
pub fn broken(what: &str) -> ! {
    end(&format!("BROKEN: {what}"), 4)
}

/// Reports, and ends the process. A second caller waits for the end.
fn end(what: &str, status: i32) -> ! {
    static ENDING: AtomicBool = AtomicBool::new(false);
    // Relaxed: only the order of the callers matters.
    if ENDING.swap(true, Ordering::Relaxed) {
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    }
    let settings = settings();
    // Relaxed: a number for the report.
    let round = ROUND.load(Ordering::Relaxed);
    say(&format!(
        "chaos: {what}\nchaos: mode {}, seed {}, round {round}\n",
        settings.mode.name, settings.seed
    ));
    say(&actors_now());
    say(&threads_now());
    say(&format!("{:#?}\n", goroutines::metrics()));
    if settings.hold && status == 3 {
        say(&format!("chaos: process {} stays\n", std::process::id()));
        thread::sleep(Duration::from_secs(600));
    }
    // SAFETY: ends the process. Nothing of the runtime, which may be stuck, runs at its end.
    unsafe { libc::_exit(status) }
}

/// To standard error, past its lock.
fn say(text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        // SAFETY: `rest` is live.
        let written = unsafe { libc::write(2, rest.as_ptr().cast(), rest.len()) };
        if written <= 0 {
            return;
        }
        rest = &rest[written as usize..];
    }
}

/// All actors, the one first that has not moved for longest.
fn actors_now() -> String {
    let mut all: Vec<(usize, Record)> = (0..SLOTS)
        .filter_map(|n| BOARD[n].record().map(|record| (n, record)))
        .collect();
    all.sort_by_key(|(_, record)| record.since);
    let mut text = format!("chaos: {} actors:\n", all.len());
    for (slot, record) in all {
        let _ = writeln!(
            text,
            "  #{slot} {} {} ({:?}, of #{}) for {:?}: {} [{}:{}, thread {}]",
            record.role,
            record.number,
            record.kind,
            record.by,
            record.since.elapsed(),
            record.step,
            record.place.file(),
            record.place.line(),
            record.thread
        );
    }
    text
}

/// The threads of the process, as the kernel sees them.
fn threads_now() -> String {
    let mut text = "chaos: threads (state, name, system call):\n".to_owned();
    for task in fs::read_dir("/proc/self/task").into_iter().flatten() {
        let Ok(task) = task else { continue };
        let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let status = read("status");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let _ = writeln!(
            text,
            "  {} {} {} | {}",
            task.file_name().to_string_lossy(),
            field("State:"),
            field("Name:"),
            read("syscall").trim()
        );
    }
    text
}
