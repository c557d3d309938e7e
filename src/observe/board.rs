//! What the page of the gateway shows: the last hour's numbers, put together over all workers.
//!
//! A worker takes what it tells into a board of its own, and once a second adds that to one value of the store. A row is a name and
//! numbers that are added up, so putting two boards together is the same for all of them.

use super::{Labels, Metric, metrics::*};
use crate::store::{Contended, Store, update};
use crate::time::Timestamp;

/// Where it is.
const KEY: &str = "board";
/// The form of the value, its first byte.
const VERSION: u8 = 1;
/// How often a race for the value may be lost; what is not told now is told a second later.
const RACES: u32 = 8;
/// How many rows a section has at most; the one that was added to longest ago goes first.
const MOST_ROWS: usize = 256;
/// How many minutes are kept.
const MINUTES: u64 = 60;
/// Between the parts of a name.
const BETWEEN: char = '\u{1f}';

/// Times of up to so many milliseconds are counted together.
const BOUNDS: [u64; 38] = [
    1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512, 724, 1_024, 1_448, 2_048, 2_896,
    4_096, 5_793, 8_192, 11_585, 16_384, 23_170, 32_768, 46_341, 65_536, 92_682, 131_072, 185_364, 262_144,
    370_728, 524_288,
];

/// What a row is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Section {
    /// A model that was asked.
    Models,
    /// A consumer that asked.
    Consumers,
    /// A minute, by its number since 1970.
    Minutes,
    /// Attempts at one model after another one's: from, to, and why.
    Failovers,
    /// A limit and who is limited.
    Limits,
    /// What the cache did.
    Cache,
}

const SECTIONS: usize = 6;

/// What is counted first in a row; after that, times.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Count {
    /// Requests, attempts, or whatever it is that a row is of; of a limit, how much of it is used, in percent.
    Requests,
    /// Of those, the ones that have failed.
    Failed,
    /// Tokens of prompts.
    Input,
    /// Tokens of answers.
    Output,
    /// Billionths of a dollar.
    Cost,
    /// The first of the times.
    Times,
}

/// A row.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Row {
    name: String,
    /// When it was added to, in seconds.
    at: u64,
    numbers: Vec<u64>,
}

/// All rows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Board {
    /// Since when, in seconds of Unix time.
    since: u64,
    sections: [Vec<Row>; SECTIONS],
}

impl Row {
    /// The parts of its name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.name.split(BETWEEN)
    }

    /// When it was added to, in seconds of Unix time.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// How many.
    #[must_use]
    pub fn count(&self, what: Count) -> u64 {
        self.numbers.get(what as usize).copied().unwrap_or_default()
    }

    /// Up to how many milliseconds so many of a hundred have taken; none if none were timed.
    #[must_use]
    pub fn percentile(&self, of_hundred: u64) -> Option<u64> {
        let times = self.numbers.get(Count::Times as usize..).unwrap_or_default();
        let all: u64 = times.iter().fold(0, |all, count| all.saturating_add(*count));
        let rank = all.saturating_mul(of_hundred).div_ceil(100).max(1);
        let (mut below, mut least) = (0_u64, 0);
        for (count, most) in times.iter().zip(BOUNDS) {
            let reached = below.saturating_add(*count);
            if reached >= rank {
                let part = u128::from(most - least) * u128::from(rank - below) / u128::from((*count).max(1));
                return Some(least.saturating_add(u64::try_from(part).unwrap_or(0)));
            }
            (below, least) = (reached, most);
        }
        None
    }

    fn add(&mut self, at: usize, by: u64) {
        if self.numbers.len() <= at {
            self.numbers.resize(at.saturating_add(1), 0);
        }
        if let Some(number) = self.numbers.get_mut(at) {
            *number = number.saturating_add(by);
        }
    }

    fn merge(&mut self, other: &Self, adds: bool) {
        if !adds && other.at >= self.at {
            self.numbers.clone_from(&other.numbers);
        } else if adds {
            other.numbers.iter().enumerate().for_each(|(at, by)| self.add(at, *by));
        }
        self.at = self.at.max(other.at);
    }
}

