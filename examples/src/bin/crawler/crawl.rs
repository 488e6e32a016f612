//! The crawl: level after level, a goroutine for each link.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io::{ErrorKind, Read},
    sync::Arc,
};

use goroutines::{
    sync::{Mutex, PoisonError, Semaphore},
    thread,
};
use ureq::{Agent, Body, Error, http::Response};
use url::{Origin, Url};

use crate::{
    links::links,
    report::{Found, Outcome, Report},
};

/// How much of a page is read.
const MUCH: u64 = 4 << 20;

/// A crawl of some sites.
pub(crate) struct Crawl {
    agent: Agent,
    /// How many ask at once.
    all: Semaphore,
    per_host: usize,
    hosts: Mutex<HashMap<Origin, Arc<Semaphore>>>,
}

impl Crawl {
    /// A crawl that asks for `at_once` links at once, and for `per_host` of one host.
    pub(crate) fn new(agent: Agent, at_once: usize, per_host: usize) -> Crawl {
        Crawl {
            agent,
            all: Semaphore::new(at_once.max(1)),
            per_host: per_host.max(1),
            hosts: Mutex::default(),
        }
    }

    /// Reads the pages that can be reached from `urls` in `depth` steps, and checks all links on them.
    pub(crate) fn run(&self, urls: &[Url], depth: usize) -> Report {
        let sites: HashSet<Origin> = urls.iter().map(Url::origin).collect();
        let mut found: BTreeMap<Url, Found> = BTreeMap::new();
        let mut level: Vec<Url> = Vec::new();
        for url in urls {
            let mut url = url.clone();
            url.set_fragment(None);
            if found.insert(url.clone(), Found::at(0)).is_none() {
                level.push(url);
            }
        }
        for step in 0.. {
            let outcomes = self.level(&level, |url| step < depth && sites.contains(&url.origin()));
            let mut next = Vec::new();
            for (url, outcome) in level.iter().zip(outcomes) {
                for target in outcome.targets() {
                    let place = found.entry(target.clone()).or_insert_with(|| {
                        next.push(target.clone());
                        Found::at(step + 1)
                    });
                    place.on.insert(url.clone());
                }
                if let Some(place) = found.get_mut(url) {
                    place.outcome = Some(outcome);
                }
            }
            // What is not to be followed: links beyond the depth, which were found by redirects.
            if next.is_empty() {
                break;
            }
            level = next;
        }
        Report(found)
    }

    /// Asks for all `urls`, each on a goroutine; what came of them, in their order. Of those that `reads` names the
    /// links are wanted.
    fn level(&self, urls: &[Url], reads: impl Fn(&Url) -> bool) -> Vec<Outcome> {
        thread::scope(|scope| {
            let asked: Vec<_> = urls
                .iter()
                .map(|url| {
                    let reads = reads(url);
                    scope.spawn(move || self.check(url, reads))
                })
                .collect();
            asked
                .into_iter()
                .map(|one| {
                    one.join()
                        .unwrap_or_else(|_| Outcome::Dead("its goroutine panicked".to_owned()))
                })
                .collect()
        })
    }

    fn check(&self, url: &Url, reads: bool) -> Outcome {
        // The host first: a link that waits for its host must not take the place of another's.
        let host = self.host(url);
        let _of_host = host.acquire();
        let _of_all = self.all.acquire();
        match self.ask(url, reads) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Dead(error.to_string()),
        }
    }

    fn host(&self, url: &Url) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts
            .entry(url.origin())
            .or_insert_with(|| Arc::new(Semaphore::new(self.per_host)));
        host.clone()
    }

    fn ask(&self, url: &Url, reads: bool) -> Result<Outcome, Error> {
        let answer = match self.agent.get(url.as_str()).call() {
            // A server may end a connection that was kept, in the moment in which it is used again.
            Err(Error::Io(error)) if was_kept(error.kind()) => self.agent.get(url.as_str()).call(),
            answer => answer,
        }?;
        let status = answer.status();
        if status.is_redirection() {
            let target = header(&answer, "location").and_then(|text| url.join(text).ok());
            return Ok(match target {
                Some(mut target) => {
                    target.set_fragment(None);
                    Outcome::Redirect(target)
                }
                None => Outcome::Dead(format!("status {} that leads nowhere", status.as_u16())),
            });
        }
        if !status.is_success() {
            return Ok(Outcome::Dead(format!("status {}", status.as_u16())));
        }
        let kind = header(&answer, "content-type").unwrap_or_default();
        if !reads || !kind.starts_with("text/html") {
            return Ok(Outcome::Good);
        }
        let mut page = Vec::new();
        let mut body = answer.into_body().into_reader().take(MUCH);
        body.read_to_end(&mut page)?;
        Ok(Outcome::Page(links(&String::from_utf8_lossy(&page), url)))
    }
}

fn was_kept(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}

fn header<'a>(answer: &'a Response<Body>, name: &str) -> Option<&'a str> {
    answer.headers().get(name)?.to_str().ok()
}
