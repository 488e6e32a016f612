//! Servers of databases, each in a folder of its own and on a UNIX socket in it.

use std::{
    env, fs,
    os::unix::{fs::chown, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// The user and the group `nobody` of Debian.
const NOBODY: u32 = 65534;

/// A server that runs. Its folder and it are gone at the latest when this is dropped.
pub struct Server {
    folder: PathBuf,
    socket: String,
    command: Vec<String>,
    /// The signal that ends it without a goodbye.
    end: i32,
    child: Option<Child>,
}

impl Server {
    /// A Redis that keeps what it has acknowledged.
    pub fn redis() -> Server {
        let folder = folder("redis");
        let socket = format!("{}/redis.sock", folder.display());
        let path = folder.to_str().unwrap();
        #[rustfmt::skip]
        let command = ["redis-server", "--port", "0", "--unixsocket", &socket, "--dir", path, "--save", "",
            "--appendonly", "yes", "--appendfsync", "always"];
        Server::new(&folder, socket.clone(), &command, libc::SIGKILL)
    }

    /// A PostgreSQL, whose user `postgres` needs no password.
    pub fn postgres() -> Server {
        let programs = postgres_programs();
        let folder = folder("postgres");
        let data = format!("{}/data", folder.display());
        let initdb = format!("{programs}/initdb");
        #[rustfmt::skip]
        let words = [&initdb as &str, "-D", &data, "-U", "postgres", "--auth", "trust", "--no-locale", "-E", "UTF8",
            "--no-sync"];
        let output = command(&words).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let postgres = format!("{programs}/postgres");
        let path = folder.to_str().unwrap();
        #[rustfmt::skip]
        let words = [&postgres as &str, "-D", &data, "-k", path, "-c", "listen_addresses="];
        let socket = format!("{path}/.s.PGSQL.5432");
        // Ended by SIGKILL, it would leave processes behind that keep the next one from starting.
        Server::new(&folder, socket, &words, libc::SIGQUIT)
    }

    fn new(folder: &Path, socket: String, command: &[&str], end: i32) -> Server {
        let mut server = Server {
            folder: folder.to_owned(),
            socket,
            command: command.iter().map(|&word| word.to_owned()).collect(),
            end,
            child: None,
        };
        server.start();
        server
    }

    /// The path of its socket.
    pub fn socket(&self) -> &str {
        &self.socket
    }

    /// Starts it, and waits until it takes connections.
    pub fn start(&mut self) {
        let path = self.folder.join("log");
        let log = fs::File::create(&path).unwrap();
        let words: Vec<&str> = self.command.iter().map(String::as_str).collect();
        let child = command(&words)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("setpriv, of the package util-linux: {error}"));
        let begin = Instant::now();
        let child = self.child.insert(child);
        loop {
            // Both say so; their sockets answer before that.
            let log = fs::read_to_string(&path).unwrap();
            let is_ready = log.contains("eady to accept connections");
            if is_ready && UnixStream::connect(&self.socket).is_ok() {
                break;
            }
            let ended = child.try_wait().unwrap();
            let late = begin.elapsed() > Duration::from_secs(60);
            assert!(
                ended.is_none() && !late,
                "{} does not start: {ended:?}, {log}",
                words[0]
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it without a goodbye.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // SAFETY: the child has not been waited for, so its number is no other's.
            unsafe { libc::kill(child.id() as i32, self.end) };
            let _ = child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A new folder that the servers may write to.
fn folder(name: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("goroutines-{name}-{}-{number}", std::process::id());
    let folder = env::temp_dir().join(name);
    fs::create_dir(&folder).unwrap();
    if is_root() {
        chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    folder
}

/// The folder of its programs, which Debian keeps out of the way: that of the newest version.
fn postgres_programs() -> String {
    let folders = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = folders.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let newest: u32 = versions
        .max()
        .expect("no PostgreSQL; scripts/databases.sh installs it");
    format!("/usr/lib/postgresql/{newest}/bin")
}

fn is_root() -> bool {
    // SAFETY: the call has no arguments and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// A command that is run as a user who is not root, which PostgreSQL wants, and ends with the test if that is killed.
fn command(words: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if is_root() {
        let nobody = NOBODY.to_string();
        command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]);
    }
    command.arg("--").args(words);
    command
}
