//! Which provider a path means: `[/lane/<name>][/<vendor>]<the provider's real path>`.

use hyper::HeaderMap;

/// The three wire formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI chat completions, spoken by OpenAI and many others.
    OpenAi,
    /// Anthropic Messages.
    Anthropic,
    /// Gemini generateContent.
    Gemini,
}

/// What is asked of the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A completion; Gemini says model and streaming in the path.
    Chat {
        /// The model, where the path names it.
        model: Option<String>,
        /// How the path wants the answer.
        form: Form,
    },
    /// Embeddings; Gemini says the model in the path.
    Embeddings {
        /// The model, where the path names it.
        model: Option<String>,
    },
    /// The list of models.
    Models,
    /// Nothing the provider knows.
    Unknown,
}

/// How a path wants the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As the body says, or in one piece.
    Whole,
    /// Server-sent events.
    Events,
    /// A JSON array that grows (Gemini without `alt=sse`).
    Array,
}

/// A path, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The lane: tests that share the server keep apart by it.
    pub lane: String,
    /// The provider as scripts and records name it: `openai`, `anthropic`, `gemini` or a vendor that speaks OpenAI's form.
    pub provider: &'static str,
    /// The wire format.
    pub dialect: Dialect,
    /// What is asked.
    pub target: Target,
}

/// Vendors that speak OpenAI's form and are named by the first segment of the path.
const VENDORS: [&str; 16] = [
    "azure",
    "cerebras",
    "compatible",
    "deepseek",
    "fireworks",
    "groq",
    "mistral",
    "moonshot",
    "ollama",
    "openrouter",
    "perplexity",
    "qwen",
    "sambanova",
    "together",
    "vllm",
    "xai",
];

impl Route {
    /// Understands a path and its query.
    pub fn of(path: &str, query: Option<&str>) -> Route {
        let (lane, path) = lane_of(path);
        let vendor = path.split('/').nth(1).and_then(|s| VENDORS.into_iter().find(|v| *v == s));
        let vendor = vendor.or_else(|| path.starts_with("/openai/deployments/").then_some("azure"));
        let route = |provider, dialect, target| Route { lane: lane.clone(), provider, dialect, target };
        let chat = |form| Target::Chat { model: None, form };
        if path.ends_with("/chat/completions") {
            return route(vendor.unwrap_or("openai"), Dialect::OpenAi, chat(Form::Whole));
        }
        if path.ends_with("/embeddings") {
            return route(vendor.unwrap_or("openai"), Dialect::OpenAi, Target::Embeddings { model: None });
        }
        if path.ends_with("/v1/messages") {
            return route("anthropic", Dialect::Anthropic, chat(Form::Whole));
        }
        if let Some((model, method)) = gemini_method(path) {
            let form = match (method, query.is_some_and(|q| q.split('&').any(|p| p == "alt=sse"))) {
                ("generateContent", _) => Form::Whole,
                ("streamGenerateContent", true) => Form::Events,
                ("streamGenerateContent", false) => Form::Array,
                ("batchEmbedContents", _) => {
                    return route("gemini", Dialect::Gemini, Target::Embeddings { model: Some(model) });
                }
                _ => return route("gemini", Dialect::Gemini, Target::Unknown),
            };
            return route("gemini", Dialect::Gemini, Target::Chat { model: Some(model), form });
        }
        let (provider, dialect) = match path {
            _ if vendor.is_some() => (vendor.unwrap_or_default(), Dialect::OpenAi),
            p if p.contains("/v1beta/") => ("gemini", Dialect::Gemini),
            p if p.contains("/anthropic/") => ("anthropic", Dialect::Anthropic),
            _ => ("openai", Dialect::OpenAi),
        };
        let target = if path.ends_with("/models") { Target::Models } else { Target::Unknown };
        route(provider, dialect, target)
    }

    /// The list of models has the same path everywhere: the headers tell whose is meant.
    pub fn told_by(mut self, headers: &HeaderMap) -> Route {
        if self.target == Target::Models && self.provider == "openai" {
            (self.provider, self.dialect) = match () {
                () if headers.contains_key("anthropic-version") => ("anthropic", Dialect::Anthropic),
                () if headers.contains_key("x-goog-api-key") => ("gemini", Dialect::Gemini),
                () => (self.provider, self.dialect),
            };
        }
        self
    }
}

fn lane_of(path: &str) -> (String, &str) {
    let Some(rest) = path.strip_prefix("/lane/") else { return (String::new(), path) };
    let end = rest.find('/').unwrap_or(rest.len());
    (unescape(&rest[..end]), &rest[end..])
}

fn gemini_method(path: &str) -> Option<(String, &str)> {
    let start = path.rfind("/models/")? + "/models/".len();
    let (model, method) = path[start..].rsplit_once(':')?;
    Some((unescape(model), method))
}

/// Percent-decoding; what is not an escape stays as it is.
pub fn unescape(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped =
            (first == b'%').then(|| tail.get(..2).and_then(|h| std::str::from_utf8(h).ok())).flatten();
        match escaped.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) => (out.push(byte), rest = &tail[2..]),
            None => (out.push(first), rest = tail),
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_lane_provider_and_what_is_asked() {
        let chat = |form| Target::Chat { model: None, form };
        let gemini = |model: &str, form| Target::Chat { model: Some(model.into()), form };
        let cases = [
            ("/v1/chat/completions", None, "", "openai", chat(Form::Whole)),
            ("/openai/v1/chat/completions", None, "", "openai", chat(Form::Whole)),
            ("/lane/a%20b/v1/chat/completions", None, "a b", "openai", chat(Form::Whole)),
            ("/lane/x/deepseek/chat/completions", None, "x", "deepseek", chat(Form::Whole)),
            ("/openai/deployments/d/chat/completions", None, "", "azure", chat(Form::Whole)),
            ("/lane/x/v1/messages", Some("beta=true"), "x", "anthropic", chat(Form::Whole)),
            ("/v1beta/models/g-2:generateContent", None, "", "gemini", gemini("g-2", Form::Whole)),
            (
                "/v1beta/models/g:streamGenerateContent",
                Some("alt=sse"),
                "",
                "gemini",
                gemini("g", Form::Events),
            ),
            ("/v1beta/models/g:streamGenerateContent", None, "", "gemini", gemini("g", Form::Array)),
            (
                "/models/g%2Bheader%3Da:b:generateContent",
                None,
                "",
                "gemini",
                gemini("g+header=a:b", Form::Whole),
            ),
            ("/v1beta/models/g:countTokens", None, "", "gemini", Target::Unknown),
            (
                "/lane/x/qwen/compatible-mode/v1/embeddings",
                None,
                "x",
                "qwen",
                Target::Embeddings { model: None },
            ),
            (
                "/v1beta/models/g:batchEmbedContents",
                None,
                "",
                "gemini",
                Target::Embeddings { model: Some("g".into()) },
            ),
            ("/v1/models", None, "", "openai", Target::Models),
            ("/v1beta/models", None, "", "gemini", Target::Models),
            ("/lane/x", None, "x", "openai", Target::Unknown),
        ];
        for (path, query, lane, provider, target) in cases {
            let route = Route::of(path, query);
            assert_eq!(
                (route.lane.as_str(), route.provider, route.target),
                (lane, provider, target),
                "{path}"
            );
        }
    }
}
