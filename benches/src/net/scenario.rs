//! What is measured, and how a sample of it is taken.

use std::io;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::Serialize;

use super::contender::{Contender, RAW};
use super::load;
use super::server::{self, Server};
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

/// A scenario, for all contenders that it suits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    service: Service,
    /// Clients.
    connections: usize,
    procs: usize,
    /// Only the memory of connections is looked at.
    idle: bool,
}

/// One sample. Times are in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sample {
    /// Operations in a second.
    pub rate: Option<f64>,
    /// Processor time of the server for one.
    pub processor: Option<f64>,
    /// Half of the clients waited less.
    pub p50: Option<f64>,
    /// 99 of 100 waited less.
    pub p99: Option<f64>,
    /// The longest wait.
    pub max: Option<f64>,
    /// Bytes for a connection.
    pub bytes: Option<f64>,
    /// System calls of the server for an operation.
    pub calls: Option<f64>,
}

impl Scenario {
    /// All of them, as the report shows them.
    pub fn all(plan: &Plan) -> Vec<Scenario> {
        let of = |service, connections, procs| Scenario {
            service,
            connections,
            procs,
            idle: false,
        };
        let many = |full: usize| if plan.quick { 20 } else { full };
        let mut all = Vec::new();
        for procs in [1, 2] {
            all.extend([1, 64, many(1000)].map(|count| of(Service::Echo, count, procs)));
            all.push(of(Service::Timeout, 64, procs));
            all.push(of(Service::Short, 8, procs));
        }
        if plan.syscalls {
            all.retain(|scenario| scenario.procs == 1);
            return all;
        }
        all.extend([Service::Yielders, Service::Loops].map(|service| of(service, 1, 2)));
        all.push(Scenario {
            idle: true,
            ..of(Service::Echo, many(10_000), 1)
        });
        all
    }

    /// Its name in the report.
    pub fn name(&self) -> String {
        let clients = match self.connections {
            1 => "1 connection".to_owned(),
            count => format!("{count} connections"),
        };
        let procs = match self.procs {
            1 => "1 P".to_owned(),
            count => format!("{count} Ps"),
        };
        let what = match self.service {
            _ if self.idle => "idle",
            Service::Echo => "echo",
            Service::Timeout => "echo, timeout on every read",
            Service::Short => "connect, echo, close",
            Service::Yielders => return format!("until read, beside computing, {procs}"),
            Service::Loops => return format!("until read, beside tight loops, {procs}"),
        };
        format!("{what}, {clients}, {procs}")
    }

    /// Returns whether `who` takes part.
    pub(super) fn suits(&self, who: &Contender) -> bool {
        match (who.name(), self.service) {
            (RAW, Service::Echo | Service::Short) => true,
            (RAW, _) => false,
            // They cannot take the processor from one that never yields. may does not look at its sockets beside those
            // that yield either. They would serve no client.
            ("tokio" | "may", Service::Loops) | ("may", Service::Yielders) => false,
            _ => true,
        }
    }

    /// Takes a sample.
    ///
    /// # Errors
    ///
    /// When the server or a client fails.
    pub(super) fn measure(&self, who: &Contender, plan: &Plan) -> io::Result<Sample> {
        if plan.syscalls {
            return super::syscalls::count(who, self.service, self.connections, plan.sample);
        }
        let server = Server::start(who, &[], self.service, self.procs)?;
        let sample = match self.idle {
            true => self.memory(&server)?,
            false => self.times(&server, plan.sample)?,
        };
        server.end()?;
        Ok(sample)
    }

    fn memory(&self, server: &Server) -> io::Result<Sample> {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        let mut open = load::connect_idle(server.address, self.connections / 10)?;
        let before = server.memory()?;
        open.extend(load::connect_idle(server.address, self.connections)?);
        let grown = server.memory()?.saturating_sub(before);
        Ok(Sample {
            bytes: Some(grown as f64 / self.connections as f64),
            ..Sample::default()
        })
    }

    fn times(&self, server: &Server, time: Duration) -> io::Result<Sample> {
        let work: &load::Work<'_> = match self.service {
            Service::Echo | Service::Timeout => &load::echo,
            Service::Short => &load::short,
            Service::Yielders | Service::Loops => &load::stamps,
        };
        let (_, cpus) = server::cpus(self.procs)?;
        let mut taken = Vec::new();
        let note = || {
            taken.push(server.processor()?);
            Ok(())
        };
        let (mut counted, took) =
            load::run(server.address, self.connections, &cpus, time, work, note)?;
        let processor = taken[1].saturating_sub(taken[0]);
        counted.times.sort_unstable();
        if counted.operations == 0 {
            return Err(io::Error::other("nobody was served"));
        }
        let per = |time: Duration| time.as_secs_f64() * 1e6 / counted.operations as f64;
        let wait = |share| Some(f64::from(at(&counted.times, share)) / 1000.0);
        let (rate, processor) = match self.service.computes() {
            // One client that waits between its messages: neither says anything.
            true => (None, None),
            false => (Some(1e6 / per(took)), Some(per(processor))),
        };
        Ok(Sample {
            rate,
            processor,
            p50: wait(0.5),
            p99: wait(0.99),
            max: wait(1.0),
            ..Sample::default()
        })
    }
}

/// The one at the fraction `share` of them, which are sorted and at least one.
fn at(times: &[u32], share: f64) -> u32 {
    times[((times.len() - 1) as f64 * share) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_scenarios_have_the_same_name() {
        for (quick, syscalls) in [(false, false), (true, false), (false, true)] {
            let plan = Plan {
                quick,
                syscalls,
                sample: Duration::ZERO,
            };
            let mut names: Vec<String> = Scenario::all(&plan).iter().map(Scenario::name).collect();
            names.sort();
            let all = names.len();
            names.dedup();
            assert_eq!(names.len(), all, "{names:?}");
        }
    }
}
