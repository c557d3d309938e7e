"""Limits against a real Envoy: never more than fits, on however many workers, and refusals that say when."""

import asyncio
import concurrent.futures
import copy
import decimal
import hashlib
import itertools
import json
import math
import os
import re
import subprocess
import time

import httpx2
import openai
import pytest

import gateway as gateways
import render
from crowd import ask_at_once
from gateway import route, user, wait_until
from kinds import NOBODY
from lanes import Lane

PRICE = {"input": 1, "output": 2, "request": 0.01}  # a token of a prompt is a micro-dollar
LETTERS = "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 3  # more tokens by estimate than by the mock's count
SOME = {"model": "m", "messages": user(LETTERS), "max_completion_tokens": 10}

# One limit of each kind, of about a hundred such requests; a consumer of its own has each.
KINDS = {
    "requests-minute": {"requests": 100, "window": "minute"},
    "requests-hour": {"requests": 60, "window": "hour"},
    "requests-day": {"requests": 100, "window": "day"},
    "tokens-minute": {"tokens": 1, "burst": 10_000, "window": "minute"},
    "tokens-day": {"tokens": 10_000, "window": "day"},
    "input-minute": {"input_tokens": 1, "burst": 9_000, "window": "minute"},
    "input-day": {"input_tokens": 9_000, "window": "day"},
    "output-minute": {"output_tokens": 1, "burst": 1_000, "window": "minute"},
    "output-day": {"output_tokens": 1_000, "window": "day"},
    "concurrent": {"concurrent": 100},
    "usd-day": {"usd": 1, "window": "day"},
    "usd-month": {"usd": 1, "window": "month"},
}


def key_of(consumer):
    return f"sk-of-{consumer}"


def bearer(consumer):
    return {"authorization": f"Bearer {key_of(consumer)}"}


def consumers(*names, **settings):
    return {name: {"keys": [{"sha256": hashlib.sha256(key_of(name).encode()).hexdigest()}], **settings} for name in names}


def document(lane, limits, **more):
    """One model, `m`, and another that is refused to everybody, with all that is told of their limits."""
    return {
        "providers": {"openai": lane.provider("openai")},
        "models": {
            "m": {"provider": "openai", "model": "gpt-4o-mini", "price": PRICE},
            "untouchable": {"provider": "openai", "price": PRICE},
        },
        "limits": [*limits, {"name": "untouchable", "models": ["untouchable"], "input_tokens": 1, "window": "day"}],
        **more,
    }


def left(headers):
    """How much is left of each limit: tokens, requests, micro-dollars."""
    return {name: int(amount) for name, amount in re.findall(r'"([^"]+)";r=(\d+)', headers["ratelimit"])}


def left_for(gateway, consumer):
    """The same, as it stands for a consumer, when nothing is asked for."""
    refused = gateway.post({"model": "untouchable", "messages": user("more than one token")}, headers=bearer(consumer))
    assert refused.status_code == 429 and "retry-after" not in refused.headers
    return left(refused.headers)


def logged(gateway, consumer, count):
    """The consumer's lines in the access log, once there are so many."""
    lines = lambda: [line for line in gateway.access_log() if line["consumer"] == consumer]
    wait_until(lambda: len(lines()) >= count)
    return lines()


# ---- many at once ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[2, 4])
def crowded(request, mock_server, tmp_path_factory):
    """A gateway with so many workers, and its provider."""
    lane = Lane(mock_server.origin, f"crowded-{request.param}")
    limits = [{"name": kind, "consumers": [kind], **amount} for kind, amount in KINDS.items()]
    running = gateways.Gateway(
        document(lane, limits, consumers=consumers(*KINDS)),
        tmp_path_factory.mktemp("gateway"),
        concurrency=request.param,
    )
    yield running, lane
    try:
        running.assert_healthy()
        served = running.envoy.stats(r"listener\.[0-9].*worker_.\.downstream_cx_total").values()
        assert len(served) == request.param and all(served)
    finally:
        running.stop()


