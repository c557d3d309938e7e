#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::guard::{Difference, Strictness, difference, strictness};
use super::*;
use crate::config::Similarity;
use std::collections::BTreeMap;

fn compare(a: &str, b: &str, strictness: Strictness) -> (f32, Option<Difference>) {
    let (a, b) = (Words::of(a), Words::of(b));
    let cosine = local::vector(&a).unwrap().cosine(local::vector(&b).unwrap().as_bytes());
    let forth = difference(&a, &b, strictness);
    assert_eq!(forth.is_none(), difference(&b, &a, strictness).is_none(), "it is the same both ways");
    (cosine, forth)
}

#[test]
fn near_misses_are_told_apart_however_near_they_are() {
    use Difference::*;
    let essay = "Please write a detailed essay on the history, the economy, the culture and the politics of";
    let essay = |country: &str| {
        format!(
            "{essay} {country} for students in their second year at a university, with a paragraph on each."
        )
    };
    for (a, b, expected) in [
        ("How many calories are in 2 eggs?", "How many calories are in 3 eggs?", Decisive),
        ("How many calories are in two eggs?", "How many calories are in three eggs?", Decisive),
        ("Convert 1,000 km to miles", "Convert 10,000 km to miles", Decisive),
        ("What is 12.5% of 80?", "What is 125% of 80?", Decisive),
        ("What is 5 + 3?", "What is 5 * 3?", Decisive),
        ("What is 5-3?", "What is 5+3?", Decisive),
        ("What is (1+2)*3?", "What is 1+(2*3)?", Decisive),
        ("What is 5! minus 3?", "What is 5 minus 3?", Decisive),
        ("Is a != b the same as b != a?", "Is a = b the same as b = a?", Decisive),
        ("What is 12,5% of 80?", "What is 1,25% of 80?", Decisive),
        ("Is .5 a probability?", "Is 5 a probability?", Decisive),
        ("Is it hot in here?", "Is it too hot in here?", Decisive),
        ("translate french to german please", "translate german to french please", Decisive),
        ("What happened in May 1968 there?", "What happened in 1968 there?", Name),
        ("Who fought in World War I?", "Who fought in World War II?", Name),
        ("Which foods have vitamin C?", "Which foods have vitamin D?", Name),
        ("Paris weather today", "London weather today", Name),
        ("Wait 3 hours before eating?", "Wait 3 days before eating?", Decisive),
        ("Is it safe to eat raw eggs?", "Is it not safe to eat raw eggs?", Decisive),
        ("Why does my dog eat grass?", "Why doesn't my dog eat grass?", Decisive),
        ("Why can I log in?", "Why can't I log in?", Decisive),
        ("Recipes with nuts", "Recipes without nuts", Decisive),
        ("How do I turn the oven on?", "How do I turn the oven off?", Decisive),
        ("How do I increase the volume?", "How do I decrease the volume?", Decisive),
        ("What is the best phone?", "What is the worst phone?", Decisive),
        ("Which is more than enough?", "Which is less than enough?", Decisive),
        ("Who was the president of France?", "Who is the president of France?", Decisive),
        ("What happens before an eclipse?", "What happens after an eclipse?", Decisive),
        ("List all open orders", "List any open orders", Decisive),
        ("Sort a list in Python", "Sort a list in Java", Decisive),
        ("sort a list in python", "sort a list in rust", Decisive),
        ("What does `foo_bar` do here?", "What does `foo_baz` do here?", Decisive),
        ("What does getUserById return?", "What does getUserByName return?", Decisive),
        ("Explain what std.io does", "Explain what std.fs does", Decisive),
        ("Is utf8 slow to parse?", "Is utf16 slow to parse?", Decisive),
        ("Compile C++ faster please", "Compile C# faster please", Decisive),
        ("Is tea or coffee healthier?", "Is tea and coffee healthier?", Decisive),
        ("What is her name again?", "What is his name again?", Decisive),
        ("What is the capital of France?", "What is the capital of Spain?", Name),
        ("Flights from Oslo to Rome", "Flights from Rome to Oslo", Name),
        ("Does Ann owe Bob money?", "Does Bob owe Ann money?", Name),
        ("US income tax rules", "UK income tax rules", Name),
        ("What is my name?", "What is your name?", Person),
        ("How many people live there?", "How much people live there?", Asked),
        ("Why should children sleep early?", "When should children sleep early?", Asked),
        ("Can I paint a wet wall?", "Should I paint a wet wall?", Asked),
        ("Where do swallows fly?", "How far do swallows fly?", Asked),
    ] {
        for strictness in [Strictness::Meaning, Strictness::Letters] {
            assert_eq!(compare(a, b, strictness).1, Some(expected), "{a} | {b}");
        }
    }
    // What a model of language sees and letters do not show.
    for (a, b, expected) in [
        ("convert celsius degrees into kelvin", "convert kelvin degrees into celsius", Decisive),
        ("do dogs chase cats often", "do cats chase dogs often", Words),
        ("what is the capital of france", "what is the capital of spain", Words),
        (&essay("france"), &essay("spain"), Words),
        ("The employee sues the company", "The employer sues the company", Words),
        ("why is there water in the kitchen", "why is there hot water in the kitchen", Words),
    ] {
        assert_eq!(compare(a, b, Strictness::Letters).1, Some(expected), "{a} | {b}");
    }
    // What models overlook.
    for (a, b) in [
        ("how do I replace a lamp with a fan", "how do I replace a fan with a lamp"),
        ("why is there water in the kitchen", "why is there hot water in the kitchen"),
    ] {
        assert_eq!(compare(a, b, Strictness::Meaning).1, Some(Words), "{a} | {b}");
    }
    let (cosine, _) = compare(&essay("france"), &essay("spain"), Strictness::Letters);
    assert!(cosine > 0.9, "the vectors alone would admit it: {cosine}");
}

