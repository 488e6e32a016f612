//! What the client does, one thing after the other.

use std::{io::Cursor, pin::pin, time::Duration};

use futures::{SinkExt, TryStreamExt};
use goroutines::{block_on, context::Context, sleep, thread};
use goroutines_io::Io;
use goroutines_programs::say;
use tokio_postgres::{Error, IsolationLevel, NoTls, error::SqlState};

use crate::{
    failure::Failure,
    pool::{Pool, Server, Session},
};

const ACCOUNTS: i32 = 10;
const GOROUTINES: i32 = 20;
const EACH: i32 = 20;

/// Runs `work` in many goroutines; what they return, together.
fn all<T: Send>(
    goroutines: i32,
    work: impl Fn(i32) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    let work = &work;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..goroutines)
            .map(|n| scope.spawn(move || work(n)))
            .collect();
        let join = |worker: thread::ScopedJoinHandle<'_, _>| {
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        workers.into_iter().map(join).collect()
    })
}

/// Money is moved between accounts, by more goroutines than there are connections.
pub(crate) fn transfers(server: &Server) -> Result<(), Failure> {
    let pool = Pool::new(server, 4)?;
    block_on(pool.take()?.client.batch_execute(
        "DROP TABLE IF EXISTS accounts;
        CREATE TABLE accounts (id INT PRIMARY KEY, balance INT NOT NULL CHECK (balance >= 0));
        INSERT INTO accounts SELECT id, 100 FROM generate_series(0, 9) id",
    ))?;
    let moved = all(GOROUTINES, |worker| {
        for round in 0..EACH {
            let mut session = pool.take()?;
            let (from, to) = (
                (worker + round) % ACCOUNTS,
                (worker + round * 3 + 1) % ACCOUNTS,
            );
            // Two that met: one of them has to be made again.
            while let Err(error) = block_on(transfer(&mut session, from, to)) {
                match error.code() {
                    Some(&SqlState::T_R_SERIALIZATION_FAILURE) => {}
                    Some(&SqlState::T_R_DEADLOCK_DETECTED) => {}
                    _ => return Err(error.into()),
                }
            }
        }
        Ok(EACH)
    })?;
    let moved: i32 = moved.iter().sum();
    let row = block_on(
        pool.take()?
            .client
            .query_one("SELECT sum(balance) FROM accounts", &[]),
    )?;
    let sum: i64 = row.get(0);
    say(format_args!("transfers: {moved}, sum {sum}"));
    Ok(())
}

async fn transfer(session: &mut Session, from: i32, to: i32) -> Result<(), Error> {
    let add = session
        .prepare("UPDATE accounts SET balance = balance + $2 WHERE id = $1")
        .await?;
    let transaction = session
        .client
        .build_transaction()
        .isolation_level(IsolationLevel::Serializable)
        .start()
        .await?;
    transaction.execute(&add, &[&from, &-1]).await?;
    transaction.execute(&add, &[&to, &1]).await?;
    transaction.commit().await
}

/// Many goroutines ask on one connection: their queries go out together, and each gets its answer.
pub(crate) fn at_once(session: &mut Session) -> Result<(), Failure> {
    let double = block_on(session.prepare("SELECT $1::INT * 2"))?;
    let client = &session.client;
    let doubles = all(100, |n| {
        let row = block_on(client.query_one(&double, &[&n]))?;
        Ok(row.get::<_, i32>(0) == n * 2)
    })?;
    let right = doubles.into_iter().filter(|&right| right).count();
    say(format_args!("at once: {right} of 100"));
    Ok(())
}

/// Rows that go in as a stream, and come out as one.
pub(crate) fn streams(session: &mut Session) -> Result<(), Failure> {
    const ROWS: i64 = 50_000;
    let client = &session.client;
    let (copied, rows, sum) = block_on(async {
        client
            .batch_execute("CREATE TEMPORARY TABLE numbers (n BIGINT, text TEXT)")
            .await?;
        let mut sink = pin!(client.copy_in("COPY numbers FROM STDIN").await?);
        for chunk in 0..ROWS / 1000 {
            let lines = (chunk * 1000..(chunk + 1) * 1000).map(|n| format!("{n}\tnumber {n}\n"));
            sink.send(Cursor::new(lines.collect::<String>())).await?;
        }
        let copied = sink.finish().await?;
        let none: [i64; 0] = [];
        let mut stream = pin!(
            client
                .query_raw("SELECT n, text FROM numbers", none)
                .await?
        );
        let (mut rows, mut sum) = (0, 0);
        while let Some(row) = stream.try_next().await? {
            let (n, text): (i64, &str) = (row.get(0), row.get(1));
            if text
                .strip_prefix("number ")
                .and_then(|text| text.parse().ok())
                == Some(n)
            {
                (rows, sum) = (rows + 1, sum + n);
            }
        }
        Ok::<_, Error>((copied, rows, sum))
    })?;
    say(format_args!("streams: {copied} in, {rows} out, sum {sum}"));
    Ok(())
}

/// A query that is refused, and a transaction that is dropped: the connection stays.
pub(crate) fn refusals(session: &mut Session) -> Result<(), Failure> {
    let client = &mut session.client;
    let refused = block_on(client.execute("UPDATE accounts SET balance = -1 WHERE id = 7", &[]));
    let text = refused.map_or_else(|error| Failure::from(error).to_string(), |n| n.to_string());
    say(format_args!("refused: {text}"));
    block_on(async {
        let transaction = client.transaction().await?;
        transaction.execute("DELETE FROM accounts", &[]).await?;
        drop(transaction);
        let row = client
            .query_one("SELECT count(*) FROM accounts", &[])
            .await?;
        say(format_args!(
            "rolled back: {} accounts",
            row.get::<_, i64>(0)
        ));
        Ok(())
    })
}

/// A query that takes too long for its caller: it is given up here, and then ended in the server.
pub(crate) fn deadline(server: &Server, session: &mut Session) -> Result<(), Failure> {
    // Prepared before, so that the query itself is under way when the time is up.
    let long = block_on(session.prepare("SELECT 1 FROM pg_sleep(600)"))?;
    let client = &session.client;
    let (context, _canceller) = Context::background().with_timeout(Duration::from_millis(200));
    let late = context.block_on(client.query_one(&long, &[]));
    say(format_args!(
        "deadline: {}",
        late.expect_err("600 s have not passed")
    ));
    let mut other = server.connect()?;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    let asleep = block_on(other.prepare(sql))?;
    // Waits until as many queries sleep in the server.
    let wait_for = |sleepers: i64| {
        while block_on(other.client.query_one(&asleep, &[]))?.get::<_, i64>(0) != sleepers {
            sleep(Duration::from_millis(5));
        }
        Ok::<(), Failure>(())
    };
    wait_for(1)?;
    let stream = Io::new(server.stream()?);
    block_on(client.cancel_token().cancel_query_raw(stream, NoTls))?;
    wait_for(0)?;
    let row = block_on(client.query_one("SELECT 'usable'", &[]))?;
    let usable: &str = row.get(0);
    say(format_args!("cancelled in the server, connection {usable}"));
    Ok(())
}
