"""A conversation with every kind of provider, by the official SDK, in each of the ways it offers."""

import asyncio

import pytest

from gateway import user
from kinds import DIALECTS, KINDS, MODELS, name_of

each_kind = pytest.mark.parametrize("kind", KINDS)
each_dialect = pytest.mark.parametrize("kind", DIALECTS)

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@each_kind
def test_an_answer_in_one_piece(gateway, lane, kind):
    answer = gateway.client().chat.completions.create(model=name_of(kind), messages=user("hello there"))
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert "You said: hello there" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    received = lane.only()
    assert received.provider == kind
    assert received.refused is None
    if kind != "gemini":
        assert received.body["model"] == MODELS[kind]


@each_kind
def test_an_answer_in_one_piece_awaited(gateway, kind):
    async def ask():
        async with gateway.async_client() as client:
            return await client.chat.completions.create(model=name_of(kind), messages=user("hello there"))

    answer = asyncio.run(ask())
    assert "You said: hello there" in answer.choices[0].message.content


@each_kind
def test_a_stream(gateway, kind):
    stream = gateway.client().chat.completions.create(model=name_of(kind), messages=user("hello there"), stream=True)
    chunks = list(stream)
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert [delta.role for delta in deltas if delta.role] == ["assistant"]
    text = "".join(delta.content or "" for delta in deltas)
    assert text.startswith("This is ") and text.endswith("You said: hello there")
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["stop"]
    assert all(chunk.choices and chunk.usage is None for chunk in chunks), "usage was not asked for"


@each_kind
def test_a_stream_awaited(gateway, kind):
    async def ask():
        async with gateway.async_client() as client:
            stream = await client.chat.completions.create(model=name_of(kind), messages=user("hello"), stream=True)
            return [chunk async for chunk in stream]

    chunks = asyncio.run(ask())
    assert "".join(c.choices[0].delta.content or "" for c in chunks).endswith("You said: hello")


@each_kind
def test_usage_of_a_stream_comes_in_a_chunk_of_its_own(gateway, kind):
    options = {"include_usage": True}
    stream = gateway.client().chat.completions.create(
        model=name_of(kind), messages=user("hello"), stream=True, stream_options=options
    )
    chunks = list(stream)
    *others, last = chunks
    assert last.choices == []
    assert last.usage.prompt_tokens > 0 and last.usage.completion_tokens > 0
    assert all(chunk.usage is None and chunk.choices for chunk in others)


@each_kind
def test_usage_is_asked_of_the_provider_although_the_client_did_not(gateway, lane, kind):
    list(gateway.client().chat.completions.create(model=name_of(kind), messages=user("hello"), stream=True))
    body = lane.only().body
    if kind not in ("anthropic", "gemini", "mistral"):  # these report it in any case
        assert body["stream_options"]["include_usage"] is True


@each_kind
def test_the_streaming_helper_accumulates(gateway, kind):
    with gateway.client().chat.completions.stream(model=name_of(kind), messages=user("hello there")) as stream:
        kinds_of_event = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "content.delta" in kinds_of_event and "content.done" in kinds_of_event
    assert final.choices[0].message.content.endswith("You said: hello there")
    assert final.choices[0].message.role == "assistant"
    assert final.choices[0].finish_reason == "stop"


@each_dialect
def test_the_streaming_helper_awaited(gateway, kind):
    async def ask():
        async with gateway.async_client() as client:
            async with client.chat.completions.stream(model=name_of(kind), messages=user("hello")) as stream:
                return await stream.get_final_completion()

    assert asyncio.run(ask()).choices[0].message.content.endswith("You said: hello")


