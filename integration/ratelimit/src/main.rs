//! The rate limit service as a process: says where it listens, serves until it is told to stop.
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use ratelimit::{Limits, Redis, Server, listen};
use tokio::signal::unix::{SignalKind, signal};

/// A rate limit service for Envoy that counts in Redis.
#[derive(Parser)]
struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The limits: a file as envoyproxy/ratelimit reads it.
    #[arg(long)]
    limits: PathBuf,
    /// Where Redis is, as `host:port`.
    #[arg(long)]
    redis: String,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let limits = Limits::parse(&std::fs::read_to_string(&args.limits)?).map_err(io::Error::other)?;
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener = listen(args.listen).await?;
    let mut out = io::stdout();
    writeln!(out, "listening on {}", listener.local_addr()?)?;
    out.flush()?;
    let serving = tokio::spawn(Server { limits, redis: Redis::at(&args.redis) }.serve(listener));
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    serving.abort();
    Ok(())
}
