"""Content rules against a real Envoy: what is denied or redacted of prompts and of answers, whole and streamed, cut at
awkward places, in three dialects."""

import json

import openai
import pytest

from gateway import user, wait_until
from kinds import ANYONE

MODELS = {"openai": "gpt-5.6-luna", "anthropic": "claude-sonnet-4-6", "gemini": "gemini-3.8-flash"}
RULES = [
    {"name": "projects", "action": "deny", "keywords": ["Nightfall"]},
    {"name": "mails", "action": "redact", "patterns": [r"[\w.+-]+@[\w-]+(\.[\w-]+)+"], "replacement": "<mail>"},
    {"name": "cards", "action": "redact", "applies_to": "output", "patterns": [r"\b\d{4}( ?\d{4}){3}\b"]},
    {"name": "europe", "action": "deny", "applies_to": "input", "keywords": ["export"], "regions": ["eu"]},
]
each_dialect = pytest.mark.parametrize("kind", MODELS)
TEXT = "Ask jane.doe@example.com, or é@b.eu, about 4111 1111 1111 1111. Éclair 日本!"
REDACTED = "Ask <mail>, or <mail>, about [redacted]. Éclair 日本!"


@pytest.fixture
def gateway(start_gateway, own_lane):
    regions = {"openai": "us", "anthropic": "eu"}
    models = {
        kind: {"provider": kind, "model": model, **({"region": regions[kind]} if kind in regions else {})}
        for kind, model in MODELS.items()
    }
    document = {
        "auth": ANYONE,
        "providers": {kind: own_lane.provider(kind) for kind in MODELS},
        "models": models,
        "routes": {"any": {"targets": [{"model": "anthropic"}, {"model": "openai"}]}},
        "pricing": {"default": {"input": 1, "output": 1}},
        "content_rules": RULES,
        "health": "off",
    }
    return start_gateway(document)


def create(gateway, model, text="hello", **options):
    client = openai.OpenAI(base_url=gateway.origin + "/v1", api_key="unused", max_retries=0)
    return client.chat.completions.create(model=model, messages=user(text), **options)


def streamed(gateway, model, text="hello", **options):
    """What a stream says, how it ends, and its usage."""
    said, ends, usage = "", [], None
    for chunk in create(gateway, model, text, stream=True, stream_options={"include_usage": True}, **options):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            said += choice.delta.content or ""
            ends += [choice.finish_reason] if choice.finish_reason else []
    return said, ends, usage


@each_dialect
def test_a_denied_prompt_reaches_nobody(gateway, own_lane, kind):
    for ask in (create, streamed):
        with pytest.raises(openai.BadRequestError) as caught:
            ask(gateway, kind, "tell me of NIGHTFALL")
        error = caught.value
        assert (error.code, error.param, error.type) == ("content_policy_violation", "messages[0]", "invalid_request_error")
        assert "projects" in error.message and "NIGHTFALL" not in error.message
        assert error.response.headers["x-modelgate-content-rules"] == "projects"
    assert own_lane.received() == []
    gateway.assert_healthy()


@each_dialect
def test_a_prompt_is_sent_without_what_is_redacted(gateway, own_lane, kind):
    answer = create(gateway, kind, 'write to "jane@example.com"\n日本')
    [received] = own_lane.received()
    assert "jane@" not in received.raw and r'write to \"<mail>\"\n日本' in received.raw
    assert "<mail>" in answer.choices[0].message.content


@each_dialect
def test_a_whole_answer_is_redacted_or_withheld(gateway, own_lane, kind):
    own_lane.script(kind, {"text": TEXT}, {"text": "The Nightfall plan"}, {"text": "nightfalls"})
    answer = create(gateway, kind)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (REDACTED, "stop")
    denied = create(gateway, kind)
    assert (denied.choices[0].message.content, denied.choices[0].finish_reason) == (None, "content_filter")
    assert denied.usage.completion_tokens > 0
    assert create(gateway, kind).choices[0].message.content == "nightfalls"


@each_dialect
@pytest.mark.parametrize("split", [None, 1, 7, 61])
def test_a_stream_is_redacted_wherever_it_is_cut(gateway, own_lane, kind, split):
    own_lane.script(kind, {"text": TEXT, **({"split": split} if split else {})})
    said, ends, usage = streamed(gateway, kind)
    assert (said, ends) == (REDACTED, ["stop"])
    assert usage.completion_tokens > 0


@each_dialect
@pytest.mark.parametrize("split", [None, 3])
def test_a_denied_stream_ends_with_a_content_filter(gateway, own_lane, kind, split):
    cut = {"split": split} if split else {}
    own_lane.script(kind, {"text": "This is all about the Nightfall plan and what comes of it.", **cut})
    gateway.mark()
    said, ends, usage = streamed(gateway, kind)
    assert "This is all about the ".startswith(said) and ends == ["content_filter"]
    assert usage.completion_tokens > 10, "what was generated counts"
    [line] = wait_until(gateway.access_log)
    assert line["content_rules"] == "projects"
    assert "Nightfall" not in gateway.log()
    assert int(line["tokens_out"]) == usage.completion_tokens


@each_dialect
def test_arguments_stay_json(gateway, own_lane, kind):
    tools = [{"type": "function", "function": {"name": "send", "parameters": {"type": "object"}}}]
    text = 'call tool send with {"to":"4111 1111 1111 1111 \\"now\\"","n":[1,2]}'
    [call] = create(gateway, kind, text, tools=tools).choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"to": '[redacted] "now"', "n": [1, 2]}
    arguments = ""
    for chunk in create(gateway, kind, text, tools=tools, stream=True):
        for choice in chunk.choices:
            arguments += "".join(call.function.arguments or "" for call in choice.delta.tool_calls or [])
    assert json.loads(arguments) == {"to": '[redacted] "now"', "n": [1, 2]}


def test_who_must_not_be_asked_is_left_out(gateway, own_lane):
    assert create(gateway, "any", "an import").choices[0].message.content
    assert create(gateway, "any", "an export").choices[0].message.content
    assert own_lane.order() == ["anthropic", "openai"]
    with pytest.raises(openai.BadRequestError):
        create(gateway, "anthropic", "an export")


def test_what_nothing_is_found_in_passes(gateway, own_lane):
    assert streamed(gateway, "openai", "plain words")[0].endswith("You said: plain words")
    gateway.assert_healthy()
