//! What can be told of a request without understanding it: how long it is, in which script and language, what comes with it.
//!
//! Of a conversation the last turn of the user's counts; what it was told to be (the system prompt) and what was asked before are
//! kept as weaker evidence. Of each only a window is looked at, and of the messages only so many.

use super::window::{self, Window};
use crate::chat::{Content, Message, Part, Request, ResponseFormat, Role};
use crate::json::Text;

/// So many of the last messages are looked at for the user's, and so many of the first for the system prompt.
const MESSAGES: usize = 64;
const FIRST: usize = 4;
/// So many parts of a message.
const PARTS: usize = 64;
/// So many bytes of the system prompt, and of the turn before.
const CONTEXT: usize = 512;
/// So many bytes at either end of the last turn are looked at for fences of code.
const FENCES: usize = 2048;
/// So many bytes of either end tell script and language.
const SAMPLE: usize = 256;

/// What can be told of a request.
#[derive(Clone, Debug)]
pub struct Features<'r> {
    /// Bytes of the user's last turn, as they stand in the request.
    pub bytes: usize,
    /// Tokens of the whole request, as they were estimated.
    pub tokens: u64,
    /// What most of it is written in.
    pub script: Script,
    /// The language, as far as that is cheap to tell.
    pub language: Language,
    /// Fences of code in the last turn, opening and closing ones.
    pub code_fences: usize,
    /// Images in the last turn.
    pub images: usize,
    /// Tools that are offered.
    pub tools: usize,
    /// Whether the answer has to be JSON, of a schema or any.
    pub format: Format,
    /// Messages of the conversation.
    pub messages: usize,
    /// The user's last turn.
    pub(super) last: Window<'r>,
    /// The user's turn before.
    pub(super) before: Window<'r>,
    /// What the model is told to be.
    pub(super) system: Window<'r>,
}

/// What a text is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "Unicode's scripts")]
pub enum Script {
    #[default]
    Latin,
    Han,
    Kana,
    Hangul,
    Cyrillic,
    Greek,
    Arabic,
    Hebrew,
    Devanagari,
    Thai,
    /// Another one.
    Other,
}

/// Which language a text is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "languages")]
pub enum Language {
    English,
    Chinese,
    Japanese,
    Korean,
    Russian,
    /// Another one that is written in Latin letters.
    OtherLatin,
    /// Another one.
    Other,
}

impl Language {
    /// Its code (ISO 639-1), of those that the configuration can name.
    #[must_use]
    pub const fn code(self) -> Option<&'static str> {
        match self {
            Self::English => Some("en"),
            Self::Chinese => Some("zh"),
            Self::Japanese => Some("ja"),
            Self::Korean => Some("ko"),
            Self::Russian => Some("ru"),
            Self::OtherLatin | Self::Other => None,
        }
    }
}

/// In what form the answer has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Any text.
    Text,
    /// A JSON object.
    Json,
    /// JSON of a schema.
    Schema,
}

/// Looks at a request; `tokens` is how many it is estimated to have.
#[must_use]
pub fn features<'r>(request: &'r Request<'_>, tokens: u64) -> Features<'r> {
    let mut users = request.messages.iter().rev().take(MESSAGES).filter(|message| message.role == Role::User);
    let (last, before) = (users.next(), users.next());
    let is_system = |message: &&Message<'_>| matches!(message.role, Role::System | Role::Developer);
    let system = request.messages.iter().take(FIRST).find(is_system);
    let window = |message: Option<&'r Message<'_>>| {
        message.map(|message| Window::of_content(&message.content)).unwrap_or_default()
    };
    let last_window = window(last);
    let (script, language) = written(last_window);
    Features {
        bytes: last.map_or(0, |message| texts(&message.content).map(<[u8]>::len).sum()),
        tokens,
        script,
        language,
        code_fences: last.map_or(0, |message| texts(&message.content).take(2).map(fences).sum()),
        images: last.map_or(0, images),
        tools: request.tools.len(),
        format: match request.response_format {
            ResponseFormat::Text => Format::Text,
            ResponseFormat::JsonObject => Format::Json,
            ResponseFormat::JsonSchema { .. } => Format::Schema,
        },
        messages: request.messages.len(),
        last: last_window,
        before: window(before).cut(CONTEXT),
        system: window(system).cut(CONTEXT),
    }
}

/// What a message says in words, as it stands in the request.
fn texts<'r>(content: &'r Content<'_>) -> impl Iterator<Item = &'r [u8]> {
    let (text, parts) = match content {
        Content::None => (None, &[][..]),
        Content::Text(text) => (Some(text.as_bytes()), &[][..]),
        Content::Parts(parts) => (None, parts.as_slice()),
    };
    let parts = parts.iter().take(PARTS).filter_map(|(part, _)| match part {
        Part::Text(text) => Some(Text::as_bytes(text)),
        _ => None,
    });
    text.into_iter().chain(parts)
}

fn images(message: &Message<'_>) -> usize {
    let Content::Parts(parts) = &message.content else { return 0 };
    parts.iter().take(PARTS).filter(|(part, _)| matches!(part, Part::Image { .. })).count()
}

fn fences(text: &[u8]) -> usize {
    let head = text.get(..FENCES).unwrap_or(text);
    let tail = text.get(head.len()..).unwrap_or_default();
    let tail = tail.len().checked_sub(FENCES).and_then(|at| tail.get(at..)).unwrap_or(tail);
    let count = |part: &[u8]| {
        let (mut count, mut next, mut run) = (0_usize, usize::MAX, 0_u32);
        for at in memchr::memchr_iter(b'`', part) {
            run = if at == next { run.saturating_add(1) } else { 1 };
            next = at.saturating_add(1);
            count = count.saturating_add(usize::from(run == 3));
        }
        count
    };
    count(head).saturating_add(count(tail))
}

