//! A cascade: the cheapest answers first, and the next one only where that answer is not believed. What the last one says is the
//! client's as it comes.

use super::ballot::agreement;
use super::report::{decimal, report_answer};
use super::sure;
use super::{Answer, Ask, Commission, Mode, Next, Said, To, form, judge, prompt};
use crate::chat::Usage;
use crate::config::{self, Measure, Member};
use crate::cost;
use crate::json;
use crate::money::NanoUsd;
use crate::rules::finds;
use std::rc::Rc;

/// What a judge is asked comes back under this tag; everything else under the place of its stage.
const JUDGED: u32 = 1_000;

pub(super) struct Cascade {
    rules: Rc<config::Cascade>,
    /// What has become of each stage so far.
    stages: Vec<Stage>,
    /// What the last stage would have cost in the place of what was believed.
    instead: Option<NanoUsd>,
}

/// What has become of a stage.
#[derive(Default)]
struct Stage {
    answers: Vec<Answer>,
    /// How sure its answer is, in thousandths, where that was measured.
    sure: Option<u32>,
    /// Whether it was asked once more without what measures it, because it does not take that.
    is_unmeasured: bool,
    /// What was paid to have it judged.
    judged: Option<NanoUsd>,
    /// Why it is not believed; none if it is, or if nothing is known yet.
    doubt: Option<&'static str>,
    is_believed: bool,
}

impl Cascade {
    /// Where the client's request leaves no room for it, nothing is measured.
    pub fn new(mut rules: Rc<config::Cascade>, body: &[u8]) -> Self {
        if rules.measure.as_ref().is_some_and(|measure| !sure::leaves_room(body, measure)) {
            rules = Rc::new(config::Cascade { measure: None, ..(*rules).clone() });
        }
        Self { rules, stages: Vec::new(), instead: None }
    }

    /// Asks the next stage.
    fn climb(&mut self, commission: &Commission) -> Next {
        let at = self.stages.len();
        let Some(member) = self.rules.stages.get(at) else { return Next::Plain };
        self.stages.push(Stage::default());
        let is_last = self.rules.stages.len() == self.stages.len();
        if is_last {
            let body = prompt::put_to(&commission.body, &member.model, member.edits.as_deref(), true);
            return body.map_or(Next::Plain, Next::Forward);
        }
        let measured = self.rules.measure.as_ref().and_then(|measure| sure::asked(measure, &commission.body));
        let tag = u32::try_from(at).unwrap_or(u32::MAX);
        match Ask::of(tag, member, measured.as_deref().unwrap_or(&commission.body)) {
            Some(ask) => Next::Ask(vec![ask; self.rules.samples()]),
            None => Next::Plain,
        }
    }

    /// Asks the stage again without probabilities, which not every provider gives.
    fn ask_unmeasured(&mut self, tag: u32, commission: &Commission) -> Option<Next> {
        let stage = self.stages.last_mut().filter(|stage| !stage.is_unmeasured)?;
        stage.is_unmeasured = true;
        let ask = Ask::of(tag, self.rules.stages.get(tag as usize)?, &commission.body)?;
        Some(Next::Ask(vec![ask]))
    }

    /// All that the stage was asked for is there.
    fn weigh(&mut self, commission: &Commission) -> Next {
        let rules = Rc::clone(&self.rules);
        let Some(stage) = self.stages.last_mut() else { return Next::Plain };
        let Some((said, alike)) = stage.best(rules.measure.as_ref()) else {
            return self.doubt("failed", commission);
        };
        if let Some(doubt) = flaw(&stripped(said, rules.measure.as_ref()), &rules) {
            return self.doubt(doubt, commission);
        }
        let sure = match &rules.measure {
            None => Some(1_000),
            Some(Measure::Said) => sure::said(&said.text),
            // Where the provider does not tell, there is nothing that speaks against it.
            Some(Measure::Logprobs) => Some(sure::likelihood(&said.completion).unwrap_or(1_000)),
            Some(Measure::Samples(_)) => alike,
            Some(Measure::Judge(judge)) => {
                let body = judge::ask(judge, &prompt::conversation(&commission.body), &said.shown());
                return Next::Ask(vec![Ask { tag: JUDGED, to: To::Models(body), timeout_ms: None }]);
            }
        };
        stage.sure = sure;
        self.believe(commission)
    }

    /// Believes the stage's answer if that is sure enough.
    fn believe(&mut self, commission: &Commission) -> Next {
        let (threshold, measure) = (u32::from(self.rules.threshold), self.rules.measure.clone());
        let Some(stage) = self.stages.last_mut() else { return Next::Plain };
        if stage.sure.is_none_or(|sure| sure < threshold) {
            return self.doubt("unsure", commission);
        }
        let Some(said) = stage.chosen(measure.as_ref()) else { return self.doubt("failed", commission) };
        stage.is_believed = true;
        let usage = stage.answers.iter().find(|answer| answer.said.is_ok()).map(|answer| answer.usage);
        self.instead = usage.and_then(|usage| self.last_costs(&usage, commission));
        Next::Answer(Box::new(said))
    }

    fn doubt(&mut self, why: &'static str, commission: &Commission) -> Next {
        if let Some(stage) = self.stages.last_mut() {
            stage.doubt = Some(why);
        }
        self.climb(commission)
    }

