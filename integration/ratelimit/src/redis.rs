//! Redis, as much of it as counting needs: commands that are answered by numbers, several at a time.
use std::io::{self, Error};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long Redis may take to be reached and to answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// One Redis, over one connection that is made anew when it has failed.
pub struct Redis {
    address: String,
    link: Mutex<Option<BufReader<TcpStream>>>,
}

impl Redis {
    /// The Redis at `host:port`, which is not asked before something is to be counted.
    #[must_use]
    pub fn at(address: &str) -> Self {
        Self { address: address.to_owned(), link: Mutex::new(None) }
    }

    /// What the commands are answered, a number each.
    pub(crate) async fn numbers(&self, commands: &[Vec<String>]) -> io::Result<Vec<u64>> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let mut idle = self.link.lock().await;
        // Who asked may go away meanwhile, and answers of which nobody reads the rest are no good: the connection is put back
        // only after the last.
        let taken = idle.take();
        let (link, numbers) = timeout(PATIENCE, self.ask(taken, commands)).await??;
        *idle = Some(link);
        Ok(numbers)
    }

    async fn ask(
        &self,
        link: Option<BufReader<TcpStream>>,
        commands: &[Vec<String>],
    ) -> io::Result<(BufReader<TcpStream>, Vec<u64>)> {
        let mut link = match link {
            Some(link) => link,
            None => {
                let stream = TcpStream::connect(&self.address).await?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        link.write_all(encoded(commands).as_bytes()).await?;
        let mut numbers = Vec::with_capacity(commands.len());
        for _ in commands {
            let mut line = String::new();
            link.read_line(&mut line).await?;
            let number = line.strip_prefix(':').and_then(|number| number.trim_end().parse().ok());
            numbers.push(number.ok_or_else(|| Error::other(format!("Redis said {line:?}")))?);
        }
        Ok((link, numbers))
    }
}

/// Commands in Redis' own form, arrays of strings.
fn encoded(commands: &[Vec<String>]) -> String {
    let word = |word: &String| format!("${}\r\n{word}\r\n", word.len());
    let command =
        |words: &Vec<String>| format!("*{}\r\n{}", words.len(), words.iter().map(word).collect::<String>());
    commands.iter().map(command).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_counted_in_bytes() {
        let commands = [vec!["INCRBY".to_owned(), "ä".to_owned(), "12".to_owned()]];
        assert_eq!(encoded(&commands), "*3\r\n$6\r\nINCRBY\r\n$2\r\nä\r\n$2\r\n12\r\n");
    }
}
