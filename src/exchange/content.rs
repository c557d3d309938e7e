//! Content rules at what is asked: what keeps a request from being sent, or from some models, and what is taken out of it.

use super::needs::Asked;
use super::{Asking, Forward, Reply, Step, not_json};
use crate::chat::{Content, Message, Part};
use crate::config::{Action, Config, ContentRule};
use crate::embeddings::{self, Input};
use crate::error::ApiError;
use crate::json::{self, Document, Edit, Surrogates, Value, splice};
use crate::route::Candidates;
use crate::rules::{Fired, Said, Screen, names};
use std::rc::Rc;

/// Where the rules that have found something are told.
pub const CONTENT_RULES: &str = "x-modelgate-content-rules";

/// What rules have made of a request.
#[derive(Debug, Default)]
pub(super) struct Screening {
    /// The rules that keep it from those models which they are for.
    barring: Vec<Rc<ContentRule>>,
    /// The names of the rules that have found something.
    pub fired: String,
    /// The body without what they take out, where they do.
    pub body: Option<Vec<u8>>,
}

impl Screening {
    /// Leaves those candidates out that rules keep it from.
    pub fn bar(&self, candidates: &mut Candidates) {
        candidates
            .targets
            .retain(|target| !self.barring.iter().any(|rule| rule.concerns_model(&target.model)));
    }

