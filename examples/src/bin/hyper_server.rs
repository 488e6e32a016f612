//! hyper 1.x on goroutines: a connection is a goroutine that runs `block_on`, and handlers block.
//!
//! ```text
//! $ cargo run -p goroutines-programs --bin hyper_server 127.0.0.1:8080
//! listening on 127.0.0.1:8080
//! ```
//!
//! What it shows: an `async` stack of protocols under plain sequential handlers. `/count` takes a lock of
//! `goroutines::sync`, `/slow` sleeps, `/shouted` reads the whole body first. None of them is `async` inside, and none
//! holds up another connection. The timers of hyper (a head has two seconds) are those of the scheduler.

use std::{convert::Infallible, sync::Arc, time::Duration};

use goroutines::{block_on, go, net::TcpStream, sleep, sync::Mutex};
use goroutines_hyper::{Io, Timers};
use goroutines_programs::{listen, start};
use http_body_util::{BodyExt, Limited};
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn,
};

const MAX_BODY: usize = 1 << 20;

fn main() {
    start();
    let (listener, _) = listen();
    let count = Arc::new(Mutex::new(0));
    let server = go(move || {
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => {
                    let count = count.clone();
                    go(move || serve(stream, count));
                }
                Err(error) => eprintln!("accept: {error}"),
            }
        }
    });
    let _ = server.join();
}

fn serve(stream: TcpStream, count: Arc<Mutex<u64>>) {
    let service = service_fn(|request| answer(request, count.clone()));
    let connection = http1::Builder::new()
        .timer(Timers)
        .header_read_timeout(Duration::from_secs(2))
        .serve_connection(Io::new(stream), service);
    if let Err(error) = block_on(connection)
        && !error.is_incomplete_message()
        && !error.is_timeout()
    {
        eprintln!("connection: {error}");
    }
}

async fn answer(
    request: Request<Incoming>,
    count: Arc<Mutex<u64>>,
) -> Result<Response<String>, Infallible> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/count") => {
            let mut count = count
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            *count += 1;
            (StatusCode::OK, format!("{count}\n"))
        }
        (&Method::GET, "/slow") => {
            sleep(Duration::from_millis(300));
            (StatusCode::OK, "slept\n".to_owned())
        }
        (&Method::POST, "/shouted") => {
            match Limited::new(request.into_body(), MAX_BODY).collect().await {
                Ok(body) => {
                    let text = String::from_utf8_lossy(&body.to_bytes()).to_uppercase();
                    (StatusCode::OK, text)
                }
                Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")),
            }
        }
        _ => (StatusCode::NOT_FOUND, "nothing is here\n".to_owned()),
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    Ok(response)
}
