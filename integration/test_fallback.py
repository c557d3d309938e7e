"""One target fails, the next answers, and the client does not notice. Every way to fail, each against two workers."""

import time

import openai
import pytest

import gateway as gateways
import kinds
from gateway import user
from lanes import Lane
from kinds import DIALECTS, known_as

streamed_or_not = pytest.mark.parametrize("stream", [False, True])
PAIRS = [(a, b) for a in DIALECTS for b in DIALECTS if a != b]
each_pair = pytest.mark.parametrize("first, second", PAIRS)

# Failures after which the next target is asked. A stream's own come below.
FAILURES = {
    "408": {"status": 408},
    "429": {"status": 429},
    "500": {"status": 500},
    "502 in HTML": {"status": 502, "error": "html"},
    "503": {"status": 503},
    "529": {"status": 529},
    "overloaded": {"error": "overloaded"},
    "reset": {"reset": True},
    "the gateway's key is refused": {"error": "bad_key"},
    "the gateway's key may not": {"error": "permission"},
    "no such model there": {"error": "model_not_found"},
    "the context is too long for it": {"error": "context_too_long"},
    "garbage": {"garbage": True},
}
STREAM_FAILURES = {
    "error event before the first content": {"error_after": 0},
    "ends before the first content": {"end": 0},
    "cut before the first content": {"cut": 0},
}


def answer_of(gateway, stream=False, messages=None, **options):
    """(text, response headers), with the stream's rules checked."""
    create = gateway.client().chat.completions.with_raw_response.create
    raw = create(messages=messages or user("hello there"), stream=stream, **options)
    parsed = raw.parse()
    if not stream:
        return parsed.choices[0].message.content, raw.headers
    chunks = list(parsed)
    assert len({chunk.id for chunk in chunks}) == 1
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert [c.delta.role for c in choices if c.delta.role] == ["assistant"]
    assert [c.finish_reason for c in choices if c.finish_reason] == ["stop"]
    return "".join(c.delta.content or "" for c in choices), raw.headers


def assert_second_answered(gateway, lane, first, second, text, headers):
    assert text.startswith("This is ") and text.endswith("You said: hello there")
    assert lane.order() == [first, second]
    assert lane.received()[1].refused is None
    assert headers["x-modelgate-provider"] == second
    assert headers["x-modelgate-model"] == known_as(second)
    assert headers["x-modelgate-attempts"] == "2"


@each_pair
@streamed_or_not
def test_any_provider_takes_over_from_any_other(gateway, lane, first, second, stream):
    lane.script(first, status=503)
    text, headers = answer_of(gateway, model=f"{first}-then-{second}", stream=stream)
    assert_second_answered(gateway, lane, first, second, text, headers)


@pytest.mark.parametrize("why", FAILURES)
@pytest.mark.parametrize("first, second", [("openai", "anthropic"), ("anthropic", "gemini"), ("gemini", "openai")])
@streamed_or_not
def test_the_next_target_answers_after(gateway, lane, first, second, stream, why):
    lane.script(first, FAILURES[why])
    text, headers = answer_of(gateway, model=f"{first}-then-{second}", stream=stream)
    assert_second_answered(gateway, lane, first, second, text, headers)


@pytest.mark.parametrize("why", STREAM_FAILURES)
@each_pair
def test_the_next_target_answers_when_a_stream(gateway, lane, first, second, why):
    lane.script(first, STREAM_FAILURES[why])
    text, headers = answer_of(gateway, model=f"{first}-then-{second}", stream=True)
    assert_second_answered(gateway, lane, first, second, text, headers)


def test_targets_are_asked_in_order_until_one_answers(gateway, lane):
    for kind in DIALECTS[:-1]:
        lane.script(kind, status=500)
    text, headers = answer_of(gateway, model="all")
    assert lane.order() == DIALECTS
    assert headers["x-modelgate-attempts"] == str(len(DIALECTS))
    assert headers["x-modelgate-provider"] == DIALECTS[-1]


