//! What a server does for its clients.

use std::str::FromStr;

/// The word that a server is given for it, and a client's part, which is in [`load`](super::load).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Sends back what it receives.
    Echo,
    /// The same with a timeout on every read, which does not come.
    Timeout,
    /// Receives a message, sends it back, and closes the connection.
    Short,
    /// As echo, while one on every P computes for 100 us and yields. Each message begins with the time at which it was
    /// sent; that is replaced by the time it took to be read.
    Yielders,
    /// The same, and those that compute never yield.
    Loops,
    /// Answers each [`REQUEST`] of HTTP/1.1 with status 200, [`BODY`] as `text/plain`, and no date.
    Http,
    /// Sends datagrams back: one socket, on which [`RECEIVERS`] wait at a time.
    Udp,
    /// Sends zeros without end, in writes of 64 KiB.
    Bulk64K,
    /// The same, in writes of 1 MiB.
    Bulk1M,
}

/// The size of all messages.
pub(super) const MESSAGE: usize = 64;
/// What a server reads at a time: more than a message, so that it can see that there is no more.
pub(super) const BUFFER: usize = 1024;
/// What a server of HTTP reads at a time: 16 requests and more.
pub(super) const HTTP_BUFFER: usize = 4096;
/// What clients of HTTP ask for.
pub(super) const REQUEST: &str = "GET /plaintext HTTP/1.1\r\nhost: 127.0.0.1\r\n\
                                  user-agent: net-report\r\naccept: text/plain\r\n\r\n";
/// The body of the answer.
pub(super) const BODY: &str = "Hello, World!";
/// How many goroutines, tasks or threads wait for datagrams.
pub(super) const RECEIVERS: usize = 8;

impl Service {
    /// All of them.
    pub(super) const ALL: [Service; 9] = [
        Service::Echo,
        Service::Timeout,
        Service::Short,
        Service::Yielders,
        Service::Loops,
        Service::Http,
        Service::Udp,
        Service::Bulk64K,
        Service::Bulk1M,
    ];

    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Service::Echo => "echo",
            Service::Timeout => "timeout",
            Service::Short => "short",
            Service::Yielders => "yielders",
            Service::Loops => "loops",
            Service::Http => "http",
            Service::Udp => "udp",
            Service::Bulk64K => "bulk-64K",
            Service::Bulk1M => "bulk-1M",
        }
    }

    /// Returns whether some compute beside it.
    pub(super) fn computes(self) -> bool {
        matches!(self, Service::Yielders | Service::Loops)
    }

    /// How much a server that sends without end writes at a time; none for others.
    pub(super) fn write_size(self) -> Option<usize> {
        match self {
            Service::Bulk64K => Some(64 << 10),
            Service::Bulk1M => Some(1 << 20),
            _ => None,
        }
    }
}

impl FromStr for Service {
    type Err = String;

    fn from_str(word: &str) -> Result<Service, String> {
        let all = Service::ALL.iter().copied();
        all.clone()
            .find(|service| service.word() == word)
            .ok_or_else(|| {
                let words: Vec<&str> = all.map(Service::word).collect();
                format!("`{word}` is no service; there are {}", words.join(", "))
            })
    }
}
