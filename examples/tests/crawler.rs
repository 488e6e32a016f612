//! The crawler: the whole of a site is found, and every kind of dead link, within its limits.

mod support;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Output},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};
use support::Program;

const CRAWLER: &str = env!("CARGO_BIN_EXE_crawler");

/// A site: what it answers to each path, in full, and how often it was asked.
struct Site {
    answers: BTreeMap<String, String>,
    /// How long each answer takes.
    time: Duration,
    asked: Mutex<BTreeMap<String, usize>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Site {
    fn new(answers: impl IntoIterator<Item = (&'static str, String)>, time: Duration) -> Arc<Site> {
        let answers = answers.into_iter();
        Arc::new(Site {
            answers: answers
                .map(|(path, answer)| (path.into(), answer))
                .collect(),
            time,
            asked: Mutex::default(),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    /// Serves each connection of `listener` on a thread; `wrap` may put TLS around it.
    fn serve<S: Read + Write>(
        self: &Arc<Site>,
        listener: TcpListener,
        wrap: impl Fn(TcpStream) -> S + Send + Sync + 'static,
    ) {
        let (site, wrap) = (self.clone(), Arc::new(wrap));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (site, wrap) = (site.clone(), wrap.clone());
                thread::spawn(move || site.talk(wrap(stream.unwrap())));
            }
        });
    }

    fn talk(&self, stream: impl Read + Write) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok().filter(|&n| n > 0)?;
            let path = line.split(' ').nth(1)?.to_owned();
            while line.trim_end() != "" {
                line.clear();
                stream.read_line(&mut line).ok()?;
            }
            *self.asked.lock().unwrap().entry(path.clone()).or_default() += 1;
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            thread::sleep(self.time);
            self.now.fetch_sub(1, Ordering::SeqCst);
            let missing = || answer("404 Not Found", "", "nothing");
            let text = self.answers.get(&path).cloned().unwrap_or_else(missing);
            match text.as_str() {
                "silence" => drop(stream.read_line(&mut line)),
                text => stream.get_mut().write_all(text.as_bytes()).ok()?,
            }
            stream.get_mut().flush().ok()?;
            if text.contains("connection: close") {
                return None;
            }
        }
    }
}

fn answer(status: &str, header: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{header}\r\n{body}")
}

fn page(links: &[&str]) -> String {
    let body: String = links
        .iter()
        .map(|link| format!("<p><a href=\"{link}\">{link}</a>\n"))
        .collect();
    answer("200 OK", "content-type: text/html\r\n", &body)
}

