//! Looks at a configuration before it goes live: the plugin's documents by the filter's own parser, what Envoy and they have to
//! agree on, and what is hardly meant.

mod advice;
mod agreement;
mod document;
mod envoy;
mod finding;
pub mod schema;
mod validate;
mod yaml;

pub use finding::Gravity;
pub use validate::{Validator, validate};

use document::Document;
use envoy::{Envoy, Files, Role};
use finding::{Finding, Findings};
use modelgate_config::{Config, Problem};
use modelgate_words::time::Timestamp;
use yaml::{Dialect, Node};

/// A variable of an environment.
pub type Variables<'v> = &'v dyn Fn(&str) -> Option<String>;

/// What is known besides the file.
#[derive(Default, Clone, Copy)]
pub struct Circumstances<'c> {
    /// The environment in which Envoy would start, if what it lacks is to be told.
    pub environment: Option<Variables<'c>>,
    /// What time it is, if keys that have run out are to be told.
    pub now: Option<Timestamp>,
}

/// What is said of one file and those that it refers to.
#[derive(Debug)]
pub struct Report {
    /// How grave it is, and a line for it: `FILE:LINE:COLUMN: error: PATH: FOUND: expected …; nearest: …`.
    pub lines: Vec<(Gravity, String)>,
    /// Whether the file is one that Envoy starts with.
    pub is_bootstrap: bool,
}

impl Report {
    /// How many lines are so grave.
    #[must_use]
    pub fn count(&self, gravity: Gravity) -> usize {
        self.lines.iter().filter(|(of_line, _)| *of_line == gravity).count()
    }
}

/// Looks at a file.
#[must_use]
pub fn check(path: &str, circumstances: &Circumstances<'_>) -> Report {
    let mut findings = Findings::default();
    let mut files = Files::default();
    let envoy = Envoy::read(path, &mut files, &mut findings);
    if let Some(envoy) = &envoy {
        let documents = documents(envoy, &files, &mut findings);
        for document in &documents {
            look_at(document, circumstances, &mut findings);
        }
        agreement::plugins::check(envoy, &mut findings);
        if let Some(document) = documents.first().filter(|_| !envoy.is_bare()) {
            agreement::check(envoy, document, &mut findings);
        }
    }
    let line = |Finding { at, gravity, problem }: Finding| {
        (gravity, format!("{}:{}:{}: {gravity}: {problem}", files.name(at.file), at.line, at.column))
    };
    Report {
        lines: findings.sorted().into_iter().map(line).collect(),
        is_bootstrap: envoy.as_ref().is_some_and(|envoy| envoy.root.get("static_resources").is_some()),
    }
}

/// The plugin configurations, the gateway's first; those that say the same are one.
fn documents(envoy: &Envoy, files: &Files, findings: &mut Findings) -> Vec<Document> {
    if envoy.is_bare() {
        let mut document = Document::in_place(&envoy.root, files.dialect(0));
        if files.dialect(0) == Dialect::Json {
            document.text = files.text(0).to_owned();
        }
        return vec![document];
    }
    if envoy.plugins.is_empty() && envoy.hands_over_filters() {
        let expected = "a file that hands it over, as path_config_source or alone";
        findings.warning(envoy.root.at, "file", "modelgate's configuration is not in it", expected);
    } else if envoy.plugins.is_empty() {
        let expected = "a plugin configuration with root_id: gateway";
        findings.error(envoy.root.at, "file", "modelgate is nowhere in it", expected);
    }
    let mut plugins: Vec<_> = envoy.plugins.iter().collect();
    plugins.sort_by_key(|plugin| plugin.role != Role::Gateway);
    let mut documents: Vec<Document> = Vec::new();
    for plugin in plugins {
        let Some(document) = document(files, &plugin.node, findings) else { continue };
        match documents.first().map(|first| (first, first.root.says_the_same(&document.root))) {
            Some((_, true)) => continue,
            Some((first, false)) => {
                let at = first.place(first.root.at);
                let expected =
                    format!("what the gateway has at line {}: all roles have the same document", at.line);
                findings.error(
                    document.place(document.root.at),
                    "configuration",
                    "it says something else",
                    &expected,
                );
            }
            None => {}
        }
        documents.push(document);
    }
    documents
}

/// The document of one place in which the filter is.
fn document(files: &Files, plugin: &Node, findings: &mut Findings) -> Option<Document> {
    let expected = "a google.protobuf.Struct, or a StringValue of JSON text";
    let configuration = plugin.get("configuration");
    let Some((configuration, value)) = configuration.and_then(|node| Some((node, node.get("value")?))) else {
        let at = plugin.place("configuration");
        findings.error(at, "configuration", "there is none", expected);
        return None;
    };
    if configuration.is_type("Struct") && value.is_map() {
        return Some(Document::in_place(value, files.dialect(value.at.file)));
    }
    if !configuration.is_type("StringValue") {
        let found = configuration.word("@type").unwrap_or("no @type");
        findings.error(configuration.place("@type"), "configuration", found, expected);
        return None;
    }
    let document = Document::in_text(value, files.text(value.at.file));
    document
        .map_err(|fault| {
            findings.error(
                fault.at,
                "configuration",
                &format!("the text is not JSON: {}", fault.why),
                expected,
            )
        })
        .ok()
}

/// Has the filter's parser look at a document, and if that finds nothing wrong, tells what is hardly meant.
fn look_at(document: &Document, circumstances: &Circumstances<'_>, findings: &mut Findings) {
    let any_key = |_: &str| Some("key".to_owned());
    let environment = circumstances.environment.unwrap_or(&any_key);
    match Config::parse(document.text.as_bytes(), environment) {
        Ok(config) => {
            for warning in config.warnings() {
                let (path, found) = warning.split_once(": ").unwrap_or(("configuration", warning));
                findings.warning(document.find(path), path, found, "");
            }
            advice::check(&config, document, circumstances.now, findings);
        }
        Err(problems) => problems.iter().for_each(|problem| {
            findings.add(document.find(&problem.path), Gravity::Error, Problem::clone(problem));
        }),
    }
}
