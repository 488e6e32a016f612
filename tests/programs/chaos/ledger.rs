//! Messages that are counted: what became of each, and what its sender believes.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicUsize, Ordering},
};

use crate::board::broken;

/// What became of a message.
const NOT_MADE: u8 = 0;
const UNDER_WAY: u8 = 1;
const DELIVERED: u8 = 2;
const DROPPED: u8 = 3;

/// What its sender was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Belief {
    Nothing = 0,
    /// The send returned `Ok`.
    Sent,
    /// The message came back.
    CameBack,
    /// The sender gave the send up, and the message with it.
    GaveUp,
}

/// All messages of a scene.
pub struct Ledger {
    fates: Vec<AtomicU8>,
    beliefs: Vec<AtomicU8>,
    /// Messages that exist.
    alive: AtomicUsize,
}

/// A message.
pub struct Parcel {
    pub number: usize,
    ledger: Arc<Ledger>,
    delivered: bool,
}

impl Ledger {
    pub fn new(messages: usize) -> Arc<Ledger> {
        Arc::new(Ledger {
            fates: (0..messages).map(|_| AtomicU8::new(NOT_MADE)).collect(),
            beliefs: (0..messages).map(|_| AtomicU8::new(0)).collect(),
            alive: AtomicUsize::new(0),
        })
    }

    pub fn parcel(self: &Arc<Ledger>, number: usize) -> Parcel {
        // Relaxed: all counts and fates are read after the joins, or by the receiver of the message.
        self.alive.fetch_add(1, Ordering::Relaxed);
        if self.fates[number].swap(UNDER_WAY, Ordering::Relaxed) != NOT_MADE {
            broken("a message was made twice");
        }
        Parcel {
            number,
            ledger: self.clone(),
            delivered: false,
        }
    }

    pub fn believe(&self, number: usize, belief: Belief) {
        // Relaxed: as above.
        self.beliefs[number].store(belief as u8, Ordering::Relaxed);
    }

    /// How many messages exist. The fates of those that are gone are known.
    pub fn alive(&self) -> usize {
        // Acquire: partner is the decrement of a message that is dropped.
        self.alive.load(Ordering::Acquire)
    }

    /// After all actors have been joined, and the channels are gone.
    pub fn close(&self) {
        // Relaxed: as above.
        let alive = self.alive.load(Ordering::Relaxed);
        if alive != 0 {
            broken(&format!(
                "{alive} messages were neither received nor dropped"
            ));
        }
        for (number, fate) in self.fates.iter().enumerate() {
            let (fate, belief) = (
                fate.load(Ordering::Relaxed),
                self.beliefs[number].load(Ordering::Relaxed),
            );
            let fits = match fate {
                NOT_MADE => belief == Belief::Nothing as u8,
                DELIVERED => belief == Belief::Sent as u8 || belief == Belief::GaveUp as u8,
                DROPPED => belief == Belief::CameBack as u8 || belief == Belief::GaveUp as u8,
                _ => false,
            };
            if !fits {
                broken(&format!(
                    "message {number} has fate {fate} (1 lost, 2 delivered, 3 dropped), and its sender's belief is \
                     {belief} (1 sent, 2 came back, 3 gave up)"
                ));
            }
        }
    }
}

impl Parcel {
    /// It was received.
    pub fn arrive(mut self) -> usize {
        // Relaxed: as above.
        if self.ledger.fates[self.number].swap(DELIVERED, Ordering::Relaxed) != UNDER_WAY {
            broken(&format!("message {} arrived twice", self.number));
        }
        self.delivered = true;
        self.number
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        // Relaxed: as above.
        if !self.delivered
            && self.ledger.fates[self.number].swap(DROPPED, Ordering::Relaxed) != UNDER_WAY
        {
            broken(&format!("message {} was dropped twice", self.number));
        }
        // Release: partner is the load in `alive`, for the fate.
        self.ledger.alive.fetch_sub(1, Ordering::Release);
    }
}
