//! Tokens used, wherever and however a vendor says it.

use crate::chat::Usage;
use crate::json::Value;

/// The usage that an answer or chunk tells of, if it does: at the top, in Groq's `x_groq`, or in a
/// choice (Moonshot).
pub(super) fn find(body: Value<'_>) -> Option<Usage> {
    let top = body.get("usage").and_then(read);
    let groq = || read(body.get("x_groq")?.get("usage")?);
    let choices = || body.get("choices")?.items().find_map(|choice| read(choice.get("usage")?));
    top.or_else(groq).or_else(choices)
}

fn read(usage: Value<'_>) -> Option<Usage> {
    let count = |keys: &[&str]| keys.iter().find_map(|key| usage.get(key)?.u64());
    let detail =
        |groups: &[&str], key: &str| groups.iter().find_map(|group| usage.get(group)?.get(key)?.u64());
    let of_prompt = |key: &str| detail(&["prompt_tokens_details", "input_tokens_details"], key);
    let of_completion = |key: &str| detail(&["completion_tokens_details", "output_tokens_details"], key);
    let prompt = count(&["prompt_tokens", "input_tokens"]).unwrap_or(0);
    let mut completion = count(&["completion_tokens", "output_tokens"]).unwrap_or(0);
    let mut reasoning = of_completion("reasoning_tokens").or_else(|| count(&["reasoning_tokens"]));
    let total = count(&["total_tokens"]).unwrap_or(0);
    // xAI and Gemini's OpenAI endpoint leave reasoning out of the completion, but not of the total.
    let unsaid = total.saturating_sub(prompt.saturating_add(completion));
    if unsaid > 0 {
        reasoning = reasoning.or(Some(unsaid));
        completion = completion.saturating_add(unsaid);
    }
    let sum = prompt.saturating_add(completion);
    let cached = of_prompt("cached_tokens").or_else(|| {
        count(&["prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens", "cache_read_input_tokens"])
    });
    let cache_write = of_prompt("cache_write_tokens").or_else(|| count(&["cache_creation_input_tokens"]));
    (sum > 0).then(|| Usage {
        prompt,
        completion,
        total: Some(sum),
        cached: cached.map(|cached| cached.min(prompt)),
        cache_write: cache_write.map(|written| written.min(prompt)),
        prompt_audio: of_prompt("audio_tokens"),
        reasoning: reasoning.map(|reasoning| reasoning.min(completion)),
        completion_audio: of_completion("audio_tokens"),
        prediction: of_completion("accepted_prediction_tokens")
            .zip(of_completion("rejected_prediction_tokens")),
    })
}
