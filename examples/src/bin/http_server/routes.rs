//! What the server answers.

use std::{fmt::Write, time::Duration};

use goroutines::sleep;

use crate::request::{Refusal, Request};

/// The answer to a request.
pub(crate) fn answer(request: &Request) -> Result<Vec<u8>, Refusal> {
    let (path, query) = match request.path.split_once('?') {
        Some((path, query)) => (path, query),
        None => (request.path.as_str(), ""),
    };
    match (request.method.as_str(), path) {
        ("GET" | "HEAD", "/") => Ok(b"hello from a goroutine\n".to_vec()),
        ("POST", "/echo") => Ok(request.body.clone()),
        ("GET", "/sleep") => {
            let millis = query.strip_prefix("ms=").and_then(|n| n.parse().ok());
            let millis: u64 = millis.filter(|&n| n <= 10_000).ok_or(Refusal(
                400,
                "say how long, as in /sleep?ms=100, at most 10000",
            ))?;
            sleep(Duration::from_millis(millis));
            Ok(format!("slept {millis} ms\n").into_bytes())
        }
        ("GET", "/metrics") => {
            let metrics = goroutines::metrics();
            let mut text = String::new();
            let rows = [
                ("goroutines", metrics.goroutines as u64),
                ("sockets", metrics.sockets as u64),
                ("polls", metrics.polls),
                ("poll_events", metrics.poll_events),
            ];
            for (name, value) in rows {
                // A String takes everything.
                let _ = writeln!(text, "{name} {value}");
            }
            Ok(text.into_bytes())
        }
        (_, "/" | "/echo" | "/sleep" | "/metrics") => Err(Refusal(405, "not this method")),
        _ => Err(Refusal(404, "nothing is here")),
    }
}

/// Appends a response to `out`. `HEAD` is answered without the body.
pub(crate) fn respond(out: &mut Vec<u8>, status: u16, body: &[u8], keeps: bool, is_head: bool) {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    };
    let connection = if keeps { "keep-alive" } else { "close" };
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-length: {}\r\ncontent-type: text/plain\r\nconnection: {connection}\r\n\r\n",
        body.len()
    );
    out.extend_from_slice(head.as_bytes());
    if !is_head {
        out.extend_from_slice(body);
    }
}
