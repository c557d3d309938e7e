"""Who is tried first, in a real Envoy with two workers: by each strategy, and by what a request wants of whoever answers."""

import collections
import time

import openai
import pytest

from gateway import user, wait_until
from kinds import ANYONE

MODELS = {
    "dear": {"provider": "openai", "model": "gpt-5-nano", "price": {"input": 10, "output": 40}, "quality": {"default": 0.9, "code": 0.5}},
    "fair": {"provider": "anthropic", "model": "claude-sonnet-5-5", "price": {"input": 1, "output": 4}, "quality": 0.7},
    "cheap": {"provider": "gemini", "model": "gemini-3.8-flash", "price": {"input": 0.1, "output": 0.4}, "quality": {"default": 0.4, "code": 0.95}},
}


def start(start_gateway, lane, targets=None, **route):
    return start_gateway({
        "auth": ANYONE,
        "providers": {kind: lane.provider(kind) for kind in ("openai", "anthropic", "gemini")},
        "models": MODELS,
        "routes": {"any": {"targets": targets or [{"model": model} for model in MODELS], **route}},
        "tasks": {},
    })


def ask(gateway, text="hello", model="any", headers=None, limit=20, **options):
    # Each over a connection of its own, so that either worker may have it.
    with gateway.client() as client:
        raw = client.chat.completions.with_raw_response.create(model=model, messages=user(text), max_completion_tokens=limit, extra_headers=headers, **options)
        list(raw.parse())
        return raw.headers


def first(gateway, text="hello", **options):
    headers = ask(gateway, text, **options)
    assert headers["x-modelgate-plan"].split(",")[0] == headers["x-modelgate-model"]
    return headers["x-modelgate-model"]


@pytest.mark.parametrize("stream", [False, True])
def test_weights_are_kept_on_both_workers(start_gateway, own_lane, stream):
    weights = {"dear": 6, "fair": 3, "cheap": 1}
    gateway = start(start_gateway, own_lane, [{"model": model, "weight": weight} for model, weight in weights.items()], strategy="weighted")
    served = collections.Counter(first(gateway, stream=stream) for _ in range(60))
    for model, weight in weights.items():
        assert abs(served[model] - 6 * weight) <= 2, served


def test_each_has_its_turn(start_gateway, own_lane):
    gateway = start(start_gateway, own_lane, strategy="round_robin")
    served = collections.Counter(first(gateway) for _ in range(30))
    assert all(abs(served[model] - 10) <= 2 for model in MODELS), served


@pytest.mark.parametrize("stream", [False, True])
def test_the_fastest_is_found_and_left_when_it_becomes_slow(start_gateway, own_lane, stream):
    gateway = start(start_gateway, own_lane, strategy="latency")
    slow = {"delay_headers": 300}
    for provider in ("openai", "anthropic"):
        own_lane.script(provider, *[slow] * 100)
    # What takes no millisecond at all tells nothing.
    own_lane.script("gemini", *[{"delay_headers": 20}] * 100)
    for _ in range(10):
        ask(gateway, stream=stream)
    time.sleep(1.2)
    served = collections.Counter(first(gateway, stream=stream) for _ in range(30))
    assert served["cheap"] >= 26, served
    own_lane.clear()
    own_lane.script("gemini", *[{"delay_headers": 1500}] * 100)
    for _ in range(4):
        ask(gateway, stream=stream)
    time.sleep(1.2)
    served = collections.Counter(first(gateway, stream=stream) for _ in range(20))
    assert served["cheap"] <= 2, served


def test_the_cheapest_and_the_best_are_asked(start_gateway, own_lane):
    cheapest = start(start_gateway, own_lane, strategy="least_cost")
    best = start(start_gateway, own_lane, strategy="quality")
    assert ask(cheapest)["x-modelgate-plan"] == "cheap,fair,dear"
    assert ask(best)["x-modelgate-plan"] == "dear,fair,cheap"
    code = ask(best, "Write a Python function that parses a CSV file.")
    assert (code["x-modelgate-task"], code["x-modelgate-plan"]) == ("code", "cheap,fair,dear")
    own_lane.script("gemini", status=500)
    assert ask(cheapest)["x-modelgate-model"] == "fair"


