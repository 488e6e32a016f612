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
}

/// The size of all messages.
pub(super) const MESSAGE: usize = 64;
/// What a server reads at a time: more than a message, so that it can see that there is no more.
pub(super) const BUFFER: usize = 1024;

impl Service {
    /// All of them.
    pub(super) const ALL: [Service; 5] = [
        Service::Echo,
        Service::Timeout,
        Service::Short,
        Service::Yielders,
        Service::Loops,
    ];

    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Service::Echo => "echo",
            Service::Timeout => "timeout",
            Service::Short => "short",
            Service::Yielders => "yielders",
            Service::Loops => "loops",
        }
    }

    /// Returns whether some compute beside it.
    pub(super) fn computes(self) -> bool {
        matches!(self, Service::Yielders | Service::Loops)
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
