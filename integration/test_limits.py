"""Limits in a real Envoy: with any number of workers no more is admitted than fits, what was promised is true to the
millisecond, and what was used is settled however a request ends."""

import asyncio
import time

import httpx2
import openai
import pytest

from gateway import user
from kinds import ANYONE

PARALLEL, FITS = 200, 100


def document(lane, *limits, **model):
    """One provider's model, under these limits."""
    return {
        "auth": ANYONE,
        "providers": {"openai": lane.provider("openai")},
        "models": {"model": {"provider": "openai", **model}, "other": {"provider": "openai", **model}},
        "limits": list(limits),
    }


def at_once(gateway, count, model="model", **more):
    """So many requests at the same time; their statuses."""

    async def all_of_them():
        limits = httpx2.Limits(max_connections=count)
        async with httpx2.AsyncClient(base_url=gateway.origin, timeout=30, limits=limits) as client:
            body = {"model": model, "messages": user("hello"), **more}
            answers = await asyncio.gather(*(client.post("/v1/chat/completions", json=body) for _ in range(count)))
            return [answer.status_code for answer in answers]

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("workers", [2, 4])
def test_no_more_requests_are_admitted_than_fit(start_gateway, own_lane, workers):
    limit = {"name": "rph", "per": ["consumer"], "requests": FITS, "window": "hour"}
    gateway = start_gateway(document(own_lane, limit), concurrency=workers)
    statuses = at_once(gateway, PARALLEL)
    assert (statuses.count(200), statuses.count(429)) == (FITS, PARALLEL - FITS)


@pytest.mark.parametrize("workers", [2, 4])
def test_no_more_money_is_admitted_than_there_is(start_gateway, own_lane, workers):
    """A dollar a request and nothing for tokens: what is reserved is what is used."""
    limit = {"name": "budget", "usd": FITS, "window": "day"}
    price = {"input": 0, "output": 0, "request": 1}
    gateway = start_gateway(document(own_lane, limit, price=price), concurrency=workers)
    statuses = at_once(gateway, PARALLEL)
    assert (statuses.count(200), statuses.count(429)) == (FITS, PARALLEL - FITS)


@pytest.mark.parametrize("workers", [2, 4])
def test_no_more_tokens_are_admitted_than_there_are(start_gateway, own_lane, workers):
    """Each reserves its `max_tokens` of ten while the answer is held back, so that nothing is settled before all have asked."""
    limit = {"name": "answers", "per": ["model"], "output_tokens": 10 * FITS, "window": "day"}
    gateway = start_gateway(document(own_lane, limit, model="gpt-5+delay_headers=1500"), concurrency=workers)
    statuses = at_once(gateway, PARALLEL, max_completion_tokens=10)
    assert (statuses.count(200), statuses.count(429)) == (FITS, PARALLEL - FITS)


@pytest.mark.parametrize("workers", [2, 4])
def test_no_more_are_served_at_the_same_time_than_may_be(start_gateway, own_lane, workers):
    limit = {"name": "slots", "concurrent": 20}
    gateway = start_gateway(document(own_lane, limit, model="gpt-5+delay_headers=1500"), concurrency=workers)
    statuses = at_once(gateway, PARALLEL)
    assert (statuses.count(200), statuses.count(429)) == (20, PARALLEL - 20)
    # All of them are free again, once each.
    assert at_once(gateway, 20) == [200] * 20


def test_a_retry_is_refused_before_the_promised_time_and_admitted_at_it(start_gateway, own_lane):
    limit = {"name": "tpm", "output_tokens": 600, "window": "minute", "burst": 20}
    gateway = start_gateway(document(own_lane, limit, model="gpt-5+chunks=1+size=20"))
    ask = lambda: gateway.post({"model": "model", "messages": user("hello"), "max_completion_tokens": 20})
    answer = ask()
    assert answer.status_code == 200, answer.text
    refused = ask()
    asked = time.monotonic()
    assert refused.status_code == 429, refused.text
    wait = int(refused.headers["retry-after-ms"]) / 1000
    assert 0 < wait < 3 and int(refused.headers["retry-after"]) >= wait
    time.sleep(max(0, asked + wait - 0.3 - time.monotonic()))
    assert ask().status_code == 429
    time.sleep(max(0, asked + wait + 0.02 - time.monotonic()))
    assert ask().status_code == 200


def test_the_sdk_knows_the_refusal_and_waits_as_it_is_told(start_gateway, own_lane):
    limit = {"name": "tpm", "output_tokens": 600, "window": "minute", "burst": 20}
    gateway = start_gateway(document(own_lane, limit, model="gpt-5+chunks=1+size=20"))
    ask = lambda client: client.chat.completions.create(model="model", messages=user("hello"), max_completion_tokens=20)
    ask(gateway.client())
    with pytest.raises(openai.RateLimitError) as refused:
        ask(gateway.client())
    assert refused.value.code == "rate_limit_exceeded" and '"tpm"' in refused.value.message
    assert refused.value.response.headers["x-ratelimit-limit-tokens"] == "600"
    assert ask(gateway.client(max_retries=2)).choices


def test_counters_are_each_ones_own(start_gateway, own_lane):
    limit = {"name": "rph", "per": ["model"], "requests": 2, "window": "hour"}
    gateway = start_gateway(document(own_lane, limit))
    ask = lambda model: gateway.post({"model": model, "messages": user("hello")}).status_code
    assert [ask(model) for model in ("model", "model", "other", "model", "other", "other")] == [200, 200, 200, 429, 200, 429]


def test_what_was_used_is_what_the_provider_says_it_produced(start_gateway, own_lane):
    """Whole answers and streams, failures, cut streams, clients that leave: to the token where it was reported."""
    limit = {"name": "all", "tokens": 10_000_000, "window": "day"}
    gateway = start_gateway(document(own_lane, limit))
    kinds = [{}, {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}]
    for number in range(60):
        if number % 5 == 4:
            own_lane.script("openai", {"status": 500})
        answer = gateway.post({"model": "model", "messages": user(f"hello {number}"), **kinds[number % 3]})
        assert answer.status_code == (500 if number % 5 == 4 else 200), answer.text
    own_lane.script("openai", {"cut": 1500, "chunks": 50})
    with pytest.raises(httpx2.HTTPError):
        gateway.post({"model": "model", "messages": user("hello"), "stream": True})
    own_lane.script("openai", {"chunks": 400, "delay_chunk": 20})
    body = {"model": "model", "messages": user("hello"), "stream": True}
    with gateway.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        next(answer.iter_bytes())
    deadline = time.monotonic() + 10
    while len(lines := [line for line in gateway.access_log() if line.get("status")]) < 62 and time.monotonic() < deadline:
        time.sleep(0.1)
    usages = [line.get("usage") for line in lines]
    assert (usages.count("provider"), usages.count("estimated")) == (48, 2), usages
    assert all(int(line["tokens_in"]) > 0 for line in lines if line.get("usage"))
    said = sum(int(line["tokens_in"]) + int(line["tokens_out"]) for line in lines if line.get("usage"))
    # What is left of the limit says the same as the sum of the access log.
    answer = gateway.post({"model": "model", "messages": user("hello"), "max_completion_tokens": 1})
    left = int(answer.headers["x-ratelimit-remaining-tokens"])
    assert 0 < 10_000_000 - said - left < 40, (said, left)
