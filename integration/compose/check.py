"""The tests of docker-compose.yaml, run within it. Ends with 0 if all of them hold, else with 1.

Each thing that happens has a consumer of its own, so that what was charged for it is known. Whatever happens to a provider:
no answer is wrong, each is there in its time, and what was used is charged, here and for the limits of all Envoys together."""

import collections
import concurrent.futures
import json
import pathlib
import re
import secrets
import socket
import sys
import time
import traceback
from urllib.parse import quote

import engine
from client import Load, ask, get, post, redis, wait_until

FACTS = json.loads(pathlib.Path("/prepared/facts.json").read_text(encoding="utf-8"))
MODELS = FACTS["models"]
PROVIDERS = list(MODELS)
SLACK = 5.0  # seconds beside the time that an attempt may take: the machine may be busy
CLIENTS = 6


# ---- what is known ---------------------------------------------------------------------------------------------------


def charged(consumer):
    """Tokens of the consumer, as the gateway's metrics have them."""
    lines = re.findall(r"^modelgate_tokens\{([^}]*)\} (\d+)", get("http://envoy:9901/stats/prometheus"), re.M)
    mine = [(labels, int(value)) for labels, value in lines if f'consumer="{consumer}"' in labels]
    return sum(value for labels, value in mine if re.search('direction="(input|output)"', labels))


def charged_everywhere(consumer):
    """The same, as the rate limit service has counted them."""
    keys = redis("KEYS", f"modelgate_consumer_tokens_{consumer}_*")
    return sum(int(redis("GET", key)) for key in keys)


def produced(consumer):
    """The same, as the mocks know it of the answers they have completed."""
    tokens = 0
    for provider in PROVIDERS:
        received = json.loads(get(f"http://{provider}:8080/_mock/requests?lane={FACTS['lane']}"))
        for one in received["requests"] if isinstance(received, dict) else received:
            if one["usage"] and one["status"] == 200 and one["ended"] == "complete" and f" of {consumer}" in one["raw"]:
                tokens += one["usage"]["prompt"] + one["usage"]["completion"]
    return tokens


def judged():
    """How many answers a judge has graded; Envoy tells histograms every few seconds."""
    lines = re.findall(r"^modelgate_judge_score_percent_count\{[^}]*\} (\d+)", get("http://envoy:9901/stats/prometheus"), re.M)
    return sum(map(int, lines))


def told(answers):
    return sum(answer.tokens for answer in answers)


def query(expression):
    return json.loads(get(f"http://prometheus:9090/api/v1/query?query={quote(expression)}"))["data"]["result"]


# ---- what holds whatever happens -------------------------------------------------------------------------------------


def assert_none_is_wrong(answers, may_break=0, may_fail=0):
    wrong = [one for one in answers if one.status == 200 and not one.is_right(MODELS)]
    assert not wrong, f"{len(wrong)} of {len(answers)} answers are wrong: {wrong[:3]}"
    failed = [one for one in answers if one.status != 200]
    assert len(failed) <= may_fail, f"{len(failed)} of {len(answers)} requests failed: {failed[:3]}"
    broken = [one for one in answers if one.broken]
    assert len(broken) <= may_break, f"{len(broken)} of {len(answers)} streams broke: {broken[:3]}"


def assert_in_time(answers):
    """One provider fails in each test, so each request has waited for one attempt in vain at most."""
    latest = max(one.first_seconds for one in answers if one.status == 200)
    assert latest <= FACTS["attempt_seconds"] + SLACK, f"an answer took {latest:.1f} s"


def assert_charged(consumer, answers):
    """What answers told of is charged, and nothing of it is lost on the way to what all Envoys share."""
    wait_until(lambda: charged(consumer) >= told(answers), what=f"charging {told(answers)} tokens")
    wait_until(lambda: charged_everywhere(consumer) == charged(consumer), what=f"the charge of {charged(consumer)} tokens in Redis")


def no_filter_has_trapped():
    reloads = re.findall(r"^envoy_wasm_\S*vm_reload\S* [1-9]\d*$", get("http://envoy:9901/stats/prometheus"), re.M)
    assert not reloads, reloads


def summary(answers):
    by = collections.Counter(f"{one.provider or 'none'}{' (broken)' if one.broken else ''}" for one in answers)
    latest = max((one.first_seconds for one in answers), default=0)
    return f"{len(answers)} answers, {dict(by)}, latest {latest:.1f} s"


