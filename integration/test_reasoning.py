"""Thoughts: asked for, shown as `reasoning_content`, and taken back where the provider wants them back."""

import json
import re

import pytest

from gateway import user
from kinds import name_of

THINKERS = ["anthropic", "gemini", "deepseek", "xai", "openrouter", "groq", "qwen"]
each_thinker = pytest.mark.parametrize("kind", THINKERS)
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@each_thinker
def test_thoughts_are_shown(gateway, lane, kind):
    lane.script(kind, reasoning=True)
    answer = gateway.client().chat.completions.create(model=name_of(kind), messages=user("why?"), reasoning_effort="medium")
    message = answer.choices[0].message
    assert "I think about it" in message.reasoning_content
    assert "I think about it" not in message.content
    details = answer.usage.completion_tokens_details
    assert details.reasoning_tokens > 0
    assert answer.usage.completion_tokens > details.reasoning_tokens


@each_thinker
def test_thoughts_stream(gateway, lane, kind):
    lane.script(kind, reasoning=True)
    stream = gateway.client().chat.completions.create(
        model=name_of(kind), messages=user("why?"), reasoning_effort="medium", stream=True
    )
    deltas = [choice.delta for chunk in stream for choice in chunk.choices]
    thoughts = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    text = "".join(delta.content or "" for delta in deltas)
    assert "I think about it" in thoughts and "I think about it" not in text and text.endswith("why?")
    order = ["text" if delta.content else "thought" for delta in deltas if delta.content or getattr(delta, "reasoning_content", None)]
    assert order == sorted(order, reverse=True), "thoughts come first"


@pytest.mark.parametrize("kind", ["anthropic", "gemini"])
def test_signatures_survive_the_round_trip(gateway, lane, kind):
    """The client echoes the assistant's message; the provider finds its signed thoughts in it again."""
    client = gateway.client()
    messages = user("call tool weather with {}")
    options = {"model": name_of(kind), "tools": [WEATHER], "reasoning_effort": "medium"}
    first = client.chat.completions.create(messages=messages, **options)
    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    call = first.choices[0].message.tool_calls[0]
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "rain"})
    second = client.chat.completions.create(messages=messages, **options)
    assert "rain" in second.choices[0].message.content
    returned = lane.received()[1]
    assert returned.refused is None
    assert "signature" in returned.raw.lower()


@pytest.mark.parametrize("kind", ["anthropic", "gemini"])
def test_signatures_go_to_no_other_provider(gateway, lane, kind):
    client = gateway.client()
    messages = user("call tool weather with {}")
    first = client.chat.completions.create(
        model=name_of(kind), tools=[WEATHER], messages=messages, reasoning_effort="medium"
    )
    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    call = first.choices[0].message.tool_calls[0]
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "rain"})
    signatures = re.findall(r'"(?:thought_)?signature": "([^"]+)"', json.dumps(messages))
    assert signatures
    for other in ("openai", "anthropic", "gemini", "mistral"):
        if other != kind:
            client.chat.completions.create(model=name_of(other), tools=[WEATHER], messages=messages)
            assert not [signature for signature in signatures if signature in lane.received()[-1].raw]


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini"])
def test_efforts_reach_the_provider(gateway, lane, kind, effort):
    gateway.client().chat.completions.create(model=name_of(kind), messages=user("why?"), reasoning_effort=effort)
    body = lane.only().body
    if kind == "openai":
        assert body["reasoning_effort"] == effort
    elif kind == "anthropic":
        assert body["output_config"]["effort"] == effort and body["thinking"]["type"] == "adaptive"
    else:
        thinking = body["generationConfig"]["thinkingConfig"]
        assert thinking["thinkingLevel"].lower() == effort and "thinkingBudget" not in thinking
