//! What a connection costs on which nothing happens. The only test of its process: memory is the process's.

use std::{
    io::{Read, Write},
    time::Duration,
};

use goroutines::{go, net::unix::UnixStream, sleep};
use goroutines_tests::start;

#[test]
fn a_goroutine_that_waits_for_a_silent_client_needs_a_page_of_stack_and_a_record() {
    start(2);
    // Below the usual limit of descriptors.
    const N: usize = 400;
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS"));
        let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
        kilobytes.parse::<usize>().unwrap() * 1024
    };
    let connect = |count: usize| {
        let one = |_| {
            let (mut client, mut server) = UnixStream::pair().unwrap();
            let served = go(move || {
                let mut buffer = [0; 64];
                let mut sum = 0;
                while let Ok(count @ 1..) = server.read(&mut buffer) {
                    sum += count;
                    server.write_all(&buffer[..count]).unwrap();
                }
                sum
            });
            client.write_all(&[1; 10]).unwrap();
            client.read_exact(&mut [0; 10]).unwrap();
            (client, served)
        };
        (0..count).map(one).collect::<Vec<_>>()
    };
    let first = connect(20);
    sleep(Duration::from_millis(50));
    let before = resident();
    let more = connect(N);
    // Time for the last ones to wait again.
    sleep(Duration::from_millis(200));
    let each = resident().saturating_sub(before) / N;
    for (client, served) in first.into_iter().chain(more) {
        drop(client);
        assert_eq!(served.join().unwrap(), 10);
    }
    // One page of stack; the goroutine, its result, and the socket's record. Unoptimised frames take further pages.
    let limit = if cfg!(debug_assertions) {
        20_000
    } else {
        4096 + 2048
    };
    println!("{each} bytes for a silent connection");
    assert!(each < limit, "{each} bytes for a silent connection");
}