#[test]
fn the_same_in_other_forms_is_the_same() {
    for (a, b) in [
        ("What is the capital of France?", "what's the capital of France"),
        ("What is the capital of France?", "  What is the CAPITAL of France ??"),
        ("How do I remove a tick from a dog?", "How can you remove ticks from the dog?"),
        ("Please explain the water cycle.", "Explain the water cycle, please!"),
        ("Could you please explain the water cycle?", "Explain the water cycle"),
        ("Hi, can you tell me how rainbows form?", "tell me how a rainbow forms"),
        (
            "How do I keep an egg from cracking while boiling it?",
            "How do you keep eggs from cracking while boiled?",
        ),
        ("Don’t birds get cold feet?", "don't birds get cold feet"),
        ("How long does it take to fly to the U.S.?", "How long does it take to fly to the US?"),
        ("Which cities host the games?", "What city hosts the games?"),
        ("Can I eat two eggs a day?", "Can I eat 2 eggs a day?"),
        ("Convert 1,000,000 km to miles", "convert 1000000 km to miles"),
        ("O’Brien’s law explained", "O'Brien's law explained"),
        ("What is store-bought pesto made of?", "What is store bought pesto made of?"),
        ("如何重置密码？", "如何重置密码"),
    ] {
        let (cosine, difference) = compare(a, b, Strictness::Letters);
        assert_eq!(difference, None, "{a} | {b}");
        assert!(cosine >= 0.9, "{a} | {b}: {cosine}");
    }
}

#[test]
fn who_knows_the_words_is_stricter_where_the_language_is_another_one() {
    for (a, b, expected) in [
        ("How do I fix a flat tire?", "How can I repair a punctured tyre?", Strictness::Meaning),
        ("Wie flicke ich einen Reifen?", "Wie repariere ich einen Reifen?", Strictness::Letters),
        ("怎么 修补 轮胎", "如何 修补 轮胎", Strictness::Letters),
    ] {
        let (a, b) = (Words::of(a), Words::of(b));
        assert_eq!(strictness(&a, &b, true), expected, "{a:?}");
        assert_eq!(strictness(&a, &b, false), Strictness::Letters);
    }
}

#[test]
fn a_model_of_language_may_know_that_other_words_mean_the_same() {
    for (a, b) in [
        ("How do I fix a flat tire?", "How can I repair a punctured tyre?"),
        ("How do I remove mold from a tent?", "How do you remove mildew from a tent?"),
    ] {
        assert_eq!(compare(a, b, Strictness::Meaning).1, None, "{a} | {b}");
        assert_eq!(compare(a, b, Strictness::Letters).1, Some(Difference::Words), "{a} | {b}");
    }
}

