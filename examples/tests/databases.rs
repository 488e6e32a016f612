//! The clients of databases, against servers that these tests start: `scripts/databases.sh` installs them and runs this.

mod support;

use support::{Program, server::Server};

const REDIS: &str = env!("CARGO_BIN_EXE_redis_client");
const SQL: &str = env!("CARGO_BIN_EXE_sql_client");

#[test]
#[ignore = "needs redis-server: scripts/databases.sh"]
fn commands_pipelines_transactions_and_waits_of_many_goroutines_work_with_redis() {
    let redis = Server::redis();
    let mut client = Program::start(REDIS, &[redis.socket()]);
    let expected = [
        "increments: 2000 of 2000",
        "pipelines: 20 of 20",
        "transactions: 200 of 200",
        "queues: 200 words, each once: true",
        "empty queue: None",
        "increment of a list: \"WRONGTYPE\": Operation against a key holding the wrong kind of value",
        "in a pipeline: error true, usable true",
        "time limit: true, still open: false",
        "after it: the connection was ended by an earlier error",
        "killed by the server: unexpected end of file, over: true",
    ];
    assert_eq!(client.rest().lines().collect::<Vec<_>>(), expected);
    assert!(client.end().success());
}

#[test]
#[ignore = "needs redis-server: scripts/databases.sh"]
fn a_client_of_redis_goes_on_when_the_server_is_started_again() {
    outlives(Server::redis(), REDIS, &[]);
}

#[test]
#[ignore = "needs postgresql: scripts/databases.sh"]
fn transactions_streams_refusals_and_deadlines_work_with_postgresql() {
    let postgres = Server::postgres();
    let mut client = Program::start(SQL, &[postgres.socket(), "postgres"]);
    let expected = [
        "transfers: 400, sum 1000",
        "at once: 100 of 100",
        "streams: 50000 in, 50000 out, sum 1249975000",
        "refused: db error: ERROR: new row for relation \"accounts\" violates check constraint \"accounts_balance_check\"",
        "DETAIL: Failing row contains (7, -1).",
        "rolled back: 10 accounts",
        "deadline: context deadline exceeded",
        "cancelled in the server, connection usable",
    ];
    assert_eq!(client.rest().lines().collect::<Vec<_>>(), expected);
    assert!(client.end().success());
}

#[test]
#[ignore = "needs postgresql: scripts/databases.sh"]
fn a_client_of_postgresql_goes_on_when_the_server_is_started_again() {
    outlives(Server::postgres(), SQL, &["postgres"]);
}

/// A client in its mode `steady`, whose server is killed under it, twice.
fn outlives(mut server: Server, program: &str, args: &[&str]) {
    let socket = server.socket().to_owned();
    let args = [&[socket.as_str()], args, &["steady"]].concat();
    let mut client = Program::start(program, &args);
    for _ in 0..2 {
        assert_eq!(client.line(), "steady");
        server.kill();
        let line = client.line();
        assert!(line.starts_with("lost: "), "{line}");
        server.start();
    }
    assert_eq!(client.line(), "steady");
    client.terminate();
    let line = client.line();
    let (made, seen) = line
        .strip_prefix("made ")
        .unwrap()
        .split_once(", seen ")
        .unwrap();
    assert_eq!(made, seen);
    assert!(made.parse::<u64>().unwrap() >= 3 * 8, "{line}");
    assert!(client.end().success());
}

#[test]
fn a_server_that_is_not_there_is_an_error_with_a_reason() {
    for (program, args, name) in [
        (REDIS, &["/nowhere/socket"] as &[_], "redis: "),
        (SQL, &["/nowhere/socket", "postgres"], "postgresql: "),
    ] {
        let mut client = std::process::Command::new(program);
        let output = client.args(args).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text.starts_with(name), "{text}");
        assert!(text.contains("No such file or directory"), "{text}");
    }
}
