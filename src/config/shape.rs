//! Reading the document: every value of the wrong shape is noted where it is, and the reading goes on.
//!
//! What a map of the document may hold is declared once, as a struct in `raw`, by [`map`]; what a word may be, next to the enum
//! that it stands for, by [`words`]. In YAML a key with nothing after it has the value null, and so it counts as not there. Where a
//! key or a header's value may be, nothing of what was found is repeated.

#[cfg(not(target_family = "wasm"))]
use super::form::Form;
use super::problems::Problems;
use crate::json::{Kind, Value};
use crate::names;
use std::collections::BTreeMap;

/// What reads itself from a value of the document.
pub(super) trait Shape: Sized {
    /// Reads `node`; none if that is of another shape, which is noted.
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self>;

    /// What it is where its key is not there; none if that has to be.
    fn absent() -> Option<Self> {
        None
    }

    /// What may be there.
    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form;
}

/// A value of the document, and where it is.
#[derive(Clone, Copy)]
pub(super) struct Node<'n> {
    value: Value<'n>,
    path: Path<'n>,
}

/// Where something is: `routes.smart.targets[1].model`.
#[derive(Clone, Copy)]
enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Item(&'p Path<'p>, usize),
}

impl Path<'_> {
    /// Its keys and positions, from the top.
    fn segments(&self) -> Vec<String> {
        match self {
            Self::Root => Vec::new(),
            Self::Key(parent, key) => [parent.segments(), vec![(*key).to_owned()]].concat(),
            Self::Item(parent, position) => [parent.segments(), vec![format!("[{position}]")]].concat(),
        }
    }
}

/// What belongs at a place where a secret may be.
fn confidential(segments: &[String]) -> Option<&'static str> {
    let [section, _, key, ..] = segments else { return None };
    match (section.as_str(), key.as_str()) {
        ("providers", "api_key") => Some("{env: VARIABLE}, {value: KEY} or none"),
        ("consumers", "keys") => Some("a list of {sha256: HASH, not_after: DATE}, each key once"),
        ("providers", "headers") => Some("a map from header names to strings, each name once"),
        ("tools", "headers") => Some("a map from header names to strings or {env: VARIABLE}, each name once"),
        _ => None,
    }
}

impl<'n> Node<'n> {
    /// The whole document.
    pub fn root(value: Value<'n>) -> Self {
        Self { value, path: Path::Root }
    }

    /// Whether `off` is here. Envoy's reader of YAML makes `false` of it.
    pub fn is_off(&self) -> bool {
        self.value.bool() == Some(false) || self.value.text().is_some_and(|text| text == "off")
    }

    /// Whether a map is here.
    pub fn is_object(&self) -> bool {
        self.value.kind() == Kind::Object
    }

    /// The JSON text of what is here.
    pub fn json(&self) -> String {
        String::from_utf8_lossy(self.value.raw()).into_owned()
    }

    /// Notes what is wrong here.
    fn note(&self, problems: &mut Problems, found: &str, expected: &str, nearest: Vec<&str>) {
        match confidential(&self.path.segments()) {
            Some(expected) => {
                problems.add(self.path(), "what is there is not shown, because it may be a secret", expected);
            }
            None => problems.add_with_nearest(self.path(), found, expected, nearest),
        }
    }

    fn path(&self) -> String {
        let path = self.path.segments().join(".").replace(".[", "[");
        if path.is_empty() { "configuration".to_owned() } else { path }
    }

    /// Notes that something else belongs here.
    pub fn mistaken<T>(&self, problems: &mut Problems, expected: &str) -> Option<T> {
        let raw = String::from_utf8_lossy(self.value.raw());
        let found = match self.value.kind() {
            Kind::Null => "null".to_owned(),
            Kind::Bool => format!("boolean `{raw}`"),
            Kind::Number if raw.contains(['.', 'e', 'E']) => format!("floating point `{raw}`"),
            Kind::Number => format!("integer `{raw}`"),
            Kind::String => format!("string {:?}", plain(self.value)),
            Kind::Array => "sequence".to_owned(),
            Kind::Object => "map".to_owned(),
        };
        self.note(problems, &format!("invalid type: {found}"), expected, Vec::new());
        None
    }

