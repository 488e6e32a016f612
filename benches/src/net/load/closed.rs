//! Clients in a closed loop: each sends its next message when it has the answer to the last one.

use std::io;
use std::os::fd::AsFd;
use std::sync::Barrier;
use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::{Counted, END, PATIENCE, Phase, at_barrier};

/// A client, which never waits.
pub(super) trait Client: AsFd {
    /// Sends a message.
    fn send(&mut self) -> io::Result<()>;

    /// Receives what is there. Returns whether the whole answer to the message has come.
    fn receive(&mut self) -> io::Result<bool>;
}

/// Clients of one thread, and an epoll that says of which something has come.
pub(super) struct Clients<C> {
    pub(super) all: Vec<C>,
    epoll: Epoll,
    events: [EpollEvent; 128],
    /// When something has come last.
    last: Instant,
}

impl<C: Client> Clients<C> {
    /// Connects so many, and meets the other threads at the barrier.
    pub(super) fn connect(
        count: usize,
        barrier: &Barrier,
        one: impl Fn() -> io::Result<C>,
    ) -> io::Result<Clients<C>> {
        let connected = (0..count).map(|_| one()).collect();
        let all: Vec<C> = at_barrier(barrier, connected)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for (index, client) in all.iter().enumerate() {
            epoll.add(client, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
        }
        Ok(Clients {
            all,
            epoll,
            events: [EpollEvent::empty(); 128],
            last: Instant::now(),
        })
    }

    /// Waits for `time`, and calls `answered` for each client whose answer has come.
    pub(super) fn poll(
        &mut self,
        time: EpollTimeout,
        mut answered: impl FnMut(usize, &mut C) -> io::Result<()>,
    ) -> io::Result<()> {
        let count = self.epoll.wait(&mut self.events, time)?;
        if count != 0 {
            self.last = Instant::now();
        } else if self.last.elapsed() > PATIENCE {
            return Err(io::ErrorKind::TimedOut.into());
        }
        for event in &self.events[..count] {
            let index = event.data() as usize;
            let client = &mut self.all[index];
            if client.receive()? {
                answered(index, client)?;
            }
        }
        Ok(())
    }
}

/// Lets `count` clients work, whose messages are `operations` each.
pub(super) fn run<C: Client>(
    count: usize,
    operations: u64,
    phase: &Phase,
    barrier: &Barrier,
    one: impl Fn() -> io::Result<C>,
) -> io::Result<Counted> {
    let mut clients = Clients::connect(count, barrier, one)?;
    clients.all.iter_mut().try_for_each(Client::send)?;
    let mut sent = vec![Instant::now(); count];
    let mut counted = Counted::default();
    while !phase.is(END) {
        clients.poll(EpollTimeout::from(100_u16), |index, client| {
            let now = Instant::now();
            counted.add_all(phase, operations, now - sent[index]);
            sent[index] = now;
            client.send()
        })?;
    }
    Ok(counted)
}
