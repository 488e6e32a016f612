//! A client of PostgreSQL: `tokio-postgres` over streams that it is given, without tokio's runtime.
//!
//! ```text
//! $ cargo run -p goroutines-programs --bin sql_client /run/postgresql/.s.PGSQL.5432 postgres
//! transfers: 400, sum 1000
//! ...
//! ```
//!
//! What it shows: `connect_raw` takes anything that has tokio's traits, which [`goroutines_io::Io`] has. The crate's
//! connection is a future that runs in `block_on` on its own goroutine; queries are futures that others run. A pool of
//! connections is a channel; a query with a time limit is `block_on` of a [context](goroutines::context).
//!
//! With a third argument, `steady`, it inserts rows until SIGTERM, and goes on when the server is started again.

mod failure;
mod pool;
mod work;

use std::{env, time::Duration};

use failure::Failure;
use goroutines::{block_on, context::Context, go};
use goroutines_programs::{fail, say, start, steady};
use pool::{Pool, Server};

fn main() {
    start();
    let mut args = env::args().skip(1);
    let (Some(path), Some(user)) = (args.next(), args.next()) else {
        let text = "the arguments are the path of its socket and a user";
        fail("which server", text);
    };
    let server = Server { path, user };
    let result = match args.next().as_deref() {
        None => go(move || run(&server)).join(),
        Some("steady") => go(move || stay(&server)).join(),
        Some(mode) => fail(mode, "there is no such mode; `steady` is one"),
    };
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => fail("postgresql", error),
        Err(_) => fail("a goroutine panicked", "see above"),
    }
}

fn run(server: &Server) -> Result<(), Failure> {
    work::transfers(server)?;
    let mut session = server.connect()?;
    work::at_once(&mut session)?;
    work::streams(&mut session)?;
    work::refusals(&mut session)?;
    work::deadline(server, &mut session)
}

/// Inserts rows until SIGTERM: what the server has acknowledged is there, however often it was away.
fn stay(server: &Server) -> Result<(), Failure> {
    block_on(server.connect()?.client.batch_execute(
        "DROP TABLE IF EXISTS seen; CREATE TABLE seen (worker INT, step BIGINT, PRIMARY KEY (worker, step))",
    ))?;
    let pool = Pool::new(server, 3)?;
    let made = steady(
        8,
        || Ok::<_, Failure>(()),
        |_, worker, step| {
            let mut session = pool.take()?;
            let (context, _canceller) = Context::current().with_timeout(Duration::from_secs(10));
            context.block_on(async {
                // Twice is as good as once.
                let sql = "INSERT INTO seen VALUES ($1, $2) ON CONFLICT DO NOTHING";
                let insert = session.prepare(sql).await?;
                let (worker, step) = (worker as i32, step as i64);
                session.client.execute(&insert, &[&worker, &step]).await
            })??;
            Ok(())
        },
    );
    let row = block_on(
        server
            .connect()?
            .client
            .query_one("SELECT count(*) FROM seen", &[]),
    )?;
    say(format_args!("made {made}, seen {}", row.get::<_, i64>(0)));
    Ok(())
}
