//! From what a model wrote to the JSON that it meant, as far as there is but one way to read it.
//!
//! What fits already is never touched: each change is made only to a value that does not fit its part of the schema, and only if it
//! fits afterwards. What does not change is copied byte for byte.

use super::check::Checker;
use super::found::found;
use super::path::Path;
use super::{Kinds, Schema, Undecided, Violation};
use crate::json::{Document, Edit, Kind, Surrogates, Text, Value, removals, splice};
use crate::names;
use std::cell::Cell;
use std::fmt;

/// So many changes are told.
const TOLD: usize = 8;

/// An answer's JSON.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mended {
    /// The JSON text.
    pub json: Vec<u8>,
    /// The first few changes that made it of what was written; none, if it is what was written.
    pub changes: Vec<Change>,
    /// In what it differs from the schema nevertheless; nothing, if it fits.
    pub violations: Vec<Violation>,
}

/// A change to what was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// Where, as in `items[2].name`; empty for the whole value.
    pub path: String,
    /// What was changed.
    pub kind: ChangeKind,
}

/// What is changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChangeKind {
    /// What stood around the JSON was left out.
    Extracted,
    /// What was said in another type was put into the one that is asked for: `"12"` into `12`.
    Retyped,
    /// A word was written as the schema has it: `"Red "` as `"red"`.
    Respelled,
    /// A value became an array of one.
    Wrapped,
    /// Members that must not be there were left out.
    Dropped,
}

impl ChangeKind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Extracted => "extracted",
            Self::Retyped => "retyped",
            Self::Respelled => "respelled",
            Self::Wrapped => "wrapped",
            Self::Dropped => "dropped",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if self.path.is_empty() { Ok(()) } else { write!(f, " `{}`", self.path) }
    }
}

/// Why no JSON comes of a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unmended {
    /// There is none in it.
    NoJson,
    /// It ends within the JSON.
    Cut,
    /// It cannot be said whether it fits.
    Undecided(Undecided),
}

impl From<Undecided> for Unmended {
    fn from(undecided: Undecided) -> Self {
        Self::Undecided(undecided)
    }
}

impl Schema<'_> {
    /// The JSON that an answer's text means: as it is, or without what stands around it, or with what is obviously meant in the types
    /// that the schema asks for. If all of that does not make it fit, nothing in it is changed, and it is told what is wrong with it.
    ///
    /// # Errors
    /// If there is no JSON in the text, or it cannot be said whether it fits.
    pub fn mend(&self, text: &[u8]) -> Result<Mended, Unmended> {
        let mut mender = Mender { checker: Checker::new(self.root), drops: false, changes: Vec::new() };
        let span = found(&mut mender.checker, self.root, text)?;
        let found = text.get(span).unwrap_or_default();
        let mut changes = Vec::new();
        if found.len() < text.len() {
            changes.push(Change { path: String::new(), kind: ChangeKind::Extracted });
        }
        let document = Document::parse(found, Surrogates::Lone).map_err(|_| Unmended::NoJson)?;
        let violations = self.check(document.root())?;
        if violations.is_empty() {
            return Ok(Mended { json: found.to_vec(), changes, violations });
        }
        // Leaving something out is the last resort. What is too much to mend is not mended.
        for drops in [false, true] {
            mender.drops = drops;
            if let Ok(Some(json)) = mender.made(self.root, document.root()) {
                changes.append(&mut mender.changes);
                return Ok(Mended { json, changes, violations: Vec::new() });
            }
            mender.changes.clear();
        }
        Ok(Mended { json: found.to_vec(), changes, violations })
    }
}

struct Mender<'d> {
    checker: Checker<'d>,
    /// Whether members that must not be there are left out.
    drops: bool,
    changes: Vec<Change>,
}

impl<'d> Mender<'d> {
    /// The text of a value with what makes it fit a schema; none, if nothing does.
    fn made(&mut self, schema: Value<'d>, value: Value<'_>) -> Result<Option<Vec<u8>>, Undecided> {
        let before = self.changes.len();
        let mut edits = Vec::new();
        self.mend(schema, value, &Path::Root, &mut edits)?;
        let made = self.fitting(schema, value, &edits)?;
        if made.is_none() {
            self.changes.truncate(before);
        }
        Ok(made)
    }

