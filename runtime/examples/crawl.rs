//! A crawler: a goroutine for each link, at most three connections at a time, and each page once. The site is a server in
//! the same program, which answers a line with a page.
//!
//! ```text
//! $ cargo run -p goroutines --example crawl
//! /: 2 links
//! /a: 2 links
//! /b: 1 links
//! /c: 1 links
//! /lost: 0 links
//! ```

use std::{
    collections::{BTreeMap, HashSet},
    io::{self, BufRead, BufReader, Read, Write},
    net::SocketAddr,
    sync::Arc,
};

use goroutines::{
    Config, JoinSet, go,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

fn page(path: &str) -> Option<&'static str> {
    Some(match path {
        "/" => "/a /b",
        "/a" => "/b /c",
        "/b" => "/lost",
        "/c" => "/",
        _ => return None,
    })
}

fn serve(stream: &TcpStream) -> io::Result<()> {
    let mut path = String::new();
    BufReader::new(stream).read_line(&mut path)?;
    page(path.trim()).map_or(Ok(()), |links| (&*stream).write_all(links.as_bytes()))
}

/// The links of a page; none if there is no such page.
fn fetch(site: SocketAddr, path: &str) -> io::Result<Vec<String>> {
    let mut stream = TcpStream::connect(site)?;
    writeln!(stream, "{path}")?;
    let mut links = String::new();
    stream.read_to_string(&mut links)?;
    Ok(links.split_whitespace().map(str::to_owned).collect())
}

fn program() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let site = listener.local_addr()?;
    go(move || {
        listener
            .incoming()
            .flatten()
            .for_each(|stream| drop(go(move || serve(&stream))))
    });

    let slots = Arc::new(Semaphore::new(3));
    let mut seen = HashSet::from(["/".to_owned()]);
    let mut todo = vec!["/".to_owned()];
    let mut found = BTreeMap::new();
    let mut fetching = JoinSet::new();
    loop {
        for path in todo.drain(..) {
            let slots = Arc::clone(&slots);
            fetching.spawn(move || {
                let _slot = slots.acquire();
                (fetch(site, &path), path)
            });
        }
        let Some(fetched) = fetching.join_next() else {
            break;
        };
        let (links, path) = fetched.unwrap();
        let links = links?;
        todo.extend(
            links
                .iter()
                .filter(|&link| seen.insert(link.clone()))
                .cloned(),
        );
        found.insert(path, links.len());
    }
    for (path, links) in found {
        println!("{path}: {links} links");
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    Ok(unsafe { goroutines::run(Config::new(), program) }??)
}