def suffers(consumer, first, hurt, heal, seconds=4.0, replaced=True):
    """Under load on the route that tries `first` first: `hurt` it, let that be so for a while, `heal` it, and see it answer again. Unless it may
    be back before anybody asks again, others answer meanwhile (`replaced`)."""
    container = engine.Container(PROJECT, first)
    route = f"{first}-first"
    with Load(consumer, route, CLIENTS) as load:
        wait_until(lambda: any(one.provider == first for one in load.answers), what="an answer before")
        since = len(load.answers)
        hurt(container)
        try:
            time.sleep(seconds)
            if replaced:
                wait_until(lambda: any(one.provider != first for one in load.answers[since:]), what="an answer of another")
        finally:
            heal(container)
        since = len(load.answers)
        wait_until(lambda: any(one.provider == first for one in load.answers[since:]), 60, f"an answer of {first} again")
    assert_none_is_wrong(load.answers, may_break=CLIENTS)
    assert_in_time(load.answers)
    assert_charged(consumer, load.answers)
    return summary(load.answers)


# ---- the tests, in their order ---------------------------------------------------------------------------------------


def everything_becomes_ready():
    seconds = 90
    for provider in PROVIDERS:
        wait_until(lambda: get(f"http://{provider}:8080/_mock/health"), seconds, provider)
    wait_until(lambda: redis("PING") == "PONG", seconds, "Redis")
    wait_until(lambda: socket.create_connection(("ratelimit", 8081), 2).close() is None, seconds, "the rate limit service")
    wait_until(lambda: get("http://envoy:9901/ready"), seconds, "Envoy")
    wait_until(lambda: get("http://prometheus:9090/-/ready"), seconds, "Prometheus")
    wait_until(lambda: socket.create_connection(("jaeger", 4318), 2).close() is None, seconds, "Jaeger")


def each_provider_answers_whole_and_streamed_and_is_charged_exactly():
    answers = [ask("calm", provider, stream) for provider in PROVIDERS for stream in (False, True) for _ in range(3)]
    assert_none_is_wrong(answers)
    assert [one.provider for one in answers] == [provider for provider in PROVIDERS for _ in range(6)]
    assert_charged("calm", answers)
    assert told(answers) == charged("calm") == produced("calm"), (told(answers), charged("calm"), produced("calm"))
    return f"{len(answers)} answers, {told(answers)} tokens"


def who_has_no_key_is_refused():
    assert ask("nobody", "openai").status == 401


def several_models_make_one_answer_with_one_bill():
    """Each member is asked, and then somebody judges them; what all of that used is what the client is told."""
    answers = [ask("several", "together", stream) for stream in (False, True)]
    for answer in answers:
        assert answer.status == 200 and not answer.broken, answer
        assert answer.text in {f"This is {MODELS[name]} from {name}. You said: {answer.asked}" for name in PROVIDERS}, answer
    assert_charged("several", answers)
    assert told(answers) == charged("several") == produced("several"), (told(answers), charged("several"), produced("several"))
    wait_until(lambda: judged() == len(answers) * len(PROVIDERS), what="the judge's scores")
    return f"{told(answers)} tokens, {len(answers) * len(PROVIDERS)} judged"


def a_request_is_a_trace_with_its_attempts_and_calls():
    """The client's trace goes on: below its span the request's, below that each call and attempt, with the attributes of generative AI."""
    kinds = {"openai": 1, "together": len(PROVIDERS)}
    for model, least in kinds.items():
        trace, parent = secrets.token_hex(16), secrets.token_hex(8)
        answer = ask("traced", model, traceparent=f"00-{trace}-{parent}-01")
        assert answer.status == 200, answer

        def spans():
            [found] = json.loads(get(f"http://jaeger:16686/api/traces/{trace}"))["data"]
            below = collections.defaultdict(list)
            for span in found["spans"]:
                for of in span["references"]:
                    below[of["spanID"]].append(span)
            [root] = below[parent]
            return (root, below) if len(below[root["spanID"]]) >= least else None

        root, below = wait_until(spans, what=f"the trace of {model}")
        tags = {tag["key"]: tag["value"] for tag in root["tags"]}
        assert tags["gen_ai.request.model"] == model and tags["modelgate.consumer"] == "traced", tags
        answered = [root]
        if model == "together":
            answered = below[root["spanID"]]
            assert all(below[call["spanID"]] for call in answered), "each call has its attempt"
        for span in answered:
            assert any(tag["key"] == "gen_ai.usage.output_tokens" and int(tag["value"]) > 0 for tag in span["tags"]), span
    return f"{len(below) + 1} parents"


def a_slow_provider_is_not_waited_for():
    directives = [{"delay_headers": 60000}] * 8
    post("http://gemini:8080/_mock/script", {"lane": FACTS["lane"], "provider": "gemini", "directives": directives})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda nth: ask("slowed", "gemini-first", nth % 2 == 0), range(8)))
    assert_none_is_wrong(answers)
    assert {one.provider for one in answers} <= {"openai"}
    assert_in_time(answers)
    assert_charged("slowed", answers)
    wait_until(lambda: ask("slowed", "gemini-first").provider == "gemini", what="an answer of gemini again")
    return summary(answers)


