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
        Server::new(&folder, socket.clone(), &command)
    }

    fn new(folder: &Path, socket: String, command: &[&str]) -> Server {
        let mut server = Server {
            folder: folder.to_owned(),
            socket,
            command: command.iter().map(|&word| word.to_owned()).collect(),
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
        let _ = fs::remove_file(&self.socket);
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let words: Vec<&str> = self.command.iter().map(String::as_str).collect();
        let child = command(&words)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("setpriv, of the package util-linux: {error}"));
        let begin = Instant::now();
        let child = self.child.insert(child);
        while UnixStream::connect(&self.socket).is_err() {
            let ended = child.try_wait().unwrap();
            let late = begin.elapsed() > Duration::from_secs(60);
            if ended.is_some() || late {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                panic!("{} does not start: {ended:?}, {log}", words[0]);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Ends it without a goodbye.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error: it has ended.
            let _ = child.kill();
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

fn is_root() -> bool {
    // SAFETY: the call has no arguments and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// A command that is run as a user who is not root, which PostgreSQL wants, and ends with the test if that is killed.
fn command(words: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if is_root() {
        let nobody = NOBODY.to_string();
        command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]);
    }
    command.arg("--").args(words);
    command
}
