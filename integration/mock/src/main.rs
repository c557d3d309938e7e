//! The mock providers as a process: says where it listens, serves until it is told to stop.
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use mock_providers::{Server, listen};
use tokio::signal::unix::{SignalKind, signal};

/// Mock LLM providers: OpenAI, Anthropic and Gemini wire formats, with faults on command.
#[derive(Parser)]
struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Folder of recordings to replay: manifest.jsonl and the files it names.
    #[arg(long)]
    fixtures: Option<PathBuf>,
    /// Threads that serve.
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let server = Server::new(args.fixtures.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.workers.max(1))
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let listener = listen(args.listen).await?;
        let mut out = io::stdout();
        writeln!(out, "listening on {}", listener.local_addr()?)?;
        out.flush()?;
        // On its own task, so that accepting spreads over the workers.
        let serving = tokio::spawn(server.serve(listener));
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        serving.abort();
        Ok(())
    })
}
