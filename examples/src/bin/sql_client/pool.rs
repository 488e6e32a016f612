//! Connections that goroutines share, one at a time.

use std::{
    collections::HashMap,
    mem,
    ops::{Deref, DerefMut},
    time::Duration,
};

use goroutines::{
    block_on,
    chan::{self, Receiver, Sender},
    context::Context,
    go,
    net::unix::UnixStream,
};
use goroutines_io::Io;
use tokio_postgres::{Client, Config, NoTls, Statement};

use crate::failure::Failure;

/// How long connecting may take, and waiting for a connection of the pool.
const TIME: Duration = Duration::from_secs(10);

/// Which server, and as whom.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) path: String,
    pub(crate) user: String,
}

impl Server {
    /// A connection, which a goroutine serves as long as its client is there.
    pub(crate) fn connect(&self) -> Result<Session, Failure> {
        let stream = Io::new(self.stream()?);
        let mut config = Config::new();
        config.user(&self.user).dbname("postgres");
        let (context, _canceller) = Context::current().with_timeout(TIME);
        let (client, connection) = context.block_on(config.connect_raw(stream, NoTls))??;
        // Its error comes to the client as well, in the answers that it waits for.
        go(move || drop(block_on(connection)));
        let statements = HashMap::new();
        Ok(Session { client, statements })
    }

    pub(crate) fn stream(&self) -> Result<UnixStream, Failure> {
        Ok(UnixStream::connect(&self.path)?)
    }
}

/// A connection and the statements that were prepared on it.
pub(crate) struct Session {
    pub(crate) client: Client,
    statements: HashMap<&'static str, Statement>,
}

impl Session {
    /// `sql`, which is prepared the first time.
    pub(crate) async fn prepare(
        &mut self,
        sql: &'static str,
    ) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }
}

/// As many connections as it has room for, each made when it is needed first.
pub(crate) struct Pool {
    server: Server,
    /// The connections that nobody has; None: not made, or broken.
    idle: (Sender<Option<Session>>, Receiver<Option<Session>>),
}

impl Pool {
    pub(crate) fn new(server: &Server, size: usize) -> Result<Pool, Failure> {
        let idle = chan::bounded(size);
        for _ in 0..size {
            idle.0.send(None)?;
        }
        let server = server.clone();
        Ok(Pool { server, idle })
    }

    /// A connection, which goes back when it is dropped. Waits while others have them all, 10 s at most.
    pub(crate) fn take(&self) -> Result<Taken<'_>, Failure> {
        let mut taken = Taken {
            pool: self,
            session: self.idle.1.recv_timeout(TIME)?,
        };
        if taken
            .session
            .as_ref()
            .is_none_or(|session| session.client.is_closed())
        {
            taken.session = None;
            taken.session = Some(self.server.connect()?);
        }
        Ok(taken)
    }
}

/// A connection of a pool.
pub(crate) struct Taken<'a> {
    pool: &'a Pool,
    /// None: it could not be made.
    session: Option<Session>,
}

impl Deref for Taken<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session.as_ref().expect("there is one until the end")
    }
}

impl DerefMut for Taken<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        self.session.as_mut().expect("there is one until the end")
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        // There is room for it, and the pool has both ends of the channel.
        let _ = self.pool.idle.0.try_send(mem::take(&mut self.session));
    }
}
