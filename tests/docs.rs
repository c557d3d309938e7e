//! What README.md and docs/ say is there: every link leads somewhere, every error code and every vendor is told of, what is
//! shown of the configuration is valid.

use modelgate::config::{Config, Consumer, Vendor};
use modelgate::names::ConsumerName;
use modelgate::observe;
use modelgate::route::{Needs, Unresolved, resolve};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below a directory whose names end so, in any depth.
fn files(directory: &Path, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let below = entries.flat_map(|path| if path.is_dir() { files(&path, end) } else { vec![path] });
    below.filter(|path| path.to_string_lossy().ends_with(end)).collect()
}

/// README.md, those beside it and all of docs/.
fn documents() -> Vec<PathBuf> {
    let mut documents = files(&root().join("docs"), ".md");
    documents.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name)));
    documents
}

/// The text outside of fenced blocks.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let outside = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    outside.collect::<Vec<_>>().join("\n")
}

/// Where the links of a text lead.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
}

/// The anchors that GitHub gives a text's headings: lower case, spaces as hyphens, no other signs.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut seen = 0;
    for document in documents() {
        let text = prose(&read(&document));
        for link in links(&text).filter(|link| !link.contains("://")) {
            seen += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let to = if path.is_empty() {
                document.clone()
            } else {
                document.parent().expect("a directory").join(path)
            };
            let from = document.display();
            assert!(to.exists(), "{from}: {link} leads nowhere");
            let known = anchor.is_empty() || anchors(&prose(&read(&to))).contains(anchor);
            assert!(known, "{from}: {link} names no heading");
        }
    }
    assert!(seen > 10, "only {seen} links were found");
}

