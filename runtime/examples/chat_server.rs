//! A chat server: what one guest says, all others hear. Each guest has a goroutine that reads and one that writes; between
//! them lies a broadcast channel. Two guests come, in the same program.
//!
//! ```text
//! $ cargo run -p goroutines --example chat_server
//! Bob hears: Ann: hello
//! Ann hears: Bob: good day
//! ```

use std::{
    io::{self, BufRead, BufReader, Write},
    net::SocketAddr,
    sync::Arc,
};

use goroutines::{
    Config, go,
    net::{TcpListener, TcpStream},
    sync::broadcast::{self, RecvError},
};

#[derive(Clone)]
struct Said {
    by: usize,
    text: String,
}

/// Passes on what others say.
fn tell(me: usize, mut out: &TcpStream, mut heard: broadcast::Receiver<Said>) -> io::Result<()> {
    loop {
        match heard.recv() {
            Ok(said) if said.by == me => {}
            Ok(said) => writeln!(out, "{}", said.text)?,
            // A guest who reads slowly does not hold up the others.
            Err(RecvError::Lagged(n)) => writeln!(out, "({n} lines were lost)")?,
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}

/// Serves guest `me` until it leaves.
fn serve(me: usize, stream: TcpStream, said: &broadcast::Sender<Said>) -> io::Result<()> {
    let stream = Arc::new(stream);
    let (heard, out) = (said.subscribe(), Arc::clone(&stream));
    writeln!(&*stream, "welcome")?;
    go(move || tell(me, &out, heard));
    for text in BufReader::new(&*stream).lines() {
        // There is a receiver: this guest's own.
        let _ = said.send(Said {
            by: me,
            text: text?,
        });
    }
    Ok(())
}

fn guest(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    stream.read_line(&mut String::new())?; // the welcome: it hears what is said from now on
    Ok(stream)
}

fn program() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    go(move || {
        let (said, _) = broadcast::channel(100);
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let said = said.clone();
            go(move || serve(number, stream, &said));
        }
    });

    let (mut ann, mut bob) = (guest(address)?, guest(address)?);
    let mut line = String::new();
    writeln!(ann.get_mut(), "Ann: hello")?;
    bob.read_line(&mut line)?;
    print!("Bob hears: {line}");
    line.clear();
    writeln!(bob.get_mut(), "Bob: good day")?;
    ann.read_line(&mut line)?;
    print!("Ann hears: {line}");
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // SAFETY: no code of this program keeps thread-local storage over a call that can park.
    Ok(unsafe { goroutines::run(Config::new(), program) }??)
}
