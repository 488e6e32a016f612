//! The screen and the keys.

use std::{
    io,
    path::Path,
    sync::mpsc::{self, Receiver, Sender, TryRecvError},
    thread,
    time::Duration,
};

use ratatui::{
    DefaultTerminal,
    crossterm::{
        event::{self, Event, KeyEventKind},
        terminal::size,
    },
};

use crate::{
    Trouble,
    connection::Connection,
    screen::{self, LEAST},
    state::{Action, State},
    worker::{Update, Wish, work},
};

/// How long a key may wait for the screen, and an update.
const TICK: Duration = Duration::from_millis(100);

/// Shows the program until the user leaves.
///
/// # Errors
///
/// When the program cannot be reached, or goes away; when the terminal is too small, or fails.
pub(crate) fn run(path: &Path, interval: Duration) -> Result<(), Trouble> {
    let connection = Connection::open(path)?;
    let (columns, rows) = size().map_err(failed)?;
    if columns < LEAST.0 || rows < LEAST.1 {
        return Err(Trouble::Call(format!(
            "the terminal has {columns} columns and {rows} rows, and {} and {} are needed: enlarge it, or say --json",
            LEAST.0, LEAST.1
        )));
    }
    let state = State::new(connection.hello.clone());
    let (wishes, wished) = mpsc::channel();
    let (update, updates) = mpsc::channel();
    // Not joined: it may wait for a program that is stopped.
    thread::spawn(move || work(connection, interval, &wished, &update));
    let mut terminal = ratatui::try_init().map_err(failed)?;
    let end = show(&mut terminal, state, &wishes, &updates);
    ratatui::restore();
    end
}

fn failed(error: io::Error) -> Trouble {
    Trouble::Call(format!("the terminal: {error}"))
}

fn show(
    terminal: &mut DefaultTerminal,
    mut state: State,
    wishes: &Sender<Wish>,
    updates: &Receiver<Update>,
) -> Result<(), Trouble> {
    loop {
        loop {
            match updates.try_recv() {
                Ok(Update::Gone(why)) => return Err(Trouble::Program(why)),
                Ok(update) => state.heed(update),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    return Err(Trouble::Program(
                        "the program is not asked any more".to_owned(),
                    ));
                }
            }
        }
        let drawn = terminal.draw(|frame| screen::draw(frame, &mut state));
        drawn.map_err(failed)?;
        if !event::poll(TICK).map_err(failed)? {
            continue;
        }
        if let Event::Key(key) = event::read().map_err(failed)?
            && key.kind != KeyEventKind::Release
        {
            match state.key(key) {
                Action::Nothing => {}
                Action::Leave => return Ok(()),
                // The worker is gone only with the program, which the next round says.
                Action::Ask(wish) => drop(wishes.send(wish)),
            }
        }
    }
}
