//! A client of Redis: the crate `redis` over streams that it is given.
//!
//! ```text
//! $ cargo run -p goroutines-programs --bin redis_client /run/redis.sock
//! increments: 2000 of 2000
//! ...
//! ```
//!
//! What it shows: a crate whose own sockets would block their threads, but whose protocol is apart from them.
//! [`ConnectionLike`] takes whole commands, packed, and wants an answer; our connection writes one to a stream of ours and
//! lets the crate's parser read the other. All of [`Commands`] works on it, and what waits in the server (BLPOP) parks
//! a goroutine.
//!
//! With a second argument, `steady`, it adds to a set until SIGTERM, and goes on when the server is started again.

mod connection;

use std::{env, time::Duration};

use connection::{Connection, is_over};
use goroutines::{go, thread};
use goroutines_programs::{fail, say, start, steady};
use redis::{Commands, ConnectionLike, RedisResult};

const GOROUTINES: usize = 20;
const EACH: usize = 100;
const WAITING: usize = 200;

fn main() {
    start();
    let mut args = env::args().skip(1);
    let (path, mode) = (args.next(), args.next());
    let Some(path) = path else {
        fail("which server", "the argument is the path of its socket");
    };
    let result = match mode.as_deref() {
        None => go(move || run(&path)).join(),
        Some("steady") => go(move || stay(&path)).join(),
        Some(mode) => fail(mode, "there is no such mode; `steady` is one"),
    };
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => fail("redis", error),
        Err(_) => fail("a goroutine panicked", "see above"),
    }
}

fn run(path: &str) -> RedisResult<()> {
    let mut connection = Connection::open(path)?;
    let () = redis::cmd("FLUSHALL").query(&mut connection)?;
    increments(path, &mut connection)?;
    pipelines(path)?;
    transactions(path, &mut connection)?;
    queues(path, &mut connection)?;
    errors(&mut connection)?;
    endings(path, &mut connection)
}

/// Runs `work` in many goroutines, each on a connection of its own; what they return, together.
fn all<T: Send>(
    path: &str,
    goroutines: usize,
    work: impl Fn(usize, &mut Connection) -> RedisResult<T> + Sync,
) -> RedisResult<Vec<T>> {
    let work = &work;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..goroutines)
            .map(|number| scope.spawn(move || work(number, &mut Connection::open(path)?)))
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}

fn increments(path: &str, connection: &mut Connection) -> RedisResult<()> {
    all(path, GOROUTINES, |_, connection| {
        for _ in 0..EACH {
            let _: i64 = connection.incr("count", 1)?;
        }
        Ok(())
    })?;
    let count: usize = connection.get("count")?;
    say(format_args!("increments: {count} of {}", GOROUTINES * EACH));
    Ok(())
}

/// Many commands in one message, and their answers in their order.
fn pipelines(path: &str) -> RedisResult<()> {
    let right = all(path, GOROUTINES, |number, connection| {
        let (mut sent, mut pipeline) = (Vec::new(), redis::pipe());
        for n in 0..EACH {
            let (key, value) = (format!("key {number} {n}"), format!("{n}").repeat(500));
            pipeline.set(&key, &value).ignore().get(&key);
            sent.push(value);
        }
        let read: Vec<String> = pipeline.query(connection)?;
        Ok(read == sent)
    })?;
    let right = right.into_iter().filter(|&right| right).count();
    say(format_args!("pipelines: {right} of {GOROUTINES}"));
    Ok(())
}

/// A value that is read, changed here and written, unless another has written meanwhile: then again.
fn transactions(path: &str, connection: &mut Connection) -> RedisResult<()> {
    const KEYS: [&str; 1] = ["total"];
    all(path, GOROUTINES, |_, connection| {
        for _ in 0..10 {
            let _: () = redis::transaction(connection, &KEYS, |connection, pipeline| {
                let total: Option<u64> = connection.get(KEYS[0])?;
                let pipeline = pipeline.set(KEYS[0], total.unwrap_or(0) + 1).ignore();
                pipeline.query(connection)
            })?;
        }
        Ok(())
    })?;
    let total: usize = connection.get(KEYS[0])?;
    say(format_args!("transactions: {total} of {}", GOROUTINES * 10));
    Ok(())
}

