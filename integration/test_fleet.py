"""Limits that hold over several Envoys: two gateways with two workers each, one rate limit service, one Redis.

Needs REDIS and RATELIMIT besides what the others need: `setup_redis` and `build_ratelimit` of scripts/setup."""

import concurrent.futures
import time

import openai
import pytest

import fleet
import gateway as gateways
import process
from crowd import ask_at_once
from gateway import route, user, wait_until
from lanes import Lane
from test_limits import PRICE, bearer, consumers, left

# Windows so long that none ends while tests run.
LIMITS = {
    "consumer_requests": (1_000_000, "year"),
    "consumer_requests=few": (30, "year"),
    "consumer_requests=refused": (1, "year"),
    "consumer_requests=patient": (1, "second"),
    "consumer_tokens": (1_000_000, "year"),
    "consumer_tokens=whole": (300, "year"),
    "consumer_tokens=streamed": (300, "year"),
    "consumer_tokens=many": (300, "year"),
    "tier_requests=small": (3, "year"),
    "tier_tokens": (1_000_000, "year"),
    "model_requests=rare": (2, "year"),
    "model_requests": (1_000_000, "year"),
    "model_tokens": (1_000_000, "year"),
}
CONSUMERS = ("few", "refused", "patient", "whole", "streamed", "many", "named", "fan", "leaving", "several", "spared", "other")
TIMEOUT = 2.0  # seconds that a gateway waits for the service, where there is none
SOME = {"model": "m", "messages": user("Say something.")}


def document(lane):
    model = lambda name, **more: {"provider": "openai", "model": name, "price": PRICE, **more}
    several = {"ensemble": {"members": [{"model": "m"}, {"model": "also"}], "combine": "longest"}}
    return {
        "providers": {"openai": lane.provider("openai")},
        "models": {
            "m": model("gpt-4o-mini", aliases=["em"]),
            "also": model("gpt-4.1-mini"),
            "rare": model("gpt-4o"),
            "slow": model("gpt-4.1+chunks=400+size=3+delay_chunk=20"),
        },
        "routes": {"r": route("m"), "several": {**route("m"), "orchestration": several}},
        "tiers": {"default": {}, "small": {}},
        "consumers": {**consumers(*CONSUMERS), **consumers("one", "another", tier="small")},
        "limits": [
            {"name": "local", "per": ["consumer"], "requests": 1000, "window": "day"},
            {"name": "spared", "consumers": ["spared"], "requests": 1, "window": "day"},
        ],
    }


class Fleet:
    """Gateways that share limits, with all that belongs to them."""

    def __init__(self, lane, directory, **settings):
        """One gateway for each of `settings`: what its filter has otherwise than envoy/fleet.yaml."""
        self.lane = lane
        self.directory = directory
        self.redis = fleet.Redis(directory("redis"))
        self.service = fleet.Service(LIMITS, self.redis, directory("ratelimit"))
        self.gateways = {}
        for name, changes in settings.items():
            edit = fleet.shares(self.service.port, **changes)
            self.gateways[name] = gateways.Gateway(document(lane), directory(name), edit=edit, shipped=fleet.SHIPPED)

    def restart_redis(self):
        self.redis = fleet.Redis(self.directory("redis"), port=self.redis.port)

    def restart_service(self):
        self.service = fleet.Service(LIMITS, self.redis, self.directory("ratelimit"), port=self.service.port)

    def counted(self, name):
        return self.redis.counters().get(name, 0)

    def stop(self):
        try:
            for one in self.gateways.values():
                one.assert_healthy()
        finally:
            for one in (*self.gateways.values(), self.service, self.redis):
                one.stop()


@pytest.fixture(scope="module")
def two(mock_server, tmp_path_factory):
    """Two gateways that have all limits in common."""
    directory = lambda name: str(tmp_path_factory.mktemp(name))
    # However busy the machine is that tests run on: a service that is late lets requests pass.
    patient = {"timeout": "10s"}
    running = Fleet(Lane(mock_server.origin, "fleet"), directory, first=patient, second=patient)
    yield running
    running.stop()


