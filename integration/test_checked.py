"""Checked answers: mended, asked for again, asked of others; two workers, a real Envoy, the official SDK."""

import json
import time
from pathlib import Path

import openai
import pydantic
import pytest
import yaml

from gateway import user
from kinds import ANYONE

PRICE = {"input": 1, "output": 2}


class Person(pydantic.BaseModel):
    name: str
    age: int


GOOD = '{"name":"Ada","age":36}'


def configuration(lane, check=True, targets=("one", "two", "three"), **route):
    """Targets of three providers in three dialects."""
    return {
        "auth": ANYONE,
        "providers": {name: lane.provider(name) for name in ("openai", "anthropic", "gemini", "deepseek")},
        "models": {
            "one": {"provider": "openai", "model": "gpt-5-nano", "price": PRICE},
            "two": {"provider": "anthropic", "model": "claude-haiku-4-5", "price": PRICE, "max_output_tokens": 64000},
            "three": {"provider": "gemini", "model": "gemini-2.5-flash", "price": PRICE},
            "plain": {"provider": "deepseek", "model": "deepseek-chat", "supports": {"json_schema": False}},
        },
        "routes": {"checked": {"targets": [{"model": name} for name in targets], "check": check} | route},
    }


def client(gateway):
    return openai.OpenAI(base_url=gateway.origin + "/v1", api_key="unused", max_retries=0)


def parse(gateway):
    options = {"model": "checked", "messages": user("Who?"), "response_format": Person}
    return client(gateway).chat.completions.parse(**options)


def report(answer):
    return answer.model_extra["x_modelgate"].get("check")


def test_what_fits_passes_and_nothing_is_told(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane))
    own_lane.script("openai", text=GOOD)
    answer = parse(gateway)
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)
    assert report(answer) is None
    assert own_lane.order() == ["openai"]


def test_what_was_obviously_meant_is_mended(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane))
    own_lane.script("openai", text='Sure:\n```json\n{"name":"Ada","age":"36"}\n```')
    answer = parse(gateway)
    assert answer.choices[0].message.parsed == Person(name="Ada", age=36)
    assert report(answer) == {"attempts": 1, "changes": ["extracted", "retyped `age`"]}


def test_the_same_model_is_told_what_is_wrong_and_then_it_is_the_next_one_s_turn(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane))
    own_lane.script("openai", {"text": '{"name":"Ada"}'}, {"text": "I do not know."})
    own_lane.script("anthropic", text=GOOD)
    answer = parse(gateway)
    assert answer.choices[0].message.parsed.age == 36
    assert report(answer)["attempts"] == 3
    assert own_lane.order() == ["openai", "openai", "anthropic"]
    told = own_lane.received()[1].body["messages"]
    assert [turn["role"] for turn in told] == ["user", "assistant", "user"]
    assert "`age`: expected this required member" in told[2]["content"]
    used = [request.usage for request in own_lane.received()]
    prompt, completion = sum(it["prompt"] for it in used), sum(it["completion"] for it in used)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (prompt, completion)
    assert answer.model_extra["x_modelgate"]["cost_usd"] == pytest.approx((prompt + 2 * completion) / 1e6)


@pytest.mark.parametrize("first, provider", [("two", "anthropic"), ("three", "gemini")])
def test_every_dialect_is_told(start_gateway, own_lane, first, provider):
    gateway = start_gateway(configuration(own_lane, targets=[first]))
    own_lane.script(provider, {"text": "Ada"}, {"text": GOOD})
    assert parse(gateway).choices[0].message.parsed.name == "Ada"
    assert own_lane.order() == [provider, provider]


def test_after_three_answers_there_is_an_error(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane))
    own_lane.script("openai", {"text": "no"}, {"text": "no"})
    own_lane.script("anthropic", text="no")
    with pytest.raises(openai.InternalServerError) as caught:
        parse(gateway)
    assert (caught.value.status_code, caught.value.code) == (502, "invalid_answer")
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert caught.value.response.json()["x_modelgate"]["check"]["attempts"] == 3


def test_a_stream_is_of_what_was_checked(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane))
    own_lane.script("openai", {"text": "no"}, {"text": '{"name":"Ada","age":"36"}'})
    options = {"model": "checked", "messages": user("Who?"), "response_format": Person}
    with client(gateway).chat.completions.stream(**options) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.parsed == Person(name="Ada", age=36)


