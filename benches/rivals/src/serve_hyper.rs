//! hyper on goroutines, through `bridges/hyper`; and what its answers are, also on tokio.

use std::{convert::Infallible, io, net::Ipv4Addr};

use goroutines::{
    Config, block_on, go,
    net::{TcpListener, TcpStream},
};
use goroutines_hyper::Io;
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1::Builder,
    service::service_fn,
};

use crate::serve::until_end;

pub fn run(procs: usize) -> io::Result<()> {
    // SAFETY: nothing here keeps thread-local storage over a call that can park.
    unsafe { Config::new().procs(procs).start() }.map_err(io::Error::other)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    go(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away ends only its own connection.
            go(move || drop(serve(stream)));
        }
    });
    until_end(port)
}

fn serve(stream: TcpStream) -> Result<(), hyper::Error> {
    // An error of this would be one of the connection, too.
    let _ = stream.set_nodelay(true);
    block_on(builder().serve_connection(Io::new(stream), service_fn(answer)))
}

/// A server's settings: what is answered is sent when no request is left.
pub fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.pipeline_flush(true).auto_date_header(false);
    builder
}

/// What is answered.
pub async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from(Bytes::from_static(b"Hello, World!")));
    let text = HeaderValue::from_static("text/plain");
    response.headers_mut().insert(CONTENT_TYPE, text);
    if request.uri().path() != "/plaintext" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    Ok(response)
}