@each_dialect
def test_a_system_prompt_and_a_conversation(gateway, lane, kind):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "first question"},
        {"role": "assistant", "content": "first answer"},
        {"role": "user", "content": [{"type": "text", "text": "second "}, {"type": "text", "text": "question"}]},
    ]
    answer = gateway.client().chat.completions.create(model=name_of(kind), messages=messages)
    assert "second question" in answer.choices[0].message.content.replace("\n", " ").replace("  ", " ")
    raw = lane.only().raw
    assert raw.index("Be brief.") >= 0 and raw.index("first question") < raw.index("first answer") < raw.index("second ")


@each_dialect
def test_an_image_in_the_message(gateway, kind):
    content = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    messages = [{"role": "user", "content": content}]
    answer = gateway.client().chat.completions.create(model=name_of(kind), messages=messages)
    assert "I see 1 image" in answer.choices[0].message.content


@each_dialect
def test_the_token_bound_ends_the_answer(gateway, kind):
    create = gateway.client().chat.completions.create
    for bound in ({"max_tokens": 3}, {"max_completion_tokens": 3}):
        if kind == "openai" and "max_tokens" in bound:
            continue  # OpenAI's newer models refuse it
        answer = create(model=name_of(kind), messages=user("a long story"), **bound)
        assert answer.choices[0].finish_reason == "length"
        assert len(answer.choices[0].message.content or "") <= 12


@each_dialect
def test_a_stop_sequence_ends_the_answer(gateway, kind):
    answer = gateway.client().chat.completions.create(model=name_of(kind), messages=user("one STOP two"), stop=["STOP"])
    assert answer.choices[0].finish_reason == "stop"
    assert "two" not in answer.choices[0].message.content


@pytest.mark.parametrize("model", ["openai/gpt-4.1", "gemini/gemini-2.5-flash"])
@pytest.mark.parametrize("stream", [False, True])
def test_several_answers_at_once(gateway, model, stream):
    answer = gateway.client().chat.completions.create(model=model, messages=user("hello"), n=3, stream=stream)
    if stream:
        texts, finishes = {}, {}
        for choice in (choice for chunk in answer for choice in chunk.choices):
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
            if choice.finish_reason:
                finishes[choice.index] = finishes.get(choice.index, 0) + 1
        assert sorted(texts) == [0, 1, 2] and all("You said: hello" in text for text in texts.values())
        assert finishes == {0: 1, 1: 1, 2: 1}
    else:
        assert sorted(choice.index for choice in answer.choices) == [0, 1, 2]
        assert all("You said: hello" in choice.message.content for choice in answer.choices)


@each_kind
def test_long_streams_arrive_whole(gateway, lane, kind):
    lane.script(kind, chunks=500)
    stream = gateway.client().chat.completions.create(model=name_of(kind), messages=user("hello"), stream=True)
    text = "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)
    assert text.split() == ["word"] * 500


@each_dialect
@pytest.mark.parametrize("piece", [1, 7, 64])
def test_a_stream_in_small_pieces_is_the_same_stream(gateway, lane, kind, piece):
    texts = []
    for directive in ({}, {"split": piece}):
        lane.script(kind, directive)
        stream = gateway.client().chat.completions.create(model=name_of(kind), messages=user("Grüße, 世界 🌍"), stream=True)
        texts.append("".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices))
    assert texts[0] == texts[1] and texts[0].endswith("Grüße, 世界 🌍")


@each_dialect
def test_chunks_flow_as_they_come(gateway, lane, kind):
    """The first of ten chunks that come 100 ms apart is there long before the last is made."""
    lane.script(kind, chunks=10, delay_chunk=100)
    stream = gateway.client().chat.completions.create(model=name_of(kind), messages=user("hello"), stream=True)
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            break
    assert lane.only().ended == "open"
    stream.close()


@each_dialect
def test_a_large_conversation_and_a_large_answer(gateway, lane, kind):
    lane.script(kind, big=2_000_000)
    answer = gateway.client().chat.completions.create(model=name_of(kind), messages=user("x" * 1_000_000))
    assert len(answer.choices[0].message.content) == 2_000_000
    assert "x" * 1_000_000 in lane.only().raw
