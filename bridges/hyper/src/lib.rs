//! [hyper] 1.x on goroutines: its runtime traits for [`goroutines`].
//!
//! | hyper asks for | here |
//! |---|---|
//! | [`rt::Read`](https://docs.rs/hyper/1/hyper/rt/trait.Read.html), [`rt::Write`](https://docs.rs/hyper/1/hyper/rt/trait.Write.html) | [`Io`], around a `TcpStream` or `UnixStream` |
//! | [`rt::Executor`](https://docs.rs/hyper/1/hyper/rt/trait.Executor.html) | [`Goroutines`]: each future runs on a goroutine of its own |
//! | [`rt::Timer`](https://docs.rs/hyper/1/hyper/rt/trait.Timer.html) | [`Timers`]: those of the scheduler |
//!
//! A connection is a goroutine that runs `block_on(connection)`. Handlers may block: a channel, a lock, a call of a
//! database without `async`. Only the connection whose handler it is waits meanwhile.
//!
//! # Examples
//!
//! ```
//! # unsafe { goroutines::start() }.unwrap();
//! use goroutines::{block_on, go, net::{TcpListener, TcpStream}, sleep};
//! use goroutines_hyper::Io;
//! use http_body_util::{BodyExt, Empty};
//! use hyper::{Request, Response, body::Incoming, client, server, service::service_fn};
//! use std::{convert::Infallible, time::Duration};
//!
//! async fn answer(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
//!     sleep(Duration::from_millis(1)); // blocks, and parks this goroutine alone
//!     Ok(Response::new("hello".to_owned()))
//! }
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! go(move || {
//!     let (stream, _) = listener.accept().unwrap();
//!     let http = server::conn::http1::Builder::new();
//!     block_on(http.serve_connection(Io::new(stream), service_fn(answer)))
//! });
//! let text = go(move || {
//!     let stream = Io::new(TcpStream::connect(address).unwrap());
//!     let (mut requests, connection) = block_on(client::conn::http1::handshake(stream)).unwrap();
//!     go(move || block_on(connection));
//!     let request = Request::get("/").body(Empty::<&[u8]>::new()).unwrap();
//!     block_on(async { requests.send_request(request).await.unwrap().collect().await.unwrap().to_bytes() })
//! });
//! assert_eq!(text.join().unwrap(), "hello");
//! # Ok::<(), std::io::Error>(())
//! ```

mod executor;
mod io;
mod timer;

pub use executor::Goroutines;
pub use io::Io;
pub use timer::Timers;
