//! A server process, seen from the report.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use super::contender::Contender;
use super::service::Service;
use crate::cpu;

/// One that runs, and ends when this is dropped.
pub(super) struct Server {
    child: Child,
    clock: ClockId,
    pub(super) address: SocketAddr,
}

/// Which CPUs the server gets, and which the clients: with one P they are apart if there are two.
pub(super) fn cpus(procs: usize) -> io::Result<(Vec<usize>, Vec<usize>)> {
    let all = cpu::allowed()?;
    match all.split_first() {
        Some((&first, others)) if procs == 1 && !others.is_empty() => {
            Ok((vec![first], others.to_vec()))
        }
        _ => Ok((all.clone(), all)),
    }
}

impl Server {
    /// Starts it, after the words of `before`.
    ///
    /// # Errors
    ///
    /// When there is no such program, or it says no port.
    pub(super) fn start(
        who: &Contender,
        before: &[&str],
        service: Service,
        procs: usize,
    ) -> io::Result<Server> {
        let mut command = who.command(before, service, procs)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let (cpus, _) = cpus(procs)?;
        // A child may run where the thread that starts it may.
        let spawn = move || cpu::pin_to(&cpus).and_then(|()| command.spawn());
        let child = thread::spawn(spawn).join();
        let mut child = child.map_err(|_| io::Error::other("it was not started"))??;
        let port = child.stdout.take().and_then(read_port);
        let clock = clock_getcpuclockid(Pid::from_raw(child.id() as i32))?;
        match port {
            Some(port) => Ok(Server {
                child,
                clock,
                address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            }),
            None => {
                let _ = child.kill();
                let ended = child.wait()?;
                Err(io::Error::other(format!(
                    "the server says no port; {ended}"
                )))
            }
        }
    }

    /// The processor time that it has taken.
    pub(super) fn processor(&self) -> io::Result<Duration> {
        Ok(clock_gettime(self.clock)?.into())
    }

    /// Its memory that it does not share, and its page tables, in bytes.
    pub(super) fn memory(&self) -> io::Result<u64> {
        let file = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", self.child.id()));
        let lines = file("smaps_rollup")? + &file("status")?;
        let counts = |line: &&str| line.starts_with("Private_") || line.starts_with("VmPTE:");
        let of_it = lines.lines().filter(counts);
        let kilobytes =
            of_it.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        Ok(kilobytes.sum::<u64>() << 10)
    }

    /// Waits for its end, which the end of its input brings about.
    pub(super) fn end(mut self) -> io::Result<()> {
        drop(self.child.stdin.take());
        for _ in 0..500 {
            if let Some(status) = self.child.try_wait()? {
                return match status.success() {
                    true => Ok(()),
                    false => Err(io::Error::other(format!(
                        "the server ended badly: {status}"
                    ))),
                };
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(io::Error::other("the server does not end"))
    }
}

fn read_port(output: impl io::Read) -> Option<u16> {
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).ok()?;
    line.trim().parse().ok()
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error says that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
