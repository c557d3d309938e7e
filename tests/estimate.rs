//! How far estimates are from what real tokenizers count: on texts of several kinds, before and after the usage of fifty
//! requests was reported, half of the texts to learn from and half to measure on. `docs/cost.md` shows what comes out here.

use modelgate::chat::{Form, Request, said};
use modelgate::estimate::{Calibration, Family, Makeup, Tally};
use modelgate::json::{Document, Surrogates};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use tiktoken_rs::CoreBPE;

const DOCUMENTATION: &str = include_str!("../docs/cost.md");

/// Texts of one kind.
struct Kind {
    name: &'static str,
    texts: Vec<String>,
}

fn kinds() -> Vec<Kind> {
    let split =
        |name, text: &str, by: &str| Kind { name, texts: text.split(by).map(str::to_owned).collect() };
    vec![
        split("English prose", include_str!("texts/prose.txt"), "\n\n"),
        split("code", include_str!("texts/code.txt"), "\n===\n"),
        Kind { name: "JSON", texts: (0..24).map(records).collect() },
        split("Chinese", include_str!("texts/chinese.txt"), "\n\n"),
        split("Japanese", include_str!("texts/japanese.txt"), "\n\n"),
        split("Korean", include_str!("texts/korean.txt"), "\n\n"),
    ]
}

/// Chance that is the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        // Knuth's MMIX; the upper half is good enough.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn of<'t, T: ?Sized>(&mut self, choices: &[&'t T]) -> &'t T {
        choices[self.below(choices.len())]
    }
}

/// What an API might answer: compact or indented, with ids, dates, numbers and words.
fn records(seed: usize) -> String {
    let mut chance = Chance(seed as u64 + 1);
    let names = ["Ada Lovelace", "Jens Peter Hansen", "Mei Tanaka", "Rosa Alvarez", "Tom O'Neill"];
    let states = ["open", "shipped", "cancelled", "awaiting_payment"];
    let items = ["kettle", "desk lamp", "running shoes", "travel adapter", "notebook (A5)"];
    let record = |chance: &mut Chance| {
        json!({
            "id": chance.below(9_000_000),
            "reference": format!("ORD-{:08x}", chance.below(usize::MAX >> 32)),
            "customer": {"name": chance.of(&names), "email": format!("user{}@example.com", chance.below(500))},
            "status": chance.of(&states),
            "total": chance.below(100_000) as f64 / 100.0,
            "createdAt": format!("2025-{:02}-{:02}T{:02}:{:02}:00Z", 1 + chance.below(12), 1 + chance.below(28), chance.below(24), chance.below(60)),
            "items": [{"name": chance.of(&items), "quantity": 1 + chance.below(4), "gift": chance.below(2) == 0}],
            "note": null,
        })
    };
    let records: Vec<_> = (0..1 + chance.below(4)).map(|_| record(&mut chance)).collect();
    match chance.below(2) {
        0 => serde_json::to_string(&records),
        _ => serde_json::to_string_pretty(&records),
    }
    .expect("JSON")
}

/// A chat of one to four messages whose texts are of one kind: every other one, from the first or from the second.
fn chat(kind: &Kind, half: usize, chance: &mut Chance) -> Vec<String> {
    let texts: Vec<_> = kind.texts.iter().skip(half).step_by(2).collect();
    (0..1 + chance.below(4)).map(|_| texts[chance.below(texts.len())].clone()).collect()
}

fn makeup(texts: &[String]) -> Makeup {
    let roles = ["system", "user", "assistant"];
    let messages: Vec<Value> = texts
        .iter()
        .zip(roles.iter().cycle())
        .map(|(text, role)| json!({"role": role, "content": text}))
        .collect();
    let body = json!({"model": "m", "messages": messages}).to_string();
    let document = Document::parse(body.as_bytes(), Surrogates::Paired).expect("JSON");
    Makeup::read(&Request::read(document.root()).expect("a request"))
}