    /// The text of a value with edits made to it, if it fits then.
    fn fitting(
        &mut self,
        schema: Value<'d>,
        value: Value<'_>,
        edits: &[Edit],
    ) -> Result<Option<Vec<u8>>, Undecided> {
        if edits.is_empty() {
            return Ok(None);
        }
        self.checker.spend(edits.len().saturating_add(value.raw().len() / 32))?;
        let start = value.span().start;
        let within = |edit: &Edit| Edit {
            span: edit.span.start.saturating_sub(start)..edit.span.end.saturating_sub(start),
            with: edit.with.clone(),
        };
        let made = splice(value.raw(), edits.iter().map(within).collect());
        Ok(if self.text_fits(schema, &made)? { Some(made) } else { None })
    }

    fn text_fits(&mut self, schema: Value<'d>, text: &[u8]) -> Result<bool, Undecided> {
        // To read it is work as well.
        self.checker.spend(text.len() / 32)?;
        match Document::parse(text, Surrogates::Lone) {
            Ok(document) => self.checker.quietly(schema, document.root()),
            Err(_) => Ok(false),
        }
    }

    fn change(&mut self, at: &Path<'_>, kind: ChangeKind) {
        if self.changes.len() < TOLD {
            self.changes.push(Change { path: at.to_string(), kind });
        }
    }

    /// Adds the edits that make a value fit, or come nearer to it. They stay in order, and do not overlap.
    fn mend(
        &mut self,
        schema: Value<'d>,
        value: Value<'_>,
        at: &Path<'_>,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Undecided> {
        if self.checker.quietly(schema, value)? {
            return Ok(());
        }
        self.checker.enter()?;
        let before = edits.len();
        if let Some(reference) = schema.get("$ref").and_then(Value::text) {
            let target = self.checker.referred(&reference)?;
            self.mend(target, value, at, edits)?;
        }
        for part in schema.get("allOf").into_iter().flat_map(Value::items) {
            self.mend(part, value, at, edits)?;
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(branches) = schema.get(key) {
                self.branch(branches, value, at, edits)?;
            }
        }
        match value.kind() {
            Kind::Array => self.items(schema, value, at, edits)?,
            Kind::Object => self.members(schema, value, at, edits)?,
            _ => {}
        }
        if edits.len() == before
            && let Some((json, kind)) = self.instead(schema, value)?
            && self.put(edits, Edit::replace(value, json))?
        {
            self.change(at, kind);
        }
        self.checker.leave();
        Ok(())
    }

    /// Adds an edit in its place, unless another part of the schema has changed something there already.
    fn put(&mut self, edits: &mut Vec<Edit>, edit: Edit) -> Result<bool, Undecided> {
        let place = edits.partition_point(|other| other.span.end <= edit.span.start);
        if edits.get(place).is_some_and(|next| next.span.start < edit.span.end) {
            return Ok(false);
        }
        self.checker.spend(edits.len().saturating_sub(place) / 16)?;
        edits.insert(place, edit);
        Ok(true)
    }

    /// Makes a value fit the first alternative that it can be made to fit, unless it fits one.
    fn branch(
        &mut self,
        branches: Value<'d>,
        value: Value<'_>,
        at: &Path<'_>,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Undecided> {
        for branch in branches.items() {
            if self.checker.quietly(branch, value)? {
                return Ok(());
            }
        }
        for branch in branches.items() {
            let before = self.changes.len();
            let mut tried = Vec::new();
            self.mend(branch, value, at, &mut tried)?;
            if self.fitting(branch, value, &tried)?.is_some() {
                for edit in tried {
                    self.put(edits, edit)?;
                }
                return Ok(());
            }
            self.changes.truncate(before);
        }
        Ok(())
    }

    fn items(
        &mut self,
        schema: Value<'d>,
        value: Value<'_>,
        at: &Path<'_>,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Undecided> {
        let mut prefix = schema.get("prefixItems").into_iter().flat_map(Value::items);
        let others = schema.get("items").filter(|items| items.kind() != Kind::Array);
        for (place, item) in value.items().enumerate() {
            if let Some(schema) = prefix.next().or(others) {
                self.mend(schema, item, &Path::Item(at, place), edits)?;
            }
        }
        Ok(())
    }

