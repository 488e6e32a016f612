//! What must be true of whatever happened. Of two things that overlapped nothing is known of which was first, so a
//! promise is judged broken only where it was in every order.

use std::collections::HashMap;

use crate::{
    program::{Case, Program},
    world::{Did, Event, Span},
};

/// Never.
const NEVER: Span = Span {
    start: u64::MAX,
    end: u64::MAX,
};

/// A message that was sent.
struct Message {
    id: u64,
    sent: Span,
    /// Made when the case was chosen: where there is no buffer it stays if its receiver has left meanwhile.
    by_select: bool,
    /// [`NEVER`] if it was dropped with the channel.
    received: Span,
}

/// All that happened to one channel.
struct Story<'a> {
    channel: usize,
    capacity: Option<usize>,
    messages: Vec<Message>,
    history: &'a [Event],
}

/// Says which promise `history` breaks.
pub fn check(program: &Program, history: &[Event]) -> Result<(), String> {
    for (channel, &capacity) in program.channels.iter().enumerate() {
        let story = Story {
            channel,
            capacity,
            messages: messages(channel, history)?,
            history,
        };
        story
            .each_is_in_order()
            .and_then(|()| story.what_is_lost_was_buffered())
            .and_then(|()| story.failures_have_reasons())
            .and_then(|()| story.disconnects_have_reasons())
            .and_then(|()| story.disconnected_is_for_ever())
            .map_err(|why| format!("channel {channel}: {why}\n{}", story.text()))?;
    }
    Ok(())
}

/// Each was sent once, and received at most once, and not before.
fn messages(channel: usize, history: &[Event]) -> Result<Vec<Message>, String> {
    let mut received = HashMap::new();
    for event in history {
        if let Did::Received(from, id) = event.did
            && from == channel
            && received.insert(id, event.span).is_some()
        {
            return Err(format!("message {id} was received twice"));
        }
    }
    let mut messages = Vec::new();
    for event in history {
        if let Did::Sent(to, id) = event.did
            && to == channel
        {
            let received = received.remove(&id).unwrap_or(NEVER);
            if received.is_before(event.span) {
                return Err(format!("message {id} was received before it was sent"));
            }
            messages.push(Message {
                id,
                sent: event.span,
                by_select: event.by_select,
                received,
            });
        }
    }
    match received.keys().next() {
        None => Ok(messages),
        Some(id) => Err(format!("message {id} was received but not sent")),
    }
}

