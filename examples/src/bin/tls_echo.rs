//! An echo server over TLS: rustls over our streams, as over std's.
//!
//! ```text
//! $ cargo run -p goroutines-programs --bin tls_echo 127.0.0.1:8443
//! listening on 127.0.0.1:8443
//! $ openssl s_client -quiet -connect 127.0.0.1:8443
//! ```
//!
//! What it shows: a crate that is written against `Read` and `Write` needs no bridge. The certificate is made at the start,
//! for `localhost`, and signed by itself. A handshake that takes over two seconds ends the connection, by a deadline.

use std::{
    error::Error,
    io::{ErrorKind, Read, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use goroutines::{go, net::TcpStream};
use goroutines_programs::{fail, listen, start};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivatePkcs8KeyDer,
};

fn main() {
    start();
    let config = config().unwrap_or_else(|error| fail("there is no certificate", error));
    let (listener, _) = listen();
    let server = go(move || {
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => {
                    let config = config.clone();
                    go(move || {
                        if let Err(error) = echo(stream, config) {
                            eprintln!("connection: {error}");
                        }
                    });
                }
                Err(error) => eprintln!("accept: {error}"),
            }
        }
    });
    let _ = server.join();
}

fn config() -> Result<Arc<ServerConfig>, Box<dyn Error>> {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())?;
    Ok(Arc::new(config))
}

fn echo(mut stream: TcpStream, config: Arc<ServerConfig>) -> Result<(), Box<dyn Error>> {
    stream.set_deadline(Some(Instant::now() + Duration::from_secs(2)))?;
    let mut tls = ServerConnection::new(config)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream)?;
    }
    stream.set_deadline(None)?;
    let mut stream = StreamOwned::new(tls, stream);
    let mut buf = [0; 16 << 10];
    loop {
        match stream.read(&mut buf) {
            Ok(0) => break,
            Ok(n) => stream.write_all(&buf[..n])?,
            // Closed without a goodbye: the connection is over, and what came before it was echoed.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error.into()),
        }
        stream.flush()?;
    }
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(())
}
