//! A request, out of the bytes that have come.

use std::mem;

use httparse::{EMPTY_HEADER, Error, Status};

/// The longest head that is accepted.
pub(crate) const MAX_HEAD: usize = 16 << 10;
/// The largest body.
pub(crate) const MAX_BODY: usize = 1 << 20;
/// How many bytes a body in chunks may take with all that is between them: a chunk of one byte may have a line of 1000.
const MAX_CHUNKED: usize = 4 * MAX_BODY;
const MAX_HEADERS: usize = 64;

/// Why a request is refused: a status, and what to tell the client.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) u16, pub(crate) &'static str);

/// A whole request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    /// Shall the connection stay?
    pub(crate) keeps: bool,
    /// How many bytes it takes of those that have come.
    pub(crate) length: usize,
}

/// What is in the bytes that have come.
pub(crate) enum Parsed {
    Whole(Request),
    /// More has to come. The client waits for a "100 Continue" if that says so.
    Partial {
        expects: bool,
    },
    Refused(Refusal),
}

enum Length {
    Known(usize),
    Chunked,
}

/// The chunks of a body that have come: they are read once, however many parts they come in.
#[derive(Default)]
pub(crate) struct Chunks {
    body: Vec<u8>,
    /// How many bytes they took.
    at: usize,
}

/// Looks for a request at the start of `bytes`. `chunks` keeps what was read of it, for when more of it is there.
pub(crate) fn parse(bytes: &[u8], chunks: &mut Chunks) -> Parsed {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let start = match head.parse(bytes) {
        Ok(Status::Complete(start)) if start <= MAX_HEAD => start,
        Ok(Status::Partial) if bytes.len() < MAX_HEAD => {
            return Parsed::Partial { expects: false };
        }
        Ok(_) | Err(Error::TooManyHeaders) => {
            return Parsed::Refused(Refusal(431, "the head is too large"));
        }
        Err(Error::Version) => return Parsed::Refused(Refusal(505, "only HTTP/1.0 and 1.1")),
        Err(_) => return Parsed::Refused(Refusal(400, "this is no request")),
    };
    let length = match length(&head) {
        Ok(length) => length,
        Err(refusal) => return Parsed::Refused(refusal),
    };
    let rest = &bytes[start..];
    let taken = match length {
        Length::Known(length) => Ok(rest.get(..length).map(|body| (body.to_vec(), length))),
        Length::Chunked => chunks.take(rest),
    };
    let (body, length) = match taken {
        Ok(Some((body, taken))) => (body, start + taken),
        Ok(None) => {
            return Parsed::Partial {
                expects: says(&head, "expect", "100-continue"),
            };
        }
        Err(refusal) => return Parsed::Refused(refusal),
    };
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    Parsed::Whole(Request {
        method: text(head.method),
        path: path(&text(head.path)).to_owned(),
        body,
        keeps: keeps(&head),
        length,
    })
}

fn header<'h>(head: &httparse::Request<'h, '_>, name: &str) -> Option<&'h [u8]> {
    let of_name = |header: &&httparse::Header<'h>| header.name.eq_ignore_ascii_case(name);
    let header = head.headers.iter().find(of_name)?;
    Some(header.value.trim_ascii())
}

/// Whether a header, which may come several times, has `word` among its words.
fn says(head: &httparse::Request<'_, '_>, name: &str, word: &str) -> bool {
    let of_name = head
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name));
    of_name
        .flat_map(|header| header.value.split(|&byte| byte == b','))
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether the connection stays: in 1.1 unless the client says otherwise, in 1.0 if it asks for it.
fn keeps(head: &httparse::Request<'_, '_>) -> bool {
    !says(head, "connection", "close")
        && (head.version == Some(1) || says(head, "connection", "keep-alive"))
}

/// The path of a target, which is a whole URL if the client takes this server for a proxy.
fn path(target: &str) -> &str {
    let Some((scheme, rest)) = target.split_once("://") else {
        return target;
    };
    match scheme.eq_ignore_ascii_case("http") {
        true => rest.find('/').map_or("/", |start| &rest[start..]),
        false => target,
    }
}

/// The length of the body. Two lengths are an error: a proxy on the way may have taken the other one.
fn length(head: &httparse::Request<'_, '_>) -> Result<Length, Refusal> {
    let mut lengths = head
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = lengths.next();
    if lengths.next().is_some() {
        return Err(Refusal(400, "two lengths"));
    }
    match (header(head, "transfer-encoding"), length) {
        (Some(_), Some(_)) => Err(Refusal(400, "a length, and an encoding that has none")),
        (Some(encoding), None) if encoding.eq_ignore_ascii_case(b"chunked") => Ok(Length::Chunked),
        (Some(_), None) => Err(Refusal(501, "only chunked is known")),
        (None, Some(length)) => {
            let digits = length.value.trim_ascii();
            let number = std::str::from_utf8(digits)
                .ok()
                .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
            let number = number.ok_or(Refusal(400, "the length is no number"))?;
            match number.parse() {
                Ok(length) if length <= MAX_BODY => Ok(Length::Known(length)),
                _ => Err(Refusal(413, "the body is too large")),
            }
        }
        (None, None) if matches!(head.method, Some("POST" | "PUT" | "PATCH")) => {
            Err(Refusal(411, "how long is the body"))
        }
        (None, None) => Ok(Length::Known(0)),
    }
}

impl Chunks {
    /// Reads on: the body, once it is whole, and how many bytes it took.
    fn take(&mut self, bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Refusal> {
        loop {
            let (start, size) = match httparse::parse_chunk_size(&bytes[self.at..]) {
                Ok(Status::Complete(found)) => found,
                Ok(Status::Partial) if bytes.len() - self.at < 1024 => return Ok(None),
                _ => return Err(Refusal(400, "this is no chunk")),
            };
            let start = self.at + start;
            if size > (MAX_BODY - self.body.len()) as u64 || start > MAX_CHUNKED {
                return Err(Refusal(413, "the body is too large"));
            }
            let end = start + size as usize;
            let Some(after) = bytes.get(end..end + 2) else {
                return Ok(None);
            };
            // Trailers behind the last chunk are refused as well: no handler reads them.
            if after != b"\r\n" {
                return Err(Refusal(400, "this is no end of a chunk"));
            }
            self.body.extend_from_slice(&bytes[start..end]);
            self.at = end + 2;
            if size == 0 {
                return Ok(Some((mem::take(&mut self.body), self.at)));
            }
        }
    }
}
