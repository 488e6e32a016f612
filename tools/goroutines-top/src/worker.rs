//! The thread that asks the program: it may wait for an answer while the screen lives.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender},
    time::{Duration, Instant},
};

use crate::{
    connection::Connection,
    model::{Groups, Longest, Sites, Stats, read},
};

/// What the program has answered.
pub(crate) enum Update {
    Numbers(Box<Stats>, Box<Sites>),
    Groups(Groups),
    Longest(Longest),
    Dump(String),
    /// It is gone, for this reason.
    Gone(String),
}

/// What the user wants to see beside the numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    Groups,
    Longest,
    Dump,
}

/// Asks for the numbers each `interval`, and for what is wished, until the program or the screen is gone.
pub(crate) fn work(
    mut connection: Connection,
    interval: Duration,
    wishes: &Receiver<Wish>,
    updates: &Sender<Update>,
) {
    let mut due = Instant::now();
    loop {
        let wish = match wishes.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(wish) => Some(wish),
            Err(RecvTimeoutError::Timeout) => {
                // Where an answer was late, looks are left out.
                due = (due + interval).max(Instant::now());
                None
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let update = answer(&mut connection, wish).unwrap_or_else(Update::Gone);
        let is_over = matches!(update, Update::Gone(_));
        if updates.send(update).is_err() || is_over {
            return;
        }
    }
}

fn answer(connection: &mut Connection, wish: Option<Wish>) -> Result<Update, String> {
    Ok(match wish {
        None => {
            let stats = read(&connection.ask("stats")?)?;
            let sites = read(&connection.ask("goroutines site 1000")?)?;
            Update::Numbers(stats, sites)
        }
        Some(Wish::Groups) => Update::Groups(read(&connection.ask("goroutines group 1000")?)?),
        Some(Wish::Longest) => Update::Longest(read(&connection.ask("longest 1000")?)?),
        Some(Wish::Dump) => {
            let answer = connection.ask("dump")?;
            Update::Dump(answer["text"].as_str().unwrap_or_default().to_owned())
        }
    })
}
