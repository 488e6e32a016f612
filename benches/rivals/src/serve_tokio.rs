//! tokio: its current-thread runtime for one P, otherwise its multi-thread runtime with so many workers.

use std::{io, net::Ipv4Addr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    task::{spawn, spawn_blocking, yield_now},
    time::timeout,
};

use crate::serve::{BUFFER, Service, TIMEOUT, compute, replace_time, until_end};

pub fn run(service: Service, procs: usize) -> io::Result<()> {
    let runtime = match procs {
        1 => Builder::new_current_thread().enable_all().build()?,
        _ => Builder::new_multi_thread()
            .worker_threads(procs)
            .enable_all()
            .build()?,
    };
    runtime.block_on(async move {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        if service == Service::Yielders {
            (0..procs).for_each(|_| drop(spawn(computing())));
        }
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                spawn(answer(stream, service));
            }
        });
        spawn_blocking(move || until_end(port)).await?
    })
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
