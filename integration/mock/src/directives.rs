//! Commands to misbehave: `model+key=value+key` in the request's model name, or JSON objects queued for a lane.
//! Both forms are pairs of words, understood in one place.
use serde_json::Value;

use crate::failure::Kind;
use crate::route::unescape;

/// The body of a commanded error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorBody {
    /// The provider's own error form for this kind.
    Vendor(Kind),
    /// A proxy's HTML page.
    Html,
    /// Nothing.
    Empty,
}

/// What one answer shall do. Times are milliseconds, sizes bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Answer with this status, and an error body if it is not a success.
    pub status: Option<u16>,
    /// The kind of error.
    pub error: Option<ErrorBody>,
    /// Response headers to set; an empty value removes one.
    pub headers: Vec<(String, String)>,
    /// Trailers to send after a chunked body.
    pub trailers: Vec<(String, String)>,
    /// Wait before the response headers.
    pub delay_headers: u64,
    /// Wait before them until the lane is released.
    pub hold: bool,
    /// Send the headers, wait before the first event (or the body).
    pub delay_first: u64,
    /// Wait before the first event that has content.
    pub delay_content: u64,
    /// Wait between content events.
    pub delay_chunk: u64,
    /// Wait before the last event (or the body's end).
    pub delay_end: u64,
    /// Say filler in this many content events.
    pub chunks: Option<usize>,
    /// Tokens per content event.
    pub size: Option<usize>,
    /// Say filler of this many bytes.
    pub big: Option<usize>,
    /// Close the connection after this many body bytes, without the body's end.
    pub cut: Option<u64>,
    /// End the body cleanly after this many bytes.
    pub end: Option<u64>,
    /// Reset the connection: at once, or where `cut` cuts.
    pub reset: bool,
    /// An error event after this many content events.
    pub error_after: Option<usize>,
    /// A 200 whose body is not what the content type says.
    pub garbage: bool,
    /// This body.
    pub raw: Option<String>,
    /// This recording.
    pub replay: Option<String>,
    /// Write the body in pieces of this many bytes, each flushed.
    pub split: Option<usize>,
    /// Wait between such pieces.
    pub gap: u64,
    /// Leave out the stream's end mark.
    pub no_done: bool,
    /// The provider's reason to finish, as is.
    pub finish: Option<String>,
    /// Think aloud although not asked.
    pub reasoning: bool,
    /// Say this.
    pub text: Option<String>,
    /// Refuse with this text.
    pub refusal: Option<String>,
    /// This many prompt tokens came from the cache.
    pub cached: Option<u64>,
    /// Report no usage.
    pub no_usage: bool,
    /// Do not check the request.
    pub lax: bool,
}