    fn members(
        &mut self,
        schema: Value<'d>,
        value: Value<'_>,
        at: &Path<'_>,
        edits: &mut Vec<Edit>,
    ) -> Result<(), Undecided> {
        let named = schema.get("properties");
        let others = schema.get("additionalProperties").filter(|_| schema.get("patternProperties").is_none());
        let is_closed = others.and_then(Value::bool) == Some(false);
        let mut goes = Vec::new();
        for (name, member) in value.entries() {
            let text = name.text().unwrap_or_default();
            let path = Path::Member(at, &text);
            let known = named.map_or(Ok(None), |named| self.checker.member(named, &text))?;
            goes.push(known.is_none() && is_closed && self.drops);
            if goes.last() == Some(&true) {
                self.change(&path, ChangeKind::Dropped);
            } else if let Some(schema) = known.or(others) {
                self.mend(schema, member, &path, edits)?;
            }
        }
        if goes.contains(&true) {
            // Names are asked for in their order.
            let place = Cell::new(0_usize);
            let next = |_: &Text<'_>| goes.get(place.replace(place.get().saturating_add(1))) == Some(&true);
            for edit in removals(value, next) {
                self.put(edits, edit)?;
            }
        }
        Ok(())
    }

    /// What can only have been meant by a value that does not fit, and fits.
    fn instead(
        &mut self,
        schema: Value<'d>,
        value: Value<'_>,
    ) -> Result<Option<(Vec<u8>, ChangeKind)>, Undecided> {
        let Some(kinds) = Kinds::of(schema).filter(|_| !value.is_null()) else { return Ok(None) };
        if let Some(text) = value.text() {
            let plain = text.decode();
            self.checker.spend(plain.len() / 16)?;
            if let Some(word) = self.spelled(schema, &plain)? {
                return self.if_it_fits(schema, word, ChangeKind::Respelled);
            }
            if !kinds.has(Kind::String)
                && let Some(said) = self.said(schema, kinds, plain.trim())?
            {
                return Ok(Some((said, ChangeKind::Retyped)));
            }
        }
        if value.kind() == Kind::Number && kinds.is_only(Kind::String) {
            return self.if_it_fits(schema, [b"\"", value.raw(), b"\""].concat(), ChangeKind::Retyped);
        }
        if value.kind() != Kind::Array && kinds.is_only(Kind::Array) {
            return self.if_it_fits(schema, [b"[", value.raw(), b"]"].concat(), ChangeKind::Wrapped);
        }
        Ok(None)
    }

    fn if_it_fits(
        &mut self,
        schema: Value<'d>,
        json: Vec<u8>,
        kind: ChangeKind,
    ) -> Result<Option<(Vec<u8>, ChangeKind)>, Undecided> {
        Ok(if self.text_fits(schema, &json)? { Some((json, kind)) } else { None })
    }

    /// The value that a string says, if it is of one of these kinds.
    fn said(&mut self, schema: Value<'d>, kinds: Kinds, plain: &str) -> Result<Option<Vec<u8>>, Undecided> {
        let words = ["null", "true", "false"];
        let word = words.into_iter().find(|word| plain.eq_ignore_ascii_case(word));
        let json = word.unwrap_or(if plain.is_empty() { "null" } else { plain });
        let Ok(document) = Document::parse(json.as_bytes(), Surrogates::Lone) else { return Ok(None) };
        if !kinds.has(document.root().kind()) {
            return Ok(None);
        }
        if self.checker.quietly(schema, document.root())? {
            return Ok(Some(json.as_bytes().to_vec()));
        }
        // It is told as one change, whatever is changed within.
        let told = self.changes.len();
        let made = self.made(schema, document.root());
        self.changes.truncate(told);
        made
    }

    /// The only word of an `enum` or `const` that differs from a string in nothing but case and white space.
    fn spelled(&mut self, schema: Value<'d>, plain: &str) -> Result<Option<Vec<u8>>, Undecided> {
        let meant = letters(plain);
        let mut found = None;
        for known in schema.get("enum").into_iter().flat_map(Value::items).chain(schema.get("const")) {
            self.checker.spend(1_usize.saturating_add(known.raw().len() / 16))?;
            if known.text().is_some_and(|word| letters(&word.decode()) == meant)
                && found.replace(known).is_some()
            {
                return Ok(None);
            }
        }
        Ok(found.map(|known| known.raw().to_vec()))
    }
}

fn letters(text: &str) -> String {
    let mut letters = names::lower(text);
    letters.retain(|letter| !letter.is_whitespace());
    letters
}