def test_a_target_may_be_tried_again_before_the_next(gateway, lane):
    lane.script("openai", {"status": 500}, {"status": 500})
    _, headers = answer_of(gateway, model="twice")
    assert lane.order() == ["openai", "openai", "anthropic"]
    lane.clear()
    lane.script("openai", status=500)
    _, headers = answer_of(gateway, model="twice")
    assert lane.order() == ["openai", "openai"]
    assert headers["x-modelgate-provider"] == "openai"
    assert headers["x-modelgate-attempts"] == "2"


@each_pair
@streamed_or_not
def test_the_last_targets_error_reaches_the_client(gateway, lane, first, second, stream):
    lane.script(first, status=500)
    lane.script(second, status=429, retry_after=11)
    with pytest.raises(openai.RateLimitError) as caught:
        answer_of(gateway, model=f"{first}-then-{second}", stream=stream)
    assert caught.value.response.headers["retry-after"] == "11"
    assert set(caught.value.body) >= {"message", "type", "param", "code"}
    assert lane.order() == [first, second]


@pytest.mark.parametrize("kind", DIALECTS)
@streamed_or_not
def test_a_bad_request_is_nobody_elses_to_answer(gateway, lane, kind, stream):
    lane.script(kind, error="bad_request")
    second = next(other for other in DIALECTS if other != kind)
    with pytest.raises(openai.BadRequestError):
        answer_of(gateway, model=f"{kind}-then-{second}", stream=stream)
    assert lane.order() == [kind]


@each_pair
@streamed_or_not
def test_a_refused_connection_is_passed_over(gateway, lane, first, second, stream):
    text, headers = answer_of(gateway, model=f"dead-{first}-then-{second}", stream=stream)
    assert text.endswith("You said: hello there")
    assert headers["x-modelgate-provider"] == second and headers["x-modelgate-attempts"] == "2"
    assert lane.order() == [second]


def short_limit(config):
    """A time to first token that a test can wait for."""
    route = gateways.render.connection_manager(config)["route_config"]["virtual_hosts"][0]["routes"][0]["route"]
    route["retry_policy"]["per_try_timeout"] = "0.5s"


@pytest.fixture(scope="module")
def impatient_gateway(mock_server, tmp_path_factory):
    lane = Lane(mock_server.origin, "impatient")
    started = gateways.Gateway(kinds.document(lane), tmp_path_factory.mktemp("gateway"), edit=short_limit)
    started.lane = lane
    yield started
    try:
        started.assert_healthy()
    finally:
        started.stop()


@each_pair
@pytest.mark.parametrize("where", ["delay_headers", "delay_first", "delay_content"])
def test_a_first_token_that_does_not_come_is_waited_for_no_longer(impatient_gateway, first, second, where):
    lane = impatient_gateway.lane
    lane.clear()
    lane.script(first, {where: 5000})
    began = time.monotonic()
    text, headers = answer_of(impatient_gateway, model=f"{first}-then-{second}", stream=True)
    assert time.monotonic() - began < 4
    assert_second_answered(impatient_gateway, lane, first, second, text, headers)


def test_once_content_flows_the_time_limit_is_over(impatient_gateway):
    lane = impatient_gateway.lane
    lane.clear()
    lane.script("openai", chunks=8, delay_chunk=150)
    text, _ = answer_of(impatient_gateway, model="openai-then-gemini", stream=True)
    assert text.split() == ["word"] * 8
    assert lane.order() == ["openai"]


@each_pair
def test_what_the_first_said_is_never_said_twice(gateway, lane, first, second):
    """A stream that breaks after content ends with an error in band; nobody else is asked."""
    lane.script(first, chunks=6, size=1, error_after=3)
    stream = gateway.client().chat.completions.create(
        model=f"{first}-then-{second}", messages=user("hello"), stream=True
    )
    said = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in stream:
            said += [c.delta.content for c in chunk.choices if c.delta.content]
            assert not any(c.finish_reason for c in chunk.choices)
    assert "".join(said).split() == ["word"] * 3
    assert caught.value.body["message"]
    assert lane.order() == [first]