def test_a_request_says_what_whoever_answers_has_to_keep_to(start_gateway, own_lane):
    gateway = start(start_gateway, own_lane, strategy="intent")
    for wanted, plan in (
        ({}, "dear,fair,cheap"),
        ({"max-cost-usd": "0.0005"}, "fair,cheap"),
        ({"max-cost-usd": "0.0005", "min-quality": "0.5"}, "fair"),
    ):
        headers = {f"x-modelgate-{name}": value for name, value in wanted.items()}
        assert ask(gateway, headers=headers)["x-modelgate-plan"] == plan
        assert ask(gateway, metadata={name.replace("-", "_"): value for name, value in wanted.items()})["x-modelgate-plan"] == plan
    for wanted, model in (({"max-cost-usd": "0.0005", "min-quality": "0.8"}, "any"), ({"max-cost-usd": "0.0005"}, "dear")):
        with pytest.raises(openai.BadRequestError) as refused:
            ask(gateway, model=model, headers={f"x-modelgate-{name}": value for name, value in wanted.items()})
        assert (refused.value.code, refused.value.param) == ("constraint_not_met", "max_cost_usd")
        assert "dear is expected to cost 0.0" in refused.value.message


def test_priorities_stand_above_the_strategy(start_gateway, own_lane):
    targets = [{"model": "cheap", "priority": 1}, {"model": "dear"}, {"model": "fair"}]
    gateway = start(start_gateway, own_lane, targets, strategy="least_cost")
    assert ask(gateway)["x-modelgate-plan"] == "fair,dear,cheap"


def test_a_conversation_stays_with_who_has_it_in_its_cache(start_gateway, own_lane):
    gateway = start(start_gateway, own_lane, strategy="round_robin", affinity=True)
    for provider in ("openai", "anthropic", "gemini"):
        own_lane.script(provider, *[{"cached": 1200}] * 60)
    text = lambda name: f"conversation {name} " + "word " * 1500
    for name in ("a", "b", "c", "d"):
        served = {first(gateway, text(name)) for _ in range(6)}
        assert len(served) == 1, served
    # The strategy decides again after a failure.
    home = first(gateway, text("a"))
    provider = MODELS[home]["provider"]
    own_lane.clear()
    own_lane.script(provider, status=500)
    assert ask(gateway, text("a"))["x-modelgate-model"] != home
    served = collections.Counter(first(gateway, text("a"), headers={"x-modelgate-conversation": str(n)}) for n in range(12))
    assert len(served) == 3, "conversations of their own are spread"


def test_arms_are_told_and_stay_the_same(start_gateway, own_lane):
    arms = {"control": {"share": 50}, "cheap": {"share": 50, "targets": [{"model": "cheap"}]}}
    gateway = start(start_gateway, own_lane, experiment={"by": "conversation", "arms": arms})
    told = {}
    for _ in range(2):
        for n in range(16):
            gateway.mark()
            headers = ask(gateway, f"conversation {n}")
            arm = headers["x-modelgate-arm"]
            assert headers["x-modelgate-model"] == {"control": "dear", "cheap": "cheap"}[arm]
            assert told.setdefault(n, arm) == arm
            (logged,) = wait_until(gateway.access_log)
            assert (logged["route"], logged["arm"], logged["planned"]) == ("any", arm, headers["x-modelgate-plan"])
    assert 2 <= list(told.values()).count("cheap") <= 14


@pytest.mark.parametrize("stream", [False, True])
def test_a_fallback_gets_what_is_changed_for_it(start_gateway, own_lane, stream):
    edits = {"system": "Be brief.", "max_tokens": 7}
    gateway = start(start_gateway, own_lane, [{"model": "dear"}, {"model": "fair", "as_fallback": edits}, {"model": "cheap", "as_fallback": edits}])
    own_lane.script("openai", status=503)
    headers = ask(gateway, stream=stream)
    assert (headers["x-modelgate-model"], headers["x-modelgate-degraded"]) == ("fair", "system,max_tokens")
    sent = own_lane.received()[-1].body
    assert (sent["max_tokens"], sent["system"]) == (7, "Be brief.") or sent["system"][0]["text"] == "Be brief.", sent
    assert "x-modelgate-degraded" not in ask(gateway, stream=stream)