impl Story<'_> {
    fn text(&self) -> String {
        let mut events: Vec<_> = self.history.to_vec();
        events.sort_by_key(|event| event.span.start);
        let lines = events.iter().map(|event| {
            let Span { start, end } = event.span;
            format!(
                "  {start}..{end}: actor {}: {:?}\n",
                event.actor as isize, event.did
            )
        });
        lines.collect()
    }

    fn disconnects(&self, side: Case) -> impl Iterator<Item = Span> {
        self.history
            .iter()
            .filter(move |event| event.did == Did::Disconnected(side))
            .map(|event| event.span)
    }

    fn each_is_in_order(&self) -> Result<(), String> {
        for first in &self.messages {
            for second in &self.messages {
                if first.sent.is_before(second.sent)
                    && second.received != NEVER
                    && second.received.is_before(first.received)
                {
                    let (first, second) = (first.id, second.id);
                    return Err(format!("message {second} has overtaken {first}"));
                }
            }
        }
        Ok(())
    }

    /// Nothing gets lost but with the last receiver, and no more than the buffer holds.
    fn what_is_lost_was_buffered(&self) -> Result<(), String> {
        let lost = self
            .messages
            .iter()
            .filter(|msg| msg.received == NEVER && !(msg.by_select && self.capacity == Some(0)));
        let lost: Vec<_> = lost.map(|msg| msg.id).collect();
        if self.capacity.is_some_and(|most| lost.len() > most) {
            return Err(format!("messages {lost:?} were lost"));
        }
        // The last receive found it empty, with no sender left.
        if !lost.is_empty() && self.disconnects(Case::Recv(self.channel)).next().is_some() {
            return Err(format!(
                "messages {lost:?} were lost, and a receive was told the end"
            ));
        }
        Ok(())
    }

    /// A receive finds nothing only if there was a moment without a message; a send finds no room only if the buffer
    /// may have been full.
    fn failures_have_reasons(&self) -> Result<(), String> {
        for event in self.history {
            let Did::Nothing(cases) = &event.did else {
                continue;
            };
            if cases.contains(&Case::Recv(self.channel)) {
                self.may_be_empty(event.span)?;
            }
            if cases.contains(&Case::Send(self.channel)) {
                self.may_be_full(event.span)?;
            }
        }
        self.disconnects(Case::Recv(self.channel))
            .try_for_each(|span| self.may_be_empty(span))
    }

    fn may_be_empty(&self, span: Span) -> Result<(), String> {
        let there = |msg: &&Message| msg.sent.is_before(span) && span.is_before(msg.received);
        match self.messages.iter().find(there) {
            Some(msg) if self.capacity != Some(0) => Err(format!(
                "a receive at {span:?} saw nothing, but message {} was there",
                msg.id
            )),
            _ => Ok(()),
        }
    }

    fn may_be_full(&self, span: Span) -> Result<(), String> {
        let Some(most) = self.capacity else {
            return Err(format!(
                "a send at {span:?} found an unbounded channel full"
            ));
        };
        let overlaps = |other: Span| !other.is_before(span) && !span.is_before(other);
        let messages = self.messages.iter().filter(|msg| {
            overlaps(Span {
                start: msg.sent.start,
                end: msg.received.end,
            })
        });
        // A select that has won room, but no message came of it.
        let selects = self.history.iter().filter(|event| {
            event.by_select
                && overlaps(event.span)
                && event.did == Did::Disconnected(Case::Send(self.channel))
        });
        if messages.count() + selects.count() < most {
            return Err(format!(
                "a send at {span:?} found no room, but there was some"
            ));
        }
        Ok(())
    }

    /// From when on, at the earliest and at the latest, there was no handle on `side`.
    fn gone(&self, side: Case) -> Span {
        let closed = |event: &&Event| event.did == Did::Closed(self.channel);
        let closed = self.history.iter().filter(closed);
        let dropped = |event: &&Event| event.did == Did::Dropped(side);
        let dropped = self.history.iter().filter(dropped);
        let starts = [
            closed.clone().map(|event| event.span.start).min(),
            dropped.clone().map(|event| event.span.start).max(),
        ];
        let ends = [
            closed.map(|event| event.span.end).min(),
            dropped.map(|event| event.span.end).max(),
        ];
        Span {
            start: starts.into_iter().flatten().min().unwrap_or(u64::MAX),
            end: ends.into_iter().flatten().min().unwrap_or(u64::MAX),
        }
    }

    fn disconnects_have_reasons(&self) -> Result<(), String> {
        for side in [Case::Send(self.channel), Case::Recv(self.channel)] {
            let gone = self.gone(side.other_side());
            if let Some(span) = self.disconnects(side).find(|span| span.end < gone.start) {
                return Err(format!(
                    "{side:?} at {span:?} was told the end before {gone:?}"
                ));
            }
        }
        Ok(())
    }

    fn disconnected_is_for_ever(&self) -> Result<(), String> {
        let (send, recv) = (Case::Send(self.channel), Case::Recv(self.channel));
        let told = self.disconnects(recv).map(|span| span.end).min();
        let told_recv = told.unwrap_or(u64::MAX);
        let told_any = self.disconnects(send).map(|span| span.end).min();
        let end = told_any
            .unwrap_or(u64::MAX)
            .min(told_recv)
            .min(self.gone(recv).end);
        for msg in &self.messages {
            if msg.sent.start > end {
                return Err(format!("message {} was sent after the end, {end}", msg.id));
            }
            if msg.received != NEVER && msg.received.start > told_recv {
                return Err(format!(
                    "message {} came after the end, {told_recv}",
                    msg.id
                ));
            }
        }
        Ok(())
    }
}
