// Calls that fail, once with std and once with ours: what differs are the imports.

/// A path of this process where nothing is.
fn path(who: &str, what: &str) -> std::path::PathBuf {
    let name = format!("goroutines-bad-{what}-{}", std::process::id());
    // All are equally long: a path may be told of in the error.
    std::env::temp_dir().join(format!("{who:.>9}-{name}"))
}

pub(super) fn all(who: &str) -> Vec<Failure> {
    let mut all = addresses();
    all.extend(connections());
    all.extend(datagrams());
    all.extend(paths(who));
    all
}

fn addresses() -> Vec<Failure> {
    use net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken_udp = socket.local_addr().unwrap();
    let nothing: &[SocketAddr] = &[];
    failures! {
        "no port": "127.0.0.1".to_socket_addrs(),
        "no host": ":80".to_socket_addrs(),
        "a port that is no number": "127.0.0.1:http".to_socket_addrs(),
        "a port that is too large": "127.0.0.1:65536".to_socket_addrs(),
        "nothing at all": "".to_socket_addrs(),
        "a null in a name": ("a\0b", 80).to_socket_addrs(),
        "listen at no address": TcpListener::bind(nothing),
        "connect to no address": TcpStream::connect(nothing),
        "bind to no address": UdpSocket::bind(nothing),
        "send to no address": socket.send_to(b"x", nothing),
        "listen where somebody listens": TcpListener::bind(taken),
        "bind where somebody is": UdpSocket::bind(taken_udp),
        "listen at an address of others": TcpListener::bind("192.0.2.1:0"),
        "the second of two fails": TcpListener::bind(&["192.0.2.1:0".parse().unwrap(), taken][..]),
        "connect in no time": TcpStream::connect_timeout(&taken, std::time::Duration::ZERO),
    }
}

fn connections() -> Vec<Failure> {
    use std::{
        io::{Read, Write},
        time::Duration,
    };

    use net::{Shutdown, TcpListener, TcpStream};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    let (server, _) = listener.accept().unwrap();
    listener.set_nonblocking(true).unwrap();
    let nobody = listener.accept();
    let mut all = failures! {
        "accept without a client, not blocking": nobody,
        "a read timeout of zero": client.set_read_timeout(Some(Duration::ZERO)),
        "a write timeout of zero": client.set_write_timeout(Some(Duration::ZERO)),
        "a time to live of zero": client.set_ttl(0),
    };
    client.set_nonblocking(true).unwrap();
    all.extend(failures! {
        "read of nothing, not blocking": (&client).read(&mut [0]),
        "peek at nothing, not blocking": client.peek(&mut [0]),
    });
    client.set_nonblocking(false).unwrap();
    client
        .set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    all.extend(failures! {
        "read of nothing, in time": (&client).read(&mut [0]),
        "peek at nothing, in time": client.peek(&mut [0]),
        "read_exact of nothing, in time": (&client).read_exact(&mut [0; 4]),
    });
    client.shutdown(Shutdown::Write).unwrap();
    all.extend(failures! {
        "write after the end": (&client).write(b"x"),
        "write_vectored after the end": (&client).write_vectored(&[std::io::IoSlice::new(b"x")]),
    });
    drop(server);
    let mut at_the_end = failures! {
        "read_exact at the end": (&client).read_exact(&mut [0; 4]),
    };
    all.append(&mut at_the_end);
    drop((client, listener));
    all.extend(failures! {
        "connect to nobody": TcpStream::connect(address),
        "connect to nobody, in time": TcpStream::connect_timeout(&address, Duration::from_secs(5)),
    });
    all
}

fn datagrams() -> Vec<Failure> {
    use std::time::Duration;

    use net::UdpSocket;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut all = failures! {
        "send to no peer": socket.send(b"x"),
        "the peer of none": socket.peer_addr(),
        "send too much": socket.send_to(&[0; 70_000], "127.0.0.1:9"),
        "send to port 0": socket.send_to(b"x", "127.0.0.1:0"),
        "send to another family": socket.send_to(b"x", "[::1]:9"),
        "connect to another family": socket.connect("[::1]:9"),
        "send to all, which is not allowed": socket.send_to(b"x", "255.255.255.255:9"),
    };
    socket
        .set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    all.extend(failures! {
        "recv_from nobody, in time": socket.recv_from(&mut [0]),
        "peek_from nobody, in time": socket.peek_from(&mut [0]),
        "recv from nobody, in time": socket.recv(&mut [0]),
    });
    socket.set_nonblocking(true).unwrap();
    all.extend(failures! {
        "recv from nobody, not blocking": socket.recv(&mut [0]),
    });
    all
}

fn paths(who: &str) -> Vec<Failure> {
    use unix::{UnixDatagram, UnixListener, UnixStream};
    let (there, file) = (path(who, "there"), path(who, "file"));
    let listener = UnixListener::bind(&there).unwrap();
    std::fs::write(&file, "").unwrap();
    let long = "x".repeat(200);
    let unbound = UnixDatagram::unbound().unwrap();
    let all = failures! {
        "listen where somebody listens": UnixListener::bind(&there),
        "bind to a file": UnixDatagram::bind(&file),
        "listen in no folder": UnixListener::bind("/no/such/folder/socket"),
        "listen at a long path": UnixListener::bind(&long),
        "listen at a path with a null": UnixListener::bind("a\0b"),
        "connect to nothing": UnixStream::connect(path(who, "nothing")),
        "connect to a file": UnixStream::connect(&file),
        "connect to a long path": UnixStream::connect(&long),
        "a datagram socket to a stream": unbound.connect(&there),
        "send to a stream": unbound.send_to(b"x", &there),
        "send to nothing": unbound.send_to(b"x", path(who, "nothing")),
        "send to a long path": unbound.send_to(b"x", &long),
        "send to no peer": unbound.send(b"x"),
        "the peer of none": unbound.peer_addr(),
    };
    drop(listener);
    let mut after = failures! {
        "connect to one that is gone": UnixStream::connect(&there),
    };
    after.extend(all);
    for path in [there, file] {
        std::fs::remove_file(path).unwrap();
    }
    after
}