    /// What the last stage costs that uses so much.
    fn last_costs(&self, usage: &Usage, commission: &Commission) -> Option<NanoUsd> {
        let price = commission.price(&self.rules.stages.last()?.model)?;
        Some(cost::cost(&price, usage, 0))
    }

    fn member(&self, at: usize) -> Option<&Member> {
        self.rules.stages.get(at)
    }
}

impl Stage {
    /// The answer that stands for the stage: a good one if there is one, of several that which has most in common with the others, with
    /// how much that is, in thousandths.
    fn best(&self, measure: Option<&Measure>) -> Option<(&Said, Option<u32>)> {
        let answers: Vec<_> = self.answers.iter().filter_map(|answer| answer.said.as_ref().ok()).collect();
        let any_good = answers.iter().any(|said| said.is_good());
        let counts = |said: &&Said| said.is_good() || !any_good;
        if !matches!(measure, Some(Measure::Samples(_))) {
            return answers.into_iter().find(counts).map(|said| (said, None));
        }
        let shown: Vec<_> = answers.iter().map(|said| said.shown()).collect();
        let shown: Vec<_> = shown.iter().map(String::as_str).collect();
        let alike = answers.into_iter().zip(agreement(&shown)).filter(|(said, _)| counts(said));
        let mut best: Option<(&Said, Option<u32>)> = None;
        for (said, alike) in alike {
            if best.is_none_or(|(_, most)| Some(alike) > most) {
                best = Some((said, Some(alike)));
            }
        }
        best
    }

    /// The same, without what only we have asked for.
    fn chosen(&self, measure: Option<&Measure>) -> Option<Said> {
        self.best(measure).map(|(said, _)| stripped(said, measure))
    }

    /// What it cost, as far as that was told.
    fn cost(&self) -> NanoUsd {
        let answers = self.answers.iter().filter_map(|answer| answer.cost).chain(self.judged);
        answers.fold(NanoUsd::ZERO, NanoUsd::saturating_add)
    }
}

fn stripped(said: &Said, measure: Option<&Measure>) -> Said {
    measure.map_or_else(|| said.clone(), |measure| sure::stripped(measure, said))
}

/// What tells by itself that an answer is not to be believed.
fn flaw(said: &Said, rules: &config::Cascade) -> Option<&'static str> {
    if said.refuses {
        return Some("refused");
    }
    if said.is_cut() {
        return Some("cut_off");
    }
    if said.calls.is_some() {
        return (said.misfits || said.has_bad_arguments()).then_some("bad_arguments");
    }
    if said.misfits {
        return Some("misfit");
    }
    if (said.text.chars().count() as u64) < rules.min_length {
        return Some("too_short");
    }
    rules.pattern.as_ref().filter(|pattern| !finds(pattern, &said.text)).map(|_| "no_match")
}

impl Mode for Cascade {
    fn name(&self) -> &'static str {
        "cascade"
    }

    fn begin(&mut self, commission: &Commission) -> Next {
        self.climb(commission)
    }

    fn take(&mut self, tag: u32, mut answer: Answer, commission: &Commission) -> Next {
        let samples = self.rules.samples();
        let refuses = answer.refusal.as_ref().is_some_and(|refusal| refusal.status == 400);
        if refuses
            && tag != JUDGED
            && self.rules.measure == Some(Measure::Logprobs)
            && let Some(next) = self.ask_unmeasured(tag, commission)
        {
            return next;
        }
        let Some(stage) = self.stages.last_mut() else { return Next::Plain };
        if tag == JUDGED {
            stage.judged = answer.cost;
            let points = answer.said.ok().and_then(|said| judge::points(&said.text));
            stage.sure = points.map(|points| points / (judge::MOST / 1_000));
            return self.believe(commission);
        }
        form::look_at(&mut answer, commission, true);
        stage.answers.push(answer);
        match stage.answers.len() < samples {
            true => Next::Ask(Vec::new()),
            false => self.weigh(commission),
        }
    }

    /// The last answer there is is better than none.
    fn conclude(&mut self, _: &Commission) -> Next {
        let measure = self.rules.measure.clone();
        // One that was not asked any more has nothing to tell.
        self.stages.pop_if(|stage| stage.answers.is_empty());
        let said = self.stages.iter().rev().find_map(|stage| stage.chosen(measure.as_ref()));
        said.map_or(Next::Plain, |said| Next::Answer(Box::new(said)))
    }

    fn report(&self, out: &mut Vec<u8>) {
        json::object(out, |report| {
            report.array("stages", |stages| {
                for (at, stage) in self.stages.iter().enumerate() {
                    stages.object(|entry| {
                        if let Some(member) = self.member(at) {
                            entry.string("model", &member.model);
                        }
                        entry.string(
                            "verdict",
                            match (stage.doubt, stage.is_believed) {
                                (Some(doubt), _) => doubt,
                                (None, true) => "believed",
                                (None, false) => "not_checked",
                            },
                        );
                        if let Some(sure) = stage.sure.filter(|_| self.rules.measure.is_some()) {
                            entry.raw("confidence", decimal(sure).as_bytes());
                        }
                        entry.array("answers", |answers| {
                            for answer in &stage.answers {
                                answers.object(|entry| report_answer(entry, answer));
                            }
                        });
                    });
                }
            });
            if let Some(instead) = self.instead {
                let spent = self.stages.iter().map(Stage::cost).fold(NanoUsd::ZERO, NanoUsd::saturating_add);
                report.number("saved_usd", instead.saturating_sub(spent));
            }
        });
    }
}