/// A tokenizer that remembers what it has counted.
struct Tokenizer {
    name: &'static str,
    tokenizer: CoreBPE,
    counted: RefCell<HashMap<String, usize>>,
}

impl Tokenizer {
    fn o200k() -> Self {
        let tokenizer = tiktoken_rs::o200k_base().expect("the vocabulary");
        Self { name: "o200k_base", tokenizer, counted: RefCell::default() }
    }

    fn cl100k() -> Self {
        let tokenizer = tiktoken_rs::cl100k_base().expect("the vocabulary");
        Self { name: "cl100k_base", tokenizer, counted: RefCell::default() }
    }

    fn count(&self, text: &str) -> usize {
        let mut counted = self.counted.borrow_mut();
        *counted.entry(text.to_owned()).or_insert_with(|| self.tokenizer.encode_ordinary(text).len())
    }

    /// What its provider reports: OpenAI's chats have three tokens more for each message, its role, and three.
    fn reported(&self, texts: &[String]) -> u64 {
        let tokens: usize = texts.iter().map(|text| self.count(text) + 4).sum();
        tokens as u64 + 3
    }
}

/// Fifty requests of all kinds in turn, of which `spoil` may change what is reported.
fn learned(tokenizer: &Tokenizer, spoil: impl Fn(usize, u64) -> u64) -> Calibration {
    let (kinds, mut chance) = (kinds(), Chance(1));
    let mut calibration = Calibration::new(Family::OpenAi);
    for turn in 0..50 {
        let texts = chat(&kinds[turn % kinds.len()], 0, &mut chance);
        calibration.learn(&makeup(&texts), spoil(turn, tokenizer.reported(&texts)));
    }
    calibration
}

/// The relative errors of estimates, in percent.
struct Errors(Vec<f64>);

impl Errors {
    fn of(pairs: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut errors: Vec<_> =
            pairs.map(|(estimate, truth)| 100.0 * (estimate as f64 / truth as f64 - 1.0).abs()).collect();
        errors.sort_by(f64::total_cmp);
        Self(errors)
    }

    fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    /// Nine of ten are not larger.
    fn of_nine_in_ten(&self) -> f64 {
        self.0[self.0.len() * 9 / 10]
    }
}

/// The errors on a hundred requests of one kind, of texts that were not learned from.
fn errors(kind: &Kind, calibration: &Calibration, truth: impl Fn(&[String]) -> u64) -> Errors {
    let mut chance = Chance(2);
    let chats = (0..100).map(|_| chat(kind, 1, &mut chance));
    Errors::of(chats.map(|texts| (calibration.tokens(&makeup(&texts)), truth(&texts))))
}

fn assert_documented(rows: &[String]) {
    let rows = rows.join("\n");
    assert!(DOCUMENTATION.contains(&rows), "docs/cost.md lacks these rows:\n{rows}");
}

#[test]
fn after_fifty_requests_estimates_are_within_ten_percent_as_documented() {
    let mut rows = Vec::new();
    for tokenizer in [Tokenizer::o200k(), Tokenizer::cl100k()] {
        let (new, learned) = (Calibration::new(Family::OpenAi), learned(&tokenizer, |_, reported| reported));
        for kind in kinds() {
            let [before, after] =
                [&new, &learned].map(|state| errors(&kind, state, |texts| tokenizer.reported(texts)));
            let row = format!(
                "| {} | `{}` | {:.1} % | {:.1} % | {:.1} % | {:.1} % |",
                kind.name,
                tokenizer.name,
                before.mean(),
                before.of_nine_in_ten(),
                after.mean(),
                after.of_nine_in_ten()
            );
            assert!(after.mean() < 10.0, "{row}");
            rows.push(row);
        }
    }
    assert_documented(&rows);
}

