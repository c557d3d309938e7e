//! Random histories of requests that take their time, use less than they reserved, or never reach a provider.

use super::*;
use crate::store::tests::Memory;
use proptest::prelude::*;

/// What a request did, for properties over random histories.
#[derive(Debug, Clone, Copy)]
struct Story {
    /// Milliseconds after the one before it.
    gap: u64,
    input: u64,
    output: u64,
    /// How long it took.
    lasts: u64,
    /// What part of its reservation it used, in hundredths; nothing: it never reached a provider.
    used: Option<u64>,
}

fn stories(length: usize, gaps: u64) -> impl Strategy<Value = Vec<Story>> {
    let story = (
        prop_oneof![Just(0), 0..gaps],
        0..60_u64,
        1..100_u64,
        0..200_000_u64,
        prop::option::weighted(0.9, prop_oneof![Just(0), Just(100), 0..=100_u64]),
    )
        .prop_map(|(gap, input, output, lasts, used)| Story { gap, input, output, lasts, used });
    prop::collection::vec(story, 1..length)
}

/// When a request asked, and what it was admitted with and used, if it was.
type Played = (Timestamp, Option<(u64, Option<u64>)>);

/// Lets it all happen in its order.
fn play(
    worker: &Worker,
    store: &Memory,
    stories: &[Story],
    mut refused: impl FnMut(&Ask<'_>, Retry),
) -> Vec<Played> {
    let (mut now, mut played, mut running) = (0, Vec::new(), Vec::new());
    let end = |running: &mut Vec<(u64, Reservation, Option<Actual>)>, until: u64| {
        running.sort_by_key(|(ends, ..)| *ends);
        while running.first().is_some_and(|(ends, ..)| *ends <= until) {
            let (ends, reservation, actual) = running.remove(0);
            let ended = match actual {
                Some(actual) => settle(store, reservation, actual, at(ends)),
                None => release(store, reservation, at(ends)),
            };
            ended.unwrap();
        }
    };
    for story in stories {
        now += story.gap;
        end(&mut running, now);
        let ask = Ask { input: story.input, output: story.output, ..worker.ask(store, at(now)) };
        let outcome = worker.admit_as(store, &ask);
        let part = |of: u64| story.used.map(|used| of * used / 100);
        let used = part(story.input).zip(part(story.output));
        played.push((
            at(now),
            outcome.is_ok().then_some((story.input + story.output, used.map(|(i, o)| i + o))),
        ));
        match outcome {
            Ok(reservation) => {
                let actual = used.map(|(input, output)| Actual { input, output, cost: NanoUsd::ZERO });
                running.push((now + story.lasts, reservation, actual));
            }
            Err(retry) => refused(&ask, retry),
        }
    }
    end(&mut running, u64::MAX);
    played
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Released requests do not count. Windows of few requests remember each, those of many remember parts.
    #[test]
    fn no_stretch_of_a_windows_length_ever_has_more_requests_than_its_size(
        (stories, size) in prop_oneof![
            (stories(150, 30_000), 1..8_u64),
            (stories(250, 1_500), 60..90_u64),
        ],
    ) {
        let worker = Worker::new(&json!([{"name": "a", "requests": size, "window": "minute"}]));
        let played = play(&worker, &Memory::default(), &stories, |_, _| {});
        let came: Vec<_> = played.iter().filter(|(_, admitted)| admitted.is_some_and(|(_, used)| used.is_some())).map(|(then, _)| *then).collect();
        for (first, then) in came.iter().enumerate() {
            let within = came[first..].iter().take_while(|other| other.since(*then) < 60_000).count();
            prop_assert!(within as u64 <= size, "{within} from {then:?}");
        }
    }

    /// And it does not count longer than a sixtieth beyond the window.
    #[test]
    fn a_request_is_refused_only_where_so_many_came_within_a_window_and_a_sixtieth(
        (stories, size) in prop_oneof![
            (stories(150, 30_000), 1..8_u64),
            (stories(250, 1_500), 60..90_u64),
        ],
    ) {
        let worker = Worker::new(&json!([{"name": "a", "requests": size, "window": "minute"}]));
        let stories: Vec<_> = stories.iter().map(|story| Story { used: Some(100), ..*story }).collect();
        let played = play(&worker, &Memory::default(), &stories, |_, _| {});
        let length = if size > 60 { 61_000 } else { 60_000 };
        for (position, (now, _)) in played.iter().enumerate().filter(|(_, (_, admitted))| admitted.is_none()) {
            let came = played[..position].iter().filter(|(then, admitted)| admitted.is_some() && now.since(*then) < length);
            prop_assert!(came.count() as u64 >= size);
        }
    }

    /// Of what was used, in any stretch of time, however much was reserved for however long.
    #[test]
    fn no_stretch_of_time_uses_more_than_a_bucket_holds_and_what_flows_in(
        stories in prop_oneof![stories(120, 20_000), stories(120, 60_000)],
        burst in 160..1_000_u64,
    ) {
        let worker = Worker::new(&json!([{"name": "a", "tokens": 600, "burst": burst, "window": "minute"}]));
        let played = play(&worker, &Memory::default(), &stories, |_, _| {});
        for first in 0..played.len() {
            let mut used = 0;
            for (now, admitted) in &played[first..] {
                used += admitted.and_then(|(_, used)| used).unwrap_or(0);
                let flown = now.since(played[first].0) * 600;
                prop_assert!(used * 60_000 <= burst * 60_000 + flown, "{used} from {first} to {now:?}");
            }
        }
    }

    /// In flight or settled, at every admission; and what is left in the end is what was not used.
    #[test]
    fn a_budget_is_never_overdrawn_and_forgets_nothing(stories in stories(100, 300)) {
        let worker = Worker::new(&json!([{"name": "a", "tokens": 2_000, "window": "day"}]));
        let store = Memory::default();
        let played = play(&worker, &store, &stories, |_, _| {});
        let used: u64 = played.iter().filter_map(|(_, admitted)| admitted.and_then(|(_, used)| used)).sum();
        prop_assert!(used <= 2_000);
        let end = played.last().unwrap().0.after(300_000);
        prop_assert_eq!(worker.left(&store, end), 2_000 - used);
    }

    /// For every kind: refused a millisecond before, admitted at it, if nothing else happens.
    #[test]
    fn the_promised_time_is_exact(
        stories in stories(60, 20_000),
        kind in 0..13_usize,
        second in 0..13_usize,
        times in 1..70_u64,
    ) {
        let mut limits = vec![each_kind(times)[kind].clone(), each_kind(times)[second].clone()];
        limits[1]["name"] = json!("second");
        limits[1]["per"] = json!(["consumer"]);
        let worker = Worker::new(&json!(limits));
        let store = Memory::default();
        let mut promises = 0;
        play(&worker, &store, &stories, |ask, retry| {
            let Retry::At(then) = retry else { return };
            promises += 1;
            // In copies of the world, because there more happens.
            let again = |now: Timestamp| {
                let copy = Memory::of(store.entries());
                worker.admit_as(&copy, &Ask { now, ..*ask })
            };
            assert!(then > ask.now);
            assert_eq!(again(then.before(1)), Err(retry), "before it");
            assert!(again(then).is_ok(), "at it");
        });
    }
}
