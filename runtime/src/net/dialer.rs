//! How to connect.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    net::SocketAddr,
    time::{Duration, Instant},
};

use goroutines_sched::{can_park, keep_thread};
use socket2::{Domain, Protocol, SockAddr, TcpKeepalive, Type};

use super::{
    TcpStream, ToSocketAddrs,
    connect::no_address,
    eyeballs::{alternate, race},
    resolve::interrupted,
};
use crate::context::{Context, ContextError};

/// What RFC 8305 recommends.
const DELAY: Duration = Duration::from_millis(250);

/// Connects with more settings than [`TcpStream::connect`]: how long it may last, from which address, and to several
/// addresses at once.
///
/// A name that has several addresses is connected to by *happy eyeballs* (RFC 8305): after
/// [`attempt_delay`](Dialer::attempt_delay) without an answer, and at once after an error, the next address is tried as
/// well, IPv6 and IPv4 in turn. The first connection is returned, and the other attempts are ended.
///
/// # Examples
///
/// ```
/// # unsafe { goroutines::start() }.unwrap();
/// use goroutines::{go, net::{Dialer, TcpListener}};
/// use std::time::Duration;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let port = listener.local_addr()?.port();
/// let stream = go(move || {
///     let dialer = Dialer::new().timeout(Duration::from_secs(5));
///     dialer.connect(("localhost", port))
/// });
/// assert_eq!(stream.join().unwrap()?.peer_addr()?.port(), port);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dialer {
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    local_addr: Option<SocketAddr>,
    keepalive: Option<Duration>,
    delay: Duration,
}

impl Default for Dialer {
    fn default() -> Dialer {
        Dialer::new()
    }
}

impl Dialer {
    /// A dialer without time limits.
    #[must_use]
    pub fn new() -> Dialer {
        Dialer {
            timeout: None,
            deadline: None,
            local_addr: None,
            keepalive: None,
            delay: DELAY,
        }
    }

    /// How long connecting may last, from the call on, with all addresses and the lookup of the name. Default: no limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Dialer {
        self.timeout = Some(timeout);
        self
    }

    /// When connecting ends at the latest. With a timeout as well, the earlier of the two. Default: never.
    #[must_use]
    pub fn deadline(mut self, deadline: Instant) -> Dialer {
        self.deadline = Some(deadline);
        self
    }

    /// The address of this side; port 0: any. Only addresses of its family are tried then. Default: the system chooses.
    #[must_use]
    pub fn local_addr(mut self, addr: SocketAddr) -> Dialer {
        self.local_addr = Some(addr);
        self
    }

    /// After so much time without a packet the kernel probes the other side (SO_KEEPALIVE), in whole seconds. Default: no
    /// probes.
    #[must_use]
    pub fn keepalive(mut self, idle: Duration) -> Dialer {
        self.keepalive = Some(idle);
        self
    }

    /// How long one address has to answer before the next is tried as well. Default: 250 ms.
    #[must_use]
    pub fn attempt_delay(mut self, delay: Duration) -> Dialer {
        self.delay = delay;
        self
    }

    /// Connects to one of the addresses of `addr`, under the [context](crate::context) that the caller runs under.
    ///
    /// On an OS thread, and in [`blocking`](crate::blocking()), one address is tried after the other, and the context is
    /// checked before each.
    ///
    /// # Errors
    ///
    /// `TimedOut`: the time is up. `ConnectionAborted`: the context was cancelled. `InvalidInput`: the timeout is zero,
    /// or there is no address of the family of [`local_addr`](Dialer::local_addr). Otherwise that of the last address
    /// that failed.
    ///
    /// # Parks
    ///
    /// While the name is looked up, and until there is a connection.
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<TcpStream> {
        self.connect_ctx(addr, &Context::current())
    }

    /// As [`connect`](Dialer::connect), under `ctx`: when it is done, connecting ends.
    ///
    /// # Errors
    ///
    /// As [`connect`](Dialer::connect).
    ///
    /// # Parks
    ///
    /// As [`connect`](Dialer::connect).
    ///
    /// # Examples
    ///
    /// ```
    /// # unsafe { goroutines::start() }.unwrap();
    /// use goroutines::{context::Context, go, net::Dialer};
    ///
    /// let (ctx, canceller) = Context::background().with_cancel();
    /// canceller.cancel();
    /// let error = go(move || Dialer::new().connect_ctx("127.0.0.1:1", &ctx).unwrap_err());
    /// assert_eq!(error.join().unwrap().kind(), std::io::ErrorKind::ConnectionAborted);
    /// ```
    pub fn connect_ctx<A: ToSocketAddrs>(&self, addr: A, ctx: &Context) -> io::Result<TcpStream> {
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            let text = "cannot connect with a timeout of 0; leave it out for none";
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        // A moment that no clock can hold never comes.
        let timeout = self
            .timeout
            .and_then(|time| Instant::now().checked_add(time));
        let deadline = timeout.into_iter().chain(self.deadline).min();
        let limited = deadline.map(|deadline| ctx.with_deadline(deadline));
        let ctx = limited.as_ref().map_or(ctx, |(ctx, _canceller)| ctx);
        let addrs: Vec<_> = ctx.run(|| addr.to_socket_addrs())?.collect();
        let addrs = alternate(self.usable(addrs)?);
        if let Some(why) = ctx.err() {
            return Err(interrupted(why));
        }
        if !can_park() {
            return keep_thread(|| self.one_by_one(addrs, ctx));
        }
        let prepare = |socket: &socket2::Socket| self.prepare(socket);
        race(addrs, &prepare, self.delay, ctx).map(TcpStream)
    }

    /// The addresses that can be reached from the local one.
    fn usable(&self, mut addrs: Vec<SocketAddr>) -> io::Result<Vec<SocketAddr>> {
        let Some(local) = self.local_addr else {
            return Ok(addrs);
        };
        let found = addrs.len();
        addrs.retain(|addr| addr.is_ipv4() == local.is_ipv4());
        if addrs.is_empty() && found != 0 {
            let text = format!("none of the {found} addresses is of the family of {local}");
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        Ok(addrs)
    }

    fn prepare(&self, socket: &socket2::Socket) -> io::Result<()> {
        if let Some(idle) = self.keepalive {
            socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))?;
        }
        match self.local_addr {
            Some(addr) => socket.bind(&SockAddr::from(addr)),
            None => Ok(()),
        }
    }

    /// Connects with the thread.
    fn one_by_one(&self, addrs: VecDeque<SocketAddr>, ctx: &Context) -> io::Result<TcpStream> {
        let mut last = None;
        for addr in addrs {
            if let Some(why) = ctx.err() {
                return Err(interrupted(why));
            }
            match self.connect_with_thread(addr, ctx.deadline()) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    fn connect_with_thread(
        &self,
        addr: SocketAddr,
        deadline: Option<Instant>,
    ) -> io::Result<TcpStream> {
        let domain = Domain::for_address(addr);
        let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        self.prepare(&socket)?;
        let to = SockAddr::from(addr);
        match deadline {
            None => socket.connect(&to)?,
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(interrupted(ContextError::DeadlineExceeded));
                }
                socket.connect_timeout(&to, left)?;
            }
        }
        Ok(TcpStream::from(socket))
    }
}
