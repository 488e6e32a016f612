//! Rounds: a crew plays scenes for a while, all are joined, nothing is left; then the quiet part.

use std::{
    panic::PanicHookInfo,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use goroutines::{metrics, set_gomaxprocs, sleep};

use goroutines_tests::Dice;

use crate::{
    board::{self, Actor, PLAYED, ROUND, broken},
    crew::{self, Deliberate, Kind, hire},
    quiet, rough,
    scenes::SCENES,
    settings::{Settings, settings},
};

/// A panic that is no part of the play is a promise that was broken.
fn hook(info: &PanicHookInfo<'_>) {
    if info.payload().is::<Deliberate>() {
        return;
    }
    board::broken(&format!("{info}"));
}

/// The whole run. Ends the process where something is wrong.
pub fn run(settings: Settings) {
    let settings = settings.keep();
    let config = settings.mode.config();
    std::panic::set_hook(Box::new(hook));
    // SAFETY: addresses of thread-locals that are held over parks (locals.rs) are never used after them.
    unsafe { config.start() }.expect("the runtime starts");
    crew::open();
    board::watch();
    println!(
        "chaos: mode {}, seed {}, {:?}",
        settings.mode.name, settings.seed, settings.time
    );
    let mut dice = Dice::new(settings.seed);
    let start = Instant::now();
    let mut me = Actor::new("conductor", 0, Kind::Thread, 0, dice.fork());
    let mut rounds = 0;
    while start.elapsed() < settings.time {
        rounds += 1;
        // Relaxed: a number for the reports.
        ROUND.store(rounds, Ordering::Relaxed);
        me.dice = dice.fork();
        if let Some(fault) = settings.fault {
            fault(&mut me);
        }
        round(&mut me);
        nothing_is_left(&me);
        for _ in 0..me.dice.roll(3) {
            quiet::play(&mut me);
            nothing_is_left(&me);
        }
    }
    if settings.mode.name == "restless" {
        threads_end(&me);
    }
    println!("chaos: {rounds} rounds");
    for (scene, played) in SCENES.iter().zip(&PLAYED) {
        // Relaxed: all actors have been joined.
        println!("  {:14} {}", scene.name, played.load(Ordering::Relaxed));
    }
    println!("chaos: ok");
}

/// One round.
fn round(me: &mut Actor) {
    let over = Arc::new(AtomicBool::new(false));
    let resizes = settings().mode.resizes;
    if resizes {
        me.at("changes the number of Ps before a round");
        set_gomaxprocs(me.dice.between(1, 8));
    }
    // Few scenes make the mix denser, all make it wider.
    let all = &settings().scenes;
    let scenes: Arc<[usize]> = if me.dice.once_in(2) {
        all.clone().into()
    } else {
        (0..3).map(|_| me.dice.pick(all)).collect()
    };
    let runners = settings().crew.unwrap_or_else(|| me.dice.between(1, 12));
    let mut crew = Vec::new();
    for n in 0..runners {
        let (scenes, over) = (scenes.clone(), over.clone());
        let kind = Kind::any(me);
        crew.push(hire(me, kind, "runner", n, move |me| {
            // Relaxed: it may play one more.
            while !over.load(Ordering::Relaxed) {
                play_one(me, &scenes);
            }
        }));
    }
    for n in 0..me.dice.roll(4) {
        let over = over.clone();
        let kind = Kind::any(me);
        crew.push(hire(me, kind, "disturber", n, move |me| disturb(me, &over)));
    }
    me.at("lets the round go on");
    thread::sleep(Duration::from_millis(me.dice.between(50, 1000) as u64));
    // Relaxed: as above.
    over.store(true, Ordering::Relaxed);
    for one in crew {
        one.done(me);
    }
}

/// Plays a scene, whose director is an actor of its own: what it becomes (pinned, for one) ends with the scene.
fn play_one(me: &mut Actor, scenes: &[usize]) {
    let which = me.dice.pick(scenes);
    let kind = Kind::any(me);
    // A director that keeps the thread of its runner would keep the runner.
    let director = hire(me, kind, SCENES[which].name, which, SCENES[which].play);
    director.done(me);
    // Relaxed: for the summary.
    PLAYED[which].fetch_add(1, Ordering::Relaxed);
}

/// Changes the number of Ps, computes, or sleeps, until the round is over.
fn disturb(me: &mut Actor, over: &AtomicBool) {
    // Relaxed: it may do one thing more.
    while !over.load(Ordering::Relaxed) {
        match me.dice.roll(4) {
            0 if settings().mode.resizes => {
                me.at("changes the number of Ps");
                set_gomaxprocs(me.dice.between(1, 8));
            }
            1 => {
                me.at("computes");
                rough::spin(Duration::from_millis(me.dice.between(1, 12) as u64));
            }
            _ => {
                me.at("sleeps");
                sleep(me.dice.micros(20_000));
            }
        }
    }
}

/// Waits until all have ended: actors that were not joined, and goroutines of the runtime's own.
fn nothing_is_left(me: &Actor) {
    me.at("waits until nobody is left");
    let end = Instant::now() + settings().patience;
    while board::actors() > 1 || metrics().goroutines > 0 {
        if Instant::now() > end {
            let left = metrics().goroutines;
            broken(&format!(
                "{left} goroutines have not ended after all were joined"
            ));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Threads that are not needed end: as many stay as there were Ps.
fn threads_end(me: &Actor) {
    me.at("waits until threads have ended");
    let end = Instant::now() + settings().patience;
    while metrics().threads > 8 {
        if Instant::now() > end {
            broken("threads that have nothing to do have not ended");
        }
        thread::sleep(Duration::from_millis(1));
    }
}
