"""The SDK's whole surface for chat completions: every parameter, raw and streaming responses, sync and async."""

import asyncio
import inspect

import openai
import pytest

from gateway import user
from kinds import DIALECTS, name_of

MESSAGES = [
    {"role": "developer", "content": "Be brief.", "name": "boss"},
    {"role": "user", "content": [{"type": "text", "text": "hello"}], "name": "ann"},
]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
        "strict": True,
    },
}
# Every parameter of `create` but those that exclude each other; what its own tests send.
ALL = {
    "frequency_penalty": -1.5,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "max_completion_tokens": 400,
    "metadata": {"purpose": "test"},
    "modalities": ["text"],
    "n": 1,
    "parallel_tool_calls": True,
    "prediction": {"type": "content", "content": "hello"},
    "presence_penalty": 0.5,
    "prompt_cache_key": "cache-1",
    "prompt_cache_retention": "24h",
    "reasoning_effort": "low",
    "response_format": {"type": "text"},
    "safety_identifier": "user-1",
    "seed": -9007199254740991,
    "service_tier": "auto",
    "stop": ["\n\n\n", "END"],
    "store": True,
    "temperature": 1,
    "tool_choice": "auto",
    "tools": [TOOL],
    "top_logprobs": 2,
    "top_p": 0.9,
    "user": "user-1",
    "verbosity": "low",
    "web_search_options": {"search_context_size": "low"},
    "extra_body": {"a_field_of_tomorrow": {"x": [1, 2.50, None]}},
}
NOT_TOGETHER = {
    *("messages", "model", "self", "stream", "stream_options", "extra_headers", "extra_query", "timeout"),
    *("functions", "function_call", "max_tokens"),  # the old spelling of tools and max_completion_tokens
    *("audio", "moderation", "prompt_cache_options"),
}
# What changes the answer's contract, and so is refused where a provider has nothing like it.
CONTRACT = {"logprobs", "top_logprobs"}


def test_every_parameter_is_here():
    names = set(inspect.signature(openai.resources.chat.Completions.create).parameters)
    assert names == set(ALL) | NOT_TOGETHER


@pytest.mark.parametrize("stream", [False, True])
def test_openai_gets_every_parameter_as_it_was_sent(gateway, lane, stream):
    lane.script("openai", lax=True)
    options = {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}} if stream else {}
    answer = gateway.client().chat.completions.create(model=name_of("openai"), messages=MESSAGES, **ALL, **options)
    list(answer)
    expected = {"model": "gpt-5.6-luna", "messages": MESSAGES, **ALL, **options}
    expected.update(expected.pop("extra_body"))
    assert lane.only().body == expected
    assert "2.50" in lane.only().raw or "2.5" in lane.only().raw


@pytest.mark.parametrize("kind", DIALECTS[1:])
def test_others_get_what_they_can_take_and_the_rest_is_told(gateway, lane, kind):
    lane.script(kind, lax=True)
    left_out = CONTRACT | ({"web_search_options"} if kind == "gemini" else set())  # not beside functions
    options = {name: value for name, value in ALL.items() if name not in left_out}
    raw = gateway.client().chat.completions.with_raw_response.create(model=name_of(kind), messages=MESSAGES, **options)
    assert raw.parse().choices[0].message.content
    dropped = {name.strip() for name in raw.headers.get("x-modelgate-dropped", "").split(",")}
    if kind in ("anthropic", "gemini"):
        assert {"logit_bias", "store"} <= dropped
        assert not dropped & {"temperature", "tools", "max_completion_tokens", "reasoning_effort"} - {"temperature"}


@pytest.mark.parametrize("kind", DIALECTS)
def test_the_raw_response(gateway, kind):
    raw = gateway.client().chat.completions.with_raw_response.create(model=name_of(kind), messages=user("hello"))
    assert raw.http_request.headers["x-stainless-lang"] == "python"
    assert raw.request_id
    assert raw.parse().choices[0].message.content.endswith("hello")


@pytest.mark.parametrize("kind", DIALECTS)
def test_the_streaming_response(gateway, kind):
    create = gateway.client().chat.completions.with_streaming_response.create
    with create(model=name_of(kind), messages=user("hello"), stream=True) as response:
        chunks = list(response.parse())
    assert response.is_closed
    assert "".join(c.choices[0].delta.content or "" for c in chunks).endswith("hello")


@pytest.mark.parametrize("kind", DIALECTS)
def test_the_raw_lines_of_a_stream(gateway, kind):
    create = gateway.client().chat.completions.with_streaming_response.create
    with create(model=name_of(kind), messages=user("hello"), stream=True) as response:
        lines = list(response.iter_lines())
    assert [line for line in lines if line][-1] == "data: [DONE]"
    assert all(not line or line.startswith("data: ") for line in lines)


@pytest.mark.parametrize("kind", DIALECTS)
def test_the_streaming_response_awaited(gateway, kind):
    async def ask():
        async with gateway.async_client() as client:
            create = client.chat.completions.with_streaming_response.create
            async with create(model=name_of(kind), messages=user("hello")) as response:
                return await response.parse()

    assert asyncio.run(ask()).choices[0].message.content.endswith("hello")


@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini"])
def test_the_old_spelling_of_tools(gateway, kind):
    """`functions` and `function_call` are still accepted, and answered in kind."""
    answer = gateway.client().chat.completions.create(
        model=name_of(kind),
        messages=user('call tool weather with {"city":"Oslo"}'),
        functions=[{k: v for k, v in TOOL["function"].items() if k != "strict"}],
        function_call="auto",
    )
    assert answer.choices[0].finish_reason == "function_call"
    assert answer.choices[0].message.function_call.name == "weather"


@pytest.mark.parametrize("kind", DIALECTS)
def test_the_sdks_own_retries_find_the_answer(gateway, lane, kind):
    lane.script(kind, status=503)
    answer = gateway.client(max_retries=1).chat.completions.create(model=name_of(kind), messages=user("hello"))
    assert answer.choices[0].message.content.endswith("hello")
    assert lane.order() == [kind, kind]


@pytest.mark.parametrize("kind", DIALECTS)
def test_no_type_that_the_sdk_does_not_know(gateway, kind):
    """Strict validation of what came against the SDK's own models."""
    text = gateway.post({"model": name_of(kind), "messages": user("hello")}).text
    parsed = openai.types.chat.ChatCompletion.model_validate_json(text, strict=True)
    assert parsed.choices[0].logprobs is None
    body = {"model": name_of(kind), "messages": user("hello"), "stream": True, "stream_options": {"include_usage": True}}
    for line in gateway.post(body).text.splitlines():
        if line.startswith("data: {"):
            openai.types.chat.ChatCompletionChunk.model_validate_json(line.removeprefix("data: "), strict=True)