impl Board {
    /// One in which nothing was counted.
    #[must_use]
    pub const fn new() -> Self {
        Self { since: 0, sections: [const { Vec::new() }; SECTIONS] }
    }

    /// Since when it has counted, in seconds of Unix time.
    #[must_use]
    pub fn since(&self) -> u64 {
        self.since
    }

    /// The rows of a section.
    #[must_use]
    pub fn rows(&self, section: Section) -> &[Row] {
        self.sections.get(section as usize).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes a number that is told.
    pub fn take(&mut self, metric: &'static Metric, labels: Labels<'_>, value: u64, now: Timestamp) {
        let label = |name| labels.iter().find(|(label, _)| *label == name).map_or("", |(_, value)| *value);
        let seconds = now.millis() / 1_000;
        let minute = || (seconds / 60).to_string();
        let mut add = |section, name: &str, counts: &[(usize, u64)]| {
            if let Some(row) = self.row(section, name) {
                row.at = seconds;
                counts.iter().for_each(|(at, by)| row.add(*at, *by));
            }
        };
        let failed = u64::from(label("outcome") != "ok");
        let counted = [(Count::Requests as usize, 1), (Count::Failed as usize, failed)];
        let model = label("gen_ai_response_model");
        if *metric == REQUESTS && label("origin") == "client" {
            add(Section::Minutes, &minute(), &counted);
        } else if *metric == CONSUMER_REQUESTS {
            add(Section::Consumers, label("consumer"), &counted);
        } else if *metric == ATTEMPTS {
            add(Section::Models, model, &counted);
        } else if *metric == TOKENS || *metric == COST {
            let what = match label("direction") {
                "input" => Count::Input,
                "output" => Count::Output,
                "" => Count::Cost,
                _ => return,
            };
            let rows: [(Section, &str); 3] = [
                (Section::Models, model),
                (Section::Consumers, label("consumer")),
                (Section::Minutes, &minute()),
            ];
            for (section, name) in rows {
                add(section, name, &[(what as usize, value)]);
            }
        } else if *metric == DURATION {
            let bucket = BOUNDS.iter().position(|most| value <= *most).unwrap_or(BOUNDS.len() - 1);
            let counted = [((Count::Times as usize).saturating_add(bucket), 1)];
            add(Section::Minutes, &minute(), &counted);
            if !model.is_empty() {
                add(Section::Models, model, &counted);
            }
        } else if *metric == FALLBACKS {
            let name = [label("from"), label("to"), label("reason")].join(&String::from(BETWEEN));
            add(Section::Failovers, &name, &[(Count::Requests as usize, 1)]);
        } else if *metric == CACHE {
            add(Section::Cache, label("result"), &[(Count::Requests as usize, 1)]);
        } else if *metric == LIMIT_USED {
            let name = [label("limit"), label("consumer")].join(&String::from(BETWEEN));
            if let Some(row) = self.row(Section::Limits, &name) {
                (row.at, row.numbers) = (seconds, vec![value]);
            }
        }
    }

    /// Adds this worker's board to what all know, and begins it anew.
    ///
    /// # Errors
    /// If others did at the same time all along. It is told a second later.
    pub fn exchange(&mut self, store: &dyn Store, now: Timestamp) -> Result<(), Contended> {
        if self.sections.iter().all(Vec::is_empty) {
            return Ok(());
        }
        update(store, KEY, RACES, |value| {
            let mut all = value.and_then(Self::read).unwrap_or_default();
            all.merge(self, now);
            ((), Some(all.write()))
        })?;
        *self = Self::default();
        Ok(())
    }

    /// What all know.
    #[must_use]
    pub fn of_all(store: &dyn Store) -> Self {
        store.get(KEY).and_then(|(value, _)| Self::read(&value)).unwrap_or_default()
    }

    #[inline(never)]
    fn row(&mut self, section: Section, name: &str) -> Option<&mut Row> {
        self.sections.get_mut(section as usize).and_then(|rows| row(rows, name))
    }

    fn merge(&mut self, other: &Self, now: Timestamp) {
        let seconds = now.millis() / 1_000;
        if self.since == 0 {
            self.since = seconds;
        }
        for (at, (all, own)) in self.sections.iter_mut().zip(&other.sections).enumerate() {
            for news in own {
                if let Some(known) = row(all, &news.name) {
                    known.merge(news, at != Section::Limits as usize);
                }
            }
            if at == Section::Minutes as usize {
                all.retain(|row| seconds.saturating_sub(row.at) < MINUTES * 60);
            }
            while all.len() > MOST_ROWS {
                let oldest = all.iter().enumerate().min_by_key(|(_, row)| row.at).map_or(0, |(at, _)| at);
                all.remove(oldest);
            }
        }
    }

    fn write(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put(&mut out, self.since);
        for section in &self.sections {
            put(&mut out, section.len() as u64);
            for row in section {
                put(&mut out, row.name.len() as u64);
                out.extend_from_slice(row.name.as_bytes());
                put(&mut out, row.at);
                put(&mut out, row.numbers.len() as u64);
                row.numbers.iter().for_each(|number| put(&mut out, *number));
            }
        }
        out
    }

    fn read(value: &[u8]) -> Option<Self> {
        let mut rest = value.strip_prefix(&[VERSION])?;
        let mut board = Self { since: take(&mut rest)?, ..Self::default() };
        for section in &mut board.sections {
            for _ in 0..take(&mut rest)? {
                let length = usize::try_from(take(&mut rest)?).ok()?;
                let (name, after) = rest.split_at_checked(length)?;
                rest = after;
                let name = std::str::from_utf8(name).ok()?.to_owned();
                let mut row = Row { name, at: take(&mut rest)?, numbers: Vec::new() };
                for _ in 0..take(&mut rest)? {
                    row.numbers.push(take(&mut rest)?);
                }
                section.push(row);
            }
        }
        Some(board)
    }
}

/// The row of this name, which is there then.
fn row<'r>(rows: &'r mut Vec<Row>, name: &str) -> Option<&'r mut Row> {
    let at = rows.iter().position(|row| row.name == name).unwrap_or(rows.len());
    if at == rows.len() {
        rows.push(Row { name: name.to_owned(), ..Row::default() });
    }
    rows.get_mut(at)
}

