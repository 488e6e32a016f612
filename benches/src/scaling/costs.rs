//! What each step costs, and where the number comes from.
//!
//! Times are in picoseconds, so that tenths of a nanosecond are whole numbers and a run is the same on every machine.
//! Costs of the runtime were measured on the virtual machine of [`Costs::here`] (the switch report, `callgrind`, and the
//! comparison with other runtimes); costs of coherence on the server of [`Costs::server`] come from the literature, which
//! `docs/scaling.md` names.

/// A moment or a duration, in picoseconds.
pub type Time = u64;

/// One nanosecond.
pub const NS: Time = 1000;
/// One microsecond.
pub const US: Time = 1000 * NS;
/// One millisecond.
pub const MS: Time = 1000 * US;

/// The costs on one machine.
#[derive(Clone, Debug)]
pub struct Costs {
    /// The machine.
    pub name: &'static str,
    /// How many CPUs it has.
    pub cpus: usize,
    /// How many of them share a cache, and how many are in one socket.
    pub group: usize,
    /// CPUs of a socket.
    pub socket: usize,
    /// A cache line from another CPU: of the group, of the socket, of another socket.
    pub lines: [Time; 3],
    /// A locked instruction on a line that this CPU owns.
    pub locked: Time,
    /// A yield on one P, with the round that finds the next goroutine.
    pub yields: Time,
    /// An unbuffered message on one P: both sides and the switches.
    pub message: Time,
    /// One side of a buffered message, without its lock, and how long the lock of the channel is held.
    pub buffered: Time,
    /// How long the lock of a channel is held.
    pub channel_hold: Time,
    /// To spawn a goroutine; to run one that does nothing, from its first round to its end; to join one that has ended.
    pub spawn: Time,
    /// To begin and end.
    pub run: Time,
    /// To join.
    pub join: Time,
    /// To take a goroutine out of the global queue that has been there for long: its G and stack are in no cache, and no
    /// look-ahead has fetched them. Set so that 10 000 yielders on one P cost what they cost when measured.
    pub cold: Time,
    /// The pauses between two looks of the spinner.
    pub pauses: Time,
    /// What a wake costs the thread that wakes, and how long after it the other one runs.
    pub wake: Time,
    /// From the end of the waker's call to the sleeper's first instruction.
    pub wake_delay: Time,
    /// How long the lock of the idle lists is held.
    pub idle_hold: Time,
    /// How long a thread keeps its CPU while others wait for it, and what the change costs.
    pub slice: Time,
    /// The change of threads.
    pub switch_threads: Time,
    /// An interrupt to all CPUs of the process: at the sender, for each CPU at the sender, and at each receiver.
    pub interrupt: Time,
    /// For each CPU, at the sender.
    pub interrupt_each: Time,
    /// At each receiver.
    pub interrupt_handler: Time,
    /// The first touch of a page.
    pub fault: Time,
    /// The kernel's part of an echo (receive and send), which is on no line of ours.
    pub echo: Time,
    /// A poll of the kernel: the call, under the lock of the epoll, and for each event there.
    pub poll: Time,
    /// For each event, under the lock.
    pub poll_event: Time,
    /// From the answer to the next request of a connection.
    pub round_trip: Time,
}

impl Costs {
    /// The virtual machine with two CPUs on which the numbers of the runtime were measured.
    pub fn here() -> Costs {
        Costs {
            name: "2 virtual CPUs, Zen 3",
            cpus: 2,
            group: 2,
            socket: 2,
            lines: [23 * NS, 23 * NS, 23 * NS],
            locked: 5_100,
            yields: 17_400,
            message: 22_500,
            buffered: 7_300 - 5_100,
            channel_hold: 5_100,
            spawn: 26 * NS,
            run: 18 * NS,
            join: 8 * NS,
            cold: 4_450 * NS,
            pauses: 300 * NS,
            wake: 9_500 * NS,
            wake_delay: 20 * US,
            idle_hold: 60 * NS,
            slice: 3 * MS,
            switch_threads: 2 * US,
            interrupt: 4_400 * NS,
            interrupt_each: 300 * NS,
            interrupt_handler: US,
            fault: 1_500 * NS,
            echo: 5 * US,
            poll: 400 * NS,
            poll_event: 150 * NS,
            round_trip: 50 * US,
        }
    }

    /// Two sockets of 64 cores in groups of eight, with the latencies of an EPYC 7R13 (Zen 3 as well). The rest is as
    /// measured here, but interrupts, which cost a virtual machine more.
    pub fn server() -> Costs {
        Costs {
            name: "2 sockets of 64 cores, Zen 3",
            cpus: 128,
            group: 8,
            socket: 64,
            lines: [23 * NS, 107 * NS, 197 * NS],
            interrupt: 1_200 * NS,
            ..Costs::here()
        }
    }

    /// A cache line from CPU `from` to CPU `to`.
    pub fn transfer(&self, from: usize, to: usize) -> Time {
        if from == to {
            return 0;
        }
        let distance = if from / self.group == to / self.group {
            0
        } else if from / self.socket == to / self.socket {
            1
        } else {
            2
        };
        self.lines[distance]
    }

    /// An interrupt to `cpus` other CPUs, at the sender: it sends, and waits for the last answer.
    pub fn interrupt_all(&self, cpus: usize) -> Time {
        self.interrupt + self.interrupt_each * cpus as Time
    }
}

/// What could be otherwise in the scheduler, to see what it would bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Design {
    /// Slots of a ring.
    pub ring: usize,
    /// How many goroutines a thief takes at most.
    pub steal: usize,
    /// How many threads may spin at a time, and wake others when they find work.
    pub spinners: usize,
    /// How many victims a look for work visits at most; all if it is 0. Those of its own group come first.
    pub victims: usize,
    /// Ps that share one global queue; all if it is 0.
    pub queue_of: usize,
    /// How many polls of the kernel there are, each with a share of the sockets.
    pub polls: usize,
    /// Whether the fence of a publisher is a `membarrier` of the M that goes to sleep.
    pub barrier_at_rest: bool,
}

impl Design {
    /// What the scheduler does.
    pub const TODAY: Design = Design {
        ring: 1024,
        steal: 512,
        spinners: 1,
        victims: 0,
        queue_of: 0,
        polls: 1,
        barrier_at_rest: false,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_costs_more_the_farther_it_comes() {
        let server = Costs::server();
        let from_0 = |to| server.transfer(0, to);
        assert_eq!(from_0(0), 0);
        assert!(from_0(7) < from_0(8) && from_0(63) == from_0(8));
        assert!(from_0(8) < from_0(64) && from_0(64) == from_0(127));
    }

    #[test]
    fn interrupts_cost_between_what_was_published_for_16_and_for_120_cores() {
        let cost = |cpus| Costs::server().interrupt_all(cpus);
        assert!((4 * US..8 * US).contains(&cost(15)));
        assert!((20 * US..80 * US).contains(&cost(119)));
    }
}