/// What a window is written in.
fn written(window: Window<'_>) -> (Script, Language) {
    let mut seen = Seen::default();
    for part in [window.head, window.end] {
        window::characters(part.get(..SAMPLE).unwrap_or(part), |character| seen.see(character));
        seen.see(' ');
    }
    seen.judge()
}

/// So many letters of each script, and so many small words of languages.
#[derive(Default)]
struct Seen {
    scripts: [u32; 11],
    english: u32,
    other: u32,
    accented: u32,
    word: [u8; 8],
    length: usize,
}

impl Seen {
    fn see(&mut self, character: char) {
        if character.is_ascii_alphabetic() {
            self.count(Script::Latin, 1);
            if let Some(free) = self.word.get_mut(self.length) {
                *free = character.to_ascii_lowercase() as u8;
            }
            self.length = self.length.saturating_add(1);
            return;
        }
        match self.word.get(..std::mem::take(&mut self.length)) {
            Some(word) if is_english(word) => self.english = self.english.saturating_add(1),
            Some(word) if is_other_latin(word) => self.other = self.other.saturating_add(1),
            _ => {}
        }
        match u32::from(character) {
            0xC0..=0x24F | 0x1E00..=0x1EFF if !matches!(character, '×' | '÷') => {
                self.accented = self.accented.saturating_add(1);
                self.count(Script::Latin, 1);
            }
            // A character of these is about as much as a word of letters.
            0x3400..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF => self.count(Script::Han, 3),
            0x3040..=0x30FF => self.count(Script::Kana, 3),
            0xAC00..=0xD7AF | 0x1100..=0x11FF => self.count(Script::Hangul, 3),
            0x400..=0x52F => self.count(Script::Cyrillic, 1),
            0x370..=0x3FF => self.count(Script::Greek, 1),
            0x600..=0x6FF | 0x750..=0x77F => self.count(Script::Arabic, 1),
            0x590..=0x5FF => self.count(Script::Hebrew, 1),
            0x900..=0x97F => self.count(Script::Devanagari, 1),
            0xE00..=0xE7F => self.count(Script::Thai, 1),
            _ if character.is_alphabetic() && !character.is_ascii() => self.count(Script::Other, 1),
            _ => {}
        }
    }

    fn count(&mut self, script: Script, by: u32) {
        if let Some(count) = self.scripts.get_mut(script as usize) {
            *count = count.saturating_add(by);
        }
    }

    fn judge(&self) -> (Script, Language) {
        let of = |script: Script| self.scripts.get(script as usize).copied().unwrap_or_default();
        const ALL: [Script; 11] = [
            Script::Latin,
            Script::Han,
            Script::Kana,
            Script::Hangul,
            Script::Cyrillic,
            Script::Greek,
            Script::Arabic,
            Script::Hebrew,
            Script::Devanagari,
            Script::Thai,
            Script::Other,
        ];
        let most = ALL.into_iter().rev().max_by_key(|script| of(*script)).unwrap_or_default();
        let language = match most {
            Script::Han | Script::Kana if of(Script::Kana).saturating_mul(16) > of(Script::Han) => {
                Language::Japanese
            }
            Script::Han => Language::Chinese,
            Script::Hangul => Language::Korean,
            Script::Cyrillic => Language::Russian,
            Script::Latin if self.other.saturating_add(self.accented / 2) > self.english => {
                Language::OtherLatin
            }
            Script::Latin => Language::English,
            _ => Language::Other,
        };
        (most, language)
    }
}

/// Words without which English is hardly written, and which are none of its neighbours'.
fn is_english(word: &[u8]) -> bool {
    matches!(
        word,
        b"the"
            | b"of"
            | b"to"
            | b"and"
            | b"is"
            | b"this"
            | b"that"
            | b"for"
            | b"you"
            | b"it"
            | b"what"
            | b"how"
            | b"my"
            | b"with"
            | b"are"
            | b"from"
            | b"write"
            | b"please"
            | b"can"
            | b"why"
            | b"which"
            | b"your"
            | b"into"
            | b"give"
            | b"make"
            | b"if"
    )
}

/// Words of French, Spanish, German, Italian, Portuguese and Dutch that are none of English.
fn is_other_latin(word: &[u8]) -> bool {
    matches!(
        word,
        b"le"
            | b"la"
            | b"les"
            | b"des"
            | b"une"
            | b"est"
            | b"et"
            | b"pour"
            | b"que"
            | b"qui"
            | b"dans"
            | b"je"
            | b"vous"
            | b"el"
            | b"los"
            | b"las"
            | b"una"
            | b"en"
            | b"y"
            | b"con"
            | b"por"
            | b"para"
            | b"der"
            | b"und"
            | b"ist"
            | b"ein"
            | b"eine"
            | b"das"
            | b"ich"
            | b"nicht"
            | b"mit"
            | b"den"
            | b"wie"
            | b"il"
            | b"di"
            | b"che"
            | b"per"
            | b"un"
            | b"sono"
            | b"de"
            | b"da"
            | b"um"
            | b"uma"
            | b"os"
            | b"het"
            | b"een"
            | b"van"
            | b"se"
            | b"mi"
            | b"du"
            | b"sie"
    )
}
