//! HTTP/1.1 on httparse, as far as this report needs it: requests without a body, on connections that stay.
//!
//! What comes in is collected, because a request may come in pieces and several may come at once. What is answered is
//! collected too, and sent in one call when no whole request is left.

use std::io::{self, Read, Write};

use httparse::{EMPTY_HEADER, Request, Status};

use crate::net::service::HTTP_BUFFER;

const FOUND: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\r\nHello, World!";
const MISSING: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

/// Serves a connection to its end. Not inlined: the buffer would be on the stack of every connection, also of those that
/// only echo.
#[inline(never)]
pub(super) fn serve(mut stream: impl Read + Write) -> io::Result<()> {
    let mut input = [0; HTTP_BUFFER];
    let (mut length, mut output) = (0, Vec::new());
    loop {
        let count = stream.read(&mut input[length..])?;
        if count == 0 {
            return Ok(());
        }
        length += count;
        let taken = answer(&input[..length], &mut output)?;
        input.copy_within(taken..length, 0);
        length -= taken;
        stream.write_all(&output)?;
        output.clear();
    }
}

/// Appends the answers to the whole requests at the start of `input`. Returns how many of its bytes these requests are.
///
/// # Errors
///
/// When they are no requests, or one fills the whole buffer and does not end.
pub(super) fn answer(input: &[u8], output: &mut Vec<u8>) -> io::Result<usize> {
    let mut taken = 0;
    while taken < input.len() {
        let mut headers = [EMPTY_HEADER; 16];
        let mut request = Request::new(&mut headers);
        match request.parse(&input[taken..]).map_err(io::Error::other)? {
            Status::Complete(length) => taken += length,
            Status::Partial if input.len() - taken < HTTP_BUFFER => break,
            Status::Partial => return Err(io::ErrorKind::InvalidData.into()),
        }
        output.extend_from_slice(match (request.method, request.path) {
            (Some("GET"), Some("/plaintext")) => FOUND,
            _ => MISSING,
        });
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::service::{BODY, REQUEST};

    /// Gives its pieces one after the other, and keeps what is written.
    struct Pieces<'a>(Vec<&'a [u8]>, Vec<u8>);

    impl Read for &mut Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.is_empty() {
                true => Ok(0),
                false => self.0.remove(0).read(buffer),
            }
        }
    }

    impl Write for &mut Pieces<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn requests_are_answered_wherever_they_are_cut() {
        let three = REQUEST.repeat(3);
        for cut in 0..=three.len() {
            let (one, two) = three.as_bytes().split_at(cut);
            let pieces = [one, two].into_iter().filter(|piece| !piece.is_empty());
            let mut pieces = Pieces(pieces.collect(), Vec::new());
            serve(&mut pieces).unwrap();
            assert_eq!(pieces.1, FOUND.repeat(3), "{cut}");
        }
        assert!(FOUND.ends_with(BODY.as_bytes()));
    }

    #[test]
    fn another_path_is_not_found_and_what_is_no_request_ends_the_connection() {
        let mut output = Vec::new();
        let request = b"GET / HTTP/1.1\r\n\r\n";
        assert_eq!(answer(request, &mut output).unwrap(), request.len());
        assert_eq!(output, MISSING);
        assert!(answer(b"\0", &mut output).is_err());
        let endless = [b'a'; HTTP_BUFFER];
        assert!(answer(&endless, &mut output).is_err());
    }
}
