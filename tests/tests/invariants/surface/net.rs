// std::net, std::os::unix::net and std::os::linux::net: every stable public item by its full type.

use std::{
    io::{self, IoSlice, IoSliceMut, Read, Write},
    net::{Ipv4Addr, Ipv6Addr},
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
    path::Path,
};

use super::{linux_net::TcpStreamExt, net::*, unix_net};

pub(crate) fn facts() -> Vec<Fact> {
    plain![
        TcpStream,
        TcpListener,
        Incoming<'static>,
        UdpSocket,
        IpAddr,
        SocketAddr,
        SocketAddrV4,
        SocketAddrV6,
        Shutdown,
        AddrParseError,
        unix_net::UnixStream,
        unix_net::UnixListener,
        unix_net::Incoming<'static>,
        unix_net::UnixDatagram,
        unix_net::SocketAddr,
    ]
}

type Timeout = Option<Duration>;

/// What all sockets have.
macro_rules! socket {
    ($($socket:ty),*) => {$({
        type S = $socket;
        let _: fn(&S) -> io::Result<S> = S::try_clone;
        let _: fn(&S, bool) -> io::Result<()> = S::set_nonblocking;
        let _: fn(&S) -> io::Result<Option<io::Error>> = S::take_error;
        let _: for<'a> fn(&'a S) -> BorrowedFd<'a> = <S as AsFd>::as_fd;
        let _: fn(&S) -> RawFd = <S as AsRawFd>::as_raw_fd;
        let _: unsafe fn(RawFd) -> S = <S as FromRawFd>::from_raw_fd;
        let _: fn(S) -> RawFd = <S as IntoRawFd>::into_raw_fd;
        let _: fn(OwnedFd) -> S = <S as From<OwnedFd>>::from;
        let _: fn(S) -> OwnedFd = <OwnedFd as From<S>>::from;
    })*};
}

macro_rules! timeouts {
    ($($socket:ty),*) => {$({
        type S = $socket;
        let _: [fn(&S, Timeout) -> io::Result<()>; 2] = [S::set_read_timeout, S::set_write_timeout];
        let _: [fn(&S) -> io::Result<Timeout>; 2] = [S::read_timeout, S::write_timeout];
    })*};
}