    /// How the request is forwarded without what was taken out of it, or what is done instead, by `forward`; with what rules have found.
    pub fn forward(
        &self,
        forward: impl FnOnce(&[u8], Value<'_>, &Self) -> Result<Forward, Box<Step>>,
    ) -> Result<Forward, Box<Step>> {
        let redacted = self.body.as_deref().unwrap_or_default();
        let document = Document::parse(redacted, Surrogates::Paired).map_err(not_json)?;
        match forward(redacted, document.root(), self) {
            Ok(mut forwarded) => {
                let body = || self.body.clone().unwrap_or_default();
                forwarded.body.get_or_insert_with(body);
                forwarded.redacted = Some(body()).filter(|_| forwarded.truncated.is_none());
                forwarded.plan.fired.clone_from(&self.fired);
                Ok(forwarded)
            }
            Err(mut step) => {
                if let Step::Reply(reply) = &mut *step {
                    reply.headers.push((CONTENT_RULES, self.fired.clone()));
                }
                Err(step)
            }
        }
    }
}

/// What looking at a request has come to.
pub(super) enum Seen {
    /// It goes on as it is; the names of the rules that have found something.
    Passed(String),
    /// Something is taken out of it.
    Changed(Screening),
}

/// Looks at a request as [`screen`] does, unless that has been done: `screened` is what has come of it then.
///
/// # Errors
/// As there.
pub(super) fn look_over(
    asked: Asked<'_>,
    body: &[u8],
    screened: Option<&Screening>,
    candidates: &mut Candidates,
    asking: Asking<'_>,
    config: &Config,
) -> Result<Seen, Box<Step>> {
    if let Some(screening) = screened {
        screening.bar(candidates);
        return Ok(Seen::Passed(String::new()));
    }
    let screening = screen(asked, body, candidates, asking, config)?;
    Ok(match screening.body {
        Some(_) => Seen::Changed(screening),
        None => Seen::Passed(screening.fired),
    })
}

/// Looks at a request, whose text is `body`, and leaves those candidates out that rules keep it from.
///
/// # Errors
/// 400 `content_policy_violation` if they keep it from all.
pub(super) fn screen(
    asked: Asked<'_>,
    body: &[u8],
    candidates: &mut Candidates,
    asking: Asking<'_>,
    config: &Config,
) -> Result<Screening, Box<Step>> {
    let mut screening = Screening::default();
    let concern = |rule: &&Rc<ContentRule>| rule.is_for_input() && concerns(rule, candidates, asking);
    let mut rules: Vec<_> = config.content_rules().iter().filter(concern).cloned().collect();
    if rules.is_empty() {
        return Ok(screening);
    }
    // What some models must not be asked others may; what is not to be sent to anybody is told at once.
    let some: Vec<_> =
        rules.extract_if(.., |rule| rule.action == Action::Deny && rule.is_for_some_models()).collect();
    for rule in some {
        if candidates.targets.iter().any(|target| rule.concerns_model(&target.model))
            && let Some(only) = Screen::of(vec![Rc::clone(&rule)])
            && let Err((Fired(name), place)) = look(asked, &only)
        {
            screening.barring.push(rule);
            screening.bar(candidates);
            if candidates.targets.is_empty() {
                return Err(denied(&name, place));
            }
        }
    }
    rules.retain(|rule| candidates.targets.iter().any(|target| rule.concerns_model(&target.model)));
    let fired = |screen: &Screen| names(screening.barring.iter().chain(screen.fired()));
    let Some(all) = Screen::of(rules) else {
        screening.fired = names(screening.barring.iter());
        return Ok(screening);
    };
    match look(asked, &all) {
        Err((Fired(name), place)) => Err(denied(&name, place)),
        Ok(edits) => {
            screening.fired = fired(&all);
            screening.body = (!edits.is_empty()).then(|| splice(body, edits));
            Ok(screening)
        }
    }
}

/// The names of the rules that look at what is answered to this consumer.
pub(super) fn for_output(
    candidates: &Candidates,
    asking: Asking<'_>,
    config: &Config,
) -> Vec<Rc<ContentRule>> {
    let concern = |rule: &&Rc<ContentRule>| rule.is_for_output() && concerns(rule, candidates, asking);
    config.content_rules().iter().filter(concern).cloned().collect()
}

/// Whether a rule concerns what is asked: of a route, or on behalf of what was asked of one.
fn concerns(rule: &ContentRule, candidates: &Candidates, asking: Asking<'_>) -> bool {
    let routes = [candidates.route.as_ref().map(|route| &route.name), asking.told.route.as_ref()];
    routes.iter().any(|route| rule.concerns(asking.consumer, *route))
}

/// What tells the rules that look at an answer from others: what was kept of answers is for those under the same rules.
pub(super) fn fingerprint(candidates: &Candidates, asking: Asking<'_>, config: &Config) -> u64 {
    let mut print = 0_u64;
    for rule in for_output(candidates, asking, config) {
        let concerned = candidates.targets.iter().map(|target| u64::from(rule.concerns_model(&target.model)));
        for part in [rule.mark].into_iter().chain(concerned) {
            print = (print ^ part).rotate_left(5).wrapping_mul(0x0100_0000_01b3);
        }
    }
    print
}

fn denied(rule: &str, place: String) -> Box<Step> {
    let message = format!("`{place}`: the content rule '{rule}' does not let this be asked");
    let error = ApiError::invalid_param(place, message).coded("content_policy_violation");
    let reply = Reply::from(error);
    Reply { headers: [reply.headers, vec![(CONTENT_RULES, rule.to_owned())]].concat(), ..reply }.into()
}

/// What changes in a request, or by which rule it is denied and where.
type Looked<T> = Result<T, (Fired, String)>;

/// Looks at every text of a request.
fn look(asked: Asked<'_>, screen: &Rc<Screen>) -> Looked<Vec<Edit>> {
    let mut edits = Vec::new();
    match asked {
        Asked::Chat(request) => {
            for (at, message) in request.messages.iter().enumerate() {
                let in_message = |fired| (fired, format!("messages[{at}]"));
                look_at(message, screen, &mut edits).map_err(in_message)?;
            }
        }
        Asked::Embeddings(embeddings::Request { input: Input::Texts(_), value, .. }) => {
            let input = value.get("input");
            let itself = input.filter(|input| input.text().is_some());
            let texts = input.into_iter().flat_map(Value::items).chain(itself);
            for text in texts {
                look_into(Some(text), Said::text(screen), &mut edits)
                    .map_err(|fired| (fired, "input".to_owned()))?;
            }
        }
        // Of tokens only their model knows what they stand for.
        Asked::Embeddings(_) => {}
    }
    Ok(edits)
}

fn look_at(message: &Message<'_>, screen: &Rc<Screen>, edits: &mut Vec<Edit>) -> Result<(), Fired> {
    let value = message.value;
    let mut plain = |value| look_into(value, Said::text(screen), edits);
    match &message.content {
        Content::None => {}
        Content::Text(_) => plain(value.get("content"))?,
        Content::Parts(parts) => {
            for (part, value) in parts {
                match part {
                    Part::Text(_) => plain(value.get("text"))?,
                    Part::Refusal(_) => plain(value.get("refusal"))?,
                    _ => {}
                }
            }
        }
    }
    // Most messages have a role, say something, and that is all.
    if value.entries().nth(2).is_none() && !matches!(message.content, Content::None) {
        return Ok(());
    }
    for key in ["refusal", "reasoning_content", "reasoning"] {
        plain(value.get(key))?;
    }
    let calls = || value.get("tool_calls").into_iter().flat_map(Value::items);
    for call in calls() {
        plain(call.get("custom").and_then(|custom| custom.get("input")))?;
    }
    for function in calls().map(|call| call.get("function")).chain([value.get("function_call")]) {
        let arguments = function.and_then(|function| function.get("arguments"));
        look_into(arguments, Said::json(screen), edits)?;
    }
    Ok(())
}

/// Looks at a string, if it is one.
fn look_into(value: Option<Value<'_>>, mut said: Said, edits: &mut Vec<Edit>) -> Result<(), Fired> {
    let Some((value, text)) = value.and_then(|value| Some((value, value.text()?))) else { return Ok(()) };
    let mut out = String::new();
    said.push(text.as_bytes(), &mut out)?;
    said.finish(&mut out)?;
    if said.is_redacted() {
        let mut json = Vec::with_capacity(out.len().saturating_add(2));
        json::string(&mut json, &out);
        edits.push(Edit::replace(value, json));
    }
    Ok(())
}