def held_until_all_are_judged(lane, count):
    """Lets nobody be answered by the provider before all were either refused or let through to it."""
    lane.script("openai", *[{"hold": True}] * count)

    async def meanwhile(answered):
        while answered() + len(await asyncio.to_thread(lane.received)) < count:
            await asyncio.sleep(0.02)
        lane.release()

    return meanwhile


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_hundred_at_once_exactly_those_are_admitted_that_fit(crowded, kind):
    gateway, lane = crowded
    lane.clear()
    amount = KINDS[kind]
    size = amount.get("burst", next(iter(amount.values())) * (1_000_000 if "usd" in amount else 1))

    answers = ask_at_once(gateway, 200, SOME, bearer(kind), held_until_all_are_judged(lane, 200))
    admitted = [answer for answer in answers if answer.status == 200]
    assert {answer.status for answer in answers} == {200, 429}

    # One after the other, each took the same from what the one before it had left, until no other fitted.
    remaining = sorted((left(answer.headers)[kind] for answer in admitted), reverse=True)
    each = size - remaining[0]
    assert remaining == [size - each * nth for nth in range(1, len(admitted) + 1)]
    assert remaining[-1] < each and 50 <= len(admitted) <= 150
    assert [left(answer.headers)[kind] for answer in answers if answer.status == 429] == [remaining[-1]] * (200 - len(admitted))

    received = lane.received()
    assert len(received) == len(admitted)
    used = {
        "requests": len(received),
        "tokens": sum(request.usage["prompt"] + request.usage["completion"] for request in received),
        "input_tokens": sum(request.usage["prompt"] for request in received),
        "output_tokens": sum(request.usage["completion"] for request in received),
        "concurrent": 0,
        "usd": sum(10_000 + request.usage["prompt"] + 2 * request.usage["completion"] for request in received),
    }[next(iter(amount))]
    assert used <= size
    # Settled; a bucket puts up to an eighth back too little.
    exactly = size - used
    wait_until(lambda: exactly - size // 8 * ("burst" in amount) <= left_for(gateway, kind)[kind] <= exactly)


@pytest.fixture(scope="module")
def house(mock_server, tmp_path_factory):
    """One gateway for all that is asked one after the other, and its provider."""
    lane = Lane(mock_server.origin, "house")
    limits = [
        {"name": "slots", "consumers": ["cathy"], "concurrent": 5},
        {"name": "minute", "consumers": ["mia", "watched"], "per": ["consumer"], "requests": 1, "window": "minute"},
        {"name": "hour", "consumers": ["henry"], "requests": 1, "window": "hour"},
        {"name": "day", "consumers": ["dora"], "tokens": 300, "window": "day"},
        {"name": "bucket", "consumers": ["bob", "sdk"], "per": ["consumer"], "tokens": 4_800, "burst": 300, "window": "minute"},
        {"name": "each-consumer", "per": ["consumer"], "consumers": ["ann", "ben"], "requests": 2, "window": "hour"},
        {"name": "each-tier", "per": ["tier"], "tiers": ["gold", "silver"], "requests": 2, "window": "hour"},
        {"name": "each-model", "per": ["model"], "consumers": ["carl", "dana"], "requests": 2, "window": "hour"},
        {"name": "each-pair", "per": ["consumer", "model"], "consumers": ["emma", "finn"], "requests": 2, "window": "hour"},
        {"name": "one-model", "models": ["m2"], "consumers": ["greg"], "requests": 1, "window": "hour"},
        {"name": "only-watched", "consumers": ["watched"], "tokens": 1, "window": "day", "mode": "observe"},
        {"name": "also-watched", "consumers": ["watcher"], "requests": 2, "window": "hour", "mode": "observe"},
        {"name": "requests-of-faith", "consumers": ["faith"], "requests": 100, "window": "hour"},
        {"name": "tokens-of-faith", "consumers": ["faith"], "tokens": 100_000, "window": "day"},
        {"name": "money-of-faith", "consumers": ["faith"], "usd": 100, "window": "month"},
        {"name": "cents", "consumers": ["sdk-money"], "usd": 0.015, "window": "day"},
        {"name": "short", "consumers": ["sdk-short"], "input_tokens": 20, "window": "day"},
        {"name": "stops", "consumers": ["stella"], "output_tokens": 200, "window": "day", "on_exceed": "stop"},
        {"name": "finishes", "consumers": ["fiona"], "output_tokens": 200, "window": "day"},
    ]
    asking = {name for limit in limits for name in limit.get("consumers", [])}
    of_tiers = {**consumers("ida", "jack", tier="gold"), **consumers("kim", tier="silver")}
    settings = document(lane, limits, consumers={**consumers(*asking), **of_tiers}, tiers={"gold": {}, "silver": {}})
    settings["providers"]["dead"] = {**lane.provider("openai"), "base_url": NOBODY}
    settings["models"]["m2"] = {"provider": "openai", "model": "gpt-4o", "price": PRICE}
    settings["models"]["m-dead"] = {"provider": "dead", "model": "gpt-4o-mini", "price": PRICE}
    settings["routes"] = {"all": route("m", "m2"), "none": route("m-dead", {"model": "m-dead", "tries": 2})}
    running = gateways.Gateway(settings, tmp_path_factory.mktemp("gateway"), concurrency=2)
    yield running, lane
    try:
        running.assert_healthy()
    finally:
        running.stop()


@pytest.fixture
def gateway(house):
    return house[0]


@pytest.fixture
def lane(house):
    house[1].clear()
    return house[1]


def ask(gateway, consumer, **more):
    return gateway.post({**SOME, **more}, headers=bearer(consumer))


def statuses(gateway, *asked):
    """Of requests by these consumers for these models, one after the other."""
    return [ask(gateway, consumer, model=model).status_code for consumer, model in asked]


def test_as_many_as_may_be_are_served_at_a_time_and_never_more(gateway, lane):
    """A crowd that asks again until it is served."""
    lane.script("openai", *[{"delay_headers": 10}] * 100)

    async def all_of_them():
        async with gateway.async_client(api_key=key_of("cathy"), max_retries=0) as client:

            async def one():
                while True:
                    try:
                        return await client.chat.completions.create(**SOME)
                    except openai.RateLimitError:
                        await asyncio.sleep(0.02)

            await asyncio.gather(*(one() for _ in range(100)))

    asyncio.run(all_of_them())
    # A provider notes the end of an answer a little later than the gateway has seen it.
    steps = sorted(step for one in lane.received() for step in ((one.began, 1), (one.ended_at - 0.003, -1)))
    at_once = list(itertools.accumulate(change for _, change in steps))
    assert len(at_once) == 200 and max(at_once) == 5


# ---- the promised time ----------------------------------------------------------------------------------------------


def promised(gateway, consumer):
    """Between which times, in seconds, lies the one at which a refusal says that to ask again; of no refusal nothing."""
    before = time.time()
    answer = ask(gateway, consumer)
    after = time.time()
    if answer.status_code == 200:
        return None
    wait = int(answer.headers["retry-after-ms"]) / 1000
    assert int(answer.headers["retry-after"]) == math.ceil(wait)
    # Its clock counts whole milliseconds.
    return before + wait - 0.001, after + wait


def test_it_is_refused_just_before_the_promised_time_and_admitted_at_it(gateway):
    while (first := promised(gateway, "bob")) is None:
        pass
    refusals = [first]
    assert 0.3 < first[0] - time.time() < 2
    for ahead in (0.4, 0.1, 0.05, 0.02, 0.01):
        time.sleep(max(0, first[0] - ahead - time.time()))
        refusal = promised(gateway, "bob")
        if time.time() > first[0]:
            break  # too late to know what it should have been: the machine is busy
        refusals.append(refusal)
    assert None not in refusals and len(refusals) > 1
    earliest, latest = max(begin for begin, _ in refusals), min(end for _, end in refusals)
    assert earliest <= latest, "all of them promise the same time"
    time.sleep(max(0, latest - time.time()))
    assert promised(gateway, "bob") is None


@pytest.mark.parametrize(
    "consumer, when",
    [("mia", lambda asked: asked + 60), ("henry", lambda asked: asked + 3600), ("dora", lambda asked: (asked // 86400 + 1) * 86400)],
)
def test_the_promised_time_is_that_at_which_the_window_or_the_day_ends(gateway, consumer, when):
    before = time.time()
    assert promised(gateway, consumer) is None
    after = time.time()
    earliest, latest = next(iter(filter(None, (promised(gateway, consumer) for _ in range(9)))))
    assert earliest <= when(after) and when(before) <= latest + 0.001


# ---- whose counter --------------------------------------------------------------------------------------------------


def test_each_consumer_has_a_counter_of_its_own(gateway):
    asked = [(name, "m") for name in ("ann", "ann", "ann", "ben", "ann", "ben", "ben")]
    assert statuses(gateway, *asked) == [200, 200, 429, 200, 429, 200, 429]


def test_the_consumers_of_a_tier_have_one_counter(gateway):
    asked = [(name, "m") for name in ("ida", "jack", "ida", "jack", "kim", "kim", "kim")]
    assert statuses(gateway, *asked) == [200, 200, 429, 429, 200, 200, 429]


def test_each_model_has_a_counter_of_its_own_by_whatever_name_it_is_asked_for(gateway):
    asked = [("carl", "m"), ("dana", "openai/gpt-4o-mini"), ("carl", "all"), ("dana", "m"), ("carl", "m2"), ("dana", "m2"), ("dana", "m2")]
    assert statuses(gateway, *asked) == [200, 200, 429, 429, 200, 200, 429]


def test_each_consumer_has_a_counter_of_its_own_for_each_model(gateway):
    asked = [("emma", "m"), ("emma", "m"), ("emma", "m"), ("emma", "m2"), ("finn", "m"), ("finn", "m"), ("finn", "m")]
    assert statuses(gateway, *asked) == [200, 200, 429, 200, 200, 200, 429]


def test_a_limit_for_one_model_does_not_concern_another(gateway):
    asked = [("greg", model) for model in ("m2", "m2", "m", "m", "m2")]
    assert statuses(gateway, *asked) == [200, 429, 200, 200, 429]


def test_a_limit_that_observes_refuses_nothing_and_is_told_to_the_operator_only(gateway):
    gateway.mark()
    answers = [ask(gateway, "watcher") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert not [name for answer in answers for name in answer.headers if "ratelimit" in name]
    lines = logged(gateway, "watcher", 4)
    assert [line["limits_observed"] for line in lines] == [None, None, "also-watched", "also-watched"]


def test_one_that_observes_beside_one_that_enforces(gateway):
    answer = ask(gateway, "watched")
    assert answer.status_code == 200 and list(left(answer.headers)) == ["minute"]
    assert ask(gateway, "watched").json()["error"]["message"].startswith('The limit "minute" is reached')


# ---- what comes to nothing costs nothing ----------------------------------------------------------------------------


def test_what_fails_is_given_back(gateway, lane):
    full = {"requests-of-faith": 100, "tokens-of-faith": 100_000, "money-of-faith": 100_000_000, "untouchable": 1}
    assert left_for(gateway, "faith") == full

    # What is refused by the gateway has taken nothing.
    for body in (b"{", {"model": "nothing", "messages": user("x")}, {"model": "m"}, {"model": "m", "messages": user("x"), "n": 0}):
        assert gateway.post(body, headers=bearer("faith")).status_code in (400, 404)
    assert left_for(gateway, "faith") == full

    # What was asked of a provider was asked, but has used no tokens.
    failures = [{"status": 500}, {"status": 429}, {"error": "bad_request"}, {"error": "bad_key"}, {"reset": True}, {"garbage": True}]
    for failure in failures:
        for stream in (False, True):
            lane.script("openai", failure, failure)
            assert ask(gateway, "faith", model="all", stream=stream).status_code >= 400
            lane.clear()
            wait_until(lambda: left_for(gateway, "faith")["tokens-of-faith"] == 100_000)
    assert left_for(gateway, "faith") == {**full, "requests-of-faith": 100 - 2 * len(failures)}

    # What could not be asked of any provider was not even a request.
    assert ask(gateway, "faith", model="none").status_code == 503
    wait_until(lambda: left_for(gateway, "faith") == {**full, "requests-of-faith": 100 - 2 * len(failures)})


# ---- what clients see -----------------------------------------------------------------------------------------------


def test_an_answer_tells_how_the_limits_stand(gateway):
    answer = ask(gateway, "faith")
    left_over = left(answer.headers)
    assert answer.headers["x-ratelimit-limit-requests"] == "100"
    assert int(answer.headers["x-ratelimit-remaining-requests"]) == left_over["requests-of-faith"] < 100
    assert answer.headers["x-ratelimit-limit-tokens"] == "100000"
    assert int(answer.headers["x-ratelimit-remaining-tokens"]) == left_over["tokens-of-faith"] < 100_000
    assert re.fullmatch(r"(\d+h)?(\d+m)?\d+(\.\d+)?s", answer.headers["x-ratelimit-reset-requests"])
    policy = answer.headers["ratelimit-policy"]
    assert '"requests-of-faith";q=100;w=3600' in policy and '"tokens-of-faith";q=100000;qu="tokens";w=86400' in policy
    assert '"money-of-faith";q=100000000;qu="micro-usd"' in policy
    usage = answer.json()["usage"]
    micros = 10_000 + usage["prompt_tokens"] + 2 * usage["completion_tokens"]
    assert decimal.Decimal(answer.headers["x-modelgate-cost-usd"]) == decimal.Decimal(micros) / 1_000_000


def test_the_sdk_knows_a_refusal_for_what_it_is(gateway):
    client = gateway.client(api_key=key_of("sdk"))
    with pytest.raises(openai.RateLimitError) as caught:
        for _ in range(9):
            client.chat.completions.create(**SOME)
    error, headers = caught.value, caught.value.response.headers
    assert (error.status_code, error.code, error.type, error.param) == (429, "rate_limit_exceeded", "tokens", None)
    assert re.search(r'The limit "bucket" is reached \(.*4800 tokens.*\)\. Please try again in [\d.]+(ms|s)\.', error.message)
    assert headers["content-type"] == "application/json" and error.request_id
    assert headers["x-ratelimit-limit-tokens"] == "4800" and int(headers["x-ratelimit-remaining-tokens"]) < 200
    assert headers["ratelimit-policy"] == '"bucket";q=4800;qu="tokens";w=60' and left(headers).keys() == {"bucket"}
    assert 0 < int(headers["retry-after-ms"]) < 1500 and "x-should-retry" not in headers

    began, wait = time.time(), int(headers["retry-after-ms"]) / 1000
    assert gateway.client(api_key=key_of("sdk"), max_retries=2).chat.completions.create(**SOME).choices
    assert wait * 0.7 < time.time() - began < wait + 5


@pytest.mark.parametrize(
    "consumer, code, kind, words",
    [
        ("sdk-money", "insufficient_quota", "insufficient_quota", r'The limit "cents" is reached \(.*0\.015 USD.*\)\. Please try again in (\d+h)?(\d+m)?[\d.]+s'),
        ("sdk-short", "rate_limit_exceeded", "tokens", r'The request is too large: it needs more than the limit "short" allows at once'),
    ],
)
def test_the_sdk_does_not_retry_what_is_of_no_use(gateway, consumer, code, kind, words):
    client = gateway.client(api_key=key_of(consumer), max_retries=2)
    gateway.mark()
    with pytest.raises(openai.RateLimitError) as caught:
        for _ in range(2):
            client.chat.completions.create(**SOME)
    assert (caught.value.code, caught.value.type) == (code, kind)
    assert re.search(words, caught.value.message), caught.value.message
    assert caught.value.response.headers["x-should-retry"] == "false"
    client.models.list()
    wait_until(lambda: any(line["path"] == "/v1/models" for line in gateway.access_log()))
    assert [line["status"] for line in gateway.access_log()].count(429) == 1


def test_a_stream_that_outgrows_its_limit_is_ended_where_the_limit_says_so(gateway, lane):
    said = {"chunks": 200, "size": 2, "delay_chunk": 2}
    ended = {}
    for consumer in ("stella", "fiona"):
        lane.script("openai", said)
        client = gateway.client(api_key=key_of(consumer))
        options = {"stream": True, "stream_options": {"include_usage": True}}
        chunks = list(client.chat.completions.create(model="m", messages=user("hello"), **options))
        pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
        (finish,) = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]
        ended[consumer] = (finish, len(pieces), chunks[-1].usage.completion_tokens)
    assert ended["fiona"] == ("stop", 200, 600)
    finish, pieces, usage = ended["stella"]
    assert finish == "length" and 60 < pieces < 160 and 150 < usage <= 232


# ---- configuration --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limit, problem",
    [
        ({"name": "a", "requests": 10, "window": "minuet"}, "limits[0].window"),
        ({"name": "a", "requests": 0, "window": "minute"}, "limits[0].requests: 0: expected a whole number from 1"),
        ({"name": "a", "usd": 0.25, "window": "minute"}, "limits[0].window: minute for usd: expected day or month"),
        ({"name": "a", "requests": 1, "window": "day", "consumers": ["acem"]}, 'nearest: "acme"'),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused_with_its_path(own_lane, tmp_path, limit, problem):
    config = render.load(gateways.SHIPPED)
    render.use_wasm(config, os.environ["WASM"])
    render.use_providers(config, {**document(own_lane, [limit]), "consumers": consumers("acme")})
    render.save(config, tmp_path / "envoy.yaml")
    command = [os.environ["ENVOY"], "--mode", "validate", "-c", tmp_path / "envoy.yaml", "--log-level", "warning"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and problem in done.stdout + done.stderr


def test_what_is_counted_survives_a_change_of_the_configuration(start_gateway, own_lane, tmp_path):
    """With the gateway role's configuration in a file that Envoy watches. Somebody is being answered meanwhile."""
    file, limits = tmp_path / "filter.json", [
        {"name": "requests", "requests": 4, "window": "hour"},
        {"name": "tokens", "tokens": 10_000, "window": "day"},
        {"name": "slot", "concurrent": 1},
    ]

    def write(filter, limits):
        filter["config"]["configuration"]["value"] = {**document(own_lane, limits), "consumers": consumers("carol")}
        resource = {"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "name": "modelgate", "typed_config": filter}
        new = file.with_suffix(".new")
        new.write_text(json.dumps({"resources": [resource]}))
        new.rename(file)

    def watch(config):
        (one,) = (one for one in render.connection_manager(config)["http_filters"] if one["name"] == "modelgate")
        watch.filter = copy.deepcopy(one.pop("typed_config"))
        write(watch.filter, limits)
        config["node"] = {"id": "a-node", "cluster": "a-cluster"}
        one["config_discovery"] = {
            "config_source": {"path_config_source": {"path": str(file), "watched_directory": {"path": str(tmp_path)}}},
            "type_urls": [watch.filter["@type"]],
        }

    settings = {**document(own_lane, limits), "consumers": consumers("carol")}
    gateway = start_gateway(settings, edit=watch)
    ask_anew = lambda model="m": httpx2.post(f"{gateway.origin}/v1/chat/completions", json={**SOME, "model": model}, headers=bearer("carol"))
    assert ask_anew().status_code == 200
    own_lane.script("openai", {"hold": True})
    with concurrent.futures.ThreadPoolExecutor() as others:
        held = others.submit(ask_anew)
        wait_until(lambda: len(own_lane.received()) == 2)

        # One limit more, one larger, one smaller, in another order.
        write(watch.filter, [{"name": "more", "requests": 9, "window": "day"}, {**limits[2]}, {**limits[0], "requests": 5}, {**limits[1], "tokens": 9_000}])
        wait_until(lambda: all("more" in left(ask_anew("untouchable").headers) for _ in range(20)))
        refused = ask_anew()
        assert refused.status_code == 429 and '"slot"' in refused.json()["error"]["message"]
        assert left(refused.headers)["requests"] == 3
        own_lane.release()
        assert held.result().status_code == 200
    wait_until(lambda: left(ask_anew("untouchable").headers)["slot"] == 1)
    used = sum(request.usage["prompt"] + request.usage["completion"] for request in own_lane.received())
    assert left(ask_anew("untouchable").headers) == {"more": 9, "slot": 1, "requests": 3, "tokens": 9_000 - used, "untouchable": 1}
    assert [ask_anew().status_code for _ in range(4)] == [200, 200, 200, 429]


PROSE = "The old harbour lies quiet in the morning; only the gulls and a few fishermen are awake, and the fog hides the hills. "
CODE = "def area(width, height):\n    if width < 0 or height < 0:\n        raise ValueError(f'negative: {width}x{height}')\n    return width * height\n\n"
RECORD = '{"id": 48213, "name": "Ada Lovelace", "tags": ["maths", "engine"], "born": "1815-12-10", "active": false},\n'
CHINESE = "旧港的清晨很安静，只有海鸥和几个渔夫醒着，雾气遮住了远处的山丘。"


def test_the_estimate_learns_how_the_model_counts(start_gateway, own_lane):
    """What is reserved for prompts of each kind, after fifty requests, is within a tenth of what the model then says they had."""
    size = 10**9
    limits = [{"name": "prompts", "per": ["consumer"], "input_tokens": size, "window": "day"}]
    gateway = start_gateway(document(own_lane, limits, consumers=consumers("learner")), concurrency=2)
    used, errors = 0, {}
    kinds = {"prose": PROSE, "code": CODE, "JSON": RECORD, "Chinese": CHINESE}
    for number in range(50 + 8 * len(kinds)):
        kind, text = list(kinds.items())[number % len(kinds)]
        answer = gateway.post({"model": "m", "messages": user(text * (2 + number % 7))}, headers=bearer("learner"))
        reserved = size - used - left(answer.headers)["prompts"]
        prompt = answer.json()["usage"]["prompt_tokens"]
        used += prompt
        if number >= 50:
            errors.setdefault(kind, []).append(abs(reserved / prompt - 1))
        settled = lambda: size - left_for(gateway, "learner")["prompts"] == used
        deadline = time.monotonic() + 5
        while not settled():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    means = {kind: sum(found) / len(found) for kind, found in errors.items()}
    assert set(means) == set(kinds) and all(mean <= 0.1 for mean in means.values()), means