fn redirect(to: &str) -> String {
    answer("301 Moved Permanently", &format!("location: {to}\r\n"), "")
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The lines that the crawler says, and its status.
fn crawl(args: &[&str]) -> (Vec<String>, i32) {
    let Output { status, stdout, .. } = Command::new(CRAWLER).args(args).output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    let lines = text.lines().map(str::to_owned).collect();
    (lines, status.code().expect("it was killed"))
}

#[test]
fn a_site_is_read_once_and_each_dead_link_is_named_with_its_reason() {
    let (listener, address) = listen();
    let (_http, other) = Program::server(env!("CARGO_BIN_EXE_http_server"));
    // A port of the system, which no test is given.
    let nobody = "127.0.0.1:1";
    let links = [
        &format!("http://{other}/") as &str,
        &format!("http://{other}/nowhere"),
        &format!("http://{other}/sleep?ms=10000"),
        &format!("http://{nobody}/"),
        "/gone",
        "mailto:nobody",
    ];
    let short = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 999\r\nconnection: close\r\n\r\n<p>";
    let site = Site::new(
        [
            ("/", page(&["/a", "b", "/moved", "/#top", "/gone"])),
            ("/a", page(&["/b", "/", "/picture", "/short", "/silent"])),
            ("/b", page(&["/a", "/c", "/round", "/to-gone"])),
            ("/c", page(&links)),
            ("/moved", redirect("/a")),
            ("/round", redirect("/round2")),
            ("/round2", redirect("/round")),
            ("/to-gone", redirect("gone")),
            (
                "/picture",
                answer("200 OK", "content-type: image/png\r\n", "<a href=/no>"),
            ),
            ("/short", short.to_owned()),
            ("/silent", "silence".to_owned()),
        ],
        Duration::ZERO,
    );
    site.serve(listener, |stream| stream);
    let home = format!("http://{address}/");
    let (lines, status) = crawl(&["--timeout", "3000", "--at-once", "8", &home]);
    let mut expected = vec![
        format!("dead {home}gone: status 404, linked from {home}, {home}c, {home}to-gone"),
        format!("dead {home}round: redirected in a circle, linked from {home}b, {home}round2"),
        format!("dead {home}round2: redirected in a circle, linked from {home}round"),
        format!("dead {home}short: io: Peer disconnected, linked from {home}a"),
        format!("dead {home}silent: timeout: global, linked from {home}a"),
        format!("dead {home}to-gone: redirected to {home}gone: status 404, linked from {home}b"),
        format!(
            "dead http://{nobody}/: io: Connection refused (os error 111), linked from {home}c"
        ),
        format!("dead http://{other}/nowhere: status 404, linked from {home}c"),
        format!("dead http://{other}/sleep?ms=10000: timeout: global, linked from {home}c"),
    ];
    expected.sort_by_key(|line| url::Url::parse(line[5..].split(": ").next().unwrap()).unwrap());
    expected.push("16 links checked, 4 pages read, 4 redirects, depth 3, 9 dead".to_owned());
    assert_eq!(lines, expected);
    assert_eq!(status, 2);
    let asked = site.asked.lock().unwrap();
    assert!(asked.values().all(|&times| times == 1), "{asked:?}");
    assert_eq!(asked.len(), 12, "{asked:?}");
}

#[test]
fn no_host_is_asked_for_more_at_once_than_its_limit() {
    let (listener, address) = listen();
    let paths: Vec<String> = (0..24).map(|n| format!("/{n}")).collect();
    let links: Vec<&str> = paths.iter().map(String::as_str).collect();
    let mut answers = vec![("/", page(&links))];
    for path in links {
        answers.push((path.to_owned().leak(), page(&["/"])));
    }
    let site = Site::new(answers, Duration::from_millis(50));
    site.serve(listener, |stream| stream);
    let home = format!("http://{address}/");
    let (lines, status) = crawl(&["--per-host", "3", &home]);
    let last = "25 links checked, 25 pages read, 0 redirects, depth 1, 0 dead";
    assert_eq!((lines, status), (vec![last.to_owned()], 0));
    let most = site.most.load(Ordering::SeqCst);
    assert!((2..=3).contains(&most), "{most} at once");
}

#[test]
fn a_site_over_tls_is_read_if_its_certificate_is_trusted() {
    let (listener, address) = listen();
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())
        .unwrap();
    let config = Arc::new(config);
    let large = answer(
        "200 OK",
        "content-type: text/html\r\n",
        &"x".repeat(300_000),
    );
    let site = Site::new(
        [("/", page(&["/large"])), ("/large", large)],
        Duration::ZERO,
    );
    site.serve(listener, move |stream| {
        StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream)
    });
    let home = format!("https://localhost:{}/", address.port());
    let file = std::env::temp_dir().join(format!("goroutines-crawler-{}.pem", std::process::id()));
    fs::write(&file, certified.cert.pem()).unwrap();
    let trusting = crawl(&["--ca", file.to_str().unwrap(), &home]);
    fs::remove_file(&file).unwrap();
    let last = "2 links checked, 2 pages read, 0 redirects, depth 1, 0 dead";
    assert_eq!(trusting, (vec![last.to_owned()], 0));
    let (lines, status) = crawl(&[&home]);
    assert!(lines[0].starts_with(&format!("dead {home}: ")), "{lines:?}");
    assert!(lines[0].contains("invalid peer certificate"), "{lines:?}");
    assert_eq!(status, 2);
}

#[test]
fn sigterm_ends_what_waits_and_what_is_known_is_reported() {
    let (listener, address) = listen();
    let site = Site::new(
        [("/", page(&["/silent"])), ("/silent", "silence".to_owned())],
        Duration::ZERO,
    );
    site.serve(listener, |stream| stream);
    let home = format!("http://{address}/");
    let mut program = Program::start(CRAWLER, &["--timeout", "600000", &home]);
    let begin = Instant::now();
    while !site.asked.lock().unwrap().contains_key("/silent") {
        assert!(begin.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(5));
    }
    program.terminate();
    let line = program.line();
    assert!(
        line.starts_with(&format!("dead {home}silent: io: ")),
        "{line}"
    );
    let last = "2 links checked, 1 pages read, 0 redirects, depth 1, 1 dead";
    assert_eq!(program.line(), last);
    assert_eq!(program.end().code(), Some(2));
}

#[test]
fn arguments_that_are_no_links_are_refused() {
    for (argument, message) in [
        ("nonsense", "relative URL"),
        ("ftp://x/", "only http and https"),
    ] {
        let output = Command::new(CRAWLER).arg(argument).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(text.contains(message), "{text}");
    }
    let missing = ["--ca", "/nowhere/ca.pem", "http://localhost/"];
    let output = Command::new(CRAWLER).args(missing).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("no certificate in /nowhere/ca.pem"), "{text}");
}
