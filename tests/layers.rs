//! Who may name whom in `src/`: each layer only what lies below it, siblings never each other, and the host only in
//! `filter`. See the design's layers; a module that is in no layer fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The words everything speaks in. They may name each other, without a circle.
const WORDS: &[&str] = &[
    "base64",
    "chance",
    "chat",
    "config",
    "digest",
    "embeddings",
    "error",
    "fnv",
    "json",
    "money",
    "names",
    "plan",
    "schema",
    "sse",
    "store",
    "time",
];
/// The decisions, each on its own.
const POLICY: &[&str] = &[
    "affinity", "auth", "bandit", "cache", "classify", "cost", "estimate", "health", "observe", "planning",
    "provider", "quota", "route", "rules", "trim",
];
/// What puts the decisions in their order.
const FLOW: &[&str] = &["attempt", "exchange", "orchestrate"];
/// What speaks with Envoy.
const HOST: &[&str] = &["filter"];

/// Whether a module of `src/` may name another one.
fn may_name(who: &str, whom: &str) -> bool {
    let below: &[&[&str]] = match who {
        _ if who == whom => return true,
        _ if WORDS.contains(&who) => &[WORDS],
        _ if POLICY.contains(&who) => &[WORDS],
        _ if FLOW.contains(&who) => &[WORDS, POLICY],
        _ if HOST.contains(&who) => &[WORDS, POLICY, FLOW],
        _ => &[],
    };
    below.iter().any(|layer| layer.contains(&whom))
}

#[test]
fn every_module_is_in_a_layer() {
    for module in sources().keys() {
        let layers =
            [WORDS, POLICY, FLOW, HOST].iter().filter(|layer| layer.contains(&module.as_str())).count();
        assert_eq!(layers, 1, "src/{module} is in {layers} layers of tests/layers.rs; it belongs in one");
    }
}

#[test]
fn modules_look_only_downward() {
    let mut violations = Vec::new();
    for (module, files) in sources() {
        for file in files {
            for named in named_modules(&file.code, file.depth) {
                if !may_name(&module, &named) {
                    violations.push(format!("{} names {named}", file.path.display()));
                }
            }
        }
    }
    assert!(violations.is_empty(), "who names whom, against the layers:\n{}", violations.join("\n"));
}

#[test]
fn words_name_each_other_without_a_circle() {
    let mut names: BTreeMap<String, BTreeSet<String>> = sources()
        .into_iter()
        .filter(|(module, _)| WORDS.contains(&module.as_str()))
        .map(|(module, files)| {
            let mut named: BTreeSet<_> =
                files.iter().flat_map(|file| named_modules(&file.code, file.depth)).collect();
            named.remove(&module);
            (module, named)
        })
        .collect();
    // Whoever names nobody that is left is no part of a circle.
    while let Some(done) = names.iter().find(|(_, named)| named.is_empty()).map(|(module, _)| module.clone())
    {
        names.remove(&done);
        names.values_mut().for_each(|named| {
            named.remove(&done);
        });
    }
    assert!(names.is_empty(), "these name each other in a circle: {names:?}");
}

#[test]
fn only_the_filter_knows_the_host() {
    let mut all = sources();
    let root = fs::read_to_string(src().join("lib.rs")).unwrap();
    all.entry("lib".to_owned()).or_default().push(Source {
        path: src().join("lib.rs"),
        depth: 0,
        code: code(&root),
    });
    for file in all.iter().filter(|(module, _)| *module != "filter").flat_map(|(_, files)| files) {
        let words = words(&file.code);
        for word in ["extern", "unsafe"] {
            assert!(!words.contains(&word), "{} has {word} code", file.path.display());
        }
    }
}

#[test]
fn every_way_to_name_a_module_is_seen() {
    for (source, depth, expected) in [
        ("use crate::config::Config;", 1, vec!["config"]),
        ("use crate::{config::{Config, Vendor}, names, sse::*};", 1, vec!["config", "names", "sse"]),
        ("fn a() -> crate::names::ModelName { crate :: chat::b() }", 1, vec!["chat", "names"]),
        ("use super::names::X;", 1, vec!["names"]),
        ("use super::raw;", 2, vec![]),
        ("use super::super::{cache, route::a};", 2, vec!["cache", "route"]),
        ("pub(crate) fn a() {} pub(in crate::quota) fn b() {}", 1, vec!["quota"]),
        (
            "// crate::cost\n/* crate::auth */ let a = \"crate::time\"; let b = 'c'; let c: &'a str;",
            1,
            vec![],
        ),
        ("let a = \"\\\"\"; use crate::json; let b = r#\"crate::cost \"#;", 1, vec!["json"]),
        ("fn a() {}\n#[cfg(test)]\npub(crate) mod tests { use crate::filter; }", 1, vec![]),
        ("#[cfg(test)]\nmod tests;\nuse crate::names;", 1, vec!["names"]),
    ] {
        let named: Vec<_> = named_modules(&code(source), depth).into_iter().collect();
        assert_eq!(named, expected, "{source}");
    }
    assert!(may_name("exchange", "route") && may_name("route", "config") && may_name("filter", "attempt"));
    assert!(
        !may_name("route", "provider") && !may_name("config", "route") && !may_name("exchange", "attempt")
    );
}