#[test]
fn hidden_prompts_are_learned_and_wrong_reports_are_not() {
    let tokenizer = Tokenizer::o200k();
    let hidden = 250;
    let with_prompt = learned(&tokenizer, |_, reported| reported + hidden);
    let with_nonsense = learned(&tokenizer, |turn, reported| match turn % 10 {
        3 => reported / 4,
        7 if turn > 20 => reported + 5000,
        _ => reported,
    });
    for kind in kinds() {
        let prompted = errors(&kind, &with_prompt, |texts| tokenizer.reported(texts) + hidden).mean();
        let told_nonsense = errors(&kind, &with_nonsense, |texts| tokenizer.reported(texts)).mean();
        assert!(prompted < 10.0 && told_nonsense < 10.0, "{}: {prompted} and {told_nonsense}", kind.name);
    }
}

#[test]
fn what_was_delivered_of_a_cut_stream_is_counted_as_documented() {
    let tokenizer = Tokenizer::o200k();
    let calibration = learned(&tokenizer, |_, reported| reported);
    let mut rows = Vec::new();
    for kind in kinds() {
        let mut chance = Chance(3);
        let streams = (0..100).map(|_| {
            let answer = chat(&kind, 1, &mut chance).join("\n\n");
            // Delivered token by token, as providers do, and cut anywhere after the first few.
            let tokens = tokenizer.tokenizer.encode_ordinary(&answer);
            let cut = tokens.len().min(40) + chance.below(tokens.len());
            let delivered: Vec<u8> = tokens
                .iter()
                .take(cut)
                .flat_map(|token| tokenizer.tokenizer.decode_bytes(&[*token]).expect("a token"))
                .collect();
            let mut tally = Tally::default();
            for delta in String::from_utf8_lossy(&delivered).split_inclusive(' ') {
                let chunk = json!({"choices": [{"index": 0, "delta": {"content": delta}}]}).to_string();
                said(chunk.as_bytes(), Form::Chunks, &mut |text| tally.push(text));
            }
            (calibration.tokens(&tally.makeup()), cut.min(tokens.len()) as u64)
        });
        let errors = Errors::of(streams);
        let row = format!("| {} | {:.1} % | {:.1} % |", kind.name, errors.mean(), errors.of_nine_in_ten());
        assert!(errors.mean() < 10.0, "{row}");
        rows.push(row);
    }
    assert_documented(&rows);
}

/// Measures on instructions that people wrote: JSON lines with `instruction` and `instances`, or with `turns`, in the folder
/// that `MODELGATE_TEXTS` names.
#[test]
#[ignore = "needs a folder of texts"]
fn estimates_hold_on_texts_of_others() {
    let folder = std::env::var("MODELGATE_TEXTS").expect("MODELGATE_TEXTS names a folder");
    let mut texts = Vec::new();
    for file in std::fs::read_dir(Path::new(&folder)).expect("a folder") {
        let path = file.expect("a file").path();
        for line in std::fs::read_to_string(path).expect("text").lines() {
            let task: Value = serde_json::from_str(line).expect("JSON");
            let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let instances = task["instances"].as_array().into_iter().flatten();
            let said = instances
                .map(|one| [&task["instruction"], &one["input"], &one["output"]].map(words).join("\n"));
            texts.extend(said.chain(task["turns"].as_array().into_iter().flatten().map(words)));
        }
    }
    let kind = Kind { name: "tasks", texts };
    for tokenizer in [Tokenizer::o200k(), Tokenizer::cl100k()] {
        let mut calibration = Calibration::new(Family::OpenAi);
        let before = errors(&kind, &calibration, |texts| tokenizer.reported(texts));
        let mut chance = Chance(1);
        for _ in 0..50 {
            let texts = chat(&kind, 0, &mut chance);
            calibration.learn(&makeup(&texts), tokenizer.reported(&texts));
        }
        let after = errors(&kind, &calibration, |texts| tokenizer.reported(texts));
        let row = [before.mean(), before.of_nine_in_ten(), after.mean(), after.of_nine_in_ten()];
        println!("{}: {} texts, {row:.1?}", tokenizer.name, kind.texts.len());
        assert!(after.mean() < 10.0, "{row:?}");
    }
}
