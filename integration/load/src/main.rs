//! What `scripts/bench` measures with. `serve` answers chat requests with fixed bytes, cheaply and always alike;
//! `drive` sends a number of requests and tells how long their first bytes took; `hold` keeps streams open.

mod answers;
mod client;
mod upstream;

use clap::{Args, Parser, Subcommand};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Load for scripts/bench: an upstream of fixed answers, and clients that count.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answers POST …/chat/completions as OpenAI and POST …/messages as Anthropic would. The request's model says how:
    /// `answer` (JSON), `burst` (a stream at once), `paced` (chunk by chunk), `hold` (a stream that does not end).
    Serve {
        /// Content chunks of a stream.
        #[arg(long, default_value_t = 64)]
        chunks: usize,
        /// Milliseconds between the chunks of a paced stream, of which there are four times as many.
        #[arg(long, default_value_t = 4)]
        pace: u64,
    },
    /// Sends requests over keep-alive connections; prints one line of JSON when all are answered.
    Drive {
        #[command(flatten)]
        target: Target,
        /// How many in all.
        #[arg(long)]
        requests: usize,
        /// How many at a time, each on a connection of its own.
        #[arg(long, default_value_t = 32)]
        connections: usize,
    },
    /// Opens streams, prints `open` when each has begun, and keeps them until standard input ends.
    Hold {
        #[command(flatten)]
        target: Target,
        /// How many.
        #[arg(long)]
        streams: usize,
    },
}

/// Where to send what.
#[derive(Args)]
struct Target {
    /// Address and port.
    #[arg(long)]
    to: SocketAddr,
    /// The request's path.
    #[arg(long)]
    path: String,
    /// The file that holds the request's body.
    #[arg(long)]
    body: PathBuf,
    /// An API key; with several, clients have them in turn.
    #[arg(long = "key", default_value = "key-of-the-client")]
    keys: Vec<String>,
}

impl Target {
    fn request(&self) -> io::Result<client::Request> {
        let (path, keys) = (self.path.clone(), self.keys.clone());
        Ok(client::Request { to: self.to, path, body: std::fs::read(&self.body)?.into(), keys })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    match Arguments::parse().command {
        Command::Serve { chunks, pace } => upstream::serve(chunks, Duration::from_millis(pace)).await,
        Command::Drive { target, requests, connections } => {
            let report = client::drive(target.request()?, requests, connections).await;
            println!("{}", report.to_json());
            Ok(())
        }
        Command::Hold { target, streams } => client::hold(target.request()?, streams).await,
    }
}
