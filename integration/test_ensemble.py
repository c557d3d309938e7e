"""Several models as one: an ensemble's answers made into one; two workers, a real Envoy, the official SDK."""

import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from gateway import user
from kinds import ANYONE

PRICE = {"input": 1, "output": 2}


def configuration(lane, ensemble, **orchestration):
    """Members of three providers in three dialects, who have a price."""
    members = [{"model": "one"}, {"model": "two"}, {"model": "three"}]
    return {
        "auth": ANYONE,
        "providers": {name: lane.provider(name) for name in ("openai", "anthropic", "gemini", "mistral")},
        "models": {
            "one": {"provider": "openai", "model": "gpt-5-nano", "price": PRICE},
            "two": {"provider": "anthropic", "model": "claude-haiku-4-5", "price": PRICE, "max_output_tokens": 64000},
            "three": {"provider": "gemini", "model": "gemini-2.5-flash", "price": PRICE},
            "other": {"provider": "mistral", "model": "mistral-small-latest", "price": PRICE},
        },
        "routes": {
            "several": {
                "targets": [{"model": "other"}],
                "orchestration": {"ensemble": {"members": members} | ensemble} | orchestration,
            }
        },
    }


def client(gateway):
    return openai.OpenAI(base_url=gateway.origin + "/v1", api_key="unused", max_retries=0)


def ask(gateway, **options):
    raw = client(gateway).chat.completions.with_raw_response.create(model="several", messages=user("6 * 7?"), **options)
    return raw.parse(), raw.headers


def test_the_majority_is_heard(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane, {"combine": "vote", "vote": {"by": "number"}}))
    for name, text in [("openai", "It is 42."), ("anthropic", "41"), ("gemini", "42.0")]:
        own_lane.script(name, text=text)
    answer, headers = ask(gateway)
    assert answer.choices[0].message.content == "It is 42."
    report = answer.model_extra["x_modelgate"]["ensemble"]
    assert report["chosen"] == 0 and [member["outcome"] for member in report["members"]] == ["ok"] * 3
    assert headers["x-modelgate-model"] == "one"
    assert headers["x-modelgate-route"] == "several"
