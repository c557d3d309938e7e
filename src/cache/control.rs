//! What a client says about cached answers: `Cache-Control` of its request (RFC 9111, section 5.2.1).
//!
//! `max-stale` asks for what is never given, and `no-transform` for what is never done; they and what
//! is unknown have no effect. An argument that is no number of seconds is taken for 0: whoever says
//! how fresh an answer must be, and is not understood, gets none that could be too old.

/// The directives of a request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Control {
    /// `no-cache`: no answer from here, but a new one may be kept.
    pub no_cache: bool,
    /// `no-store`: nothing of this request and its answer is kept; nor is it answered from here.
    pub no_store: bool,
    /// `only-if-cached`: no provider is to be asked.
    pub only_if_cached: bool,
    /// `max-age`: how old an answer may be, in seconds.
    pub max_age: Option<u64>,
    /// `min-fresh`: for how many seconds an answer must be good yet.
    pub min_fresh: u64,
}

impl Control {
    /// Reads the values of all `cache-control` headers.
    #[must_use]
    pub fn read<'h>(values: impl IntoIterator<Item = &'h [u8]>) -> Self {
        let mut control = Self::default();
        for directive in values.into_iter().flat_map(|value| value.split(|byte| *byte == b',')) {
            let mut sides = directive.splitn(2, |byte| *byte == b'=');
            let name = sides.next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
            let argument = sides.next();
            match name.as_slice() {
                b"no-cache" => control.no_cache = true,
                b"no-store" => control.no_store = true,
                b"only-if-cached" => control.only_if_cached = true,
                b"max-age" => {
                    let age = seconds(argument).unwrap_or(0);
                    control.max_age = Some(control.max_age.map_or(age, |other| other.min(age)));
                }
                b"min-fresh" => {
                    control.min_fresh = control.min_fresh.max(seconds(argument).unwrap_or(u64::MAX));
                }
                _ => {}
            }
        }
        control
    }

    /// How old an answer may be that is good for `ttl` seconds. Ages are whole seconds that have passed, so one
    /// that is less than this is less in truth too.
    #[must_use]
    pub fn freshness(self, ttl: u64) -> u64 {
        self.max_age.unwrap_or(u64::MAX).min(ttl.saturating_sub(self.min_fresh))
    }
}

/// An argument, which may be quoted. More digits than a number holds are a very long time.
fn seconds(argument: Option<&[u8]>) -> Option<u64> {
    let argument = argument?.trim_ascii();
    let digits =
        argument.strip_prefix(b"\"").and_then(|quoted| quoted.strip_suffix(b"\"")).unwrap_or(argument);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_from_one_header_or_several() {
        let nothing = Control::default();
        for (values, expected) in [
            (vec![], nothing),
            (vec![""], nothing),
            (vec!["no-cache"], Control { no_cache: true, ..nothing }),
            (vec!["No-Store, no-cache"], Control { no_cache: true, no_store: true, ..nothing }),
            (
                vec!["only-if-cached", " max-age = 60 "],
                Control { only_if_cached: true, max_age: Some(60), ..nothing },
            ),
            (vec!["max-age=\"60\""], Control { max_age: Some(60), ..nothing }),
            (vec!["max-age=60, max-age=5"], Control { max_age: Some(5), ..nothing }),
            (vec!["max-age=5, max-age=60"], Control { max_age: Some(5), ..nothing }),
            (vec!["max-age"], Control { max_age: Some(0), ..nothing }),
            (vec!["max-age=-1"], Control { max_age: Some(0), ..nothing }),
            (vec!["max-age=1.5"], Control { max_age: Some(0), ..nothing }),
            (vec!["max-age=99999999999999999999"], Control { max_age: Some(u64::MAX), ..nothing }),
            (vec!["min-fresh=10"], Control { min_fresh: 10, ..nothing }),
            (vec!["min-fresh=soon"], Control { min_fresh: u64::MAX, ..nothing }),
            (vec!["max-stale=60, no-transform, stale-if-error=1, ,=,no-cachet"], nothing),
        ] {
            assert_eq!(Control::read(values.iter().map(|value| value.as_bytes())), expected, "{values:?}");
        }
        assert_eq!(Control::read([b"\xff, no-cache".as_slice()]), Control { no_cache: true, ..nothing });
    }

    #[test]
    fn an_answer_must_be_as_fresh_as_both_sides_say() {
        for (value, ttl, freshness) in [
            ("", 100, 100),
            ("max-age=60", 100, 60),
            ("max-age=600", 100, 100),
            ("max-age=0", 100, 0),
            ("min-fresh=30", 100, 70),
            ("min-fresh=30, max-age=50", 100, 50),
            ("min-fresh=101", 100, 0),
        ] {
            assert_eq!(Control::read([value.as_bytes()]).freshness(ttl), freshness, "{value}");
        }
    }
}
