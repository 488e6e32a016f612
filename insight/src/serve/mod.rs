//! A socket on which other processes look into this one, by lines: the request of a line, the answer of a line of JSON.
//!
//! ```text
//!  a client                         thread `goroutines-debug`          a thread for each client
//!  connect ───────────────────────► accepts; the fifth is sent away ─► reads a line, answers it,
//!  "stats 1000\n" ─────────────────────────────────────────────────►   until the client leaves,
//!  ◄──────────────────────────────────────────── {"goroutines": ..}    does not read, or the server is dropped
//! ```
//!
//! | file | what it has |
//! |---|---|
//! | socket.rs | the socket in the file system: who may connect, whose name it is |
//! | client.rs | the life of a connection |
//! | request.rs | the requests |
//! | answer.rs, looks.rs | the answers |
//!
//! docs/live-view.md says what a client may ask for and what it gets.
//!
//! A thread of the server runs no code of the program, and wakes no goroutine: it counts as the scheduler's when the monitor
//! looks for a deadlock. So a program that nothing can wake any more ends with its report although a client is attached, and
//! the client reads the end of the file.

mod answer;
mod client;
mod looks;
mod request;
mod socket;

use std::{
    fmt, io,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use goroutines_sched::{as_own_thread, with_room};

use crate::room;

/// How many clients may be attached at the same time.
const CLIENTS: usize = 4;

/// How long the server waits after the system had no descriptor for a client.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens a socket at `path` on which other processes of the same user look into this one: `goroutines-top`, and whatever
/// speaks the lines that docs/live-view.md describes.
///
/// Only the user of this process may connect, and root: the socket has the mode 0600, and who connects is asked for his
/// user. A client can look, and change nothing. The socket is removed when the [`Server`] is dropped. At most four clients
/// are attached at a time.
///
/// A socket that another process has left at `path`, because it was killed, is replaced if it belongs to the same user. A
/// file of another kind is never removed.
///
/// Takes a thread named `goroutines-debug`, and one for each client. From goroutines and plain threads; does not park.
///
/// # Errors
///
/// - `AddrInUse`: a process serves at `path`, or there is something that is no socket, or a socket of another user.
/// - `InvalidInput`: the path is empty, has a NUL, or more than 107 bytes, the limit of the system.
/// - What the system says, as `PermissionDenied` or `NotFound` of a folder.
///
/// # Examples
///
/// ```
/// let path = std::env::temp_dir().join(format!("served-{}", std::process::id()));
/// let server = goroutines_insight::serve(&path)?;
/// assert_eq!(server.path(), path);
/// drop(server);
/// assert!(!path.exists());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn serve(path: impl AsRef<Path>) -> io::Result<Server> {
    let path = path.as_ref();
    with_room(room::TO_START, || Server::open(path))
}

/// An open socket of [`serve`]; dropped, it closes the socket, removes it, and sends all clients away.
#[must_use = "the socket is closed when this is dropped"]
pub struct Server {
    path: PathBuf,
    /// The same, whatever becomes of the working directory.
    absolute: PathBuf,
    file: socket::File,
    listener: UnixListener,
    clients: Arc<Clients>,
    /// The process that has opened it: the child of a fork leaves it alone.
    process: u32,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("path", &self.path).finish()
    }
}

impl Server {
    fn open(path: &Path) -> io::Result<Server> {
        let absolute = std::path::absolute(path)?;
        let (listener, file) = socket::listen(path)?;
        let clients = Arc::new(Clients::default());
        let server = Server {
            path: path.to_owned(),
            absolute,
            file,
            listener,
            clients: clients.clone(),
            process: process::id(),
        };
        let listener = server.listener.try_clone()?;
        start_thread(move || accept(&listener, &clients))?;
        Ok(server)
    }

    /// The path of the socket, as it was given to [`serve`].
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if process::id() != self.process {
            return;
        }
        self.file.remove(&self.absolute);
        self.clients.close();
        socket::stop(&self.listener);
    }
}

fn start_thread(life: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let builder = thread::Builder::new().name("goroutines-debug".to_owned());
    builder.spawn(|| as_own_thread(life)).map(drop)
}

/// The life of the thread that clients connect to.
fn accept(listener: &UnixListener, clients: &Arc<Clients>) {
    while clients.are_wanted() {
        match listener.accept() {
            Ok((stream, _)) => {
                let stream = Arc::new(stream);
                if let Err(refusal) = admit(&stream, clients) {
                    client::refuse(&stream, &refusal);
                }
            }
            // The client has left again, or the call was interrupted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // `socket::stop`; or no descriptors, for which the next round waits.
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// Starts the thread of a client.
fn admit(stream: &Arc<UnixStream>, clients: &Arc<Clients>) -> Result<(), String> {
    if !socket::is_from_our_user(stream) {
        return Err("only the user of this process, and root, may connect".to_owned());
    }
    let place = Clients::join(clients, stream)?;
    let life = move || client::attend(&place.stream);
    start_thread(life).map_err(|error| format!("no thread for this client: {error}"))
}

/// The clients that are attached.
#[derive(Default)]
struct Clients {
    streams: Mutex<Streams>,
}

#[derive(Default)]
struct Streams {
    is_closed: bool,
    open: Vec<Arc<UnixStream>>,
}

/// A client's place among them, which becomes free when this is dropped.
struct Place {
    stream: Arc<UnixStream>,
    clients: Arc<Clients>,
}

impl Clients {
    fn join(clients: &Arc<Clients>, stream: &Arc<UnixStream>) -> Result<Place, String> {
        let mut streams = clients.lock();
        if streams.is_closed {
            return Err("the server is closed".to_owned());
        }
        if streams.open.len() == CLIENTS {
            return Err(format!(
                "{CLIENTS} clients are attached, and no more may be"
            ));
        }
        streams.open.push(Arc::clone(stream));
        drop(streams);
        Ok(Place {
            stream: Arc::clone(stream),
            clients: clients.clone(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn are_wanted(&self) -> bool {
        !self.lock().is_closed
    }

    fn close(&self) {
        let mut streams = self.lock();
        streams.is_closed = true;
        for stream in streams.open.drain(..) {
            // Its thread reads the end of the file. It may have left by itself.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = self.clients.lock();
        streams
            .open
            .retain(|stream| !Arc::ptr_eq(stream, &self.stream));
    }
}
