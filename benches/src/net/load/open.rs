//! Clients in an open loop: messages are due at fixed times, whether the server keeps up or not.
//!
//! A closed loop asks a slow server less often, and so leaves out the waits that its slowness causes (*coordinated
//! omission*). Here a wait begins when its message is due. A message that is due while its client still waits for an answer
//! is sent after that; one that has no answer in the end counts with the wait so far.
//!
//! Messages are due at equal distances, on one connection after the other. The clients never sleep: a timer of the kernel
//! is later than what is measured.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use nix::sys::epoll::EpollTimeout;

use super::closed::{Client, Clients};
use super::echo::Echo;
use super::{COUNT, Counted, END, Phase};

/// So many clients, to which `rate` messages are due in a second.
pub(in crate::net) fn open(
    rate: f64,
    address: SocketAddr,
    connections: usize,
    phase: &Phase,
    barrier: &Barrier,
) -> io::Result<Counted> {
    let mut clients = Clients::connect(connections, barrier, || Echo::connect(address))?;
    let mut due = vec![VecDeque::new(); connections];
    let mut schedule = Schedule::new(rate);
    let mut counted = Counted::default();
    let mut counts = false;
    while !phase.is(END) {
        while let Some((number, at)) = schedule.next(Instant::now()) {
            let index = number % connections;
            due[index].push_back(at);
            if due[index].len() == 1 {
                clients.all[index].send()?;
            }
        }
        clients.poll(EpollTimeout::ZERO, |index, client| {
            let waits = &mut due[index];
            let Some(at) = waits.pop_front() else {
                return Err(io::Error::other("an answer to nothing"));
            };
            counted.add(phase, at.elapsed());
            match waits.is_empty() {
                true => Ok(()),
                false => client.send(),
            }
        })?;
        counts |= phase.is(COUNT);
    }
    if counts {
        let unanswered = due.iter().flatten();
        unanswered.for_each(|at| counted.add_time(at.elapsed()));
    }
    Ok(counted)
}

/// When messages are due.
struct Schedule {
    start: Instant,
    rate: f64,
    given: usize,
}

impl Schedule {
    fn new(rate: f64) -> Schedule {
        Schedule {
            start: Instant::now(),
            rate,
            given: 0,
        }
    }

    /// The next message that is due by `now`: its number, and since when.
    fn next(&mut self, now: Instant) -> Option<(usize, Instant)> {
        let due = self.start + Duration::from_secs_f64(self.given as f64 / self.rate);
        let number = self.given;
        (due <= now).then(|| {
            self.given += 1;
            (number, due)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::net::load::{self, Message};

    /// A server of one client, to which each message takes 2 ms.
    fn slow() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut message: Message = [0; _];
            while stream.read_exact(&mut message).is_ok() {
                thread::sleep(Duration::from_millis(2));
                // The client may have gone.
                let _ = stream.write_all(&message);
            }
        });
        address
    }

    #[test]
    fn waits_grow_where_more_is_due_than_the_server_can_do() {
        let cpus = crate::cpu::allowed().unwrap();
        let work: &load::Work<'_> =
            &|address, count, phase, barrier| open(1000.0, address, count, phase, barrier);
        let time = Duration::from_millis(300);
        let (mut counted, _) = load::run(slow(), 1, &cpus, time, work, || Ok(())).unwrap();
        counted.times.sort_unstable();
        // A closed loop would find 2 ms. 75 ms are over when the counting begins, and half of what was due has no answer.
        let median = counted.times[counted.times.len() / 2];
        assert!(median > 20_000_000, "{median}");
        // Those without an answer are among them.
        assert!(counted.times.len() as u64 > counted.operations + 50);
    }

    #[test]
    fn a_late_client_is_given_all_that_was_due_with_the_time_at_which_it_was() {
        let mut schedule = Schedule::new(100.0);
        let start = schedule.start;
        let late = start + Duration::from_millis(25);
        let given: Vec<_> = std::iter::from_fn(|| schedule.next(late)).collect();
        let at = |number: usize| (number, start + Duration::from_millis(10 * number as u64));
        assert_eq!(given, [at(0), at(1), at(2)]);
        assert_eq!(schedule.next(late), None);
    }
}
