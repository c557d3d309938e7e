"""A stream that breaks after its content has begun is gone on with by another target: one stream, one finish; a real Envoy."""

import time

import openai
import pytest

from gateway import user
from kinds import ANYONE

MODELS = {"first": ("openai", "gpt-4o"), "second": ("anthropic", "claude-haiku-4-5"), "third": ("gemini", "gemini-2.5-flash")}


def configuration(lane, first="first", second="second", **route):
    return {
        "auth": ANYONE,
        "providers": {provider: lane.provider(provider) for provider, _ in MODELS.values()},
        "models": {
            name: {"provider": provider, "model": model, "max_output_tokens": 8000} for name, (provider, model) in MODELS.items()
        },
        "routes": {"steady": {"targets": [{"model": first}, {"model": second}], "continuation": True} | route},
    }


def stream(gateway, **options):
    """(text, finishes, usage, the error if there was one)"""
    client = openai.OpenAI(base_url=gateway.origin + "/v1", api_key="unused", max_retries=0, timeout=20)
    options = {"model": "steady", "messages": user("Count."), "stream_options": {"include_usage": True}} | options
    text, finishes, usage, error, ids = "", [], None, None, set()
    try:
        for chunk in client.chat.completions.create(stream=True, **options):
            ids.add(chunk.id)
            usage = chunk.usage or usage
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finishes += [choice.finish_reason] if choice.finish_reason else []
    except openai.APIError as caught:
        error = caught
    assert len(ids) == 1, "one stream has one id"
    return text, finishes, usage, error


@pytest.mark.parametrize("first, second", [("first", "second"), ("second", "third"), ("third", "first")])
@pytest.mark.parametrize("fault", [{"error_after": 3}, {"end": 2000}], ids=["error", "end"])
def test_another_goes_on_where_one_breaks_off(start_gateway, own_lane, first, second, fault):
    gateway = start_gateway(configuration(own_lane, first, second))
    own_lane.script(MODELS[first][0], chunks=40, size=3, **fault)
    own_lane.script(MODELS[second][0], text=" and so on.")
    text, finishes, usage, error = stream(gateway)
    assert error is None and finishes == ["stop"]
    before, rest = text[: -len(" and so on.")], text[-len(" and so on.") :]
    assert before and rest == " and so on."
    one, other = own_lane.received()
    assert [one.provider, other.provider] == [MODELS[first][0], MODELS[second][0]]
    assert before in other.raw.encode().decode("unicode_escape") or before in other.raw, "the next one is told what was said"
    assert usage.completion_tokens >= other.usage["completion"]
    assert not other.body.get("stream")


def test_it_is_off_unless_the_route_says_so(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane, continuation=False))
    own_lane.script("openai", chunks=40, size=3, error_after=3)
    text, finishes, _, error = stream(gateway)
    assert text and finishes == [] and error is not None and own_lane.order() == ["openai"]


def test_the_client_is_told_where_nobody_can_go_on(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane))
    own_lane.script("openai", chunks=40, size=3, error_after=3)
    own_lane.script("anthropic", status=500)
    text, finishes, _, error = stream(gateway)
    assert text and finishes == [] and error is not None
    assert own_lane.order() == ["openai", "anthropic"]


def test_structured_output_is_not_glued(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane))
    own_lane.script("openai", chunks=40, size=3, error_after=3)
    _, finishes, _, error = stream(gateway, response_format={"type": "json_object"}, messages=user("JSON, please."))
    assert finishes == [] and error is not None and own_lane.order() == ["openai"]


def test_the_next_request_is_served_after_a_client_has_left(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane))
    own_lane.script("openai", chunks=40, size=3, error_after=3)
    own_lane.script("anthropic", text="late", delay_headers=3000)
    client = openai.OpenAI(base_url=gateway.origin + "/v1", api_key="unused", max_retries=0, timeout=1)
    with pytest.raises((openai.APITimeoutError, openai.APIConnectionError, openai.APIError)):
        list(client.chat.completions.create(model="steady", messages=user("Count."), stream=True))
    time.sleep(0.3)
    own_lane.script("openai", text="well")
    assert stream(gateway)[0] == "well"
    gateway.assert_healthy()