struct Source {
    path: PathBuf,
    /// How many modules lie between the file's module and the crate's root, itself included.
    depth: usize,
    code: String,
}

/// The files of each module of `src/`, without those that are only tests.
fn sources() -> BTreeMap<String, Vec<Source>> {
    let mut modules: BTreeMap<String, Vec<Source>> = BTreeMap::new();
    let mut folders = vec![src()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let below = path.strip_prefix(src()).unwrap().with_extension("");
            // A folder that is a package of its own, and whose modules are named as if they were here.
            let below = below.strip_prefix("words").unwrap_or(&below);
            let mut parts: Vec<_> = below.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let is_rust = path.extension().is_some_and(|extension| extension == "rs");
            if !is_rust || parts == ["lib"] || parts.iter().any(|part| part == "tests") {
                continue;
            }
            if parts.last().is_some_and(|part| part == "mod") {
                parts.pop();
            }
            let text = fs::read_to_string(&path).unwrap();
            let source = Source { path, depth: parts.len(), code: code(&text) };
            modules.entry(parts.swap_remove(0)).or_default().push(source);
        }
    }
    assert!(!modules.is_empty());
    modules
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The text without comments, strings and everything after the beginning of the tests.
fn code(text: &str) -> String {
    let (mut code, mut rest) = (String::new(), &text[..tests_begin(text)]);
    while let Some(next) = rest.chars().next() {
        let skipped = match next {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            'r' if rest.starts_with("r#\"") => rest[3..].find("\"#").map_or(rest.len(), |end| end + 5),
            '"' => string_length(rest),
            '\'' if rest.starts_with("'\"'") => 3,
            '\'' if rest.starts_with("'\\") => 2 + rest[3..].find('\'').map_or(0, |end| end + 2),
            _ => {
                code.push(next);
                rest = &rest[next.len_utf8()..];
                continue;
            }
        };
        code.push(' ');
        rest = &rest[skipped..];
    }
    code
}

/// Where the module `#[cfg(test)] mod … {` begins; tests may name what they like.
fn tests_begin(text: &str) -> usize {
    let is_module = |item: &str| {
        item.find(['{', ';'])
            .is_some_and(|end| item[end..].starts_with('{') && words(&item[..end]).contains(&"mod"))
    };
    let mut attributes = text.match_indices("#[cfg(test)]");
    attributes
        .find(|(at, attribute)| is_module(&text[at + attribute.len()..]))
        .map_or(text.len(), |(at, _)| at)
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// Identifiers and single punctuation marks.
fn words(code: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let end =
            if is_word(first) { rest.find(|c| !is_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        words.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    words
}

/// The modules at the crate's root that a file names, by `crate::` or by as many `super::` as lead there.
fn named_modules(code: &str, depth: usize) -> BTreeSet<String> {
    let words = words(code);
    let mut named = BTreeSet::new();
    for (at, word) in words.iter().enumerate() {
        let after = |at: usize| words.get(at + 1..at + 3) == Some(&[":", ":"]);
        let mut end = at;
        match *word {
            "crate" if after(at) => {}
            "super" if after(at) && !(at >= 2 && words[at - 1] == ":") => {
                let mut levels = 1;
                while words.get(end + 3) == Some(&"super") && after(end + 3) {
                    end += 3;
                    levels += 1;
                }
                if levels != depth {
                    continue;
                }
            }
            _ => continue,
        }
        let path = &words[end + 3..];
        if path.first() != Some(&"{") {
            named.extend(path.first().map(|module| (*module).to_owned()));
            continue;
        }
        let mut nesting = 0;
        for (position, word) in path.iter().enumerate() {
            match *word {
                "{" => nesting += 1,
                "}" => nesting -= 1,
                _ => {}
            }
            if nesting == 0 {
                break;
            }
            // In the outermost braces, every path begins after a brace or a comma.
            if nesting == 1 && matches!(path.get(position.wrapping_sub(1)), Some(&("{" | ","))) {
                named.insert((*word).to_owned());
            }
        }
    }
    // `use crate::{…, self}` and items of the root itself are not modules.
    named.retain(|module| [WORDS, POLICY, FLOW, HOST].iter().any(|layer| layer.contains(&module.as_str())));
    named
}
