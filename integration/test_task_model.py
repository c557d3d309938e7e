"""What kind of request it is, from a model that the gateway asks itself where words leave it in doubt; two workers, a real Envoy."""

import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from gateway import user, wait_until
from kinds import ANYONE

DOUBT, OTHER, CLEAR = "the old thing again", "the thing we had on the table", "Write a function in Rust that reverses a list."


def configuration(lane, cached=True, **more):
    """A model of OpenAI's that answers, and one of Mistral's that judges, whose answers both workers share if they are cached."""
    made = {
        "auth": ANYONE,
        "providers": {name: lane.provider(name) for name in ("openai", "mistral")},
        "models": {
            "small": {"provider": "openai", "model": "gpt-5-nano"},
            "judge": {"provider": "mistral", "model": "mistral-small-latest", "price": {"input": 1, "output": 1}},
        },
        "tasks": {"legal": {"keywords": ["NDA"]}},
        "task_model": {"model": "judge"},
    }
    if cached:
        made["routes"] = {"judges": {"targets": [{"model": "judge"}], "cache": {"exact": {}}}}
        made["task_model"]["model"] = "judges"
    made["task_model"].update(more.pop("task_model", {}))
    return made | more


def ask(gateway, text, stream=False, **options):
    client = openai.OpenAI(base_url=gateway.origin + "/v1", api_key="unused", max_retries=0)
    raw = client.chat.completions.with_raw_response.create(model="small", messages=user(text), stream=stream, **options)
    list(raw.parse())
    return raw.headers["x-modelgate-task"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_is_asked_once_for_both_workers(start_gateway, own_lane, stream):
    gateway = start_gateway(configuration(own_lane))
    own_lane.script("mistral", text="It is legal.")
    assert [ask(gateway, DOUBT, stream) for _ in range(12)] == ["legal"] * 12
    assert own_lane.order() == ["mistral"] + ["openai"] * 12
    asked = own_lane.received()[0].body
    assert (asked["messages"][-1]["content"], asked["temperature"]) == (DOUBT, 0)
    assert ask(gateway, CLEAR, stream) == "code"
    assert own_lane.order()[-2:] == ["openai"] * 2


def test_each_worker_remembers_for_itself(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane, cached=False))
    own_lane.script("mistral", *[{"text": "legal"}] * 2)
    assert {ask(gateway, DOUBT) for _ in range(20)} == {"legal"}
    assert own_lane.order().count("mistral") <= 2


def test_many_at_once_are_told_the_same(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane))
    own_lane.script("mistral", *[{"text": "summary", "delay_headers": 200}] * 2)
    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(lambda _: ask(gateway, DOUBT), range(24))) == {"summary"}
    # One for each worker: on a worker, calls for the same text wait for the first.
    assert own_lane.order().count("mistral") <= 2


@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"garbage": True}, {"text": "nothing of the kind"}, {"reset": True}, {"delay_headers": 3000}],
    ids=["error", "garbage", "no-task", "reset", "slow"],
)
def test_where_no_model_says_it_the_words_do(start_gateway, own_lane, fault):
    gateway = start_gateway(configuration(own_lane, cached=False, task_model={"timeout_ms": 500}))
    own_lane.script("mistral", *[fault] * 2)
    began = time.monotonic()
    assert {ask(gateway, DOUBT) for _ in range(12)} == {"chat"}
    assert time.monotonic() - began < 4
    assert 1 <= own_lane.order().count("mistral") <= 2, "nobody is asked again for a while"
    assert "no model says of which task a request is" in gateway.log()


def test_the_call_is_in_the_log_and_a_judge_judges_nothing_for_itself(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane, cached=False, task_model={"below": 1}))
    own_lane.script("mistral", text="analysis")
    assert ask(gateway, OTHER) == "analysis"
    lines = wait_until(lambda: len(lines := gateway.access_log()) == 2 and lines)
    call = next(line for line in lines if line["client"].startswith("envoy://"))
    assert (call["model"], call["task"], call["status"]) == ("judge", "classification", 200)
    assert float(call["cost_usd"]) > 0
    assert [line["task"] for line in lines if line is not call] == ["analysis"]
    assert own_lane.order() == ["mistral", "openai"]


def test_a_route_goes_by_what_the_model_says_and_an_explanation_asks_nobody(start_gateway, own_lane):
    made = configuration(own_lane, cached=False)
    made["models"]["jurist"] = {"provider": "openai", "model": "gpt-5-mini", "quality": {"default": 0.1, "legal": 0.9}}
    made["models"]["small"]["quality"] = 0.5
    made["routes"] = {"best": {"strategy": "intent", "targets": [{"model": "small"}, {"model": "jurist"}]}}
    gateway = start_gateway(made, concurrency=1)
    body = {"model": "best", "messages": user(DOUBT)}

    def explained():
        told = gateway.post(body, path="/v1/route/explain").json()
        return told["task"]["task"], told["task"]["evidence"], told["plan"][0]

    assert explained() == ("chat", "lexical", "small") and own_lane.order() == []
    own_lane.script("mistral", text="legal")
    answer = gateway.post(body)
    assert (answer.headers["x-modelgate-task"], answer.headers["x-modelgate-model"]) == ("legal", "jurist")
    assert explained() == ("legal", "model", "jurist")
    assert own_lane.order() == ["mistral", "openai"]