def a_killed_provider_is_replaced():
    return suffers("killed", "openai", lambda one: one.kill(), lambda one: one.start())


def a_paused_provider_is_replaced():
    return suffers("paused", "anthropic", lambda one: one.pause(), lambda one: one.go_on())


def a_provider_that_is_cut_off_is_replaced():
    return suffers("cut-off", "gemini", lambda one: one.cut_off(), lambda one: one.connect())


def a_provider_that_is_restarted_is_missed_by_nobody():
    return suffers("restarted", "openai", lambda one: one.restart(), lambda one: None, seconds=1.0, replaced=False)


def the_limit_of_all_holds_and_outlives_an_envoy():
    """Envoy is restarted under load: only what was on its way then may fail, and what `capped` has used it has still used."""
    cap, before = FACTS["cap"], FACTS["cap"] - 8
    answers = [ask("capped", "openai") for _ in range(before)]
    assert [one.status for one in answers] == [200] * before
    no_filter_has_trapped()
    container = engine.Container(PROJECT, "envoy")
    with Load("envoy", "openai-first", CLIENTS) as load:
        wait_until(lambda: len(load.answers) > 2 * CLIENTS, what="load")
        container.restart()
        since = len(load.answers)
        wait_until(lambda: sum(one.status == 200 for one in load.answers[since:]) > 2 * CLIENTS, 90, "an answer of the new Envoy")
    # Who asked while there was none was refused, or had no answer: that is no wrong one.
    refused = [one for one in load.answers if one.status != 200]
    assert all(one.status == 0 for one in refused), [one for one in refused if one.status][:3]
    assert_none_is_wrong(load.answers, may_break=CLIENTS, may_fail=len(refused))
    # What the old one had answered and not yet told of is lost with it: one request of each client at most.
    whole = max(one.tokens for one in load.answers)
    wait_until(lambda: charged_everywhere("envoy") >= told(load.answers) - CLIENTS * whole, what="the charge in Redis")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers += pool.map(lambda _: ask("capped", "openai"), range(16))
    assert collections.Counter(one.status for one in answers) == {200: cap, 429: before + 16 - cap}
    assert_none_is_wrong([one for one in answers if one.status == 200])
    return f"{summary(load.answers)}; {cap} of {len(answers)} admitted"


def prometheus_has_the_metrics_and_the_alerts():
    wait_until(lambda: query("up{job='modelgate'} == 1"), what="a scrape")
    for name in ("modelgate_requests", "modelgate_tokens", "modelgate_fallbacks", "modelgate_cost_nano_usd", "modelgate_limit_decisions",
                 "gen_ai_client_token_usage_count", "gen_ai_server_request_duration_milliseconds_count", "modelgate_circuit_state",
                 "envoy_cluster_membership_healthy"):
        wait_until(lambda: query(f"last_over_time({name}[10m])"), what=name)
    no_filter_has_trapped()
    groups = json.loads(get("http://prometheus:9090/api/v1/rules"))["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert sorted(rule["name"] for rule in rules) == sorted(FACTS["alerts"])
    wrong = {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"}
    assert not wrong, wrong
    return f"{len(rules)} alerts"


TESTS = [
    everything_becomes_ready,
    each_provider_answers_whole_and_streamed_and_is_charged_exactly,
    who_has_no_key_is_refused,
    several_models_make_one_answer_with_one_bill,
    a_request_is_a_trace_with_its_attempts_and_calls,
    a_slow_provider_is_not_waited_for,
    a_killed_provider_is_replaced,
    a_paused_provider_is_replaced,
    a_provider_that_is_cut_off_is_replaced,
    a_provider_that_is_restarted_is_missed_by_nobody,
    the_limit_of_all_holds_and_outlives_an_envoy,
    prometheus_has_the_metrics_and_the_alerts,
]


def main():
    passed = 0
    began = time.monotonic()
    for test in TESTS:
        name, start = test.__name__.replace("_", " "), time.monotonic()
        try:
            found = test()
            passed += 1
            print(f"ok      {name} ({time.monotonic() - start:.1f} s{': ' + found if found else ''})")
        except Exception:
            print(f"FAILED  {name} ({time.monotonic() - start:.1f} s)\n{traceback.format_exc()}")
            if test is everything_becomes_ready:
                break
    print(f"{passed} passed, {len(TESTS) - passed} failed or not run, in {time.monotonic() - began:.1f}s")
    sys.exit(0 if passed == len(TESTS) else 1)


if __name__ == "__main__":
    PROJECT = engine.own_project()
    main()
