//! may, with a worker for each P.

use std::{
    io::{self, Read, Write},
    net::Ipv4Addr,
};

use may::{
    go,
    net::{TcpListener, TcpStream},
};

use crate::serve::{BUFFER, Service, TIMEOUT, until_end};

pub fn run(service: Service, procs: usize) -> io::Result<()> {
    may::config().set_workers(procs);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    go!(move || {
        for stream in listener.incoming().flatten() {
            go!(move || drop(answer(stream, service)));
        }
    });
    until_end(port)
}

fn answer(mut stream: TcpStream, service: Service) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if let Service::Bulk(size) = service {
        let zeros = vec![0; size];
        loop {
            stream.write_all(&zeros)?;
        }
    }
    if service == Service::Timeout {
        stream.set_read_timeout(Some(TIMEOUT))?;
    }
    let mut buffer = [0; BUFFER];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count])?;
        if service == Service::Short {
            return Ok(());
        }
    }
}
