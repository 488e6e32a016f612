//! tokio: its current-thread runtime for one P, otherwise its multi-thread runtime with so many workers. HTTP is hyper on it.

use std::{io, net::Ipv4Addr, sync::Arc};

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    runtime::Builder,
    task::{spawn, spawn_blocking, yield_now},
    time::timeout,
};

use crate::{
    serve::{BUFFER, RECEIVERS, Service, TIMEOUT, compute, replace_time, until_end},
    serve_hyper,
};

pub fn run(service: Service, procs: usize) -> io::Result<()> {
    let runtime = match procs {
        1 => Builder::new_current_thread().enable_all().build()?,
        _ => Builder::new_multi_thread()
            .worker_threads(procs)
            .enable_all()
            .build()?,
    };
    runtime.block_on(async move {
        let port = match service {
            Service::Udp => datagrams().await?,
            _ => connections(service, procs).await?,
        };
        spawn_blocking(move || until_end(port)).await?
    })
}

async fn connections(service: Service, procs: usize) -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    if service == Service::Yielders {
        (0..procs).for_each(|_| drop(spawn(computing())));
    }
    spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            match service {
                Service::Http => drop(spawn(http(stream))),
                Service::Bulk(size) => drop(spawn(pour(stream, size))),
                _ => drop(spawn(answer(stream, service))),
            }
        }
    });
    Ok(port)
}

async fn computing() {
    loop {
        compute();
        yield_now().await;
    }
}

async fn answer(mut stream: TcpStream, service: Service) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; BUFFER];
    loop {
        let count = match service {
            Service::Timeout => timeout(TIMEOUT, stream.read(&mut buffer)).await??,
            _ => stream.read(&mut buffer).await?,
        };
        if count == 0 {
            return Ok(());
        }
        if service == Service::Yielders {
            replace_time(&mut buffer);
        }
        stream.write_all(&buffer[..count]).await?;
        if service == Service::Short {
            return Ok(());
        }
    }
}

async fn http(stream: TcpStream) -> Result<(), hyper::Error> {
    // An error of this would be one of the connection, too.
    let _ = stream.set_nodelay(true);
    let http = serve_hyper::builder();
    http.serve_connection(TokioIo::new(stream), service_fn(serve_hyper::answer))
        .await
}

async fn pour(mut stream: TcpStream, size: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let zeros = vec![0; size];
    loop {
        stream.write_all(&zeros).await?;
    }
}

async fn datagrams() -> io::Result<u16> {
    let socket = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
    let port = socket.local_addr()?.port();
    for _ in 0..RECEIVERS {
        spawn(echo(Arc::clone(&socket)));
    }
    Ok(port)
}

async fn echo(socket: Arc<UdpSocket>) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        let (count, from) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..count], from).await?;
    }
}
