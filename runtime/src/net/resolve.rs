//! Looking names up, for goroutines.
//!
//! `getaddrinfo` of the C library blocks, and loads modules that need a thread and a stack of the system. So a goroutine
//! asks the pool (resolver_pool.rs), and waits for the answer on a channel: until its context is done at the latest. The
//! lookup continues then, for others that ask for the same name.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    vec,
};

use goroutines_sched::{WaitReason, can_park};

use super::resolver_pool::Pool;
use crate::{
    chan,
    context::{Context, ContextError},
};

static POOL: Pool = Pool::new(&look_up);

/// The addresses of `host`, with port 0: a call of the C library.
fn look_up(host: &str) -> io::Result<Vec<SocketAddr>> {
    std::net::ToSocketAddrs::to_socket_addrs(&(host, 0)).map(Iterator::collect)
}

/// The addresses of `host`, which is a name and no address, with `port`.
pub(super) fn resolve(host: &str, port: u16) -> io::Result<vec::IntoIter<SocketAddr>> {
    if !can_park() {
        return super::off_thread(|| std::net::ToSocketAddrs::to_socket_addrs(&(host, port)));
    }
    let mut addrs = ask(&POOL, host, &Context::current())?;
    for addr in &mut addrs {
        addr.set_port(port);
    }
    Ok(addrs.into_iter())
}

/// The answer of `pool`, unless `ctx` is done before.
pub(super) fn ask(pool: &'static Pool, host: &str, ctx: &Context) -> io::Result<Vec<SocketAddr>> {
    if let Some(why) = ctx.err() {
        return Err(interrupted(why));
    }
    let lookup = pool.submit(host);
    if chan::wait_either(WaitReason::Lookup, &ctx.done(), lookup.done()) {
        return Err(interrupted(ctx.err().unwrap_or(ContextError::Cancelled)));
    }
    lookup.answer()
}

/// The error of a call that ended with its context.
pub(super) fn interrupted(why: ContextError) -> io::Error {
    let kind = match why {
        ContextError::DeadlineExceeded => ErrorKind::TimedOut,
        ContextError::Cancelled => ErrorKind::ConnectionAborted,
    };
    io::Error::new(kind, why)
}
