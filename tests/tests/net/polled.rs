//! Streams in the hands of futures: whoever polls is woken, and takes nothing from others.

use std::{
    future::poll_fn,
    io::{ErrorKind, Read, Write},
    net::Shutdown,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use goroutines::{
    block_on, go,
    net::{Polled, TcpListener, TcpStream, unix::UnixStream},
    sleep,
};
use goroutines_tests::start;

/// Two ends of a TCP connection.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, there)
}

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Count>) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl Count {
    fn wait(&self, count: usize) {
        while self.0.load(SeqCst) < count {
            sleep(Duration::from_millis(1));
        }
    }
}

async fn read_some(stream: &mut Polled<TcpStream>, buf: &mut [u8]) -> std::io::Result<usize> {
    poll_fn(|cx| stream.poll_read(cx, buf)).await
}

#[test]
fn a_pending_read_wakes_its_task_once_and_then_has_what_came() {
    start(2);
    go(|| {
        let (here, mut there) = pair();
        let mut here = Polled::new(here);
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        let mut buf = [0; 8];
        assert!(here.poll_read(&mut cx, &mut buf).is_pending());
        assert_eq!(count.0.load(SeqCst), 0);
        there.write_all(b"ping").unwrap();
        count.wait(1);
        assert!(matches!(
            here.poll_read(&mut cx, &mut buf),
            Poll::Ready(Ok(4))
        ));
        assert!(here.poll_read(&mut cx, &mut buf).is_pending());
        there.shutdown(Shutdown::Write).unwrap();
        count.wait(2);
        assert!(matches!(
            here.poll_read(&mut cx, &mut buf),
            Poll::Ready(Ok(0))
        ));
        assert_eq!(count.0.load(SeqCst), 2);
    })
    .join()
    .unwrap();
}

#[test]
fn the_waker_of_the_last_poll_is_called_and_no_other() {
    start(2);
    go(|| {
        let (here, mut there) = pair();
        let mut here = Polled::new(here);
        let counts = [(); 2].map(|()| Arc::new(Count::default()));
        for count in &counts {
            let waker = Waker::from(count.clone());
            let mut cx = Context::from_waker(&waker);
            assert!(here.poll_read(&mut cx, &mut [0]).is_pending());
        }
        there.write_all(b"x").unwrap();
        counts[1].wait(1);
        assert_eq!(counts[0].0.load(SeqCst), 0);
    })
    .join()
    .unwrap();
}

#[test]
fn a_stream_that_is_dropped_while_a_read_is_pending_lets_its_waker_go() {
    start(2);
    go(|| {
        let (here, mut there) = pair();
        let mut clone = here.try_clone().unwrap();
        let mut here = Polled::new(here);
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        assert!(
            here.poll_read(&mut Context::from_waker(&waker), &mut [0])
                .is_pending()
        );
        drop(waker);
        assert_eq!(Arc::strong_count(&count), 2);
        // A goroutine waits behind it.
        let reader = go(move || {
            let mut byte = [0];
            clone.read_exact(&mut byte).unwrap();
            byte
        });
        sleep(Duration::from_millis(10));
        drop(here);
        assert_eq!(Arc::strong_count(&count), 1);
        there.write_all(b"x").unwrap();
        assert_eq!(&reader.join().unwrap(), b"x");
        assert_eq!(count.0.load(SeqCst), 0);
    })
    .join()
    .unwrap();
}

#[test]
fn a_future_that_does_not_care_takes_nothing_from_a_goroutine_that_reads_through_a_clone() {
    start(2);
    go(|| {
        let (here, mut there) = pair();
        let mut clone = here.try_clone().unwrap();
        let mut here = Polled::new(here);
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        assert!(here.poll_read(&mut cx, &mut [0]).is_pending());
        let reader = go(move || {
            let mut bytes = [0; 4];
            clone.read_exact(&mut bytes).unwrap();
            bytes
        });
        sleep(Duration::from_millis(10));
        // It is woken, and never polls again.
        there.write_all(b"ping").unwrap();
        assert_eq!(&reader.join().unwrap(), b"ping");
        count.wait(1);
    })
    .join()
    .unwrap();
}