@pytest.fixture
def both(two):
    two.lane.clear()
    for one in two.gateways.values():
        one.mark()
    return [two.gateways["first"], two.gateways["second"]]


def used(lane):
    return [request.usage["prompt"] + request.usage["completion"] for request in lane.received()]


def ask(gateway, consumer, **changes):
    answer = gateway.post({**SOME, **changes}, bearer(consumer))
    answer.read()
    return answer


# ---- the sum --------------------------------------------------------------------------------------------------------


def test_of_a_crowd_at_two_gateways_exactly_those_are_admitted_that_fit(two, both):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = [pool.submit(ask_at_once, gateway, 50, SOME, bearer("few")) for gateway in both]
        answers = [answer for one in asked for answer in one.result()]
    assert sorted(answer.status for answer in answers) == [200] * 30 + [429] * 70
    assert len(two.lane.received()) == 30
    # Those refused are counted too; it is how the service counts.
    assert two.counted("consumer_requests_few") == 100


@pytest.mark.parametrize("consumer, stream", [("whole", False), ("streamed", True)])
def test_tokens_of_both_gateways_exceed_a_limit_by_less_than_one_request(two, both, consumer, stream):
    """If they are asked one after the other: what is admitted was within the limit, and is charged when it is over."""
    counter = f"consumer_tokens_{consumer}"
    for nth in range(100):
        before = sum(used(two.lane))
        answer = ask(both[nth % 2], consumer, stream=stream)
        if answer.status_code == 429:
            break
        assert answer.status_code == 200 and before <= 300
        wait_until(lambda: two.counted(counter) == sum(used(two.lane)))
    each = max(used(two.lane))
    assert nth > 2 and 300 < sum(used(two.lane)) <= 300 + each
    # The other one refuses it as well, and nothing of what was refused is charged.
    assert ask(both[(nth + 1) % 2], consumer, stream=stream).status_code == 429
    assert two.counted(counter) == sum(used(two.lane))


