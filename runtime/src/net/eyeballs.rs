//! Happy eyeballs (RFC 8305): connecting to several addresses at once, a little after each other.
//!
//! ```text
//!  caller                                              a goroutine per address
//!  Y1 begins to connect to the next address   ──────►  waits until it is connected, or failed
//!  Y2 waits for the first of:
//!     an address is connected: Y3             ◄──────  sends the end, and leaves the socket to the caller
//!     one has failed, or the delay is over: Y1
//!     the context is done: Y3
//!  Y3 abandons the others                     ──────►  they stop waiting
//!  Y4 waits until all have ended, and with them their sockets
//! ```
//!
//! The addresses alternate between IPv6 and IPv4, beginning with the kind of the first one, so that a network that
//! swallows one kind costs one delay.

use std::{
    collections::VecDeque,
    io,
    net::{SocketAddr, TcpStream as Std},
    time::Duration,
};

use super::{
    connect::{self, abandon, begin, no_address},
    resolve::interrupted,
    socket::Socket,
};
use crate::{
    Builder,
    chan::{self, Receiver, Sender, select},
    context::{Context, ContextError},
    sync::Arc,
};

/// The addresses in the order in which they are tried.
pub(super) fn alternate(addrs: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addrs.first().is_some_and(SocketAddr::is_ipv6);
    let (mut one, mut other): (VecDeque<_>, VecDeque<_>) = addrs
        .into_iter()
        .partition(|addr| addr.is_ipv6() == first_is_v6);
    let mut order = VecDeque::new();
    while !(one.is_empty() && other.is_empty()) {
        order.extend(one.pop_front());
        order.extend(other.pop_front());
    }
    order
}

/// What is done to a socket before it connects to an address.
pub(super) type Prepare<'a> = dyn Fn(&socket2::Socket) -> io::Result<()> + 'a;

/// The number of an attempt, and how it ended.
type End = (usize, io::Result<()>);

struct Race {
    addrs: VecDeque<SocketAddr>,
    /// The attempts that have not ended, by their numbers.
    attempts: Vec<Option<Arc<Socket<Std>>>>,
    say: Sender<End>,
    said: Receiver<End>,
    /// Of the attempt that failed last.
    error: Option<io::Error>,
}

/// The first connection to one of `addrs`. The caller is a goroutine that can park.
pub(super) fn race(
    addrs: VecDeque<SocketAddr>,
    prepare: &Prepare<'_>,
    delay: Duration,
    ctx: &Context,
) -> io::Result<Socket<Std>> {
    let (say, said) = chan::unbounded();
    let mut race = Race {
        addrs,
        attempts: Vec::new(),
        say,
        said,
        error: None,
    };
    let winner = race.run(prepare, delay, ctx);
    race.end();
    let winner = winner.and_then(|winner| Arc::into_inner(winner).ok_or_else(no_address))?;
    winner.set_nonblocking(false)?;
    Ok(winner)
}

impl Race {
    fn run(
        &mut self,
        prepare: &Prepare<'_>,
        delay: Duration,
        ctx: &Context,
    ) -> io::Result<Arc<Socket<Std>>> {
        let done = ctx.done();
        loop {
            if let Some(winner) = self.begin_next(prepare) {
                return Ok(winner);
            }
            if self.attempts.iter().all(Option::is_none) {
                return Err(self.error.take().unwrap_or_else(no_address));
            }
            let next = match self.addrs.is_empty() {
                true => chan::never(),
                false => chan::after(delay),
            };
            // Y2
            select! {
                recv(self.said) -> end => if let Ok((number, result)) = end {
                    let attempt = self.attempts.get_mut(number).and_then(Option::take);
                    match (result, attempt) {
                        (Ok(()), Some(winner)) => return Ok(winner),
                        (result, _) => self.error = result.err().or(self.error.take()),
                    }
                },
                recv(next) -> _ => {}
                recv(done) -> _ => {
                    return Err(interrupted(ctx.err().unwrap_or(ContextError::Cancelled)));
                }
            }
        }
    }

    /// Y1. The connection, if it is there at once.
    fn begin_next(&mut self, prepare: &Prepare<'_>) -> Option<Arc<Socket<Std>>> {
        while let Some(addr) = self.addrs.pop_front() {
            match self.begin(&addr, prepare) {
                Ok(Some(connected)) => return Some(connected),
                Ok(None) => return None,
                Err(error) => self.error = Some(error),
            }
        }
        None
    }

    fn begin(
        &mut self,
        addr: &SocketAddr,
        prepare: &Prepare<'_>,
    ) -> io::Result<Option<Arc<Socket<Std>>>> {
        let (socket, connected) = begin(addr, prepare)?;
        let socket = Arc::new(socket);
        if connected {
            return Ok(Some(socket));
        }
        let (waiting, say) = (Arc::clone(&socket), self.say.clone());
        let number = self.attempts.len();
        Builder::new().spawn(move || {
            let result = connect::wait(&waiting, None);
            // Before the end is sent: then only the caller has the socket of the winner.
            drop(waiting);
            // The channel is unbounded, and the caller waits for all ends.
            let _ = say.send((number, result));
        })?;
        self.attempts.push(Some(socket));
        Ok(None)
    }

    /// Y3 and Y4.
    fn end(self) {
        for loser in self.attempts.into_iter().flatten() {
            abandon(&loser);
        }
        drop(self.say);
        // Not under the caller's context, which may be done.
        Context::background().run(|| self.said.iter().for_each(drop));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_addresses_alternate() {
        let addr = |text: &str| text.parse::<SocketAddr>().unwrap();
        let order = |texts: &[&str]| {
            let order = alternate(texts.iter().copied().map(addr).collect());
            order.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            order(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"]),
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"]
        );
        assert_eq!(
            order(&["1.1.1.1:1", "1.1.1.2:1", "[::1]:1"]),
            ["1.1.1.1:1", "[::1]:1", "1.1.1.2:1"]
        );
        assert!(order(&[]).is_empty());
    }
}
