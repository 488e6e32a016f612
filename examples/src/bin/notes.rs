//! Notes in SQLite, which blocks its thread, behind [`goroutines::blocking`].
//!
//! ```text
//! $ cargo run -p goroutines-programs --bin notes 127.0.0.1:8080
//! listening on 127.0.0.1:8080
//! $ printf 'add buy milk\nlist\n' | nc 127.0.0.1 8080
//! ok 1
//! 1 buy milk
//! ok
//! ```
//!
//! What it shows: a library in C that knows no scheduler. Its calls are announced, so the processor goes to others while
//! the disk is slow; the lock around the connection is a goroutine's lock. The second argument is the file; without it the
//! notes are in memory. Lines: `add TEXT`, `list`, `drop NUMBER`.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    sync::Arc,
};

use goroutines::{blocking, go, net::TcpStream, sync::Mutex};
use goroutines_programs::{fail, listen, start};
use rusqlite::{Connection, params};

type Notes = Arc<Mutex<Connection>>;

fn main() {
    start();
    let notes = blocking(open).unwrap_or_else(|error| fail("cannot open the notes", error));
    let notes = Arc::new(Mutex::new(notes));
    let (listener, _) = listen();
    let server = go(move || {
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => {
                    let notes = notes.clone();
                    go(move || {
                        if let Err(error) = serve(&stream, &notes) {
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

fn open() -> rusqlite::Result<Connection> {
    let connection = match env::args().nth(2) {
        Some(file) => Connection::open(file)?,
        None => Connection::open_in_memory()?,
    };
    connection.execute(
        "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)",
        [],
    )?;
    Ok(connection)
}

fn serve(mut stream: &TcpStream, notes: &Notes) -> io::Result<()> {
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let answer = {
            let notes = notes
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            blocking(|| obey(&notes, &line))
        };
        let answer = answer.unwrap_or_else(|error| format!("error: {error}\n"));
        stream.write_all(answer.as_bytes())?;
    }
    Ok(())
}

fn obey(notes: &Connection, line: &str) -> rusqlite::Result<String> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    match (verb, rest.trim()) {
        ("add", text) if !text.is_empty() => {
            notes.execute("INSERT INTO notes (text) VALUES (?1)", params![text])?;
            Ok(format!("ok {}\n", notes.last_insert_rowid()))
        }
        ("list", "") => {
            let mut statement = notes.prepare("SELECT id, text FROM notes ORDER BY id")?;
            let rows = statement.query_map([], |row| {
                Ok(format!(
                    "{} {}\n",
                    row.get::<_, i64>(0)?,
                    row.get::<_, String>(1)?
                ))
            })?;
            Ok(rows.collect::<rusqlite::Result<String>>()? + "ok\n")
        }
        ("drop", number) => {
            match notes.execute("DELETE FROM notes WHERE id = ?1", params![number])? {
                0 => Ok("error: there is no such note\n".to_owned()),
                _ => Ok("ok\n".to_owned()),
            }
        }
        _ => Ok("error: say `add TEXT`, `list` or `drop NUMBER`\n".to_owned()),
    }
}
