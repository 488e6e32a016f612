//! What is measured.

use std::time::Duration;

use serde::Serialize;

use super::contender::{Contender, RAW};
use super::service::Service;

/// How much is measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Plan {
    /// Few connections: only to try.
    pub quick: bool,
    /// System calls, in place of times.
    pub syscalls: bool,
    /// How long a sample counts.
    pub sample: Duration,
}

impl Plan {
    /// So many connections, or few.
    pub(super) fn many(&self, full: usize) -> usize {
        if self.quick { 20 } else { full }
    }
}

/// A scenario, for all contenders that it suits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    pub(super) service: Service,
    pub(super) clients: Clients,
    /// How many clients.
    pub(super) connections: usize,
    pub(super) procs: usize,
}

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clients {
    /// They send when they have the answer to what they sent last; so many at a time.
    Closed(usize),
    /// They send at this percentage of the raw loop's rate.
    Open(u32),
    /// Nothing: only the memory of connections is looked at.
    Idle,
}

/// The connections of most scenarios.
pub(super) const CONNECTIONS: usize = 64;

impl Scenario {
    /// All of them, as the report shows them.
    pub fn all(plan: &Plan) -> Vec<Scenario> {
        let mut all = Vec::new();
        for procs in [1, 2] {
            let of = |service, connections| Scenario::of(service, connections, procs);
            all.extend([1, CONNECTIONS, plan.many(1000)].map(|count| of(Service::Echo, count)));
            all.push(of(Service::Timeout, CONNECTIONS));
            all.push(of(Service::Short, 8));
            all.extend([1, 16].map(|pipeline| Scenario {
                clients: Clients::Closed(pipeline),
                ..of(Service::Http, CONNECTIONS)
            }));
            all.push(of(Service::Udp, CONNECTIONS));
        }
        all.extend([Service::Bulk64K, Service::Bulk1M].map(|service| Scenario::of(service, 1, 1)));
        if plan.syscalls {
            all.retain(|scenario| scenario.procs == 1);
            return all;
        }
        let echo = Scenario::of(Service::Echo, CONNECTIONS, 1);
        all.extend([50, 80].map(|percent| Scenario {
            clients: Clients::Open(percent),
            ..echo
        }));
        all.extend([Service::Yielders, Service::Loops].map(|service| Scenario::of(service, 1, 2)));
        all.push(Scenario {
            clients: Clients::Idle,
            connections: plan.many(10_000),
            ..echo
        });
        all
    }

    /// One with a closed loop.
    pub(super) fn of(service: Service, connections: usize, procs: usize) -> Scenario {
        Scenario {
            service,
            clients: Clients::Closed(1),
            connections,
            procs,
        }
    }

    /// Its name in the report.
    pub fn name(&self) -> String {
        let count = |number, noun: &str| match number {
            1 => format!("1 {noun}"),
            _ => format!("{number} {noun}s"),
        };
        let procs = count(self.procs, "P");
        let what = match (self.service, self.clients) {
            (_, Clients::Idle) => "idle".to_owned(),
            (_, Clients::Open(percent)) => format!("echo, open loop at {percent} %"),
            (Service::Http, Clients::Closed(pipeline)) => format!("HTTP, pipeline {pipeline}"),
            (Service::Echo, _) => "echo".to_owned(),
            (Service::Timeout, _) => "echo, timeout on every read".to_owned(),
            (Service::Short, _) => "connect, echo, close".to_owned(),
            (Service::Udp, _) => {
                return format!("UDP echo, {}, {procs}", count(self.connections, "client"));
            }
            (Service::Bulk64K, _) => return format!("MiB in writes of 64 KiB, {procs}"),
            (Service::Bulk1M, _) => return format!("MiB in writes of 1 MiB, {procs}"),
            (Service::Yielders, _) => return format!("until read, beside computing, {procs}"),
            (Service::Loops, _) => return format!("until read, beside tight loops, {procs}"),
        };
        format!("{what}, {}, {procs}", count(self.connections, "connection"))
    }

    /// Returns whether `who` takes part.
    pub(super) fn suits(&self, who: &Contender) -> bool {
        match (who.name(), self.service) {
            (RAW, service) => service != Service::Timeout && !service.computes(),
            ("copied", _) => self.clients == Clients::Idle,
            ("hyper", service) => service == Service::Http,
            // They cannot take the processor from one that never yields. may does not look at its sockets beside those
            // that yield either. They would serve no client.
            ("tokio" | "may", Service::Loops) | ("may", Service::Yielders) => false,
            // Nobody has written these on may.
            ("may", service) => !matches!(service, Service::Http | Service::Udp),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans() -> [Plan; 3] {
        [(false, false), (true, false), (false, true)].map(|(quick, syscalls)| Plan {
            quick,
            syscalls,
            sample: Duration::ZERO,
        })
    }

    #[test]
    fn no_two_scenarios_have_the_same_name() {
        for plan in plans() {
            let mut names: Vec<String> = Scenario::all(&plan).iter().map(Scenario::name).collect();
            names.sort();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all, "{names:?}");
        }
    }

    #[test]
    fn each_service_has_a_scenario() {
        let all = Scenario::all(&plans()[0]);
        for service in Service::ALL {
            assert!(all.iter().any(|one| one.service == service), "{service:?}");
        }
    }
}
