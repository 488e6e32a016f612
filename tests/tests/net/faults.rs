//! What goes wrong between two ends: nothing stalls, nothing is lost, and the errors are the ones that std knows.

use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    mem::MaybeUninit,
    net::{self as std_net, Shutdown},
    os::fd::AsRawFd,
    time::Duration,
};

use goroutines::{
    go,
    net::{
        TcpListener, TcpStream, UdpSocket,
        unix::{UnixDatagram, UnixStream},
    },
    time::sleep,
};
use goroutines_tests::{Dice, nothing_left_by, tcp_pair};
use socket2::{MsgHdr, SockRef};

/// Closes it so that the other end is reset.
fn reset(stream: TcpStream) {
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

#[test]
fn a_reset_ends_reads_and_writes_with_the_errors_of_std() {
    nothing_left_by(|| {
        let (client, mut server) = tcp_pair();
        let waiting = server.try_clone().unwrap();
        let reader = go(move || (&waiting).read(&mut [0]).unwrap_err().kind());
        sleep(Duration::from_millis(2));
        reset(client);
        assert_eq!(reader.join().unwrap(), ErrorKind::ConnectionReset);
        // The error is told once; the end stays.
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
        assert_eq!(
            server.write(&[0]).unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
    });
}

#[test]
fn a_reset_wakes_a_writer_that_waits_for_room() {
    nothing_left_by(|| {
        let (mut client, server) = tcp_pair();
        let writer = go(move || client.write_all(&vec![0; 32 << 20]).unwrap_err().kind());
        sleep(Duration::from_millis(20));
        assert!(!writer.is_finished());
        reset(server);
        let kind = writer.join().unwrap();
        assert!(
            matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
            "{kind:?}"
        );
    });
}

/// The end comes with the data, before the first wait, between a read and the wait after it, or later.
#[test]
fn all_bytes_come_before_the_end_whenever_it_comes() {
    nothing_left_by(|| {
        let mut dice = Dice::new(7);
        for round in 0..600_usize {
            let (mut client, mut server) = tcp_pair();
            let (parts, size) = (dice.roll(4), dice.between(1, 40));
            let (pause, late) = (dice.roll(200) as u64, dice.once_in(3));
            let writer = go(move || {
                for part in 0..parts {
                    client.write_all(&[part as u8; 20]).unwrap();
                    if late {
                        sleep(Duration::from_micros(pause));
                    }
                }
                client.shutdown(Shutdown::Write).unwrap();
                client
            });
            let (mut all, mut buf) = (Vec::new(), vec![0; size]);
            loop {
                match server.read(&mut buf).unwrap() {
                    0 => break,
                    n => all.extend_from_slice(&buf[..n]),
                }
            }
            let sent: Vec<u8> = (0..parts).flat_map(|part| [part as u8; 20]).collect();
            assert_eq!(all, sent, "round {round}");
            assert_eq!(server.read(&mut buf).unwrap(), 0);
            writer.join().unwrap();
        }
    });
}

#[test]
fn a_write_into_a_small_buffer_is_short_or_waits_and_write_all_is_complete() {
    nothing_left_by(|| {
        let (mut client, mut server) = tcp_pair();
        SockRef::from(&client).set_send_buffer_size(4096).unwrap();
        SockRef::from(&server).set_recv_buffer_size(4096).unwrap();
        let data: Vec<u8> = (0..150_000_u32).map(|n| (n % 241) as u8).collect();
        // The reader has stopped: in the end there is no window.
        client
            .set_write_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let mut sent = 0;
        let error = loop {
            match client.write(&data[sent..]) {
                Ok(n) => sent += n,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(sent > 0 && sent < data.len());
        client.set_write_timeout(None).unwrap();
        let rest = data[sent..].to_vec();
        let writer = go(move || {
            let (first, second) = rest.split_at(rest.len() / 2);
            let n = client
                .write_vectored(&[IoSlice::new(first), IoSlice::new(second)])
                .unwrap();
            client.write_all(&rest[n..]).unwrap();
        });
        sleep(Duration::from_millis(10));
        assert!(!writer.is_finished());
        let mut got = Vec::new();
        server.read_to_end(&mut got).unwrap();
        assert!(got == data);
        writer.join().unwrap();
    });
}

#[test]
fn an_urgent_byte_holds_up_no_other() {
    nothing_left_by(|| {
        for size in [1, 2, 3, 64] {
            let (mut client, mut server) = tcp_pair();
            let reader = go(move || {
                let (mut all, mut buf) = (Vec::new(), vec![0; size]);
                while all.len() < 9 {
                    let n = server.read(&mut buf).unwrap();
                    assert_ne!(n, 0, "the end is not there yet");
                    all.extend_from_slice(&buf[..n]);
                }
                all
            });
            sleep(Duration::from_millis(1));
            // In one segment, and in several.
            for _ in 0..3 {
                client.write_all(b"ab").unwrap();
                SockRef::from(&client).send_out_of_band(b"!").unwrap();
                client.write_all(b"c").unwrap();
                sleep(Duration::from_millis(1));
            }
            assert_eq!(reader.join().unwrap(), b"abcabcabc");
        }
    });
}

/// A control message that passes `file` on.
fn passing(file: &impl AsRawFd) -> Vec<u8> {
    let mut message = Vec::new();
    message.extend_from_slice(&20_usize.to_ne_bytes());
    message.extend_from_slice(&libc::SOL_SOCKET.to_ne_bytes());
    message.extend_from_slice(&libc::SCM_RIGHTS.to_ne_bytes());
    message.extend_from_slice(&file.as_raw_fd().to_ne_bytes());
    message.extend_from_slice(&[0; 4]);
    message
}

#[test]
fn descriptors_that_are_passed_along_hold_up_no_byte() {
    nothing_left_by(|| {
        let (client, mut server) = UnixStream::pair().unwrap();
        let reader = go(move || {
            let mut all = Vec::new();
            let mut buf = [0; 64];
            while all.len() < 60 {
                let n = server.read(&mut buf).unwrap();
                assert_ne!(n, 0, "the end is not there yet");
                all.extend_from_slice(&buf[..n]);
            }
            all
        });
        sleep(Duration::from_millis(1));
        for _ in 0..20 {
            let control = passing(&client);
            let parts = [IoSlice::new(b"a")];
            let message = MsgHdr::new().with_buffers(&parts).with_control(&control);
            assert_eq!(SockRef::from(&client).sendmsg(&message, 0).unwrap(), 1);
            (&client).write_all(b"bc").unwrap();
        }
        assert!(reader.join().unwrap() == b"abc".repeat(20));
    });
}

#[test]
fn a_socket_that_was_passed_along_stays_registered_for_nobody() {
    nothing_left_by(|| {
        // Closing ours takes no registration along: the file lives on in its copy.
        let (client, server) = tcp_pair();
        let before = goroutines_tests::in_epoll();
        let std = std_net::TcpStream::from(server);
        let copy = std.try_clone().unwrap();
        let server = TcpStream::from(std);
        let reader = go(move || (&server).read(&mut [0]).map(|n| (n, server)));
        sleep(Duration::from_millis(1));
        (&client).write_all(b"x").unwrap();
        let (n, server) = reader.join().unwrap().unwrap();
        assert_eq!(n, 1);
        drop(server);
        assert_eq!(goroutines_tests::in_epoll(), before);
        drop(copy);
    });
}

/// A large buffer whose pages nobody has touched.
#[inline(never)]
fn receive(socket: &UnixDatagram) -> usize {
    let mut buf = [MaybeUninit::<u8>::uninit(); 100_000];
    // SAFETY: bytes of which none is read before the kernel has written it.
    let buf = unsafe { &mut *(&raw mut buf as *mut [u8; 100_000]) };
    let n = socket.recv(buf).unwrap();
    assert!(
        buf[..n]
            .iter()
            .enumerate()
            .all(|(at, &byte)| byte == at as u8)
    );
    n
}

#[test]
fn a_datagram_is_whole_in_a_buffer_on_pages_that_were_never_used() {
    nothing_left_by(|| {
        let (one, other) = UnixDatagram::pair().unwrap();
        let data: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
        let receiver = goroutines::Builder::new()
            .stack_size(512 << 10)
            .spawn(move || receive(&other))
            .unwrap();
        sleep(Duration::from_millis(1));
        assert_eq!(one.send(&data).unwrap(), data.len());
        assert_eq!(receiver.join().unwrap(), data.len());
    });
}

#[test]
fn a_port_that_is_closed_ends_neither_the_socket_nor_its_others() {
    nothing_left_by(|| {
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
        let closed = nobody.local_addr().unwrap();
        drop(nobody);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let here = socket.local_addr().unwrap();
        let mut refused = 0;
        for _ in 0..20 {
            socket.send_to(b"x", closed).unwrap();
            socket.send_to(b"y", here).unwrap();
            let mut buf = [0; 4];
            loop {
                match socket.recv_from(&mut buf) {
                    Ok((n, from)) => break assert_eq!((&buf[..n], from), (&b"y"[..], here)),
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => refused += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        // An unconnected socket hears of it only if it asks for that.
        assert_eq!(refused, 0);
    });
}

#[test]
fn a_listener_ends_while_clients_come_and_nobody_hangs() {
    nothing_left_by(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let closer = listener.closer().unwrap();
        let server = go(move || listener.incoming().filter_map(io::Result::ok).count());
        let clients: Vec<_> = (0..50)
            .map(|_| {
                go(move || {
                    let mut stream = TcpStream::connect(address)?;
                    stream.read(&mut [0])
                })
            })
            .collect();
        sleep(Duration::from_millis(2));
        closer.close();
        let served = server.join().unwrap();
        drop(closer);
        // Those that were queued are reset, and none waits for ever.
        let ended = clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .filter(|end| matches!(end, Ok(0)))
            .count();
        assert!(ended <= served + 50);
    });
}
