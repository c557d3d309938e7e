"""Tool calls: one, several at once, streamed, forced, and their results on the way back."""

import json

import pytest

from gateway import user
from kinds import DIALECTS, KINDS, name_of, obedient

each_kind = pytest.mark.parametrize("kind", KINDS)
each_dialect = pytest.mark.parametrize("kind", DIALECTS)


def tool(name, **properties):
    parameters = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "description": f"Tells the {name}.", "parameters": parameters}}


WEATHER = tool("weather", city={"type": "string"})
CLOCK = tool("clock", zone={"type": "string"})
NOW = tool("now")


def assembled(stream):
    """The tool calls of a stream, put together as OpenAI's rules have it; they are checked on the way."""
    calls, finish = [], None
    for choice in (choice for chunk in stream for choice in chunk.choices):
        for piece in choice.delta.tool_calls or []:
            if piece.index == len(calls):
                assert piece.id and piece.type == "function" and piece.function.name
                calls.append({"id": piece.id, "name": piece.function.name, "arguments": ""})
            else:
                assert piece.index == len(calls) - 1 and not piece.id and not piece.function.name
            calls[piece.index]["arguments"] += piece.function.arguments or ""
        finish = choice.finish_reason or finish
    assert finish == "tool_calls"
    return calls


@each_kind
def test_a_tool_is_called(gateway, kind):
    text = 'call tool weather with {"city":"Oslo"}'
    answer = gateway.client().chat.completions.create(model=name_of(kind), messages=user(text), tools=[WEATHER, CLOCK])
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = answer.choices[0].message.tool_calls
    assert call.type == "function" and call.id
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    assert not answer.choices[0].message.content


@each_kind
def test_tool_calls_stream(gateway, kind):
    text = 'call tools weather with {"city":"Oslo"} and clock with {"zone":"CET"}'
    stream = gateway.client().chat.completions.create(
        model=name_of(kind), messages=user(text), tools=[WEATHER, CLOCK], stream=True
    )
    calls = assembled(stream)
    assert [call["name"] for call in calls] == ["weather", "clock"]
    assert [json.loads(call["arguments"]) for call in calls] == [{"city": "Oslo"}, {"zone": "CET"}]
    assert len({call["id"] for call in calls}) == 2


@each_kind
def test_the_streaming_helper_assembles_tool_calls(gateway, kind):
    tools = [{**t, "function": {**t["function"], "strict": True}} for t in (WEATHER, CLOCK)]  # the helper insists
    text = 'call tools weather with {"city":"Oslo"} and clock with {"zone":"CET"}'
    with gateway.client().chat.completions.stream(model=name_of(kind), messages=user(text), tools=tools) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion()
    assert [event.name for event in done] == ["weather", "clock"]
    calls = final.choices[0].message.tool_calls
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Oslo"}, {"zone": "CET"}]


@each_kind
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_without_arguments_is_an_empty_object(gateway, kind, stream):
    options = {"model": name_of(kind), "messages": user("call tool now with {}"), "tools": [NOW], "stream": stream}
    answer = gateway.client().chat.completions.create(**options)
    if stream:
        assert [call["arguments"] for call in assembled(answer)] == ["{}"]
    else:
        assert answer.choices[0].message.tool_calls[0].function.arguments == "{}"


@each_kind
def test_parallel_calls_and_their_results_go_round(gateway, lane, kind):
    client = gateway.client()
    messages = user('call tools weather with {"city":"Oslo"} and clock with {"zone":"CET"}')
    first = client.chat.completions.create(model=name_of(kind), messages=messages, tools=[WEATHER, CLOCK])
    calls = first.choices[0].message.tool_calls
    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    messages.append({"role": "tool", "tool_call_id": calls[0].id, "content": "rain, 4 degrees"})
    messages.append({"role": "tool", "tool_call_id": calls[1].id, "content": '{"time": "12:00"}'})
    second = client.chat.completions.create(model=name_of(kind), messages=messages, tools=[WEATHER, CLOCK])
    assert second.choices[0].finish_reason == "stop"
    content = second.choices[0].message.content
    assert "rain, 4 degrees" in content and "12:00" in content
    assert content.index("rain") < content.index("12:00")
    assert [request.refused for request in lane.received()] == [None, None]


@each_dialect
def test_a_forced_tool_is_called(gateway, kind):
    create = gateway.client().chat.completions.create
    named = {"type": "function", "function": {"name": "clock"}}
    for choice, expected in ((named, "clock"), ("required", "weather")):
        answer = create(model=obedient(kind), messages=user("hello"), tools=[WEATHER, CLOCK], tool_choice=choice)
        assert [call.function.name for call in answer.choices[0].message.tool_calls] == [expected]


@each_dialect
def test_a_forbidden_tool_is_not_called(gateway, kind):
    answer = gateway.client().chat.completions.create(
        model=name_of(kind), messages=user("call tool weather"), tools=[WEATHER], tool_choice="none"
    )
    assert not answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("kind", ["openai", "anthropic", "deepseek"])
def test_calls_one_at_a_time(gateway, kind):
    answer = gateway.client().chat.completions.create(
        model=name_of(kind), messages=user("call tools weather and clock"), tools=[WEATHER, CLOCK], parallel_tool_calls=False
    )
    assert len(answer.choices[0].message.tool_calls) == 1


@each_dialect
def test_the_conversation_moves_to_another_provider_between_call_and_result(gateway, lane, kind):
    """Ids of one provider's calls are taken by every other."""
    client = gateway.client()
    messages = user('call tool weather with {"city":"Oslo"}')
    first = client.chat.completions.create(model=name_of(kind), messages=messages, tools=[WEATHER])
    call = first.choices[0].message.tool_calls[0]
    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "rain"})
    for other in KINDS:
        answer = client.chat.completions.create(model=name_of(other), messages=messages, tools=[WEATHER])
        assert "rain" in answer.choices[0].message.content, other
    assert all(request.refused is None for request in lane.received())
