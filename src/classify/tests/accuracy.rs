//! How often it is right on public requests that the project has labelled.
//!
//! The texts lie beside the project (`MODELGATE_TASKS`, else `../shared/data/tasks`) and may be missing; what is here is only their ids
//! and labels. None of them is among the requests that the table was trained on.

use super::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const LABELS: &str = include_str!("../../../tests/texts/tasks.tsv");

/// The texts by their ids; none if they are not there.
fn texts() -> Option<BTreeMap<String, String>> {
    let beside = std::env::var_os("MODELGATE_TASKS").map(PathBuf::from);
    let folder = beside.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/tasks"));
    let mut texts = BTreeMap::new();
    for file in std::fs::read_dir(folder).ok()? {
        let path = file.unwrap().path();
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            if let Some(turns) = entry["turns"].as_array() {
                texts.insert(format!("vicuna_{}", entry["question_id"]), text(&turns[0]));
                continue;
            }
            let input = text(&entry["instances"][0]["input"]);
            let instruction = text(&entry["instruction"]);
            let whole = if input.is_empty() { instruction } else { format!("{instruction}\n\n{input}") };
            texts.insert(text(&entry["id"]), whole);
        }
    }
    Some(texts)
}

/// Of each task: how many there are, how many are found by keywords alone, and by all together.
#[derive(Default)]
struct Found([[u32; 3]; 9]);

impl Found {
    fn of(texts: &BTreeMap<String, String>, chosen: impl Fn(&str) -> bool) -> Self {
        let (classifier, mut found) = (built_in(), Self::default());
        for line in LABELS.lines() {
            let (id, label) = line.split_once('\t').unwrap();
            if !chosen(id) {
                continue;
            }
            let place = BUILT_IN.iter().position(|task| *task == label).unwrap();
            with(&chat(&[("user", &texts[id])]), |request| {
                let features = features(request, 100);
                let mut scores = Scores::new(9);
                classifier.hear(features.last, 1.0, &mut scores);
                let verdict = classifier.classify(&features);
                let [all, by_rules, by_all] = &mut found.0[place];
                *all += 1;
                *by_rules += u32::from(scores.by_rules() == place);
                *by_all += u32::from(verdict.task.as_str() == label);
                if std::env::var_os("SHOW").is_some() && verdict.task.as_str() != label {
                    println!(
                        "{id}: {label}, not {} ({} {:?}): {:.90}",
                        verdict.task,
                        verdict.confidence,
                        verdict.evidence,
                        texts[id].replace('\n', " ")
                    );
                }
            });
        }
        found
    }

    fn sum(&self, column: usize) -> u32 {
        self.0.iter().map(|row| row[column]).sum()
    }

    /// Whether so many of a hundred are found, and clearly more than by keywords.
    fn beats(&self, percent: u32) {
        let [all, by_rules, by_all] = [0, 1, 2].map(|column| self.sum(column));
        assert!(
            by_all * 100 >= all * percent && by_all * 10 > by_rules * 11,
            "{by_rules} and {by_all} of {all}"
        );
    }

    fn print(&self, name: &str) {
        println!("{name}: {} of {} by keywords, {} by all", self.sum(1), self.sum(0), self.sum(2));
        for (task, [all, rules, both]) in BUILT_IN.iter().zip(self.0) {
            println!("| {task} | {all} | {rules} | {both} |");
        }
    }
}

#[test]
fn requests_for_tuning_are_known() {
    let Some(texts) = texts() else { return };
    let found = Found::of(&texts, |id| !id.starts_with("user"));
    found.print("for tuning");
    found.beats(78);
}

#[test]
fn requests_that_were_held_back_are_known() {
    let Some(texts) = texts() else { return };
    let found = Found::of(&texts, |id| id.starts_with("user"));
    found.print("held back");
    found.beats(60);
}
