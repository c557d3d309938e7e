"""What real providers once said, replayed through a real Envoy to the official SDK."""

import json

import openai
import pytest

import recordings
from gateway import user
from kinds import MODELS

EXPECTED = recordings.expectations()
ROWS = [row for row in recordings.rows("manifest.jsonl") if row["provider"] in MODELS]
ANSWERS = [row for row in ROWS if row["status"] == 200]
ERRORS = [row for row in ROWS if row["status"] >= 400]
KNOWN = {"stop", "length", "tool_calls", "content_filter", "function_call"}

pytestmark = pytest.mark.skipif(not ROWS, reason="no recordings here")


def ask(gateway, lane, row, **directives):
    kind = row["provider"]
    lane.script(kind, replay=row["id"], lax=True, **directives)
    options = {"stream": True, "stream_options": {"include_usage": True}} if row["stream"] else {}
    return gateway.client().chat.completions.create(model=f"{kind}/{MODELS[kind]}", messages=user("hello"), **options)


def seen(answer, streamed):
    """(choices, usage) of an answer, in the recordings' own terms; a stream is put together as OpenAI has it."""
    choices, usage = {}, None
    for piece in answer if streamed else [answer]:
        usage = piece.usage or usage
        for choice in piece.choices:
            said = choice.delta if streamed else choice.message
            one = choices.setdefault(choice.index, {"text": "", "reasoning": "", "tools": {}, "finish": []})
            one["text"] += said.content or ""
            one["reasoning"] += getattr(said, "reasoning_content", None) or ""
            for position, call in enumerate(said.tool_calls or []):
                known = one["tools"].setdefault(call.index if streamed else position, {"name": "", "args": ""})
                known["name"] += call.function.name or ""
                known["args"] += call.function.arguments or ""
            one["finish"] += [choice.finish_reason] if choice.finish_reason else []
    return choices, usage


def assert_as_expected(row, choices, usage):
    expected = EXPECTED.get(row["id"], {})
    for choice in choices.values():
        assert len(choice["finish"]) == 1 and choice["finish"][0] in KNOWN
        assert sorted(choice["tools"]) == list(range(len(choice["tools"])))
        assert all(isinstance(json.loads(call["args"]), dict) for call in choice["tools"].values())
    if expected.get("row", {}).get("prompt_blocked"):
        assert [choice["finish"] for choice in choices.values()] == [["content_filter"]]
    elif expected.get("choices") is not None:
        assert sorted(choices) == sorted(choice["index"] for choice in expected["choices"])
        for wanted in expected["choices"]:
            got = choices[wanted["index"]]
            assert got["text"] == wanted["text"]
            assert got["reasoning"] == wanted["reasoning"]
            assert [call["name"] for call in got["tools"].values()] == [call["name"] for call in wanted["tools"]]
            for call, told in zip(got["tools"].values(), wanted["tools"]):
                # Of arguments that come in parts the expectation only says that they have to be put together.
                assert json.loads(call["args"]) == told["args"] or isinstance(told["args"], str)
            assert got["finish"][0] in wanted["finish_any_of"]
    if expected.get("usage"):
        assert usage.completion_tokens == expected["usage"]["completion_tokens"]
        prompt = {expected["usage"][key] for key in ("prompt_tokens", "prompt_tokens_incl_tool_use") if key in expected["usage"]}
        assert usage.prompt_tokens in prompt


def is_an_error(row):
    expected = EXPECTED.get(row["id"], {}).get("row", {})
    nothing = expected.get("choices") == [] and "prompt_blocked" not in expected
    return "midstream_error" in expected or "not a Message" in expected.get("note", "") or nothing


@pytest.mark.parametrize("row", [row for row in ANSWERS if not is_an_error(row)], ids=lambda row: row["id"])
def test_a_recorded_answer(gateway, lane, row):
    pieces = ({}, {"split": 1}, {"split": 64}) if row["stream"] else ({},)
    for directives in pieces:
        lane.clear()
        try:
            answer = ask(gateway, lane, row, **directives)
            choices, usage = seen(answer, row["stream"])
        except openai.APIStatusError as error:
            allowed = EXPECTED.get(row["id"], {}).get("row", {}).get("finish_any_of", [])
            assert f"<{error.status_code}>" in allowed, error
            continue
        assert_as_expected(row, choices, usage)


@pytest.mark.parametrize("row", [row for row in ANSWERS if is_an_error(row)], ids=lambda row: row["id"])
def test_a_recorded_answer_that_is_none(gateway, lane, row):
    with pytest.raises(openai.APIError):
        list(ask(gateway, lane, row))


@pytest.mark.parametrize("row", ERRORS, ids=lambda row: row["id"])
def test_a_recorded_error(gateway, lane, row):
    with pytest.raises(openai.APIStatusError) as caught:
        list(ask(gateway, lane, row))
    assert caught.value.status_code >= 400
    assert isinstance(caught.value.body["message"], str) and caught.value.body["message"]
    assert isinstance(caught.value.body["type"], str)
    assert caught.value.code is None or isinstance(caught.value.code, str)
