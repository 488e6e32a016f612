//! A chat over WebSockets with tungstenite: what a guest says goes to all.
//!
//! ```text
//! $ cargo run -p goroutines-programs --bin chat 127.0.0.1:8080
//! listening on 127.0.0.1:8080
//! ```
//!
//! What it shows: two goroutines a guest, one that reads and one that writes, on two handles of one connection, and a
//! channel between the guests. A guest that does not read is put out when 64 messages wait for it, and holds up no other guest.
//! The first message is the guest's name. A client that closes gets its goodbye back.

use std::{collections::HashMap, sync::Arc};

use goroutines::{
    chan::{Receiver, Sender, bounded},
    go,
    net::{Shutdown, TcpStream},
    sync::Mutex,
};
use goroutines_programs::{listen, start};
use tungstenite::{
    Message, WebSocket, accept_with_config,
    protocol::{Role, WebSocketConfig},
};

/// How many messages may wait for a guest.
const WAITING: usize = 64;

#[derive(Default)]
struct Room {
    guests: HashMap<u64, Sender<Message>>,
    numbers: u64,
}

type Shared = Arc<Mutex<Room>>;

fn main() {
    start();
    let (listener, _) = listen();
    let room = Shared::default();
    let server = go(move || {
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => {
                    let room = room.clone();
                    go(move || {
                        // Guests come and go as they like.
                        let _ = attend(stream, &room);
                    });
                }
                Err(error) => eprintln!("accept: {error}"),
            }
        }
    });
    let _ = server.join();
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(64 << 10))
}

/// A guest, from the handshake to the goodbye.
fn attend(stream: TcpStream, room: &Shared) -> Result<(), Box<dyn std::error::Error>> {
    let writing = stream.try_clone()?;
    let mut socket =
        accept_with_config(stream, Some(config())).map_err(|error| error.to_string())?;
    let name = socket.read()?.into_text()?;
    let (tx, rx) = bounded(WAITING);
    let writer = go(move || write(writing, rx));
    let number = enter(room, tx.clone());
    tell(room, Message::text(format!("{name} is here")));
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => tell(room, Message::text(format!("{name}: {text}"))),
            Ok(Message::Ping(data)) => {
                // Full: the pings of one who does not read need no answer.
                let _ = tx.try_send(Message::Pong(data));
            }
            Ok(Message::Close(frame)) => {
                let _ = tx.try_send(Message::Close(frame));
                break;
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    lock(room).guests.remove(&number);
    drop(tx);
    let _ = writer.join();
    tell(room, Message::text(format!("{name} has left")));
    Ok(())
}

/// Sends the messages for one guest, until its channel has no sender any more.
fn write(stream: TcpStream, messages: Receiver<Message>) {
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config()));
    for message in messages {
        let is_last = message.is_close();
        if socket.send(message).is_err() || is_last {
            break;
        }
    }
    // Who reads this connection is done too.
    let _ = socket.get_ref().shutdown(Shutdown::Both);
}

fn lock(room: &Shared) -> goroutines::sync::MutexGuard<'_, Room> {
    room.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn enter(room: &Shared, tx: Sender<Message>) -> u64 {
    let mut room = lock(room);
    room.numbers += 1;
    let number = room.numbers;
    room.guests.insert(number, tx);
    number
}

/// To all. Those for whom too much waits leave.
fn tell(room: &Shared, message: Message) {
    lock(room)
        .guests
        .retain(|_, guest| guest.try_send(message.clone()).is_ok());
}