#[test]
fn only_what_says_something_and_is_not_long_can_be_compared() {
    for (text, is_question) in [
        ("", false),
        ("?!", false),
        ("hi", false),
        ("Why?", false),
        ("And what about you?", false),
        ("Continue", false),
        ("water cycle", true),
        ("如何重置密码", false),
        ("如何重置密码 今天", true),
        (&"word ".repeat(102), true),
        (&"word ".repeat(103), false),
    ] {
        assert_eq!(Question::read(text).is_some(), is_question, "{text}");
    }
}

/// How alike people found two sentences.
type Pair = (f32, String, String);

/// The pairs of the files in the folder that `MODELGATE_SIMILARITY` names: lines of a score from 0 to 5, a sentence and
/// another one, separated by tabs. Only pairs of score 5 are the same ("completely equivalent").
fn pairs() -> Vec<(String, Vec<Pair>)> {
    let folder = std::env::var("MODELGATE_SIMILARITY").expect("a folder of pairs");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "tsv"));
    files.sort();
    let pair = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        Some((fields.next()?.parse().ok()?, fields.next()?, fields.next()?))
    };
    let read = |file: std::path::PathBuf| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(file).unwrap().lines().filter_map(pair).collect())
    };
    files.into_iter().map(read).collect()
}

/// The vectors of the sentences in the file that `MODELGATE_VECTORS` names, as a model has made them: lines of a sentence, a tab and
/// numbers with commas between them.
fn vectors_of_a_model() -> Option<BTreeMap<String, Vector>> {
    let file = std::fs::read_to_string(std::env::var("MODELGATE_VECTORS").ok()?).expect("a file of vectors");
    let vector = |line: &str| {
        let (sentence, numbers) = line.split_once('\t').unwrap();
        let numbers: Vec<f32> = numbers.split(',').map(|number| number.parse().unwrap()).collect();
        (sentence.to_owned(), Vector::of(&numbers).unwrap())
    };
    Some(file.lines().map(vector).collect())
}

#[test]
#[ignore = "needs pairs that people have scored: MODELGATE_SIMILARITY=<folder> cargo test -p modelgate --lib -- --ignored --nocapture similarity"]
fn similarity_is_measured() {
    let vectors = vectors_of_a_model();
    let cosine = |a: &str, b: &str| match &vectors {
        Some(vectors) => vectors[a].cosine(vectors[b].as_bytes()),
        None => compare(a, b, Strictness::Letters).0,
    };
    let (threshold, by_model) = (Similarity::SAFE, vectors.is_some());
    let means = |a: &str, b: &str| {
        difference(&Words::of(a), &Words::of(b), strictness(&Words::of(a), &Words::of(b), by_model)).is_none()
    };
    for (name, pairs) in pairs() {
        let same = pairs.iter().filter(|(score, ..)| *score >= 5.0).count();
        println!("{name}: {} pairs, {same} of them the same", pairs.len());
        println!("| threshold | vectors alone: precision, recall (admitted) | with the guards |");
        let measured: Vec<_> =
            pairs.iter().map(|(score, a, b)| (*score, cosine(a, b), means(a, b), a, b)).collect();
        for threshold in [0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.95] {
            let cell = |guarded: bool| {
                let admitted = measured
                    .iter()
                    .filter(|(_, cosine, means, ..)| *cosine >= threshold && (*means || !guarded));
                let admitted: Vec<_> = admitted.collect();
                let right = admitted.iter().filter(|(score, ..)| *score >= 5.0).count();
                let share = |of: usize| 100 * right / of.max(1);
                format!("{} %, {} % ({})", share(admitted.len()), share(same), admitted.len())
            };
            println!("| {threshold} | {} | {} |", cell(false), cell(true));
        }
        let wrong = measured
            .iter()
            .filter(|(score, cosine, means, ..)| *score < 5.0 && *means && threshold.admits(*cosine));
        for (score, cosine, _, a, b) in wrong {
            println!("admitted at {cosine:.3}, scored {score}: {a} | {b}");
            assert!(*score >= if by_model { 3.0 } else { 5.0 }, "they are not alike");
        }
        // All others are pairs of sentences that nobody thought of as alike, but some are.
        let mut sentences: Vec<_> = pairs.iter().flat_map(|(_, a, b)| [a, b]).collect();
        sentences.sort();
        sentences.dedup();
        for (at, a) in sentences.iter().enumerate() {
            for b in &sentences[..at] {
                if threshold.admits(cosine(a, b)) && means(a, b) {
                    println!("admitted at {:.3}: {a} | {b}", cosine(a, b));
                }
            }
        }
    }
}