    /// What is here, if `read` can make something of it.
    fn is<T>(
        self,
        problems: &mut Problems,
        expected: &str,
        read: impl FnOnce(Value<'n>) -> Option<T>,
    ) -> Option<T> {
        let read = read(self.value);
        if read.is_none() {
            self.mistaken::<()>(problems, expected);
        }
        read
    }

    /// Whether this is a map in which no key is twice.
    fn is_map(&self, expected: &str, problems: &mut Problems) -> bool {
        let is_map = self.value.kind() == Kind::Object;
        if !is_map {
            self.mistaken::<()>(problems, expected);
        }
        let duplicate = self.value.duplicate();
        if let Some(key) = &duplicate {
            self.note(problems, &format!("the key `{}` is there twice", key.decode()), "", Vec::new());
        }
        is_map && duplicate.is_none()
    }
}

/// The keys or words that may be here, as an error message lists them.
fn list(names: &[&str]) -> String {
    match names {
        [one] => format!("`{one}`"),
        [one, other] => format!("`{one}` or `{other}`"),
        names => format!("one of `{}`", names.join("`, `")),
    }
}

/// A string's text; empty if it is none.
fn plain(value: Value<'_>) -> String {
    value.text().map(|text| text.decode().into_owned()).unwrap_or_default()
}

/// A map with keys that are known.
pub(super) struct Map<'n> {
    node: Node<'n>,
    /// What was probably meant by keys that are not.
    meant: Vec<&'n str>,
}

impl<'n> Map<'n> {
    /// The map in `node`, which is called `expected`, and which has no keys but these.
    pub fn of(
        node: Node<'n>,
        expected: &str,
        keys: &[&'static str],
        problems: &mut Problems,
    ) -> Option<Self> {
        if !node.is_map(expected, problems) {
            return None;
        }
        let mut meant = Vec::new();
        for (key, value) in node.value.entries() {
            let key = plain(key);
            if !keys.contains(&&*key) {
                let nearest = names::nearest(&key, keys.iter().copied());
                meant.extend(nearest.first().copied());
                let unknown = Node { value, path: Path::Key(&node.path, &key) };
                unknown.note(problems, &format!("unknown key `{key}`"), &list(keys), nearest);
            }
        }
        Some(Self { node, meant })
    }

    /// What the key has; `absent` if it is not there, and if that is none, it should be.
    pub fn take<T: Shape>(&self, key: &str, absent: Option<T>, problems: &mut Problems) -> Option<T> {
        let node = &self.node;
        match node.value.get(key) {
            Some(value) => T::read(Node { value, path: Path::Key(&node.path, key) }, problems),
            None => {
                if absent.is_none() && !self.meant.contains(&key) {
                    problems.add(node.path(), format!("missing key `{key}`"), "");
                }
                absent
            }
        }
    }
}

/// Declares a map of the document: its keys, and what they are where they are not there, if they need not be.
macro_rules! map {
    ($(#[$meta:meta])* $name:ident: $expected:literal { $($key:ident: $type:ty $(= $default:expr)?),+ $(,)? }) => {
        $(#[$meta])*
        pub(super) struct $name {
            $(pub $key: $type),+
        }

        impl Shape for $name {
            fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
                let map = Map::of(node, $expected, &[$(stringify!($key)),+], problems)?;
                $(
                    let absent = <$type>::absent();
                    $(let absent = absent.or_else(|| Some($default));)?
                    let $key = map.take(stringify!($key), absent, problems);
                )+
                Some(Self { $($key: $key?),+ })
            }

            #[cfg(not(target_family = "wasm"))]
            fn form() -> $crate::form::Form {
                let keys = vec![$({
                    let required = <$type>::absent().is_none();
                    $(let required = required && None::<$type>.or_else(|| Some($default)).is_none();)?
                    $crate::form::Key { name: stringify!($key), form: <$type>::form(), required }
                }),+];
                $crate::form::Form::Map($crate::form::Map { name: stringify!($name), what: $expected, keys })
            }
        }
    };
}
pub(super) use map;

/// Declares the words for the values of an enum.
macro_rules! words {
    ($type:ty: $($word:literal => $value:expr),+ $(,)?) => {
        impl $crate::shape::Shape for $type {
            fn read(
                node: $crate::shape::Node<'_>,
                problems: &mut $crate::problems::Problems,
            ) -> Option<Self> {
                let at = $crate::shape::word(node, &[$($word),+], problems)?;
                [$($value),+].get(at).copied()
            }

            #[cfg(not(target_family = "wasm"))]
            fn form() -> $crate::form::Form {
                $crate::form::Form::Words(vec![$($word),+])
            }
        }
    };
}
pub(super) use words;

/// Which of the words is here.
pub(super) fn word(node: Node<'_>, words: &[&str], problems: &mut Problems) -> Option<usize> {
    let said = node.is(problems, &list(words), |value| Some(value.text()?.decode().into_owned()))?;
    let at = words.iter().position(|word| *word == said);
    if at.is_none() {
        let nearest = names::nearest(&said, words.iter().copied());
        node.note(problems, &format!("unknown value `{said}`"), &list(words), nearest);
    }
    at
}

/// Either a word alone, or a map with one key and a string: what is here, by its position in `names`, and the string.
pub(super) fn choice(
    node: Node<'_>,
    names: &[&str],
    problems: &mut Problems,
) -> Option<(usize, Option<String>)> {
    if node.value.kind() == Kind::Object {
        let mut entries = node.value.entries();
        let (Some((key, value)), None) = (entries.next(), entries.next()) else {
            node.note(problems, "invalid value: map", "map with a single key", Vec::new());
            return None;
        };
        let key = plain(key);
        let Some(at) = names.iter().position(|name| *name == key) else {
            node.note(
                problems,
                &format!("unknown value `{key}`"),
                &list(names),
                names::nearest(&key, names.iter().copied()),
            );
            return None;
        };
        let value = String::read(Node { value, path: Path::Key(&node.path, &key) }, problems)?;
        return Some((at, Some(value)));
    }
    if node.value.kind() != Kind::String {
        return node.mistaken(problems, "string or map");
    }
    Some((word(node, names, problems)?, None))
}

impl Shape for String {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        node.is(problems, "a string", |value| Some(value.text()?.decode().into_owned()))
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        Form::Text
    }
}

impl Shape for bool {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        node.is(problems, "true or false", Value::bool)
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        Form::Flag
    }
}

