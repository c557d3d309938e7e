"""Streams that break after content: the client is told in band, never by a clean end."""

import json
import time

import httpx2
import openai
import pytest

from gateway import user
from kinds import DIALECTS, name_of

each_dialect = pytest.mark.parametrize("kind", DIALECTS)

# Those that the filter sees, between events and within one.
SEEN = {
    "ends early but cleanly": {"chunks": 20, "end": 1500},
    "ends early within an event": {"chunks": 20, "end": 1537},
    "error event": {"chunks": 20, "error_after": 5},
}
# Those that Envoy passes on as they are, without asking any filter: the connection to the client breaks likewise.
UNSEEN = {
    "cut": {"chunks": 20, "cut": 1500},
    "reset": {"chunks": 20, "cut": 1500, "reset": True},
}
BREAKS = {**SEEN, **UNSEEN}


def events_of(gateway, kind):
    body = {"model": name_of(kind), "messages": user("hello"), "stream": True}
    answer = gateway.post(body)
    assert answer.status_code == 200
    return [line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: ")]


@each_dialect
@pytest.mark.parametrize("how", SEEN)
def test_a_broken_stream_ends_with_an_error_in_band(gateway, lane, kind, how):
    lane.script(kind, BREAKS[how])
    *chunks, last = events_of(gateway, kind)
    assert last != "[DONE]"
    error = json.loads(last)["error"]
    assert error["message"] and error["type"]
    assert not any(c["finish_reason"] for chunk in chunks for c in json.loads(chunk)["choices"])
    assert any(c["delta"].get("content") for chunk in chunks for c in json.loads(chunk)["choices"])


@each_dialect
@pytest.mark.parametrize("how", UNSEEN)
def test_a_broken_connection_is_never_a_clean_end(gateway, lane, kind, how):
    lane.script(kind, UNSEEN[how])
    body = {"model": name_of(kind), "messages": user("hello"), "stream": True}
    with pytest.raises(httpx2.TransportError):
        with gateway.http.stream("POST", "/v1/chat/completions", json=body) as answer:
            for line in answer.iter_lines():
                assert line != "data: [DONE]" and '"finish_reason":"' not in line


@each_dialect
@pytest.mark.parametrize("how", BREAKS)
def test_the_sdk_raises_on_a_broken_stream(gateway, lane, kind, how):
    lane.script(kind, BREAKS[how])
    stream = gateway.client().chat.completions.create(model=name_of(kind), messages=user("hello"), stream=True)
    with pytest.raises(openai.APIError):
        for _ in stream:
            pass


@each_dialect
def test_a_stream_without_its_end_mark_but_with_its_reason_to_end_is_whole(gateway, lane, kind):
    """OpenAI's `[DONE]` says nothing that `finish_reason` has not said."""
    if kind == "anthropic":
        pytest.skip("Anthropic's message_stop is the end itself")
    lane.script(kind, no_done=True)
    *chunks, last = events_of(gateway, kind)
    assert last == "[DONE]"
    assert [c["finish_reason"] for chunk in chunks for c in json.loads(chunk)["choices"] if c["finish_reason"]] == ["stop"]


@each_dialect
def test_a_client_that_leaves_ends_the_providers_work(gateway, lane, kind):
    lane.script(kind, chunks=500, delay_chunk=20)
    stream = gateway.client().chat.completions.create(model=name_of(kind), messages=user("hello"), stream=True)
    for _, _ in zip(range(3), stream):
        pass
    stream.close()
    until = time.monotonic() + 5
    while lane.only().ended == "open" and time.monotonic() < until:
        time.sleep(0.05)
    assert lane.only().ended == "client_closed"


@pytest.mark.parametrize("kind", ["anthropic", "gemini", "deepseek"])
def test_an_unknown_reason_to_finish_is_never_passed_on(gateway, lane, kind):
    """SDKs know five reasons and fail on others."""
    known = {"stop", "length", "tool_calls", "content_filter", "function_call"}
    for stream in (False, True):
        lane.script(kind, finish="some_new_reason")
        answer = gateway.client().chat.completions.create(model=name_of(kind), messages=user("hello"), stream=stream)
        chunks = list(answer) if stream else [answer]
        reasons = [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason]
        assert len(reasons) == 1 and reasons[0] in known


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_refusal_is_a_refusal(gateway, lane, kind):
    lane.script(kind, refusal="I will not say that.")
    answer = gateway.client().chat.completions.create(model=name_of(kind), messages=user("say it"))
    assert answer.choices[0].message.refusal
    assert answer.choices[0].finish_reason in ("stop", "content_filter")
