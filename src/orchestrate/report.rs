//! How calls were answered, as reports have it.

use super::Answer;
use crate::json;

/// How a call was answered.
pub(super) fn report_answer(out: &mut json::Object<'_>, answer: &Answer) {
    match &answer.said {
        Ok(said) => out.string("outcome", if said.misfits { "misfit" } else { "ok" }),
        Err(why) => out.string("outcome", why),
    }
    report_use(out, answer);
}

/// Who has answered, and what that has used.
pub(super) fn report_use(out: &mut json::Object<'_>, answer: &Answer) {
    if !answer.model.is_empty() {
        out.string("answered_by", &answer.model);
    }
    out.number("prompt_tokens", answer.usage.prompt);
    out.number("completion_tokens", answer.usage.completion);
    if let Some(cost) = answer.cost {
        out.number("cost_usd", cost);
    }
}

/// Thousandths as a decimal: `8.5`.
pub(super) fn decimal(thousandths: u32) -> String {
    let text = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
