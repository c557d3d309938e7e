"""A route that learns who does best, in a real Envoy with two workers; and why a request goes where it goes."""

import collections
import time

import openai
import pytest

from gateway import user
from kinds import ANYONE

MODELS = {
    "one": {"provider": "openai", "model": "gpt-5-nano", "price": {"input": 1, "output": 4}},
    "two": {"provider": "anthropic", "model": "claude-sonnet-5-5", "price": {"input": 1, "output": 4}},
}


@pytest.fixture
def gateway(start_gateway, own_lane):
    return start_gateway({
        "auth": ANYONE,
        "providers": {kind: own_lane.provider(kind) for kind in ("openai", "anthropic")},
        "models": MODELS,
        "routes": {"learns": {"strategy": "adaptive", "targets": [{"model": model} for model in MODELS], "adaptive": {"half_life": 50}, "explore": 0.02}},
        "tasks": {},
        "health": {"failures": 1000000, "min_requests": 1000000},
        "limits": [{"name": "many", "requests": 100000, "window": "day"}],
    })


def ask(gateway, text="hello"):
    # Each over a connection of its own, so that either worker may have it.
    with gateway.client() as client:
        return client.chat.completions.with_raw_response.create(model="learns", messages=user(text)).headers


def first(gateway):
    return ask(gateway)["x-modelgate-plan"].split(",")[0]


def test_who_fails_is_asked_less_and_less(gateway, own_lane):
    own_lane.script("openai", *[{"status": 500}] * 300)
    for _ in range(60):
        ask(gateway)
    time.sleep(1.2)
    served = collections.Counter(first(gateway) for _ in range(40))
    assert served["two"] >= 30, served


def test_what_users_say_is_learned_on_both_workers(gateway):
    for _ in range(80):
        headers = ask(gateway)
        score = 1 if headers["x-modelgate-model"] == "one" else 0
        said = gateway.http.post("/v1/feedback", json={"request_id": headers["x-modelgate-request-id"], "score": score})
        assert (said.status_code, said.json()["model"]) == (200, headers["x-modelgate-model"]), said.text
    time.sleep(1.2)
    served = collections.Counter(first(gateway) for _ in range(40))
    assert served["one"] >= 30, served
    unknown = gateway.http.post("/v1/feedback", json={"request_id": "nobody's", "score": 1})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "request_not_found")


def test_a_decision_is_explained_without_anybody_being_asked(gateway, own_lane):
    body = {"model": "learns", "messages": user("Write a Python function that parses a CSV file.")}
    said = gateway.http.post("/v1/route/explain", json=body).json()
    assert (said["route"], said["strategy"], said["task"]["task"]) == ("learns", "adaptive", "code")
    assert sorted(said["plan"]) == ["one", "two"] and [target["circuit"] for target in said["targets"]] == ["closed", "closed"]
    assert said["limits"]["x-ratelimit-remaining-requests"] == "99999"
    assert all(target["expected_cost_usd"] > 0 for target in said["targets"])
    assert own_lane.received() == []
    refused = gateway.http.post("/v1/route/explain", json={**body, "model": "lerns"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
    with pytest.raises(openai.NotFoundError):
        gateway.client().chat.completions.create(model="lerns", messages=user("hi"))
