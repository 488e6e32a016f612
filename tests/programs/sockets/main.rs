//! Sockets where descriptors, signals and system calls are not as usual: one case per argument, for tests/net/processes.rs.

mod closed;
#[path = "../environment/filter.rs"]
mod filter;
mod limits;
mod refused;
mod signals;

use std::{
    env,
    io::{Read, Write},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use filter::Refused;
use goroutines::{
    Config, go,
    net::{TcpListener, TcpStream},
    time::sleep,
};

fn main() -> ExitCode {
    watchdog();
    let mut arguments = env::args().skip(1);
    match arguments.next().unwrap_or_default().as_str() {
        "before-start" => before_start(),
        "no-pwait2" => no_pwait2(),
        "no-calls-for-pipes" => refused::pipes(),
        "no-pidfd" => refused::pidfd(),
        "no-room-in-the-poller" => refused::registrations(),
        "no-files" => limits::no_files(),
        "no-descriptors" => limits::no_descriptors(),
        "no-descriptors-for-the-poller" => limits::no_descriptors_for_the_poller(),
        "closed-descriptors" => closed::all(),
        "closed-descriptor" => closed::one(&arguments.next().expect("its kind")),
        "replaced-descriptor" => closed::replaced(&arguments.next().expect("a path")),
        "signal-storm" => signals::storm(),
        "broken-pipes" => signals::broken_pipes(),
        "idle-clients" => idle_clients(
            &arguments.next().expect("an address"),
            arguments
                .next()
                .and_then(|n| n.parse().ok())
                .expect("a number"),
        ),
        other => {
            eprintln!("sockets: no case `{other}`");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Ends a case that hangs.
fn watchdog() {
    thread::spawn(|| {
        thread::sleep(Duration::from_secs(120));
        println!("hangs");
        std::process::exit(3);
    });
}

fn start(procs: usize) {
    // SAFETY: the cases keep no thread-local storage over a call that can park.
    unsafe { Config::new().procs(procs).start() }.expect("the runtime starts");
}

/// Echoes until the end, and ends when `listener` does.
fn serve(listener: TcpListener) {
    for stream in listener.incoming().map_while(Result::ok) {
        go(move || echo(stream));
    }
}

fn echo(mut stream: TcpStream) {
    let mut buf = [0; 64];
    while let Ok(n @ 1..) = stream.read(&mut buf) {
        if stream.write_all(&buf[..n]).is_err() {
            break;
        }
    }
}

fn ask(stream: &mut TcpStream, byte: u8) {
    stream.write_all(&[byte]).expect("it is sent");
    let mut got = [0];
    stream.read_exact(&mut got).expect("it comes back");
    assert_eq!(got, [byte]);
}

/// Without the runtime, threads use the sockets as std's.
fn before_start() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        echo(stream);
        listener
    });
    let mut client = TcpStream::connect(address).expect("a connection");
    ask(&mut client, 1);
    client
        .set_read_timeout(Some(Duration::from_millis(10)))
        .expect("a timeout");
    println!(
        "{:?}",
        client.read(&mut [0]).expect_err("time is over").kind()
    );
    // The same sockets go on in goroutines.
    start(2);
    client.set_read_timeout(None).expect("no timeout");
    go(move || {
        ask(&mut client, 2);
        drop(client);
    })
    .join()
    .expect("it is served");
    let listener = server.join().expect("a thread");
    go(move || {
        let client = go(move || ask(&mut TcpStream::connect(address).expect("a connection"), 3));
        echo(listener.accept().expect("a client").0);
        client.join().expect("it is served");
    })
    .join()
    .expect("a server");
    println!("served");
}

/// A kernel, or a sandbox, without `epoll_pwait2`.
fn no_pwait2() {
    for errno in [libc::EPERM, libc::ENOSYS] {
        filter::refuse(&[Refused::always(libc::SYS_epoll_pwait2, errno)], true);
    }
    start(2);
    go(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        go(move || serve(listener));
        let mut client = TcpStream::connect(address).expect("a connection");
        for byte in 0..100 {
            ask(&mut client, byte);
            // The process sleeps in the poll, and gets up for its timer.
            let begin = Instant::now();
            sleep(Duration::from_micros(300));
            assert!(begin.elapsed() >= Duration::from_micros(300));
        }
        // Only the timer ends this one.
        client
            .set_read_timeout(Some(Duration::from_millis(30)))
            .expect("a timeout");
        println!(
            "{:?}",
            client.read(&mut [0]).expect_err("time is over").kind()
        );
    })
    .join()
    .expect("a goroutine");
}

/// Holds so many connections, which are greeted and say nothing, until it is killed.
fn idle_clients(address: &str, count: usize) {
    let connect = |_| {
        let mut stream = std::net::TcpStream::connect(address).expect("a connection");
        // One after the other: a queue of the listener that is full would cost a second.
        stream.read_exact(&mut [0]).expect("a greeting");
        stream
    };
    let streams: Vec<_> = (0..count).map(connect).collect();
    println!("ready");
    loop {
        thread::sleep(Duration::from_secs(1));
        assert_eq!(streams.len(), count);
    }
}
