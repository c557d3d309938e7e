//! Goes through a schema and a value side by side.
//!
//! What a value is asked for quietly, only for yes or no, stops at the first no; aloud it goes on and collects what differs. Each
//! step is counted, so that alternatives within alternatives end however they are nested.

use super::number::Number;
use super::path::{Cut, Path, Shown};
use super::{Undecided, Violation};
use crate::json::{Kind, Piece, Text, Value, pieces};
use std::cmp::Ordering;
use std::fmt::Arguments;

/// How many steps may be taken: some ten milliseconds.
const STEPS: usize = 1_000_000;
/// How deep schemas may be within schemas while one is checked. It bounds the call stack.
const DEPTH: usize = 192;
/// How many references may lead to references without a step into the value. More go in a circle.
const REFERENCES: usize = 48;
/// How many violations are collected.
const MOST: usize = 8;

/// Whether the value fits, if that can be said.
pub(super) type Fits = Result<bool, Undecided>;

pub(super) struct Checker<'d> {
    root: Value<'d>,
    steps: usize,
    depth: usize,
    /// References followed since the last step into the value.
    references: usize,
    /// What differs, unless it is asked quietly.
    told: Option<Vec<Violation>>,
}

impl<'d> Checker<'d> {
    pub fn new(root: Value<'d>) -> Self {
        Self { root, steps: STEPS, depth: 0, references: 0, told: None }
    }

    /// What of a value differs from the schema; nothing, if it fits.
    pub fn violations(&mut self, value: Value<'_>) -> Result<Vec<Violation>, Undecided> {
        self.told = Some(Vec::new());
        self.fits(self.root, value, &Path::Root)?;
        Ok(self.told.take().unwrap_or_default())
    }

    /// Whether a value fits, without a word.
    pub fn quietly(&mut self, schema: Value<'d>, value: Value<'_>) -> Fits {
        let told = self.told.take();
        let fits = self.fits(schema, value, &Path::Root);
        self.told = told;
        fits
    }

    pub(super) fn spend(&mut self, steps: usize) -> Result<(), Undecided> {
        self.steps = self.steps.checked_sub(steps).ok_or(Undecided::TooMuch)?;
        Ok(())
    }

    /// Pays for reading a string or number.
    pub(super) fn read(&mut self, value: Value<'_>) -> Result<(), Undecided> {
        match value.kind() {
            Kind::String | Kind::Number => self.spend(value.raw().len() / 64),
            _ => Ok(()),
        }
    }