def test_tokens_exceed_a_limit_by_no_more_than_what_is_in_flight(two, both):
    in_flight = 20
    two.lane.script("openai", *[{"hold": True}] * in_flight)

    def meanwhile_let_them_go():
        wait_until(lambda: len(two.lane.received()) == in_flight)
        two.lane.release()

    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = [pool.submit(ask_at_once, gateway, in_flight // 2, SOME, bearer("many")) for gateway in both]
        pool.submit(meanwhile_let_them_go).result()
        assert {answer.status for one in asked for answer in one.result()} == {200}
    total = sum(used(two.lane))
    assert 300 < total <= 300 + in_flight * max(used(two.lane))
    wait_until(lambda: two.counted("consumer_tokens_many") == total)
    assert [ask(gateway, "many").status_code for gateway in both] == [429, 429]


# ---- who and what has a counter -------------------------------------------------------------------------------------


def test_models_are_counted_by_the_configured_name_that_was_asked_for(two, both):
    names = ["m", "em", "r", "openai/gpt-4o", "openai/some-other"]
    before = two.redis.counters()
    for nth, name in enumerate(names):
        assert ask(both[nth % 2], "named", model=name, stream=nth > 2).status_code == 200
    m, em, r, *unlisted = used(two.lane)

    def counted():
        now = two.redis.counters()
        grown = {name: now[name] - before.get(name, 0) for name in now}
        return {name: grown[name] for name in grown if grown[name] and "model" in name}

    tokens = {"model_tokens_m": m + em, "model_tokens_r": r, "model_tokens_rare": unlisted[0], "model_tokens_unlisted": unlisted[1]}
    requests = {"model_requests_m": 2, "model_requests_r": 1, "model_requests_rare": 1, "model_requests_unlisted": 1}
    wait_until(lambda: counted() == tokens | requests)
    assert two.counted("consumer_requests_named") == 5 and two.counted("consumer_tokens_named") == sum(tokens.values())
    logged = [line["request_model"] for gateway, count in zip(both, (3, 2)) for line in logged_of(gateway, "named", count)]
    assert sorted(logged) == ["m", "m", "r", "rare", "unlisted"]


def logged_of(gateway, consumer, count=1):
    """The consumer's lines in the access log, once there are so many."""
    lines = lambda: [line for line in gateway.access_log() if line["consumer"] == consumer]
    wait_until(lambda: len(lines()) >= count)
    return lines()


def test_consumers_of_a_tier_have_its_limit_together(two, both):
    asked = [("one", 0), ("another", 1), ("one", 1), ("another", 0), ("one", 0)]
    assert [ask(both[at], consumer).status_code for consumer, at in asked] == [200, 200, 200, 429, 429]
    assert ask(both[0], "other").status_code == 200
    assert two.counted("tier_requests_small") == 5


def test_a_model_has_its_limit_for_all_together(two, both):
    left_of_it = 2 - two.counted("model_requests_rare")
    statuses = [ask(both[nth % 2], ("fan", "other")[nth % 2], model="rare").status_code for nth in range(left_of_it + 1)]
    assert statuses == [200] * left_of_it + [429]
    assert ask(both[0], "fan").status_code == 200


def test_what_the_gateway_asks_itself_is_counted_as_asked(two, both):
    assert ask(both[0], "several", model="several").status_code == 200
    wait_until(lambda: two.counted("consumer_tokens_several") == sum(used(two.lane)))
    assert len(used(two.lane)) == 2 == two.counted("consumer_requests_several")


def test_who_leaves_is_charged_for_what_was_delivered(two, both):
    client = both[0].client(api_key="sk-of-leaving")
    stream = client.chat.completions.create(**{**SOME, "model": "slow"}, stream=True)
    for _ in range(20):
        next(stream)
    stream.close()
    (line,) = logged_of(both[0], "leaving")
    assert int(line["tokens"]) == int(line["tokens_in"]) + int(line["tokens_out"]) and int(line["tokens_out"]) > 5
    wait_until(lambda: two.counted("consumer_tokens_leaving") == int(line["tokens"]))


# ---- refusals -------------------------------------------------------------------------------------------------------


def test_a_refusal_is_one_of_openais(two, both):
    assert ask(both[0], "refused").status_code == 200
    for gateway, stream in zip(both, (True, False)):
        with pytest.raises(openai.RateLimitError) as refused:
            gateway.client(api_key="sk-of-refused").chat.completions.create(**SOME, stream=stream)
        said, answer = refused.value.body, refused.value.response
        assert said == {
            "message": "a limit that all gateways share is reached",
            "type": "rate_limit_error",
            "param": None,
            "code": "rate_limit_exceeded",
        }
        assert answer.headers["content-type"] == "application/json" and "x-envoy-ratelimited" not in answer.headers
        # Until the year is over: the SDK shall not wait for that.
        assert 60 < int(answer.headers["retry-after"]) <= 365 * 86400 and answer.headers["x-should-retry"] == "false"
        assert answer.headers["x-request-id"]
    (line,) = logged_of(both[1], "refused")
    assert (line["status"], line["details"], line["tokens"]) == (429, "request_rate_limited", None)


def test_what_is_refused_is_given_back_to_the_gateways_own_limits(two, both):
    gateway = both[0]
    ask(gateway, "refused")
    refused = [ask(gateway, "refused") for _ in range(10)]
    assert {answer.status_code for answer in refused} == {429}
    # Each had reserved one of them when it was refused.
    assert len({left(answer.headers)["local"] for answer in refused}) == 1
    # And no provider is to blame for it.
    assert ask(gateway, "other").status_code == 200


def test_the_sdk_asks_again_when_it_is_told_to(both):
    client = both[0].client(api_key="sk-of-patient", max_retries=5)
    began = time.monotonic()
    for _ in range(3):
        assert client.chat.completions.create(**SOME).choices
    assert 1 <= time.monotonic() - began < 15


def test_what_a_gateway_refuses_itself_costs_the_service_nothing(two, both):
    assert ask(both[0], "spared").status_code == 200
    wait_until(lambda: two.counted("consumer_tokens_spared"))
    before = two.redis.counters()
    for _ in range(5):
        assert "spared" in ask(both[0], "spared").json()["error"]["message"]
    assert both[0].post(SOME, {"authorization": "Bearer sk-of-nobody"}).status_code == 401
    assert two.redis.counters() == before
    assert ask(both[1], "spared").status_code == 200


def test_nothing_is_logged_of_what_has_used_nothing(both):
    assert not [one for one in both if "hits_addend" in one.envoy.log()]


# ---- failures -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def failing(mock_server, tmp_path_factory):
    """A gateway that lets pass what nobody can tell to be within its limits, and one that does not."""
    directory = lambda name: str(tmp_path_factory.mktemp(name))
    settings = {name: {"failure_mode_deny": name == "closed", "timeout": f"{TIMEOUT}s"} for name in ("open", "closed")}
    running = Fleet(Lane(mock_server.origin, "failing"), directory, **settings)
    yield running
    running.stop()


def assert_it_fails_as_configured(failing, least=0.0, most=TIMEOUT + 5):
    failing.lane.clear()
    before = left(ask(failing.gateways["open"], "other").headers)["local"]
    began = time.monotonic()
    passed = ask(failing.gateways["open"], "other")
    assert passed.status_code == 200 and least <= time.monotonic() - began < most
    # What the gateway itself limits is limited still.
    assert left(passed.headers)["local"] == before - 1
    began = time.monotonic()
    refused = ask(failing.gateways["closed"], "other")
    assert least <= time.monotonic() - began < most
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "limits_unavailable")
    assert refused.json()["error"]["type"] == "server_error"
    assert left(ask(failing.gateways["closed"], "other").headers) == left(refused.headers)
    assert len(failing.lane.received()) == 2


def assert_it_works(failing):
    failing.lane.clear()
    wait_until(lambda: ask(failing.gateways["closed"], "other").status_code == 200)
    before = failing.counted("consumer_requests_other")
    assert [ask(one, "other").status_code for one in failing.gateways.values()] == [200, 200]
    assert failing.counted("consumer_requests_other") == before + 2


def test_without_a_service_requests_pass_or_not_as_configured(failing):
    assert_it_works(failing)
    failing.service.stop()
    assert_it_fails_as_configured(failing)
    failing.restart_service()
    assert_it_works(failing)


def test_a_service_that_is_slow_is_as_good_as_none(failing):
    failing.service.pause()
    assert_it_fails_as_configured(failing, least=TIMEOUT)
    failing.service.go_on()
    assert_it_works(failing)


def test_without_redis_it_is_the_same(failing):
    failing.redis.stop()
    assert_it_fails_as_configured(failing)
    failing.restart_redis()
    assert_it_works(failing)


def test_the_service_reads_the_limits_that_are_shipped(failing, tmp_path):
    with fleet.Service(fleet.LIMITS, failing.redis, str(tmp_path)) as service:
        assert service.is_running()


def test_a_service_that_does_not_understand_its_limits_does_not_start(failing, tmp_path):
    limits = tmp_path / "wrong.yaml"
    limits.write_text("domain: modelgate\ndescriptors: [{key: consumer_requests, shadow_mode: true}]\n")
    with pytest.raises(process.DidNotStart, match="shadow_mode"):
        fleet.Service(limits, failing.redis, str(tmp_path))