def test_what_asks_for_no_form_is_forwarded_as_ever(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane))
    own_lane.script("openai", text="Hello")
    chunks = client(gateway).chat.completions.create(model="checked", messages=user("Hi"), stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello"
    assert own_lane.only().body["stream"] is True


def test_where_nobody_takes_a_schema_it_is_an_instruction(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane, targets=["plain"]))
    own_lane.script("deepseek", text=f"```json\n{GOOD}\n```")
    answer = parse(gateway)
    assert answer.choices[0].message.parsed.age == 36
    assert report(answer)["instructed"] is True
    body = own_lane.only().body
    assert "response_format" not in body and "JSON Schema" in body["messages"][0]["content"]


def test_only_what_was_checked_is_answered_again(start_gateway, own_lane):
    config = configuration(own_lane, cache={"exact": {"when": "always"}})
    gateway = start_gateway(config)
    own_lane.script("openai", {"text": "no"}, {"text": GOOD})
    assert parse(gateway).choices[0].message.parsed.age == 36
    assert parse(gateway).choices[0].message.parsed.age == 36
    assert own_lane.order() == ["openai", "openai"]


PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city", "days"]}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}


def call(gateway, arguments, stream=False):
    """The arguments that come of a model which first calls with these, and what is told of it."""
    options = {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "weather"}}}
    messages = user(f"call tool weather with {json.dumps(arguments)}")
    if not stream:
        answer = client(gateway).chat.completions.create(model="checked", messages=messages, **options)
        return json.loads(answer.choices[0].message.tool_calls[0].function.arguments), report(answer)
    options["stream_options"] = {"include_usage": True}
    with client(gateway).chat.completions.stream(model="checked", messages=messages, **options) as chunks:
        *_, last = [event for event in chunks if event.type == "chunk"]
        made = chunks.get_final_completion().choices[0].message.tool_calls[0].function
    return json.loads(made.arguments), report(last.chunk)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("first, provider", [("one", "openai"), ("two", "anthropic"), ("three", "gemini")])
def test_arguments_of_calls_are_mended_or_asked_for_again(start_gateway, own_lane, first, provider, stream):
    gateway = start_gateway(configuration(own_lane, targets=[first]))
    assert call(gateway, {"city": "Oslo", "days": 3}, stream) == ({"city": "Oslo", "days": 3}, None)
    made, told = call(gateway, {"city": "Oslo", "days": "3"}, stream)
    assert (made, told["attempts"]) == ({"city": "Oslo", "days": 3}, 1) and "retyped" in told["changes"][0]
    own_lane.clear()
    made, told = call(gateway, {"city": "Oslo", "days": "many"}, stream)
    assert isinstance(made["days"], int) and told["attempts"] == 2
    assert own_lane.order() == [provider, provider]
    assert "Nothing was called" in own_lane.received()[1].raw, "the calls are answered with what is wrong"


def test_calls_that_never_fit_are_refused(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane, targets=["one"]))
    function = {"name": "weather", "arguments": '{"city":"Oslo","days":"many"}'}
    message = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    own_lane.script("openai", *[{"raw": json.dumps(whole)}] * 3)
    with pytest.raises(openai.InternalServerError) as caught:
        call(gateway, {})
    assert (caught.value.status_code, caught.value.code) == (502, "invalid_answer")
    assert "weather(): `days`" in str(caught.value)
    told = caught.value.response.json()
    assert told["usage"]["prompt_tokens"] == 10 * told["x_modelgate"]["check"]["attempts"], "it is said what was used"


def test_who_does_not_fit_is_asked_less_and_less(start_gateway, own_lane):
    learns = {"strategy": "adaptive", "adaptive": {"half_life": 50}, "explore": 0.02}
    gateway = start_gateway(configuration(own_lane, targets=["one", "two"], **learns))
    own_lane.script("openai", *[{"text": "no"}] * 200)
    own_lane.script("anthropic", *[{"text": GOOD}] * 200)
    for _ in range(40):
        parse(gateway)
    time.sleep(1.2)
    own_lane.clear()
    own_lane.script("openai", *[{"text": "no"}] * 100)
    own_lane.script("anthropic", *[{"text": GOOD}] * 100)
    for _ in range(20):
        parse(gateway)
    asked = own_lane.order()
    assert asked.count("openai") <= 8, asked


def test_what_the_documentation_shows_runs_as_written(start_gateway, own_lane):
    text = (Path(__file__).parent.parent / "docs" / "checked-answers.md").read_text()
    document = yaml.safe_load(text.split("```yaml modelgate\n")[1].split("\n```")[0])
    document["providers"] = {provider: own_lane.provider(provider) for provider in document["providers"]}
    gateway = start_gateway(document)
    own_lane.script("openai", {"text": "no"}, {"text": '{"name":"Ada","age":"36"}'})
    options = {"model": "extract", "messages": user("Who?"), "response_format": Person}
    assert client(gateway).chat.completions.parse(**options).choices[0].message.parsed == Person(name="Ada", age=36)