    /// Goes one level further down. Who cannot say whether a value fits does not come back.
    pub(super) fn enter(&mut self) -> Result<(), Undecided> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEPTH { Err(Undecided::TooMuch) } else { Ok(()) }
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// The member of that name, `null` or not.
    pub(super) fn member<'v>(
        &mut self,
        object: Value<'v>,
        name: &Text<'_>,
    ) -> Result<Option<Value<'v>>, Undecided> {
        let mut found = None;
        self.spend(name.as_bytes().len() / 64)?;
        for (key, value) in object.entries() {
            self.spend(1)?;
            self.read(key)?;
            if key.text().is_some_and(|key| key.means(name)) {
                found = Some(value);
            }
        }
        Ok(found)
    }

    /// What a reference leads to: a JSON pointer (RFC 6901) in the schema itself.
    pub(super) fn referred(&mut self, reference: &Text<'_>) -> Result<Value<'d>, Undecided> {
        let plain = reference.decode();
        let mut steps = plain.as_bytes().split(|byte| *byte == b'/');
        if steps.next() != Some(b"#") {
            return Err(Undecided::Unresolved);
        }
        let mut at = self.root;
        for step in steps {
            let name = unescaped(step);
            let next = match at.kind() {
                Kind::Array => name.parse().ok().and_then(|place| at.items().nth(place)),
                _ => self.member(at, &Text::of(&name))?,
            };
            at = next.ok_or(Undecided::Unresolved)?;
        }
        Ok(at)
    }

    /// Whether a part of the value fits.
    fn part(&mut self, schema: Value<'d>, value: Value<'_>, at: &Path<'_>) -> Fits {
        let references = std::mem::take(&mut self.references);
        let fits = self.fits(schema, value, at);
        self.references = references;
        fits
    }

    fn fits(&mut self, schema: Value<'d>, value: Value<'_>, at: &Path<'_>) -> Fits {
        self.spend(1)?;
        match schema.bool() {
            Some(true) => return Ok(true),
            Some(false) => return self.differs(at, format_args!("nothing here"), &Shown(value)),
            None if schema.kind() != Kind::Object => return Err(Undecided::Malformed),
            None => {}
        }
        if value.is_null() && schema.get("nullable").and_then(Value::bool) == Some(true) {
            return Ok(true);
        }
        self.enter()?;
        let mut fits = true;
        for (key, rule) in schema.entries() {
            self.spend(1)?;
            let key = key.text().unwrap_or_default();
            fits &= self.keyword(&key.decode(), rule, schema, value, at)?;
            if !fits && self.is_done() {
                break;
            }
        }
        self.leave();
        Ok(fits)
    }

    /// Whether it makes no difference what else differs.
    fn is_done(&self) -> bool {
        self.told.as_ref().is_none_or(|told| told.len() >= MOST)
    }

    fn keyword(
        &mut self,
        key: &str,
        rule: Value<'d>,
        schema: Value<'d>,
        value: Value<'_>,
        at: &Path<'_>,
    ) -> Fits {
        match (key, value.kind()) {
            ("$ref", _) => self.reference(rule, value, at),
            ("type", _) => self.kind(rule, value, at),
            ("enum" | "const", _) => self.one_of_values(key, rule, value, at),
            ("allOf", _) => self.all(rule, value, at),
            ("anyOf", _) => self.alternatives(rule, value, at, false),
            ("oneOf", _) => self.alternatives(rule, value, at, true),
            ("not", _) => match self.quietly(rule, value)? {
                true => self.differs(at, format_args!("what does not match `not`"), &Shown(value)),
                false => Ok(true),
            },
            ("if", _) => {
                let branch = if self.quietly(rule, value)? { "then" } else { "else" };
                schema.get(branch).map_or(Ok(true), |branch| self.fits(branch, value, at))
            }
            ("minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum", Kind::Number) => {
                self.read(value)?;
                self.bound(key, rule, value.raw(), "", at)
            }
            ("multipleOf", Kind::Number) => {
                self.read(value)?;
                match Number::read(value.raw()).is_multiple_of(Number::read(rule.raw())) {
                    Some(false) => {
                        self.differs(at, format_args!("a multiple of {}", Shown(rule)), &Shown(value))
                    }
                    _ => Ok(true),
                }
            }
            ("minLength" | "maxLength", Kind::String) => {
                self.read(value)?;
                self.count(key, rule, characters(value), " characters", at)
            }
            ("minItems" | "maxItems", Kind::Array) => {
                self.count(key, rule, value.items().count(), " items", at)
            }
            ("minProperties" | "maxProperties", Kind::Object) => {
                self.count(key, rule, value.entries().count(), " members", at)
            }
            ("items" | "prefixItems", Kind::Array) => self.items(key, rule, schema, value, at),
            ("uniqueItems", Kind::Array) if rule.bool() == Some(true) => match self.repeated(value)? {
                Some((one, other)) => self.differs(
                    &Path::Item(at, other),
                    format_args!("items that differ"),
                    &format_args!("the same as [{one}]"),
                ),
                None => Ok(true),
            },
            ("contains", Kind::Array) => self.contains(rule, schema, value, at),
            ("required", Kind::Object) => self.required(rule, value, at),
            ("properties" | "additionalProperties" | "propertyNames", Kind::Object) => {
                self.members(key, rule, schema, value, at)
            }
            ("dependentRequired" | "dependentSchemas", Kind::Object) => self.dependent(key, rule, value, at),
            _ => Ok(true),
        }
    }

    fn reference(&mut self, rule: Value<'d>, value: Value<'_>, at: &Path<'_>) -> Fits {
        let target = self.referred(&rule.text().ok_or(Undecided::Malformed)?)?;
        if self.references >= REFERENCES {
            return Err(Undecided::Endless);
        }
        self.references = self.references.saturating_add(1);
        let fits = self.fits(target, value, at);
        self.references = self.references.saturating_sub(1);
        fits
    }

    fn kind(&mut self, rule: Value<'d>, value: Value<'_>, at: &Path<'_>) -> Fits {
        let mut names = Vec::new();
        for name in Some(rule).into_iter().chain(rule.items()).filter_map(Value::text) {
            self.spend(1)?;
            let name = super::Type::named(&name.decode()).ok_or(Undecided::Malformed)?;
            if name.is_of(value) {
                return Ok(true);
            }
            names.push(name.as_str());
        }
        self.differs(at, format_args!("{}", names.join(" or ")), &Shown(value))
    }

    fn one_of_values(&mut self, key: &str, rule: Value<'d>, value: Value<'_>, at: &Path<'_>) -> Fits {
        let values = || rule.items().filter(|_| key == "enum").chain(Some(rule).filter(|_| key == "const"));
        for known in values() {
            if self.are_same(known, value)? {
                return Ok(true);
            }
        }
        if self.told.is_none() {
            return Ok(false);
        }
        let mut expected = String::new();
        for known in values() {
            if expected.len() > 200 {
                expected.push_str(", …");
                break;
            }
            let before = if expected.is_empty() { "" } else { ", " };
            expected = format!("{expected}{before}{}", Shown(known));
        }
        let one_of = if values().nth(1).is_some() { "one of " } else { "" };
        self.differs(at, format_args!("{one_of}{expected}"), &Shown(value))?;
        if let Some(last) = self.told.as_mut().and_then(|told| told.last_mut()) {
            last.tells = true;
        }
        Ok(false)
    }

    fn all(&mut self, rule: Value<'d>, value: Value<'_>, at: &Path<'_>) -> Fits {
        let mut fits = true;
        for schema in rule.items() {
            fits &= self.fits(schema, value, at)?;
            if !fits && self.is_done() {
                break;
            }
        }
        Ok(fits)
    }

    /// `anyOf`, and with `only` `oneOf`.
    fn alternatives(&mut self, rule: Value<'d>, value: Value<'_>, at: &Path<'_>, only: bool) -> Fits {
        let mut fit = 0_usize;
        for schema in rule.items() {
            if self.quietly(schema, value)? {
                fit = fit.saturating_add(1);
                if !only || fit > 1 {
                    break;
                }
            }
        }
        match fit {
            0 if self.told.is_some() => self.none_fits(rule, value, at),
            0 => Ok(false),
            1 => Ok(true),
            _ => self.differs(at, format_args!("what fits only one alternative"), &Shown(value)),
        }
    }

    /// Tells of the alternative that was most probably meant; if that is not clear, what each of them expected.
    fn none_fits(&mut self, rule: Value<'d>, value: Value<'_>, at: &Path<'_>) -> Fits {
        let depth = at.depth();
        let mut best: Vec<Violation> = Vec::new();
        let mut least = usize::MAX;
        let mut expected: Vec<String> = Vec::new();
        for schema in rule.items() {
            let heard = self.told.replace(Vec::new());
            let fits = self.fits(schema, value, at);
            let told = std::mem::replace(&mut self.told, heard).unwrap_or_default();
            fits?;
            // Another kind of value was hardly meant, nor was what another word stands for.
            let weigh = |violation: &Violation| match violation.depth <= depth {
                true => 1000,
                false if violation.tells => 10,
                false => 1_usize,
            };
            let weight: usize = told.iter().map(weigh).sum();
            let first = told.first().filter(|first| first.depth <= depth);
            let wanted = first.map_or("one of the alternatives", |first| &first.expected);
            if !expected.iter().any(|known| known == wanted) {
                expected.push(wanted.to_owned());
            }
            match weight.cmp(&least) {
                Ordering::Less => (best, least) = (told, weight),
                Ordering::Equal => best.clear(),
                Ordering::Greater => {}
            }
        }
        if expected.is_empty() {
            // There is no alternative.
            return self.differs(at, format_args!("nothing here"), &Shown(value));
        }
        if best.is_empty() {
            return self.differs(at, format_args!("{}", expected.join(" or ")), &Shown(value));
        }
        if let Some(told) = &mut self.told {
            told.extend(best);
            told.truncate(MOST);
        }
        Ok(false)
    }

    fn count(&mut self, key: &str, rule: Value<'d>, count: usize, unit: &str, at: &Path<'_>) -> Fits {
        self.bound(key, rule, count.to_string().as_bytes(), unit, at)
    }

    fn bound(&mut self, key: &str, rule: Value<'d>, number: &[u8], unit: &str, at: &Path<'_>) -> Fits {
        if rule.kind() != Kind::Number {
            // Draft 4 wrote `exclusiveMinimum` as a boolean.
            return Err(Undecided::Malformed);
        }
        self.read(rule)?;
        let order = Number::read(number).compare(Number::read(rule.raw()));
        let (fits, words) = match key {
            "exclusiveMinimum" => (order == Ordering::Greater, "more than"),
            "exclusiveMaximum" => (order == Ordering::Less, "less than"),
            _ if key.starts_with("min") => (order != Ordering::Less, "at least"),
            _ => (order != Ordering::Greater, "at most"),
        };
        if fits {
            return Ok(true);
        }
        let found = Cut(number);
        let unit_of =
            |number: &[u8]| if number == b"1" { unit.strip_suffix('s').unwrap_or(unit) } else { unit };
        let (wanted, there) = (unit_of(rule.raw()), unit_of(number));
        self.differs(at, format_args!("{words} {}{wanted}", Shown(rule)), &format_args!("{found}{there}"))
    }

    fn items(
        &mut self,
        key: &str,
        rule: Value<'d>,
        schema: Value<'d>,
        value: Value<'_>,
        at: &Path<'_>,
    ) -> Fits {
        // Earlier drafts gave `items` the list that is now `prefixItems`.
        let mut listed = rule.items();
        let is_list = rule.kind() == Kind::Array;
        if key == "prefixItems" && !is_list {
            return Err(Undecided::Malformed);
        }
        let skipped = match schema.get("prefixItems") {
            Some(prefix) if !is_list => prefix.items().count(),
            _ => 0,
        };
        let mut fits = true;
        for (place, item) in value.items().enumerate().skip(skipped) {
            let Some(schema) = (if is_list { listed.next() } else { Some(rule) }) else { break };
            fits &= self.part(schema, item, &Path::Item(at, place))?;
            if !fits && self.is_done() {
                break;
            }
        }
        Ok(fits)
    }

    fn contains(&mut self, rule: Value<'d>, schema: Value<'d>, value: Value<'_>, at: &Path<'_>) -> Fits {
        let references = std::mem::take(&mut self.references);
        let mut count = 0_usize;
        for item in value.items() {
            count = count.saturating_add(usize::from(self.quietly(rule, item)?));
        }
        self.references = references;
        let mut fits = true;
        match schema.get("minContains") {
            Some(least) => fits &= self.count("minContains", least, count, " matching items", at)?,
            None if count == 0 => {
                self.differs(at, format_args!("an item that matches `contains`"), &"none")?;
                fits = false;
            }
            None => {}
        }
        if let Some(most) = schema.get("maxContains") {
            fits &= self.count("maxContains", most, count, " matching items", at)?;
        }
        Ok(fits)
    }

    fn required(&mut self, names: Value<'d>, value: Value<'_>, at: &Path<'_>) -> Fits {
        let mut fits = true;
        for name in names.items().filter_map(Value::text) {
            if self.member(value, &name)?.is_none() {
                fits =
                    self.differs(&Path::Member(at, &name), format_args!("this required member"), &"nothing")?;
                if self.is_done() {
                    break;
                }
            }
        }
        Ok(fits)
    }

    fn members(
        &mut self,
        key: &str,
        rule: Value<'d>,
        schema: Value<'d>,
        value: Value<'_>,
        at: &Path<'_>,
    ) -> Fits {
        // Which names its patterns match is not known.
        if key == "additionalProperties" && schema.get("patternProperties").is_some() {
            return Ok(true);
        }
        let named = schema.get("properties");
        let mut fits = true;
        for (name, value) in value.entries() {
            let text = name.text().unwrap_or_default();
            let at = Path::Member(at, &text);
            fits &= match key {
                "propertyNames" => self.part(rule, name, &at)?,
                "properties" => match self.member(rule, &text)? {
                    Some(schema) => self.part(schema, value, &at)?,
                    None => true,
                },
                _ => match named.map_or(Ok(None), |named| self.member(named, &text))? {
                    Some(_) => true,
                    None if rule.bool() == Some(false) => {
                        self.differs(&at, format_args!("no such member"), &Shown(value))?
                    }
                    None => self.part(rule, value, &at)?,
                },
            };
            if !fits && self.is_done() {
                break;
            }
        }
        Ok(fits)
    }

    fn dependent(&mut self, key: &str, rule: Value<'d>, value: Value<'_>, at: &Path<'_>) -> Fits {
        let mut fits = true;
        for (name, rule) in rule.entries() {
            if self.member(value, &name.text().unwrap_or_default())?.is_some() {
                fits &= match key {
                    "dependentRequired" => self.required(rule, value, at)?,
                    _ => self.fits(rule, value, at)?,
                };
            }
        }
        Ok(fits)
    }

    /// It does not fit, and that is told if anybody listens.
    fn differs(&mut self, at: &Path<'_>, expected: Arguments<'_>, found: &dyn std::fmt::Display) -> Fits {
        if let Some(told) = self.told.as_mut().filter(|told| told.len() < MOST) {
            told.push(Violation {
                path: at.to_string(),
                expected: expected.to_string(),
                found: found.to_string(),
                depth: at.depth(),
                tells: false,
            });
        }
        Ok(false)
    }
}

/// How many characters (code points) a string has.
fn characters(string: Value<'_>) -> usize {
    let starts = |plain: &[u8]| plain.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
    let text = string.text().unwrap_or_default();
    let count = |piece| match piece {
        Piece::Plain(plain) => starts(plain),
        Piece::Escaped(_) => 1,
    };
    pieces(text.as_bytes()).map(count).sum()
}

/// A step of a reference: `~1` is a slash in it, `~0` a tilde, and since it is part of a URI a byte may be written `%` and two
/// hexadecimal digits.
fn unescaped(step: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(step.len());
    let mut rest = step;
    while let Some((first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let (byte, length) = match (*first, after.first(), digit(0), digit(1)) {
            (b'%', _, Some(high), Some(low)) => (high.wrapping_mul(16).wrapping_add(low) as u8, 2),
            (b'~', Some(b'0'), ..) => (b'~', 1),
            (b'~', Some(b'1'), ..) => (b'/', 1),
            (byte, ..) => (byte, 0),
        };
        bytes.push(byte);
        rest = after.get(length..).unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
