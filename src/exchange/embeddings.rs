//! A request for embeddings, from its body to the plan it is forwarded with.

use super::chat::lot;
use super::content::{Screening, Seen, look_over};
use super::meter::Meter;
use super::needs::{Asked, Asks};
use super::order::{Terms, arrange};
use super::prepare::{Prepared, prepare};
use super::{Asking, Books, Forward, Step, Trials, notes, unresolved};
use crate::cache::not_cached;
use crate::config::{Config, Constraints, Route};
use crate::embeddings::{Request, Wanted};
use crate::estimate::Makeup;
use crate::json::Value;
use crate::plan::{Operation, Plan};
use crate::route::{self, Needs};

/// How the request with this body is forwarded, or what is done instead; `screened` as for chats. Its answers are not kept.
pub(super) fn forward(
    body: &[u8],
    root: Value<'_>,
    screened: Option<&Screening>,
    asking: Asking<'_>,
    config: &Config,
    books: Books<'_>,
) -> Result<Forward, Box<Step>> {
    let Asking { consumer, request_id, control, .. } = asking;
    let request = Request::read(root)?;
    let asked = request.model.decode();
    let needs = Needs { lot: &|route, _| lot(route, consumer), among: &asking.told.among, ..Needs::NOTHING };
    let mut candidates = route::resolve(config, &asked, consumer, needs).map_err(|refusal| {
        notes::asked(asking.record, config.meant(&asked));
        unresolved(refusal)
    })?;
    if control.only_if_cached {
        return Err(not_cached().into());
    }
    let asks = Asks::of(Asked::Embeddings(&request));
    notes::found(asking.record, &candidates);
    let fired = match look_over(asks.asked(), body, screened, &mut candidates, asking, config)? {
        Seen::Passed(fired) => fired,
        Seen::Changed(screening) => {
            return screening.forward(|body, root, screening| {
                forward(body, root, Some(screening), asking, config, books)
            });
        }
    };
    let (constraints, conversation) = (Constraints::default(), &|_: &Route| None);
    let terms = Terms { asks: &asks, asking, verdict: None, constraints, conversation };
    let decision = arrange(&asked, &mut candidates, &terms, (config, false), books).map_err(unresolved)?;
    notes::candidates(asking.record, &candidates);
    let Prepared { targets, models, body: changed, headers, dropped, kept } =
        prepare(asks.asked(), &candidates.targets, body)?;
    let meter = Meter::open(&asks, models, asking, config, books)?;
    // What an answer is told to have used whose provider does not say is what is charged for it.
    let tokens = meter.as_ref().map(|meter| meter.input());
    let tokens = tokens.unwrap_or_else(|| Makeup::of_input(&request.input).tokens());
    let attempt_ms = Some(config.timeouts().answer_ms);
    Ok(Forward {
        before: None,
        continues: None,
        trials: Trials::new(false, attempt_ms, decision.permit.take(), decision.lesson, None),
        attempt_ms,
        plan: Plan {
            operation: Operation::Embeddings(Wanted {
                encoding: request.encoding,
                vectors: request.input.count() as u64,
                dimensions: request.dimensions,
                tokens,
            }),
            stream: false,
            include_usage: false,
            functions: false,
            metered: meter.as_ref().map(|meter| meter.images()),
            length: changed.as_ref().map_or(body.len(), Vec::len),
            headers,
            dropped,
            kept,
            request_id: request_id.to_string(),
            fired,
            // Vectors say nothing.
            rules: Vec::new(),
            targets,
        },
        body: changed,
        meter,
        caching: None,
        verdict: None,
        truncated: None,
        redacted: None,
        arm: candidates.arm,
        route: candidates.route.map(|route| route.name.shared()),
    })
}