#[test]
fn every_error_code_is_explained_to_clients() {
    let mut codes = BTreeSet::new();
    for source in files(&root().join("src"), ".rs") {
        let text = read(&source);
        let said = text.split(".coded(\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0));
        codes.extend(said.map(str::to_owned));
    }
    assert!(codes.len() > 10, "only {codes:?} were found");
    let documentation = read(&root().join("docs/client-api.md"));
    let unexplained: Vec<_> =
        codes.iter().filter(|code| !documentation.contains(&format!("| `{code}` |"))).collect();
    assert!(unexplained.is_empty(), "docs/client-api.md has no row for {unexplained:?}");
}

#[test]
fn every_vendor_is_described() {
    let documentation = read(&root().join("docs/providers.md"));
    for &vendor in Vendor::ALL {
        let row = documentation.contains(&format!("\n| `{vendor}` |"));
        let section = anchors(&documentation).contains(vendor.as_str());
        assert!(row || section, "docs/providers.md does not describe {vendor}");
    }
}

/// The plugin configurations that a document shows.
fn configurations(name: &str) -> Vec<Config> {
    let text = read(&root().join(name));
    let shown = text.split("```yaml modelgate\n").skip(1).map(|rest| {
        let (example, _) = rest.split_once("```").expect("a fence that ends");
        let document: serde_json::Value = yaml_serde::from_str(example).expect("YAML");
        Config::parse(document.to_string().as_bytes(), &|_| Some("key".to_owned()))
            .unwrap_or_else(|problems| panic!("{name}: {problems}"))
    });
    shown.collect()
}

#[test]
fn every_configuration_that_is_shown_is_valid() {
    let mut seen = 0;
    for document in documents() {
        let text = read(&document);
        for block in text.split("\n```yaml modelgate\n").skip(1) {
            seen += 1;
            let (example, _) = block.split_once("\n```").expect("a fence that ends");
            let tree: serde_json::Value = yaml_serde::from_str(example).expect("YAML");
            let config = Config::parse(tree.to_string().as_bytes(), &|_| Some("key".to_owned()));
            assert!(config.is_ok(), "{}: {}", document.display(), config.expect_err("problems"));
        }
    }
    assert!(seen >= 3, "only {seen} examples were found");
}

#[test]
fn the_configuration_that_the_readme_shows_is_valid() {
    let [config] = &configurations("README.md")[..] else { panic!("one example") };
    assert!(config.named("smart").is_some());
}

#[test]
fn what_is_shown_of_who_may_ask_says_what_is_said_of_it() {
    let [keys, tokens, regions] = &configurations("docs/security.md")[..] else { panic!("three examples") };
    let is_known = |hash: u8| keys.auth().keys().like(&[hash; 32]).len();
    assert_eq!((is_known(0x9f), is_known(0x60), keys.auth().anonymous()), (1, 1, None));

    let may = |tier: Option<&str>, name: &str| {
        let carol = ConsumerName::of_subject(b"carol").expect("a name");
        let consumer = Consumer::unlisted(carol, Rc::clone(tokens.auth().tier(tier)));
        consumer.may_ask_for(tokens.named(name).expect("a model"))
    };
    assert!(may(Some("premium"), "claude-opus") && may(Some("unheard-of"), "gpt-mini"));
    assert!(!may(None, "claude-opus") && !may(Some("unheard-of"), "claude-opus"));

    let bureau = regions.auth().consumer("bureau").expect("a consumer");
    let candidates = resolve(regions, "fast", bureau, Needs::NOTHING).expect("a route");
    let [target] = &candidates.targets[..] else { panic!("one target") };
    assert_eq!(target.model.name, "gpt-mini-eu");
    assert!(matches!(
        resolve(regions, "gpt-mini", bureau, Needs::NOTHING),
        Err(Unresolved::NotAllowed { .. })
    ));
}

#[test]
fn every_metric_is_told_of_and_every_label_has_its_rule() {
    let told = read(&root().join("docs/metrics.md"));
    for metric in observe::ALL {
        assert!(
            told.contains(&format!("| `{}` |", metric.name)),
            "docs/metrics.md has no row for {}",
            metric.name
        );
    }
    for file in ["envoy.yaml", "secure.yaml", "fleet.yaml"] {
        let envoy = read(&root().join("envoy").join(file));
        for label in observe::LABELS {
            let rule = format!("{{tag_name: {label}, regex: '^wasmcustom\\..*?(;{label}=([^;]*))'}}");
            assert!(envoy.contains(&rule), "{file} has no rule for the label {label}");
        }
        for metric in observe::ALL.iter().filter(|metric| metric.kind == observe::Kind::Histogram) {
            let buckets = envoy
                .lines()
                .filter_map(|line| line.split_once("{match: {prefix: wasmcustom.")?.1.split_once('}'));
            assert!(
                buckets.into_iter().any(|(prefix, _)| metric.name.starts_with(prefix)),
                "{file}: {}",
                metric.name
            );
        }
    }
}

/// What a row of docs/production.md points at is in the file that it names.
#[test]
fn the_deployment_checklist_points_at_lines_that_are_there() {
    let checklist = read(&root().join("docs/production.md"));
    let mut rows = 0;
    for row in checklist.lines().filter(|row| row.starts_with("| ") && row.contains("](")) {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        let (Some(file), Some(line)) = (links(cells[1]).next(), cells[2].split('`').nth(1)) else { continue };
        let path = root().join("docs").join(file);
        assert!(read(&path).contains(line), "{file} has not: {line}");
        rows += 1;
    }
    assert!(rows >= 25, "{rows} rows");
}

/// Each row of the threats in docs/security.md names tests that there are.
#[test]
fn every_threat_has_its_test() {
    let text = read(&root().join("docs/security.md"));
    let (_, threats) = text.split_once("## What somebody could try").expect("the section");
    let sources = ["integration", "tests", "src"].map(|folder| root().join(folder));
    let sources: String = sources
        .iter()
        .flat_map(|folder| [files(folder, ".rs"), files(folder, ".py")].concat())
        .map(|path| read(&path))
        .collect();
    let rows: Vec<_> = threats.lines().filter(|row| row.starts_with("| ") && row.contains('`')).collect();
    assert!(rows.len() >= 15, "{} rows", rows.len());
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        for test in tests.split('`').skip(1).step_by(2).filter(|name| !name.starts_with("scripts/")) {
            let is_there = ["fn ", "def "].iter().any(|word| sources.contains(&format!("{word}{test}(")));
            assert!(is_there, "there is no test {test}");
        }
    }
}
