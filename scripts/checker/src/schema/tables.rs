//! The tables of `docs/configuration.md`: what each key is for, and within which bounds.
//!
//! A table stands under a heading, and that heading is for a map, or for several. A row's first cell names keys, from that map on
//! (`targets[].model`); the others say what may be there, what is there by default, and what it means.

use modelgate_config::form::{Form, Map};
use serde_json::{Value, json};

const DOCUMENTATION: &str = include_str!("../../../../docs/configuration.md");

/// The maps of which the tables under a heading tell. A row is about the first of them that has its key.
const HEADINGS: &[(&str, &[&str])] = &[
    ("`providers`", &["Provider"]),
    ("`models`", &["Model"]),
    ("What models support", &["supports"]),
    ("Prices", &["Price"]),
    ("`pricing`", &["Pricing"]),
    ("`routes`", &["Route"]),
    ("What is changed for a fallback", &["Edits"]),
    ("Experiments", &["Experiment"]),
    ("Orchestration", &["Orchestration"]),
    ("Constraints", &["Constraints"]),
    ("Agents", &["Agent"]),
    ("`tools`", &["Tool"]),
    ("`cache`", &["Cache", "Embedder", "CacheStore"]),
    ("`tasks`", &["Task"]),
    ("`task_model`", &["TaskModel"]),
    ("`health`", &["HealthRules"]),
    ("`auth`", &["Auth"]),
    ("`tiers`", &["Tier"]),
    ("`consumers`", &["Consumer"]),
    ("`limits`", &["Limit"]),
    ("`content_rules`", &["ContentRule"]),
    ("`bounds`", &["Bounds"]),
    ("`timeouts`", &["Timeouts"]),
];

/// What is known of keys of maps.
#[derive(Debug, Default)]
pub struct Tables(Vec<Row>);

/// What is known of a key.
#[derive(Debug, Clone, Default)]
pub struct Row {
    map: String,
    key: String,
    pub description: String,
    pub bounds: Bounds,
}

/// From where to where a number may be, or the length of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bounds {
    least: Option<f64>,
    most: Option<f64>,
    /// Whether `least` itself is too little.
    is_open: bool,
}

impl Tables {
    /// Those of the documentation, which tell of the maps in this form.
    pub fn of_documentation(form: &Form) -> Self {
        let mut maps = Vec::new();
        maps_in(form, &mut maps);
        let mut tables = Self::default();
        let (mut known, mut heading, mut prose, mut header): (&[&str], _, _, _) =
            (&[], "", String::new(), Vec::new());
        for line in DOCUMENTATION.lines() {
            if line.starts_with('#') {
                heading = line.trim_start_matches('#').trim();
                let of_heading = HEADINGS.iter().find(|(name, _)| *name == heading);
                (known, prose) = (of_heading.map_or(&[][..], |(_, names)| names), String::new());
            } else if line.starts_with('|') && header.is_empty() {
                // What comes after a table is about its rows.
                (header, heading) = (cells(line), "");
            } else if line.starts_with('|') {
                if !line.starts_with("| ---") {
                    tables.add(&maps, known, (&header, &cells(line)), &prose);
                }
            } else {
                header.clear();
                if line.is_empty() {
                    tables.add_section(&maps, heading, &prose);
                }
                prose = format!("{prose} {line}").trim().to_owned();
            }
        }
        tables
    }

    /// What is known of a key.
    pub fn row(&self, map: &str, key: &str) -> Option<&Row> {
        self.0.iter().find(|row| row.map == map && row.key == key)
    }

    /// Takes down what a section begins with, of the key that it is about.
    fn add_section(&mut self, maps: &[&Map], heading: &str, prose: &str) {
        let key = heading.trim_matches('`');
        let is_section = resolve(maps, "Document", key).is_some() && key.len() < heading.len();
        if is_section && !prose.is_empty() && self.row("Document", key).is_none() {
            let (map, key) = ("Document".to_owned(), key.to_owned());
            self.0.push(Row { map, key, description: plain(prose), bounds: Bounds::of(prose) });
        }
    }

    /// Takes down a table's row.
    fn add(&mut self, maps: &[&Map], known: &[&str], (header, cells): (&[String], &[String]), prose: &str) {
        let cell = |names: &[&str]| {
            let at = header.iter().position(|name| names.contains(&name.as_str()))?;
            cells.get(at).map(String::as_str)
        };
        let kind = cell(&["type", "value", "bounds", "how much"]);
        let is_second = header.first().is_some_and(|name| name == "what is counted");
        let default = cell(&["default"]).filter(|text| !text.is_empty() && !text.contains("required"));
        let meaning = match cell(&["USD for"]) {
            Some(what) => format!("USD for {}", plain(what)),
            None => cells.last().map_or_else(String::new, |text| plain(text)),
        };
        let description = match default {
            Some(default) => format!("{meaning} (default: {})", plain(default)),
            None => meaning,
        };
        let bounds = Bounds::of(kind.unwrap_or(prose));
        for path in cells.first().map_or("", String::as_str).split('`').skip(1).step_by(2) {
            let Some((map, key)) = known.iter().find_map(|name| resolve(maps, name, path)) else { continue };
            match self.0.iter_mut().find(|row| row.map == map && row.key == key) {
                Some(row) if is_second => row.bounds = bounds,
                Some(_) => {}
                None => self.0.push(Row { map, key, description: description.clone(), bounds }),
            }
        }
    }
}

