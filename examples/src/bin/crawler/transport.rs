//! The sockets and names of `ureq`, replaced by ours: the crate asks for a [`Connector`] and a [`Resolver`].

use std::{
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use goroutines::{
    context::Context,
    net::{Dialer, TcpStream, ToSocketAddrs},
};
use ureq::{
    Agent, Error,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{
            Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, RustlsConnector,
            ShutdownHandle, Transport,
        },
    },
};

/// How many addresses of a host are tried.
const ADDRESSES: usize = 16;

/// An agent whose calls park the goroutine that makes them.
pub(crate) fn agent(config: Config) -> Agent {
    // The crate's own TLS goes over any transport.
    let connector = Sockets.chain(RustlsConnector::default());
    Agent::with_parts(config, connector, Names)
}

/// Looks names up with the runtime's lookups. The crate's own start a thread for each that has a timeout.
#[derive(Debug)]
struct Names;

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        // Addresses of IPv6 have brackets in a URI.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let look_up = || (host, port).to_socket_addrs();
        let found = match limit(timeout) {
            None => look_up(),
            Some(time) => {
                let (context, _canceller) = Context::current().with_timeout(time);
                context.run(look_up)
            }
        };
        let found = found.map_err(|error| told(error, timeout))?;
        let mut addresses = self.empty();
        for address in config.ip_family().keep_wanted(found).take(ADDRESSES) {
            addresses.push(address);
        }
        match addresses.is_empty() {
            true => Err(Error::HostNotFound),
            false => Ok(addresses),
        }
    }
}

/// Opens connections with a [`Dialer`]: IPv6 and IPv4 beside each other if the first is slow.
#[derive(Debug)]
struct Sockets;

impl Connector for Sockets {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<Connection>, Error> {
        let dialer = match limit(details.timeout) {
            None => Dialer::new(),
            Some(time) => Dialer::new().timeout(time),
        };
        let addresses: &[_] = &details.addrs;
        let stream = dialer
            .connect(addresses)
            .map_err(|error| told(error, details.timeout))?;
        stream.set_nodelay(details.config.no_delay())?;
        let config = details.config;
        let connection = Connection {
            socket: Arc::new(Socket(stream)),
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
        };
        let handle: Weak<Socket> = Arc::downgrade(&connection.socket);
        (details.register_shutdown)(handle)?;
        Ok(Some(connection))
    }
}

/// What ends a connection from outside: `Agent::shutdown`, while a goroutine waits for its answer.
struct Socket(TcpStream);

impl ShutdownHandle for Socket {
    fn shutdown(&self) {
        // An error: it has ended.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// A connection as the crate wants it: it waits, with a time limit for each call, and has the buffers.
struct Connection {
    socket: Arc<Socket>,
    buffers: LazyBuffers,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connection").field(&self.socket.0).finish()
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        let mut stream = &self.socket.0;
        // A moment for the whole output: a timeout would begin again with each part of it.
        stream.set_write_deadline(moment(timeout))?;
        let output = &self.buffers.output()[..amount];
        stream
            .write_all(output)
            .map_err(|error| told(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        let mut stream = &self.socket.0;
        stream.set_read_deadline(moment(timeout))?;
        let read = stream
            .read(self.buffers.input_append_buf())
            .map_err(|error| told(error, timeout))?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    /// Whether the connection may be used again: nothing has come on it, not even its end. The crate asks under a lock of
    /// std, so this must not park.
    fn is_open(&mut self) -> bool {
        let stream = &self.socket.0;
        let nothing = stream.set_nonblocking(true).is_ok()
            && matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        nothing && stream.set_nonblocking(false).is_ok()
    }
}

/// How long a step may last, if it has a limit.
fn limit(timeout: NextTimeout) -> Option<Duration> {
    timeout.not_zero().map(|time| *time)
}

fn moment(timeout: NextTimeout) -> Option<Instant> {
    limit(timeout).and_then(|time| Instant::now().checked_add(time))
}

/// An error, as the crate names it: it says which of its time limits was meant.
fn told(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => Error::Io(error),
    }
}