impl Directives {
    /// Splits `model+key=value+key` and understands the directives. The error says which is not one.
    pub fn of_model(model: &str) -> (&str, Result<Directives, String>) {
        let Some((model, rest)) = model.split_once('+') else { return (model, Ok(Directives::default())) };
        let mut directives = Directives::default();
        for pair in rest.split('+').filter(|p| !p.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, "true"));
            if let Err(why) = directives.set(key, &unescape(value)) {
                return (model, Err(why));
            }
        }
        (model, Ok(directives))
    }

    /// Adds the pairs of a JSON object to these; the object's win.
    pub fn extend(&mut self, object: &Value) -> Result<(), String> {
        let pairs = object.as_object().ok_or("a directive is an object")?;
        for (key, value) in pairs {
            match (key.as_str(), value) {
                ("headers", Value::Object(headers)) => {
                    for (name, value) in headers {
                        self.headers.push((name.clone(), words(value)));
                    }
                }
                (_, Value::Null | Value::Bool(false)) => {}
                _ => self.set(key, &words(value))?,
            }
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let wrong = || format!("mock: directive {key} cannot be {value:?}");
        let number = || value.parse::<u64>().map_err(|_| wrong());
        let size = || value.parse::<usize>().map_err(|_| wrong());
        let header =
            || value.split_once(':').ok_or_else(wrong).map(|(n, v)| (n.trim().into(), v.trim().into()));
        match key {
            "status" => {
                self.status = Some(value.parse().ok().filter(|s| (200..1000).contains(s)).ok_or_else(wrong)?)
            }
            "error" => {
                self.error = Some(match value {
                    "html" => ErrorBody::Html,
                    "empty" => ErrorBody::Empty,
                    name => ErrorBody::Vendor(Kind::named(name).ok_or_else(wrong)?),
                });
            }
            "retry_after" => self.headers.push(("retry-after".into(), value.into())),
            "content_type" => self.headers.push(("content-type".into(), value.into())),
            "header" => self.headers.push(header()?),
            "trailer" => self.trailers.push(header()?),
            "delay_headers" => self.delay_headers = number()?,
            "hold" => self.hold = true,
            "delay_first" => self.delay_first = number()?,
            "delay_content" => self.delay_content = number()?,
            "delay_chunk" => self.delay_chunk = number()?,
            "delay_end" => self.delay_end = number()?,
            "chunks" => self.chunks = Some(size()?.clamp(1, 1_000_000)),
            "size" => self.size = Some(size()?.clamp(1, 1_000_000)),
            "big" => self.big = Some(size()?.min(256 << 20)),
            "cut" => self.cut = Some(number()?),
            "end" => self.end = Some(number()?),
            "reset" => self.reset = true,
            "error_after" => self.error_after = Some(size()?),
            "garbage" => self.garbage = true,
            "raw" => self.raw = Some(value.into()),
            "replay" => self.replay = Some(value.into()),
            "split" => self.split = Some(size()?.max(1)),
            "gap" => self.gap = number()?,
            "no_done" => self.no_done = true,
            "finish" => self.finish = Some(value.into()),
            "reasoning" => self.reasoning = true,
            "text" => self.text = Some(value.into()),
            "refusal" => self.refusal = Some(value.into()),
            "cached" => self.cached = Some(number()?),
            "no_usage" => self.no_usage = true,
            "lax" => self.lax = true,
            _ => return Err(format!("mock: no such directive: {key}")),
        }
        Ok(())
    }

    /// The status and error body commanded, if any.
    pub fn failure(&self) -> Option<(Option<u16>, ErrorBody)> {
        match (self.status, self.error) {
            (status, Some(body)) => Some((status, body)),
            (Some(status), None) if status >= 300 => {
                Some((Some(status), ErrorBody::Vendor(Kind::of_status(status))))
            }
            _ => None,
        }
    }
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_model_name_carries_directives_after_plus_signs() {
        let (model, directives) =
            Directives::of_model("claude-x+delay_first=2000+cut=120+text=a%2Bb%20c+no_done");
        let directives = directives.unwrap();
        assert_eq!(model, "claude-x");
        assert_eq!((directives.delay_first, directives.cut, directives.no_done), (2000, Some(120), true));
        assert_eq!(directives.text.as_deref(), Some("a+b c"));
    }

    #[test]
    fn a_model_name_without_plus_is_itself() {
        assert_eq!(Directives::of_model("gpt-5"), ("gpt-5", Ok(Directives::default())));
    }

    #[test]
    fn what_is_not_a_directive_is_said() {
        for (model, word) in
            [("m+sttaus=503", "sttaus"), ("m+status=abc", "status"), ("m+error=odd", "error")]
        {
            let why = Directives::of_model(model).1.unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn queued_objects_mean_the_same_as_pairs_in_the_model() {
        let mut queued = Directives::default();
        queued
            .extend(&json!({"status": 503, "retry_after": "7", "headers": {"x-a": "b"}, "garbage": false}))
            .unwrap();
        let (_, named) = Directives::of_model("m+status=503+retry_after=7+header=x-a:b");
        assert_eq!(queued, named.unwrap());
    }

    #[test]
    fn a_bad_status_is_a_failure_and_a_good_one_is_not() {
        let of = |model| Directives::of_model(model).1.unwrap().failure();
        assert_eq!(of("m+status=429"), Some((Some(429), ErrorBody::Vendor(Kind::RateLimit))));
        assert_eq!(of("m+error=overloaded"), Some((None, ErrorBody::Vendor(Kind::Overloaded))));
        assert_eq!(of("m+status=201"), None);
    }
}
