//! The channels at which a deadlock ends: what waits there, and what cannot come.
//!
//! ```text
//! goroutines 7 8 -> chan receive -> channel 0x7f3a1008c280 (0 of 8 messages, 1 sender, 2 receivers): nobody is left to send; 1 other waits for them
//! ```
//!
//! Where a deadlock is reported nothing runs. So nobody comes to the other side: its handles belong to what waits, or were
//! forgotten.

use std::io;

use goroutines_sched::{ChannelCounts, ChannelWait, WaitReason, channel_waits};

use crate::{
    graph::{Node, WaitGraph},
    text::{Spaced, counts},
};

/// Lines that are written.
const LINES: usize = 100;

/// Goroutines and threads that a line names.
const NAMED: usize = 20;

/// What waits for one reason on one channel.
struct Side {
    reason: WaitReason,
    object: usize,
    counts: ChannelCounts,
    waiters: Vec<Node>,
}

/// Writes a line for each channel, and each side of it, on which something waits; nothing where no deadlock is being reported.
///
/// # Errors
///
/// Those of `out`.
pub fn write_stuck_channels(out: &mut dyn io::Write) -> io::Result<()> {
    let sides = sides(channel_waits());
    if sides.is_empty() {
        return Ok(());
    }
    let graph = WaitGraph::look(true);
    for side in sides.iter().take(LINES) {
        let beyond = sides.iter().find(|other| other.is_beyond(side));
        let beyond = beyond.map_or(0, |other| other.waiters.len());
        let others = graph.waiting_for(&side.waiters);
        writeln!(out, "{}", line(side, beyond, others))?;
    }
    match sides.len().checked_sub(LINES) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(out, "and waits on {} channels more", Spaced(more)),
    }
}

/// In the order in which they were found, each with its waiters in the order of their numbers.
fn sides(waits: Vec<ChannelWait>) -> Vec<Side> {
    let mut places = std::collections::HashMap::new();
    let mut sides: Vec<Side> = Vec::new();
    for wait in waits {
        let place = *places
            .entry((wait.object, wait.reason))
            .or_insert(sides.len());
        if place == sides.len() {
            sides.push(Side {
                reason: wait.reason,
                object: wait.object,
                counts: wait.counts,
                waiters: Vec::new(),
            });
        }
        sides[place].waiters.push(Node {
            id: wait.from.id,
            thread: wait.from.thread,
            name: wait.name,
        });
    }
    for side in &mut sides {
        side.waiters.sort_by_key(|node| (node.thread, node.id));
    }
    sides
}

impl Side {
    fn is_beyond(&self, other: &Side) -> bool {
        self.object == other.object && self.reason != other.reason
    }
}

fn line(side: &Side, beyond: usize, others: usize) -> String {
    let mut line = who(&side.waiters);
    let (object, held) = (side.object, counts(side.counts));
    line += &format!(" -> {} -> channel {object:#x} ({held}): ", side.reason);
    let other = match side.reason {
        WaitReason::ChanSend => "receive",
        _ => "send",
    };
    line += &match beyond {
        _ if side.counts.is_never => "nothing is ever sent".to_owned(),
        0 => format!("nobody is left to {other}"),
        beyond => format!("{beyond} wait to {other} in vain"),
    };
    let them = if side.waiters.len() == 1 {
        "it"
    } else {
        "them"
    };
    match others {
        0 => {}
        1 => line += &format!("; 1 other waits for {them}"),
        others => line += &format!("; {others} others wait for {them}"),
    }
    line
}

/// `goroutine 7 "flush"`, or `goroutines 7 8 and thread 4711`.
fn who(waiters: &[Node]) -> String {
    if let [one] = waiters {
        return one.to_string();
    }
    let goroutines = waiters.iter().filter(|node| node.thread == 0);
    let ids: Vec<String> = goroutines.map(|node| node.id.to_string()).collect();
    let mut parts = match ids.as_slice() {
        [] => Vec::new(),
        [one] => vec![format!("goroutine {one}")],
        all => {
            let shown = all.len().min(NAMED);
            let rest = if shown < all.len() { " ..." } else { "" };
            vec![format!("goroutines {}{rest}", all[..shown].join(" "))]
        }
    };
    let threads = waiters.iter().filter(|node| node.thread != 0);
    parts.extend(threads.take(NAMED).map(Node::to_string));
    parts.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(reason: WaitReason, waiters: &[(u64, i32)]) -> Side {
        let node = |&(id, thread): &(u64, i32)| Node {
            id,
            thread,
            name: (id == 7).then(|| "flush".to_owned()),
        };
        Side {
            reason,
            object: 0x7f3a,
            counts: ChannelCounts {
                len: Some(0),
                capacity: Some(8),
                senders: 1,
                receivers: 2,
                is_never: false,
            },
            waiters: waiters.iter().map(node).collect(),
        }
    }

    #[test]
    fn a_line_says_what_waits_where_and_what_cannot_come() {
        let mut receives = side(WaitReason::ChanReceive, &[(7, 0)]);
        assert_eq!(
            line(&receives, 0, 1),
            "goroutine 7 \"flush\" -> chan receive -> channel 0x7f3a (0 of 8 messages, 1 sender, 2 receivers): nobody is \
             left to send; 1 other waits for it"
        );
        receives.counts.is_never = true;
        let text = line(&receives, 0, 0);
        assert!(text.ends_with("(of never): nothing is ever sent"), "{text}");
        let sends = side(WaitReason::ChanSend, &[(8, 0), (9, 0), (0, 4711)]);
        let text = line(&sends, 0, 2);
        assert!(
            text.starts_with("goroutines 8 9 and thread 4711 -> chan send -> "),
            "{text}"
        );
        assert!(
            text.ends_with("nobody is left to receive; 2 others wait for them"),
            "{text}"
        );
        assert!(line(&sends, 3, 0).ends_with("3 wait to receive in vain"));
    }

    #[test]
    fn of_many_goroutines_the_first_are_named() {
        let many: Vec<(u64, i32)> = (1..=30).map(|id| (id, 0)).collect();
        let text = who(&side(WaitReason::ChanSend, &many).waiters);
        assert!(text.ends_with(" 19 20 ..."), "{text}");
    }
}
