//! The servers of this program: a process that serves in one of four ways.
//!
//! What a connection is served with is written once, in [`answer`], for goroutines and for OS threads. The raw loop has its
//! own, because it waits for all connections in one place.

mod answer;
mod goroutines;
mod http;
mod raw;
mod threads;

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

pub(super) use answer::clock;

use super::service::Service;
use crate::report::failure::Failure;

/// What a server process shall do.
pub(super) struct Duty {
    start: fn(Service, usize) -> io::Result<SocketAddr>,
    service: Service,
    procs: usize,
}

impl Duty {
    /// Reads the words with which a report starts its servers.
    ///
    /// # Errors
    ///
    /// When they mean nothing.
    pub(super) fn of(words: &[String]) -> Result<Duty, Failure> {
        let [who, service, procs] = words else {
            return Err(Failure::usage("--serve: give contender, service, and Ps"));
        };
        let start = match who.as_str() {
            "goroutines" => goroutines::start,
            "copied" => goroutines::start_copied,
            "threads" => threads::start,
            "raw" => raw::start,
            _ => return Err(Failure::usage(format!("--serve: nobody is called `{who}`"))),
        };
        let procs = procs.parse().ok().filter(|procs| (1..=64).contains(procs));
        Ok(Duty {
            start,
            service: service.parse().map_err(Failure::usage)?,
            procs: procs.ok_or_else(|| Failure::usage("--serve: give 1 to 64 Ps"))?,
        })
    }

    /// Says the port, and serves until standard input ends.
    ///
    /// # Errors
    ///
    /// When it cannot listen.
    pub(super) fn serve(&self) -> Result<(), Failure> {
        self.run().map_err(Failure::run)
    }

    fn run(&self) -> io::Result<()> {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        let address = (self.start)(self.service, self.procs)?;
        println!("{}", address.port());
        io::stdout().flush()?;
        io::stdin().read_to_end(&mut Vec::new())?;
        Ok(())
    }
}