/// Reading and writing, also by reference.
macro_rules! stream {
    ($($stream:ty),*) => {$({
        type S = $stream;
        let _: fn(&S, Shutdown) -> io::Result<()> = S::shutdown;
        let _: fn(&mut S, &mut [u8]) -> io::Result<usize> = <S as Read>::read;
        let _: fn(&mut S, &mut [IoSliceMut<'_>]) -> io::Result<usize> = <S as Read>::read_vectored;
        let _: fn(&mut S, &[u8]) -> io::Result<usize> = <S as Write>::write;
        let _: fn(&mut S, &[IoSlice<'_>]) -> io::Result<usize> = <S as Write>::write_vectored;
        let _: fn(&mut S) -> io::Result<()> = <S as Write>::flush;
        let _: fn(&mut &'static S, &mut [u8]) -> io::Result<usize> = <&S as Read>::read;
        let _: fn(&mut &'static S, &[u8]) -> io::Result<usize> = <&S as Write>::write;
    })*};
}

fn all_sockets() {
    socket!(
        TcpStream,
        TcpListener,
        UdpSocket,
        unix_net::UnixStream,
        unix_net::UnixListener,
        unix_net::UnixDatagram
    );
    timeouts!(TcpStream, UdpSocket, unix_net::UnixStream, unix_net::UnixDatagram);
    stream!(TcpStream, unix_net::UnixStream);
}

fn tcp_stream<A: ToSocketAddrs>() {
    type S = TcpStream;
    let _: fn(A) -> io::Result<S> = S::connect::<A>;
    let _: fn(&SocketAddr, Duration) -> io::Result<S> = S::connect_timeout;
    let _: [fn(&S) -> io::Result<SocketAddr>; 2] = [S::peer_addr, S::local_addr];
    let _: fn(&S, &mut [u8]) -> io::Result<usize> = S::peek;
    let _: fn(&S, bool) -> io::Result<()> = S::set_nodelay;
    let _: fn(&S) -> io::Result<bool> = S::nodelay;
    let _: fn(&S, u32) -> io::Result<()> = S::set_ttl;
    let _: fn(&S) -> io::Result<u32> = S::ttl;
    let _: fn(&S, bool) -> io::Result<()> = <S as TcpStreamExt>::set_quickack;
    let _: fn(&S) -> io::Result<bool> = <S as TcpStreamExt>::quickack;
}

#[allow(deprecated)]
fn tcp_listener<A: ToSocketAddrs>() {
    type L = TcpListener;
    let _: fn(A) -> io::Result<L> = L::bind::<A>;
    let _: fn(&L) -> io::Result<SocketAddr> = L::local_addr;
    let _: fn(&L) -> io::Result<(TcpStream, SocketAddr)> = L::accept;
    let _: for<'a> fn(&'a L) -> Incoming<'a> = L::incoming;
    let _: fn(&L, u32) -> io::Result<()> = L::set_ttl;
    let _: fn(&L) -> io::Result<u32> = L::ttl;
    let _: fn(&L, bool) -> io::Result<()> = L::set_only_v6;
    let _: fn(&L) -> io::Result<bool> = L::only_v6;
    type I = Incoming<'static>;
    let _: fn(&mut I) -> Option<io::Result<TcpStream>> = <I as Iterator>::next;
}

fn udp_socket<A: ToSocketAddrs>() {
    type S = UdpSocket;
    let _: fn(A) -> io::Result<S> = S::bind::<A>;
    let _: fn(&S, A) -> io::Result<()> = S::connect::<A>;
    let _: [fn(&S, &mut [u8]) -> io::Result<(usize, SocketAddr)>; 2] = [S::recv_from, S::peek_from];
    let _: [fn(&S, &mut [u8]) -> io::Result<usize>; 2] = [S::recv, S::peek];
    let _: fn(&S, &[u8], A) -> io::Result<usize> = S::send_to::<A>;
    let _: fn(&S, &[u8]) -> io::Result<usize> = S::send;
    let _: [fn(&S) -> io::Result<SocketAddr>; 2] = [S::peer_addr, S::local_addr];
    let _: [fn(&S, bool) -> io::Result<()>; 3] = [
        S::set_broadcast,
        S::set_multicast_loop_v4,
        S::set_multicast_loop_v6,
    ];
    let _: [fn(&S) -> io::Result<bool>; 3] = [S::broadcast, S::multicast_loop_v4, S::multicast_loop_v6];
    let _: [fn(&S, u32) -> io::Result<()>; 2] = [S::set_multicast_ttl_v4, S::set_ttl];
    let _: [fn(&S) -> io::Result<u32>; 2] = [S::multicast_ttl_v4, S::ttl];
    let _: [fn(&S, &Ipv4Addr, &Ipv4Addr) -> io::Result<()>; 2] =
        [S::join_multicast_v4, S::leave_multicast_v4];
    let _: [fn(&S, &Ipv6Addr, u32) -> io::Result<()>; 2] = [S::join_multicast_v6, S::leave_multicast_v6];
}

fn unix_stream<P: AsRef<Path>>() {
    use unix_net::SocketAddr;
    type S = unix_net::UnixStream;
    let _: fn(P) -> io::Result<S> = S::connect::<P>;
    let _: fn(&SocketAddr) -> io::Result<S> = S::connect_addr;
    let _: fn() -> io::Result<(S, S)> = S::pair;
    let _: [fn(&S) -> io::Result<SocketAddr>; 2] = [S::peer_addr, S::local_addr];
}

fn unix_listener<P: AsRef<Path>>() {
    use unix_net::{Incoming, SocketAddr, UnixStream};
    type L = unix_net::UnixListener;
    let _: fn(P) -> io::Result<L> = L::bind::<P>;
    let _: fn(&SocketAddr) -> io::Result<L> = L::bind_addr;
    let _: fn(&L) -> io::Result<(UnixStream, SocketAddr)> = L::accept;
    let _: fn(&L) -> io::Result<SocketAddr> = L::local_addr;
    let _: for<'a> fn(&'a L) -> Incoming<'a> = L::incoming;
    let _: fn(&'static L) -> Incoming<'static> = <&L as IntoIterator>::into_iter;
    type I = Incoming<'static>;
    let _: fn(&mut I) -> Option<io::Result<UnixStream>> = <I as Iterator>::next;
    let _: fn(&I) -> (usize, Option<usize>) = <I as Iterator>::size_hint;
}

fn unix_datagram<P: AsRef<Path>>() {
    use unix_net::SocketAddr;
    type S = unix_net::UnixDatagram;
    let _: fn(P) -> io::Result<S> = S::bind::<P>;
    let _: fn(&SocketAddr) -> io::Result<S> = S::bind_addr;
    let _: fn() -> io::Result<S> = S::unbound;
    let _: fn() -> io::Result<(S, S)> = S::pair;
    let _: fn(&S, P) -> io::Result<()> = S::connect::<P>;
    let _: fn(&S, &SocketAddr) -> io::Result<()> = S::connect_addr;
    let _: [fn(&S) -> io::Result<SocketAddr>; 2] = [S::peer_addr, S::local_addr];
    let _: fn(&S, &mut [u8]) -> io::Result<(usize, SocketAddr)> = S::recv_from;
    let _: fn(&S, &mut [u8]) -> io::Result<usize> = S::recv;
    let _: fn(&S, &[u8], P) -> io::Result<usize> = S::send_to::<P>;
    let _: fn(&S, &[u8], &SocketAddr) -> io::Result<usize> = S::send_to_addr;
    let _: fn(&S, &[u8]) -> io::Result<usize> = S::send;
    let _: fn(&S, Shutdown) -> io::Result<()> = S::shutdown;
}

/// Everything that can be turned into addresses, and into what iterator.
fn addresses() {
    fn all<T: ToSocketAddrs + ?Sized>() {
        let _: fn(&T) -> io::Result<T::Iter> = T::to_socket_addrs;
    }
    fn one<T: ToSocketAddrs<Iter = std::option::IntoIter<SocketAddr>>>() {}
    fn several<T: ToSocketAddrs<Iter = std::vec::IntoIter<SocketAddr>> + ?Sized>() {}
    fn slice<'a, T: ToSocketAddrs<Iter = std::iter::Cloned<std::slice::Iter<'a, SocketAddr>>>>() {}
    let _: [fn(); 3] = [one::<SocketAddr>, one::<SocketAddrV4>, one::<SocketAddrV6>];
    let _: [fn(); 3] = [one::<(IpAddr, u16)>, one::<(Ipv4Addr, u16)>, one::<(Ipv6Addr, u16)>];
    let _: [fn(); 2] = [several::<str>, several::<String>];
    let _: [fn(); 3] = [several::<(&str, u16)>, several::<(String, u16)>, several::<&str>];
    let _: [fn(); 3] = [slice::<&[SocketAddr]>, all::<&&str>, all::<&String>];
}

pub(crate) fn texts() -> Vec<String> {
    let unbound = unix_net::UnixDatagram::unbound().unwrap();
    let (one, _other) = unix_net::UnixStream::pair().unwrap();
    // Without what differs from one to the next: descriptors and ports.
    let plain = |text: String| text.replace(|c: char| c.is_ascii_digit(), "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let name = format!("goroutines-surface-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let at_path = unix_net::UnixListener::bind(&path).unwrap();
    let texts = vec![
        plain(format!("{unbound:?}")),
        plain(format!("{one:?}")),
        plain(format!("{listener:?}")),
        plain(format!("{client:?}")),
        plain(format!("{socket:?}")),
        plain(format!("{at_path:?}")),
        format!("{:?}", client.nodelay()),
        format!("{:?}", client.set_quickack(true).and_then(|()| client.quickack())),
    ];
    std::fs::remove_file(path).unwrap();
    texts
}
