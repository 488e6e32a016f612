//! What was found.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use url::Url;

/// What came of a link.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A page, and where its links lead.
    Page(Vec<Url>),
    /// Something is there, and its links are not wanted, or it has none.
    Good,
    Redirect(Url),
    /// Why nothing is there.
    Dead(String),
}

impl Outcome {
    /// What has to be asked for because of it.
    pub(crate) fn targets(&self) -> &[Url] {
        match self {
            Outcome::Page(links) => links,
            Outcome::Redirect(target) => std::slice::from_ref(target),
            Outcome::Good | Outcome::Dead(_) => &[],
        }
    }
}

/// A link.
#[derive(Debug)]
pub(crate) struct Found {
    depth: usize,
    /// The pages it is on, and what redirects to it.
    pub(crate) on: BTreeSet<Url>,
    /// None: not asked for yet.
    pub(crate) outcome: Option<Outcome>,
}

impl Found {
    pub(crate) fn at(depth: usize) -> Found {
        Found {
            depth,
            on: BTreeSet::new(),
            outcome: None,
        }
    }
}

/// All links. It is shown as a line for each that is dead, and one that counts.
#[derive(Debug)]
pub(crate) struct Report(pub(crate) BTreeMap<Url, Found>);

impl Report {
    /// The dead links, and why they are.
    fn dead(&self) -> Vec<(&Url, &Found, String)> {
        let why = |url| Some((url, &self.0[url], self.why_dead(url)?));
        self.0.keys().filter_map(why).collect()
    }

    /// Is a link dead?
    pub(crate) fn has_dead(&self) -> bool {
        self.0.keys().any(|url| self.why_dead(url).is_some())
    }

    /// Why `url` is dead, if it is: a redirect is if it leads to such a link, or in a circle.
    fn why_dead(&self, url: &Url) -> Option<String> {
        let mut last = url;
        for _ in 0..self.0.len() {
            match &self.0.get(last)?.outcome {
                Some(Outcome::Redirect(target)) => last = target,
                Some(Outcome::Dead(why)) if last == url => return Some(why.clone()),
                Some(Outcome::Dead(why)) => return Some(format!("redirected to {last}: {why}")),
                _ => return None,
            }
        }
        Some("redirected in a circle".to_owned())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dead = self.dead();
        for (url, found, why) in &dead {
            write!(f, "dead {url}: {why}")?;
            for (number, page) in found.on.iter().enumerate() {
                let before = if number == 0 { ", linked from" } else { "," };
                write!(f, "{before} {page}")?;
            }
            writeln!(f)?;
        }
        let count = |is: fn(&Outcome) -> bool| {
            let outcomes = self.0.values().filter_map(|found| found.outcome.as_ref());
            outcomes.filter(|outcome| is(outcome)).count()
        };
        let pages = count(|outcome| matches!(outcome, Outcome::Page(_)));
        let redirects = count(|outcome| matches!(outcome, Outcome::Redirect(_)));
        let depth = self.0.values().map(|found| found.depth).max();
        write!(
            f,
            "{} links checked, {pages} pages read, {redirects} redirects, depth {}, {} dead",
            self.0.len(),
            depth.unwrap_or(0),
            dead.len()
        )
    }
}