#[test]
fn a_full_socket_is_pending_to_write_until_the_other_side_reads() {
    start(2);
    let (here, mut there) = UnixStream::pair().unwrap();
    const SIZE: usize = 4 << 20;
    let writer = go(move || {
        let mut here = Polled::new(here);
        let mut pending = 0;
        let data = vec![7; SIZE];
        let mut left = &data[..];
        while !left.is_empty() {
            let n = block_on(poll_fn(|cx| {
                let poll = here.poll_write(cx, left);
                pending += usize::from(poll.is_pending());
                poll
            }));
            left = &left[n.unwrap()..];
        }
        block_on(poll_fn(|cx| here.poll_shutdown(cx))).unwrap();
        pending
    });
    let all = go(move || {
        let mut all = Vec::new();
        there.read_to_end(&mut all).unwrap();
        all
    });
    assert_eq!(all.join().unwrap(), vec![7; SIZE]);
    assert!(writer.join().unwrap() > 0);
}

#[test]
fn an_executor_on_a_plain_thread_is_woken_too() {
    start(2);
    let (here, mut there) = go(pair).join().unwrap();
    let reader = std::thread::spawn(move || {
        let mut here = Polled::new(here);
        let mut buf = [0; 8];
        let n = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(read_some(&mut here, &mut buf))
            .unwrap();
        buf[..n].to_vec()
    });
    std::thread::sleep(Duration::from_millis(20));
    there.write_all(b"ping").unwrap();
    assert_eq!(reader.join().unwrap(), b"ping");
}

#[test]
fn a_reset_is_an_error_of_the_call_that_was_pending() {
    start(2);
    go(|| {
        let (here, there) = pair();
        let mut here = Polled::new(here);
        let reader = go(move || {
            let mut buf = [0; 8];
            block_on(read_some(&mut here, &mut buf)).map_err(|e| e.kind())
        });
        sleep(Duration::from_millis(10));
        let there = socket2::Socket::from(std::net::TcpStream::from(there));
        there.set_linger(Some(Duration::ZERO)).unwrap();
        drop(there);
        assert_eq!(reader.join().unwrap(), Err(ErrorKind::ConnectionReset));
    })
    .join()
    .unwrap();
}

#[test]
fn a_stream_in_non_blocking_mode_waits_in_futures_and_comes_back_as_it_was() {
    start(2);
    go(|| {
        let (here, mut there) = pair();
        here.set_nonblocking(true).unwrap();
        let mut here = Polled::new(here);
        let writer = go(move || {
            sleep(Duration::from_millis(5));
            there.write_all(b"ping!").unwrap();
            there
        });
        let mut buf = [0; 4];
        assert_eq!(block_on(read_some(&mut here, &mut buf)).unwrap(), 4);
        let _there = writer.join().unwrap();
        let mut here = here.into_inner();
        assert_eq!(here.read(&mut buf).unwrap(), 1);
        assert_eq!(
            here.read(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    })
    .join()
    .unwrap();
}

#[test]
fn connections_that_are_polled_all_get_their_answers() {
    start(2);
    const CONNECTIONS: usize = 200;
    const ROUNDS: usize = 10;
    let servers: Vec<_> = (0..CONNECTIONS)
        .map(|i| {
            let (here, mut there) = go(pair).join().unwrap();
            let server = go(move || {
                let mut here = Polled::new(here);
                block_on(async {
                    let mut buf = [0; 64];
                    while let Ok(n @ 1..) = read_some(&mut here, &mut buf).await {
                        let sent = poll_fn(|cx| here.poll_write(cx, &buf[..n])).await.unwrap();
                        assert_eq!(sent, n);
                    }
                });
            });
            let client = go(move || {
                for round in 0..ROUNDS {
                    let word = format!("{i}:{round}");
                    there.write_all(word.as_bytes()).unwrap();
                    let mut echo = vec![0; word.len()];
                    there.read_exact(&mut echo).unwrap();
                    assert_eq!(echo, word.as_bytes());
                }
            });
            (server, client)
        })
        .collect();
    for (server, client) in servers {
        client.join().unwrap();
        server.join().unwrap();
    }
}
