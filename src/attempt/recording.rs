//! An answer taken down as it goes out, in whichever form it does.

use crate::cache::Recorder;
use crate::sse::Splitter;

/// An answer that is taken down.
#[derive(Debug)]
pub struct Recording {
    recorder: Recorder,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// One JSON text, which goes out as a whole.
    Whole,
    Stream(Splitter),
    /// It has gone out, or is too long to be kept.
    Over,
}

impl Recording {
    /// Takes an answer of at most `most` bytes down.
    #[must_use]
    pub fn new(recorder: Recorder, stream: bool, most: usize) -> Self {
        let form = if stream { Form::Stream(Splitter::new(most)) } else { Form::Whole };
        Self { recorder, form }
    }

    /// Takes what goes out.
    pub fn take(&mut self, shown: &[u8]) {
        let Self { recorder, form } = self;
        match form {
            _ if shown.is_empty() => {}
            Form::Over => {}
            Form::Whole => {
                recorder.answer(shown);
                self.form = Form::Over;
            }
            Form::Stream(splitter) => {
                let each = |frame: crate::sse::Frame<'_>| {
                    if let Some(data) = &frame.data {
                        recorder.chunk(data);
                    }
                };
                if splitter.push(shown, each).is_err() || recorder.is_over() {
                    self.form = Form::Over;
                }
            }
        }
    }

    /// Whether nothing more is taken down: the answer is complete, or will not be kept.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.form, Form::Over)
    }

    /// What has taken it down.
    #[must_use]
    pub fn into_recorder(self) -> Recorder {
        self.recorder
    }
}