/// A number, in seven bits a byte (LEB128).
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(first & 0x7f) << shift;
        if *first < 0x80 {
            return Some(number);
        }
    }
    None
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Memory;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn told(board: &mut Board, metric: &'static Metric, labels: &[(&'static str, &str)], value: u64) {
        board.take(metric, labels, value, NOW);
    }

    fn answered(board: &mut Board, model: &str, ms: u64) {
        told(board, &REQUESTS, &[("origin", "client"), ("outcome", "ok")], 1);
        told(board, &ATTEMPTS, &[("gen_ai_response_model", model), ("outcome", "ok")], 1);
        told(board, &DURATION, &[("gen_ai_response_model", model)], ms);
        told(
            board,
            &TOKENS,
            &[("consumer", "acme"), ("gen_ai_response_model", model), ("direction", "input")],
            10,
        );
        told(
            board,
            &TOKENS,
            &[("consumer", "acme"), ("gen_ai_response_model", model), ("direction", "reasoning")],
            7,
        );
        told(board, &COST, &[("consumer", "acme"), ("gen_ai_response_model", model)], 500);
    }

    fn row<'b>(board: &'b Board, section: Section, name: &str) -> &'b Row {
        board.rows(section).iter().find(|row| row.names().eq(name.split('>'))).expect("such a row")
    }

    #[test]
    fn what_workers_tell_is_added_up() {
        let store = Memory::default();
        for _ in 0..2 {
            let mut worker = Board::new();
            answered(&mut worker, "m", 100);
            told(&mut worker, &FALLBACKS, &[("from", "a"), ("to", "b"), ("reason", "timeout")], 1);
            worker.exchange(&store, NOW).unwrap();
            assert_eq!(worker, Board::new(), "what is told is not told again");
        }
        let all = Board::of_all(&store);
        assert_eq!(all.since(), 1_700_000_000);
        let model = row(&all, Section::Models, "m");
        assert_eq!((model.count(Count::Requests), model.count(Count::Failed)), (2, 0));
        assert_eq!(
            (model.count(Count::Input), model.count(Count::Output), model.count(Count::Cost)),
            (20, 0, 1_000)
        );
        assert_eq!(row(&all, Section::Consumers, "acme").count(Count::Input), 20);
        let minute = row(&all, Section::Minutes, "28333333");
        assert_eq!((minute.count(Count::Requests), minute.count(Count::Cost)), (2, 1_000));
        assert_eq!(row(&all, Section::Failovers, "a>b>timeout").count(Count::Requests), 2);
    }

    #[test]
    fn how_full_a_limit_is_is_what_was_said_last() {
        let store = Memory::default();
        for (percent, second) in [(90, 0), (20, 1)] {
            let mut worker = Board::new();
            let labels = [("limit", "rpm"), ("consumer", "acme")];
            worker.take(&LIMIT_USED, &labels, percent, NOW.after(second * 1_000));
            worker.exchange(&store, NOW).unwrap();
        }
        assert_eq!(row(&Board::of_all(&store), Section::Limits, "rpm>acme").count(Count::Requests), 20);
    }

    #[test]
    fn percentiles_are_near_what_was_timed() {
        let mut board = Board::new();
        (1..=1_000).for_each(|ms| answered(&mut board, "m", ms));
        let model = row(&board, Section::Models, "m");
        for (of_hundred, exact) in [(50, 500), (95, 950), (99, 990)] {
            let found = model.percentile(of_hundred).unwrap();
            assert!(found.abs_diff(exact) * 100 <= exact * 5, "{of_hundred}: {found}");
        }
        assert_eq!(Row::default().percentile(50), None);
        let mut board = Board::new();
        answered(&mut board, "slow", u64::MAX);
        assert!(row(&board, Section::Models, "slow").percentile(99).is_some());
    }

    #[test]
    fn an_hour_is_kept_and_a_number_of_rows() {
        let store = Memory::default();
        for minute in 0..200 {
            let mut worker = Board::new();
            let then = NOW.after(minute * 60_000);
            worker.take(&REQUESTS, &[("origin", "client"), ("outcome", "error")], 1, then);
            (0..10).for_each(|at| {
                let name = format!("{minute}-{at}");
                worker.take(&CONSUMER_REQUESTS, &[("consumer", &name), ("outcome", "ok")], 1, then);
            });
            worker.exchange(&store, then).unwrap();
        }
        let all = Board::of_all(&store);
        assert_eq!(all.rows(Section::Minutes).len(), 60);
        assert_eq!(all.rows(Section::Consumers).len(), MOST_ROWS);
        assert!(
            all.rows(Section::Consumers).iter().any(|row| row.names().eq(["199-9"])),
            "who came last is there"
        );
    }

    #[test]
    fn what_cannot_be_read_is_a_board_without_anything() {
        let mut board = Board::new();
        answered(&mut board, "m", 5);
        let whole = board.write();
        assert_eq!(Board::read(&whole), Some(board));
        for cut in 0..whole.len() {
            assert_eq!(Board::read(&whole[..cut]), None, "{cut} bytes");
        }
        assert_eq!(Board::read(&[9, 1, 1]), None);
        assert_eq!(
            Board::read(&[VERSION, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            None
        );
    }
}
