//! One sample of a scenario, and how it is taken.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::Serialize;

use super::contender::{Contender, RAW};
use super::load;
use super::scenario::{CONNECTIONS, Clients, Plan, Scenario};
use super::server::{self, Server};
use super::service::Service;
use super::syscalls;

/// One sample. Times are in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Sample {
    /// Operations in a second.
    pub rate: Option<f64>,
    /// Operations in a second that were due, in an open loop.
    pub offered: Option<f64>,
    /// Processor time of the server for one.
    pub processor: Option<f64>,
    /// Half of the clients waited less.
    pub p50: Option<f64>,
    /// 99 of 100 waited less.
    pub p99: Option<f64>,
    /// 999 of 1000 waited less.
    pub p999: Option<f64>,
    /// The longest wait.
    pub max: Option<f64>,
    /// Bytes for a connection.
    pub bytes: Option<f64>,
    /// System calls of the server for an operation.
    pub calls: Option<f64>,
    /// The same for each of them that is made once in 200 operations or more often.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_name: BTreeMap<String, f64>,
}

/// Operations of the raw loop in a second in this round, once they are known.
pub(super) type RawRate = Option<f64>;

impl Scenario {
    /// Takes a sample.
    ///
    /// # Errors
    ///
    /// When the server or a client fails.
    pub(super) fn measure(
        &self,
        who: &Contender,
        plan: &Plan,
        raw_rate: &mut RawRate,
    ) -> io::Result<Sample> {
        if plan.syscalls {
            return syscalls::count(self, who, plan.sample);
        }
        let offered = match self.clients {
            Clients::Open(percent) => {
                Some(rate_of_raw(plan, raw_rate)? * f64::from(percent) / 100.0)
            }
            _ => None,
        };
        let server = Server::start(who, &[], self.service, self.procs)?;
        let sample = match self.clients {
            Clients::Idle => self.memory(&server)?,
            _ => self.times(&server, plan.sample, offered)?,
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

    /// Lets the clients work on `server` for `time`. `at` is called at the start and at the end of it.
    pub(super) fn work(
        &self,
        server: &Server,
        time: Duration,
        offered: Option<f64>,
        at: impl FnMut() -> io::Result<()>,
    ) -> io::Result<(load::Counted, Duration)> {
        let (_, cpus) = server::cpus(self.procs)?;
        let go = |work: &load::Work<'_>| {
            load::run(server.address, self.connections, &cpus, time, work, at)
        };
        match (self.service, self.clients) {
            (_, Clients::Open(_)) => {
                let each = offered.unwrap_or(1.0) / self.connections as f64;
                go(&|address, count, phase, barrier| {
                    load::open(each * count as f64, address, count, phase, barrier)
                })
            }
            (Service::Http, Clients::Closed(pipeline)) => go(&|address, count, phase, barrier| {
                load::http(pipeline, address, count, phase, barrier)
            }),
            (Service::Short, _) => go(&load::short),
            (Service::Udp, _) => go(&load::udp),
            (Service::Bulk64K | Service::Bulk1M, _) => go(&load::bulk),
            (Service::Yielders | Service::Loops, _) => go(&load::stamps),
            (Service::Echo | Service::Timeout | Service::Http, _) => go(&load::echo),
        }
    }

    fn times(&self, server: &Server, time: Duration, offered: Option<f64>) -> io::Result<Sample> {
        let mut taken = Vec::new();
        let note = || {
            taken.push(server.processor()?);
            Ok(())
        };
        let (mut counted, took) = self.work(server, time, offered, note)?;
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
            offered,
            processor,
            p50: wait(0.5),
            p99: wait(0.99),
            p999: wait(0.999),
            max: wait(1.0),
            ..Sample::default()
        })
    }
}

/// The rate of the raw loop in a closed loop, which is measured once a round.
fn rate_of_raw(plan: &Plan, known: &mut RawRate) -> io::Result<f64> {
    if let Some(rate) = *known {
        return Ok(rate);
    }
    let closed = Scenario::of(Service::Echo, CONNECTIONS, 1);
    let sample = closed.measure(&Contender::Own(RAW), plan, &mut None)?;
    *known = sample.rate;
    known.ok_or_else(|| io::Error::other("the raw loop has no rate"))
}

/// The one at the fraction `share` of them, which are sorted and at least one.
fn at(times: &[u32], share: f64) -> u32 {
    times[((times.len() - 1) as f64 * share) as usize]
}
