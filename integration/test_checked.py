"""Checked answers: mended, asked for again, asked of others; two workers, a real Envoy, the official SDK."""

import openai
import pydantic
import pytest

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
    assert answer.usage.prompt_tokens > 0 and answer.model_extra["x_modelgate"]["cost_usd"] > 0


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