/// The text of a number. Envoy's reader of YAML puts those that are not whole, and those beyond 32 bits, into a `Struct` as
/// strings.
fn digits(node: Node<'_>) -> Option<String> {
    match node.value.kind() {
        Kind::Number => String::from_utf8(node.value.raw().to_vec()).ok(),
        Kind::String => Some(plain(node.value)),
        _ => None,
    }
}

impl Shape for u64 {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let digits = digits(node);
        let number = digits.as_ref().and_then(|digits| digits.parse().ok());
        match digits.filter(|digits| number.is_none() && digits.parse::<i128>().is_ok()) {
            Some(digits) => {
                node.note(
                    problems,
                    &format!("invalid value: integer `{digits}`"),
                    "a whole number",
                    Vec::new(),
                );
                None
            }
            None => node.is(problems, "a whole number", |_| number),
        }
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        Form::Whole
    }
}

impl Shape for f64 {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let number =
            digits(node).and_then(|digits| digits.parse().ok()).filter(|number: &f64| number.is_finite());
        node.is(problems, "a number", |_| number)
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        Form::Number
    }
}

impl<T: Shape> Shape for Option<T> {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        T::read(node, problems).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        T::form()
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        node.is(problems, "a sequence", |value| (value.kind() == Kind::Array).then_some(()))?;
        let items = node.value.items().enumerate();
        let items: Vec<_> = items
            .map(|(at, value)| T::read(Node { value, path: Path::Item(&node.path, at) }, problems))
            .collect();
        items.into_iter().collect()
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        Form::List(Box::new(T::form()))
    }
}

/// Read by name, sorted: protobuf's maps have no order, so none may matter.
pub(super) struct Entries<T>(pub Vec<(String, T)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Shape> Shape for Entries<T> {
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        if !node.is_map("a map from names", problems) {
            return None;
        }
        let read = node
            .value
            .entries()
            .map(|(key, value)| T::read(Node { value, path: Path::Key(&node.path, &plain(key)) }, problems));
        let mut read: Vec<_> = read.collect();
        let mut entries = Vec::with_capacity(read.len());
        for (name, place) in places(node.value) {
            entries.push((name, read.get_mut(place)?.take()?));
        }
        Some(Self(entries))
    }

    #[cfg(not(target_family = "wasm"))]
    fn form() -> Form {
        Form::Names(Box::new(T::form()))
    }
}

/// Where in an object each name is, sorted by name. Names alone are sorted, and outside of what is generic, because a sort is code
/// for each type and each caller of its own: 60 KB for all maps of the document.
fn places(object: Value<'_>) -> BTreeMap<String, usize> {
    object.entries().enumerate().map(|(place, (key, _))| (plain(key), place)).collect()
}