impl Bounds {
    /// Those that a cell tells: `1 to 60000`, `at least 1`, `more than 0`, `up to 256`, `at least one`.
    fn of(text: &str) -> Self {
        let text = text.replace("at least one", "at least 1");
        let words: Vec<_> = text.split([' ', ';', '|', ':']).collect();
        let number = |at: Option<usize>| {
            let word = at.and_then(|at| words.get(at))?.trim_end_matches([',', '.']).replace(',', "");
            word.parse::<f64>().ok()
        };
        let mut bounds = Self::default();
        for (at, word) in words.iter().enumerate() {
            let next = number(Some(at + 1));
            match (*word, at.checked_sub(1).map(|at| words[at])) {
                ("to", before)
                    if bounds == Self::default()
                        && (next.is_some() || number(at.checked_sub(1)).is_some()) =>
                {
                    let least = if before == Some("up") { None } else { number(at.checked_sub(1)) };
                    bounds = Self { least, most: next, is_open: false };
                }
                ("least", Some("at")) if next.is_some() => bounds.least = next,
                ("most", Some("at")) if next.is_some() => bounds.most = next,
                ("than", Some("more")) if next.is_some() => {
                    bounds = Self { least: next, is_open: true, ..bounds };
                }
                _ => {}
            }
        }
        bounds
    }

    pub fn of_number(self, schema: &mut Value, is_whole: bool) {
        let number = |number: f64| {
            if is_whole || number.fract() == 0.0 { json!(number as u64) } else { json!(number) }
        };
        if let Some(least) = self.least {
            schema[if self.is_open { "exclusiveMinimum" } else { "minimum" }] = number(least);
        }
        if let Some(most) = self.most {
            schema["maximum"] = number(most);
        }
    }

    pub fn of_list(self, schema: &mut Value) {
        if let Some(least) = self.least {
            schema["minItems"] = json!(least as u64);
        }
        if let Some(most) = self.most {
            schema["maxItems"] = json!(most as u64);
        }
    }
}

/// The map and the key to which a path leads from the map called `name`.
fn resolve(maps: &[&Map], name: &str, path: &str) -> Option<(String, String)> {
    if name == "supports" {
        return Some((name.to_owned(), path.to_owned()));
    }
    let mut map = *maps.iter().find(|map| map.name == name)?;
    let mut steps =
        path.split('.').filter(|step| *step != "*").map(|step| step.trim_end_matches("[]")).peekable();
    loop {
        let step = steps.next()?;
        let key = map.keys.iter().find(|key| key.name == step)?;
        if steps.peek().is_none() {
            return Some((map.name.to_owned(), key.name.to_owned()));
        }
        map = within(&key.form)?;
    }
}

/// The map that is there, or in a list, or under names.
fn within(form: &Form) -> Option<&Map> {
    match form {
        Form::Map(map) => Some(map),
        Form::List(form) | Form::Names(form) => within(form),
        Form::OneOf(forms) => forms.iter().find_map(within),
        _ => None,
    }
}

fn maps_in<'f>(form: &'f Form, maps: &mut Vec<&'f Map>) {
    match form {
        Form::Map(map) => {
            maps.push(map);
            map.keys.iter().for_each(|key| maps_in(&key.form, maps));
        }
        Form::List(form) | Form::Names(form) => maps_in(form, maps),
        Form::OneOf(forms) => forms.iter().for_each(|form| maps_in(form, maps)),
        _ => {}
    }
}

fn cells(line: &str) -> Vec<String> {
    let line = line.replace("\\|", "\u{1}");
    let cells = line.trim().trim_matches('|').split('|');
    cells.map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

/// A cell without its links.
fn plain(text: &str) -> String {
    let mut parts = text.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    let all = parts.fold(first, |all, part| {
        let after = part.split_once(')').map_or("", |(_, after)| after);
        let (before, linked) = all.rsplit_once('[').unwrap_or((&all, ""));
        format!("{before}{linked}{after}")
    });
    all.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_from_words() {
        let bounds = |least, most, is_open| Bounds { least, most, is_open };
        for (text, expected) in [
            ("whole number, 1 to 10", bounds(Some(1.0), Some(10.0), false)),
            ("seconds, `open` to 86400", bounds(None, Some(86400.0), false)),
            ("1 to the number of members", bounds(Some(1.0), None, false)),
            ("0 to 1, together less than 1", bounds(Some(0.0), Some(1.0), false)),
            ("whole number, at least 1", bounds(Some(1.0), None, false)),
            ("list of names, at least one", bounds(Some(1.0), None, false)),
            ("list of words or phrases, up to 10,000", bounds(None, Some(10_000.0), false)),
            ("USD, more than 0", bounds(Some(0.0), None, true)),
            ("US dollars, more than 0, at most nine decimals", bounds(Some(0.0), None, true)),
            ("bytes: whole numbers from 1 to 5.", bounds(Some(1.0), Some(5.0), false)),
            ("percentage, to two decimals", Bounds::default()),
            ("name of a tier", Bounds::default()),
        ] {
            assert_eq!(Bounds::of(text), expected, "{text}");
        }
    }

    #[test]
    fn links_are_left_out() {
        assert_eq!(plain("[in which](a.md#b) order, [see](c) there"), "in which order, see there");
    }

    #[test]
    fn every_row_under_a_heading_is_about_a_key() {
        let form = Form::of_document();
        let tables = Tables::of_documentation(&form);
        for (heading, maps) in HEADINGS {
            for map in *maps {
                assert!(
                    tables.0.iter().any(|row| row.map == *map),
                    "nothing is known of {map}, under {heading}"
                );
            }
        }
    }
}
