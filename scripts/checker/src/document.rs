//! One plugin configuration: the text that the filter would get, and where in a file each part of it stands.

use crate::yaml::{self, Dialect, Node, Place, Style};
use std::rc::Rc;

/// A plugin configuration.
#[derive(Debug)]
pub struct Document {
    /// What is in it, with its places.
    pub root: Rc<Node>,
    /// What the filter reads.
    pub text: String,
    inset: Inset,
}

/// Where the places of `root` are in the file.
#[derive(Debug, Clone, Copy)]
enum Inset {
    /// There.
    Same,
    /// In a text that begins here, so many lines, and in each of its lines so many columns, after the file and its lines.
    Moved { begin: Place, lines: usize, columns: usize, length: usize },
    /// In a text that is written otherwise than it is meant; it begins here.
    Within(Place),
}

impl Document {
    /// A document that is written in place.
    pub fn in_place(root: &Rc<Node>, dialect: Dialect) -> Self {
        Self { root: Rc::clone(root), text: root.json(dialect), inset: Inset::Same }
    }

    /// A document that is JSON text in a string of `source`, a file's text.
    ///
    /// # Errors
    /// If the text is not JSON: where, and why.
    pub fn in_text(node: &Node, source: &str) -> Result<Self, yaml::Fault> {
        let (text, style) = match &node.kind {
            yaml::Kind::Scalar { text, style } => (text, *style),
            _ => return Err(yaml::Fault { at: node.at, why: "no text: expected JSON text".to_owned() }),
        };
        let inset = inset(node.at, text, style, source);
        let root = yaml::parse(text, node.at.file)
            .map_err(|fault| yaml::Fault { at: inset.place(fault.at), why: fault.why })?;
        Ok(Self { root, text: text.clone(), inset })
    }

    /// Where in the file a place of [`Self::root`] is.
    pub fn place(&self, at: Place) -> Place {
        self.inset.place(at)
    }

    /// Where in the file that is which a problem's path names; what is nearest to it, if it is not there.
    pub fn find(&self, path: &str) -> Place {
        self.place(find(&self.root, path).map_or(self.root.at, |(_, at)| at))
    }
}

impl Inset {
    fn place(self, at: Place) -> Place {
        match self {
            Self::Same => at,
            // What is missing at the end is after the last line.
            Self::Moved { begin, length, .. } if at.line > length => begin,
            Self::Moved { lines, columns, .. } => {
                Place { line: at.line + lines, column: at.column + columns, ..at }
            }
            Self::Within(begin) => begin,
        }
    }
}

/// How a text lies in the file: found out by looking, so that a place is never told that is another one.
fn inset(begin: Place, text: &str, style: Style, source: &str) -> Inset {
    let is_at = |lines: usize, columns: usize| {
        let mut written = source.lines().skip(lines);
        text.lines().all(|line| {
            let written = written.next().unwrap_or_default();
            let (blank, rest) = written.split_at_checked(columns).unwrap_or((written, ""));
            rest.starts_with(line) && (style != Style::Literal || blank.trim().is_empty())
        })
    };
    let moved = match style {
        // The marker of a block is where it begins, or on the line before it.
        Style::Literal => [begin.line - 1, begin.line].into_iter().find_map(|lines| {
            let first = source.lines().nth(lines)?;
            let columns = first.len() - first.trim_start().len();
            is_at(lines, columns).then_some((lines, columns))
        }),
        _ if text.lines().count() > 1 => None,
        // Columns are told in characters and looked for in bytes; before a configuration there are hardly others.
        Style::Plain => Some((begin.line - 1, begin.column - 1)),
        _ => Some((begin.line - 1, begin.column)),
    };
    match moved.filter(|(lines, columns)| is_at(*lines, *columns)) {
        Some((lines, columns)) => Inset::Moved { begin, lines, columns, length: text.lines().count() },
        None => Inset::Within(begin),
    }
}

/// How much of a path is left where nothing more of it was found, and where that is; none if nothing of it was. Names may have dots
/// in them, so the way on which the least is left is the right one.
fn find(node: &Node, path: &str) -> Option<(usize, Place)> {
    let on = |at: Place, child: &Node, rest: &str| {
        find(child, rest.trim_start_matches('.')).unwrap_or((rest.len(), at))
    };
    let is_name = |rest: &&str| rest.is_empty() || rest.starts_with(['.', '[']);
    let named = node.entries().iter().filter_map(|(at, key, child)| {
        let rest = path.strip_prefix(key.as_str()).filter(is_name)?;
        Some(on(*at, child, rest))
    });
    let index = path.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let counted = index.and_then(|(index, rest)| {
        let child = node.items().get(index.parse::<usize>().ok()?)?;
        Some(on(child.at, child, rest))
    });
    named.chain(counted).min_by_key(|(left, _)| *left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column_of(document: &Document, path: &str) -> (usize, usize) {
        let place = document.find(path);
        (place.line, place.column)
    }

    #[test]
    fn a_path_leads_to_its_place() {
        let text = "models:\n  gpt-4.1: {provider: a}\n  gpt-4:\n    aliases: [x, y]\nroutes: {a.b: {targets: [{model: z}]}}\n";
        let root = yaml::parse(text, 0).unwrap();
        let document = Document::in_place(&root, Dialect::Yaml);
        for (path, place) in [
            ("configuration", (1, 1)),
            ("models", (1, 1)),
            ("models.gpt-4.1", (2, 3)),
            ("models.gpt-4.1.provider", (2, 13)),
            ("models.gpt-4.1.price", (2, 3)),
            ("models.gpt-4", (3, 3)),
            ("models.gpt-4.aliases[1]", (4, 18)),
            ("routes.a.b.targets[0].model", (5, 27)),
            ("routes.a.b.targets[5].model", (5, 16)),
            ("bounds.held_bytes", (1, 1)),
        ] {
            assert_eq!(column_of(&document, path), place, "{path}");
        }
    }

    #[test]
    fn places_in_json_text_are_places_of_the_file() {
        for (source, place) in [
            ("value: '{\"a\": {\"b\": 1}}'\n", (1, 16)),
            ("value: |\n    {\"a\":\n      {\"b\": 1}}\n", (3, 8)),
            ("x: 1\nvalue: |-\n  {\"a\": {\"b\": 1}}\n", (3, 10)),
            // Written otherwise than it is meant: it is where the text begins.
            ("value: \"{\\\"a\\\": {\\\"b\\\": 1}}\"\n", (1, 8)),
        ] {
            let root = yaml::parse(source, 0).unwrap();
            let document = Document::in_text(root.get("value").unwrap(), source).unwrap();
            assert_eq!(column_of(&document, "a.b"), place, "{source}");
        }
    }
}