/// Goroutines that wait in the server, more than the machine has threads; each gets one word.
fn queues(path: &str, connection: &mut Connection) -> RedisResult<()> {
    let words = thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            all(path, WAITING, |_, connection| {
                let (_, word): (String, String) = connection.blpop("queue", 0.0)?;
                Ok(word)
            })
        });
        // The last word comes once all wait for it.
        while redis::cmd("CLIENT")
            .arg("LIST")
            .query::<String>(connection)?
            .matches("cmd=blpop")
            .count()
            < WAITING
        {
            goroutines::sleep(Duration::from_millis(5));
        }
        for number in 0..WAITING {
            let _: usize = connection.rpush("queue", number)?;
        }
        waiting
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    let mut words: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    words.sort_unstable();
    let each = words.iter().copied().eq(0..WAITING);
    say(format_args!(
        "queues: {} words, each once: {each}",
        words.len()
    ));
    let nothing: Option<(String, String)> = connection.blpop("queue", 0.05)?;
    say(format_args!("empty queue: {nothing:?}"));
    Ok(())
}

/// An error of the server is the command's, and the connection stays.
fn errors(connection: &mut Connection) -> RedisResult<()> {
    let _: usize = connection.rpush("list", 1)?;
    let wrong: RedisResult<i64> = connection.incr("list", 1);
    let text = wrong.map_or_else(|error| error.to_string(), |number| number.to_string());
    say(format_args!("increment of a list: {text}"));
    let mut pipeline = redis::pipe();
    let mixed = pipeline.incr("list", 1).get("count");
    let mixed: RedisResult<(i64, i64)> = mixed.query(connection);
    say(format_args!(
        "in a pipeline: error {}, usable {}",
        mixed.is_err(),
        connection.check_connection()
    ));
    Ok(())
}

/// Waits that end otherwise than by an answer: by a time limit here, and because the server ends the connection.
fn endings(path: &str, connection: &mut Connection) -> RedisResult<()> {
    let limit = Some(Duration::from_millis(50));
    let mut hasty = Connection::open(path)?.answers_within(limit);
    let late = hasty.blpop::<_, (String, String)>("never", 0.0);
    let is_late = late.is_err_and(|error| error.is_timeout());
    say(format_args!(
        "time limit: {is_late}, still open: {}",
        hasty.is_open()
    ));
    let again = hasty.get::<_, String>("count");
    say(format_args!("after it: {}", again.expect_err("it is over")));

    let mut waiting = Connection::open(path)?.answers_within(None);
    let id: u64 = redis::cmd("CLIENT").arg("ID").query(&mut waiting)?;
    let wait = go(move || waiting.blpop::<_, (String, String)>("never", 0.0));
    let list = || {
        redis::cmd("CLIENT")
            .arg("LIST")
            .arg("ID")
            .arg(id)
            .to_owned()
    };
    while !list().query::<String>(connection)?.contains("cmd=blpop") {
        goroutines::sleep(Duration::from_millis(5));
    }
    let _: u64 = redis::cmd("CLIENT")
        .arg("KILL")
        .arg("ID")
        .arg(id)
        .query(connection)?;
    let ended = wait
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let ended = ended.expect_err("nobody sent a word");
    say(format_args!(
        "killed by the server: {ended}, over: {}",
        is_over(&ended)
    ));
    Ok(())
}

/// Adds members to a set until SIGTERM: what the server has acknowledged is there, however often it was away.
fn stay(path: &str) -> RedisResult<()> {
    let () = Connection::open(path)?.del("seen")?;
    let made = steady(
        8,
        || Connection::open(path),
        |connection, worker, step| {
            // Twice is as good as once.
            let _: usize = connection.sadd("seen", format!("{worker} {step}"))?;
            Ok(())
        },
    );
    let seen: u64 = Connection::open(path)?.scard("seen")?;
    say(format_args!("made {made}, seen {seen}"));
    Ok(())
}
