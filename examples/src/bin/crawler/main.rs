//! A crawler that looks for dead links: `ureq`, whose sockets and lookups are ours.
//!
//! ```text
//! $ cargo run -p goroutines-programs --bin crawler -- http://127.0.0.1:8080/
//! dead http://127.0.0.1:8080/nowhere: status 404, linked from http://127.0.0.1:8080/
//! 3 links checked, 2 pages read, 0 redirects, depth 1, 1 dead
//! ```
//!
//! What it shows: a client whose transport is given to it (`Agent::with_parts`), and its TLS over that. A goroutine for
//! each link, as many as there are; two [semaphores](goroutines::sync::Semaphore) say how many of them ask at once, all
//! together and of one host.
//!
//! The pages of the hosts that are named are read, level after level, so a page's depth is the length of the shortest way
//! to it. Links to other hosts are checked and not followed. The exit status is 2 if a link is dead.

mod crawl;
mod links;
mod report;
mod transport;

use std::{process, time::Duration};

use clap::Parser;
use crawl::Crawl;
use goroutines::{blocking, go};
use goroutines_programs::{fail, say, start};
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};
use url::Url;

/// Looks for dead links.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Where to begin; pages of these hosts are read.
    #[arg(required = true)]
    urls: Vec<Url>,
    /// How many links are asked for at once.
    #[arg(long, default_value_t = 16)]
    at_once: usize,
    /// How many links of one host are asked for at once.
    #[arg(long, default_value_t = 4)]
    per_host: usize,
    /// How long a link may take, in milliseconds, with the lookup of its host and its whole page.
    #[arg(long, default_value_t = 10_000)]
    timeout: u64,
    /// How far to go from the first pages.
    #[arg(long, default_value_t = 100)]
    depth: usize,
    /// A file with the certificate that hosts must have been signed by. Default: those of Mozilla.
    #[arg(long)]
    ca: Option<String>,
}

fn main() {
    start();
    let arguments = Arguments::parse();
    for url in &arguments.urls {
        if !matches!(url.scheme(), "http" | "https") {
            fail(url.as_str(), "only http and https");
        }
    }
    let crawl = go(move || {
        let agent = transport::agent(config(&arguments));
        goroutines_programs::on_stop({
            let agent = agent.clone();
            move || agent.shutdown()
        });
        Crawl::new(agent, arguments.at_once, arguments.per_host)
            .run(&arguments.urls, arguments.depth)
    });
    let report = crawl
        .join()
        .unwrap_or_else(|_| fail("the crawler panicked", "see above"));
    say(format_args!("{report}"));
    process::exit(if report.has_dead() { 2 } else { 0 });
}

fn config(arguments: &Arguments) -> ureq::config::Config {
    let mut tls = TlsConfig::builder();
    if let Some(file) = &arguments.ca {
        let certificate = blocking(|| std::fs::read(file))
            .map_err(ureq::Error::from)
            .and_then(|text| Certificate::from_pem(&text))
            .unwrap_or_else(|error| fail(&format!("no certificate in {file}"), error));
        tls = tls.root_certs(RootCerts::new_with_certs(&[certificate]));
    }
    Agent::config_builder()
        .timeout_global(Some(Duration::from_millis(arguments.timeout)))
        // Redirects are links: each is asked for once, within the limit of its host.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_idle_connections_per_host(arguments.per_host)
        .proxy(None)
        .tls_config(tls.build())
        .build()
}
