"""Embeddings of every provider that makes them, by the official SDK: in either form, with fallback, limits and costs."""

import base64
import struct

import openai
import pytest

from gateway import wait_until
from kinds import ANYONE

MODELS = {
    "openai": "text-embedding-3-small",
    "azure": "text-embedding-3-small",
    "mistral": "mistral-embed",
    "together": "BAAI/bge-base-en-v1.5",
    "groq": "nomic-embed-text-v1_5",
    "openrouter": "openai/text-embedding-3-small",
    "qwen": "text-embedding-v4",
    "fireworks": "nomic-ai/nomic-embed-text-v1.5",
    "vllm": "intfloat/e5-mistral-7b-instruct",
    "ollama": "nomic-embed-text",
    "compatible": "embedder",
    "gemini": "gemini-embedding-001",
}


def document(lane, **more):
    return {
        "providers": {vendor: lane.provider(vendor) for vendor in [*MODELS, "anthropic", "deepseek"]},
        "models": {
            **{vendor: {"provider": vendor, "model": model, "price": {"input": 0.5, "output": 0}} for vendor, model in MODELS.items()},
            "claude": {"provider": "anthropic", "model": "claude-sonnet-4-6"},
        },
        "routes": {
            "either": {"targets": [{"model": "openai"}, {"model": "gemini"}, {"model": "mistral"}]},
            "late": {"targets": [{"model": "claude"}, {"model": "gemini"}]},
            "few": {"targets": [{"model": "qwen"}, {"model": "groq"}, {"model": "openai"}]},
        },
        "auth": ANYONE,
        **more,
    }


@pytest.fixture
def gateway(start_gateway, own_lane):
    return start_gateway(document(own_lane))


@pytest.fixture
def embed(gateway):
    """What the SDK gets, by the gateway of the test."""
    return gateway.client().embeddings.create


@pytest.fixture
def embed_raw(gateway):
    """The same, with the headers."""
    return gateway.client().embeddings.with_raw_response.create


def post(gateway, body):
    """A request without the SDK, which would ask for base64."""
    return gateway.post(body, path="/v1/embeddings")


def assert_is_direction(vector, length):
    assert len(vector) == length and sum(number * number for number in vector) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_each_provider_embeds_in_either_form(embed, own_lane, model):
    """The SDK asks for base64 unless told otherwise, and hands over numbers in any case."""
    texts = ["The quick brown fox", "jumps over the lazy dog", "Grüße aus Köln"]
    packed = embed(model=model, input=texts)
    plain = embed(model=model, input=texts, encoding_format="float")
    assert [item.index for item in packed.data] == [0, 1, 2]
    for one, other in zip(packed.data, plain.data):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
        assert_is_direction(one.embedding, 64)
    assert packed.object == "list" and packed.usage.prompt_tokens == packed.usage.total_tokens > 3
    if model == "groq":
        with pytest.raises(openai.BadRequestError) as refused:
            embed(model=model, input="one text", dimensions=16)
        assert refused.value.param == "dimensions"
    else:
        (small,) = embed(model=model, input="one text", dimensions=16).data
        assert_is_direction(small.embedding, 16)
    assert all(request.refused is None for request in own_lane.received())


def test_what_is_asked_for_in_base64_comes_in_base64(gateway):
    for model in ("openai", "qwen", "gemini"):
        answer = post(gateway, {"model": model, "input": "hi", "encoding_format": "base64", "dimensions": 4})
        packed = answer.json()["data"][0]["embedding"]
        assert_is_direction(struct.unpack("<4f", base64.b64decode(packed)), 4)


def test_tokens_go_to_those_who_take_them(embed, own_lane):
    assert len(embed(model="openai", input=[[1, 2, 3], [4]]).data) == 2
    assert embed(model="openai", input=[1, 2, 3]).usage.prompt_tokens == 3
    assert len(embed(model="few", input=[[1, 2, 3], [4]]).data) == 2
    for model in ("gemini", "groq", "vllm"):
        with pytest.raises(openai.BadRequestError) as refused:
            embed(model=model, input=[1, 2, 3])
        assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "input")
    assert own_lane.order() == ["openai"] * 3


def test_who_takes_few_inputs_is_asked_for_few(embed, own_lane):
    assert [len(embed(model="few", input=["a text"] * count).data) for count in (10, 11)] == [10, 11]
    with pytest.raises(openai.BadRequestError) as refused:
        embed(model="qwen", input=["a text"] * 11)
    assert refused.value.param == "input" and "at most 10 inputs" in refused.value.message
    assert own_lane.order() == ["qwen", "groq"]


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        {"status": 429},
        {"garbage": True},
        {"reset": True},
        {"status": 401},
        {"raw": '{"object":"list","data":[]}'},
        {"raw": '{"object":"list","data":[{"index":0,"embedding":[1,0]}]}'},
        {"raw": '{"object":"list","data":[{"index":0,"embedding":[1,0]},{"index":1,"embedding":[1]}]}'},
    ],
    ids=["unavailable", "limited", "garbage", "reset", "unauthorized", "empty", "one-of-two", "unequal"],
)
def test_a_route_falls_back(embed_raw, own_lane, fault):
    own_lane.script("openai", **fault)
    raw = embed_raw(model="either", input=["a text", "another"])
    assert len(raw.parse().data) == 2 and raw.headers["x-modelgate-model"] == "gemini"
    assert own_lane.order() == ["openai", "gemini"]
    own_lane.script("openai", **fault)
    own_lane.script("gemini", {"status": 500})
    raw = embed_raw(model="either", input=["a text", "another"])
    assert raw.parse().data and raw.headers["x-modelgate-model"] == "mistral"


def test_who_makes_none_is_not_asked(embed, own_lane):
    assert embed(model="late", input="a text").data
    assert own_lane.order() == ["gemini"]
    for model in ("claude", "deepseek/deepseek-chat"):
        with pytest.raises(openai.BadRequestError) as refused:
            embed(model=model, input="a text")
        assert "makes no embeddings" in refused.value.message
    own_lane.only()


@pytest.mark.parametrize(
    "body, status, code, param",
    [
        (b"{", 400, "invalid_json", None),
        ({"model": "openai"}, 400, "missing_required_parameter", "input"),
        ({"input": "hi"}, 400, "missing_required_parameter", "model"),
        ({"model": "openai", "input": []}, 400, "invalid_value", "input"),
        ({"model": "openai", "input": ""}, 400, "invalid_value", "input"),
        ({"model": "openai", "input": [1, "a"]}, 400, "invalid_value", "input[1]"),
        ({"model": "openai", "input": ["a", ""]}, 400, "invalid_value", "input[1]"),
        ({"model": "openai", "input": [[1], [2, "a"]]}, 400, "invalid_value", "input[1][1]"),
        ({"model": "openai", "input": "hi", "user": 5}, 400, "invalid_type", "user"),
        ({"model": "openai", "input": ["a"] * 2049}, 400, "invalid_value", "input"),
        ({"model": "openai", "input": "hi", "encoding_format": "hex"}, 400, "invalid_value", "encoding_format"),
        ({"model": "openai", "input": "hi", "dimensions": 0}, 400, "invalid_value", "dimensions"),
        ({"model": "no-such-model-at-all", "input": "hi"}, 404, "model_not_found", "model"),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_a_bad_request_is_refused_with_what_is_wrong(gateway, own_lane, body, status, code, param):
    answer = post(gateway, body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param), answer.text
    assert own_lane.received() == []
    assert gateway.http.get("/v1/embeddings").status_code == 405


def test_a_providers_error_is_told_in_openais_form(embed, own_lane):
    for vendor, error in (("openai", "context_too_long"), ("gemini", "bad_request"), ("mistral", "bad_request")):
        own_lane.script(vendor, status=400, error=error)
        with pytest.raises(openai.BadRequestError) as refused:
            embed(model=vendor, input="a text")
        assert refused.value.message


def test_the_last_ones_bad_answer_is_told_as_one(gateway, own_lane):
    own_lane.script("openai", raw='{"object":"list","data":[{"index":0,"embedding":[1,0]}]}')
    answer = post(gateway, {"model": "openai", "input": ["a text", "another"]})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (502, "server_error", "bad_provider_response")


def test_a_silent_provider_has_the_estimate_in_its_usage_and_in_the_cost(gateway, embed_raw, own_lane):
    own_lane.script("openai", raw='{"object":"list","data":[{"index":0,"embedding":[1,0]}]}')
    gateway.mark()
    raw = embed_raw(model="openai", input="The quick brown fox jumps over the lazy dog.")
    (line,) = wait_until(gateway.access_log)
    tokens = raw.parse().usage.prompt_tokens
    assert 8 <= tokens <= 12 and (line["usage"], int(line["tokens_in"])) == ("estimated", tokens)
    assert float(raw.headers["x-modelgate-cost-usd"]) == float(line["cost_usd"]) == pytest.approx(tokens * 0.5 / 1e6)


def test_tokens_are_limited_and_settled_to_what_was_reported(start_gateway, own_lane):
    limits = [{"name": "day", "per": ["consumer"], "tokens": 400, "window": "day"}]
    gateway = start_gateway(document(own_lane, limits=limits))
    create = gateway.client().embeddings.with_raw_response.create
    used, text = 0, "word " * 100
    while True:
        try:
            raw = create(model="openai", input=text)
        except openai.RateLimitError as refused:
            assert refused.response.headers["retry-after"] and refused.code == "rate_limit_exceeded"
            break
        used += raw.parse().usage.total_tokens
        left = int(create(model="openai", input="x").headers["x-ratelimit-remaining-tokens"])
        used += 1
        # What the last one has reserved and used is one token, or an estimate of one.
        assert 400 - used - 2 <= left <= 400 - used + 2
        assert float(raw.headers["x-modelgate-cost-usd"]) == pytest.approx(125 * 0.5 / 1e6)
    assert 250 <= used <= 400


def test_the_log_has_what_was_used(gateway, embed_raw):
    for model, usage in (("openai", "provider"), ("gemini", "estimated")):
        gateway.mark()
        raw = embed_raw(model=model, input="The quick brown fox jumps over the lazy dog.")
        (line,) = wait_until(gateway.access_log)
        assert (line["usage"], line["tokens_out"], line["model"]) == (usage, "0", model)
        assert int(line["tokens_in"]) == (tokens := raw.parse().usage.prompt_tokens)
        assert float(line["cost_usd"]) == float(raw.headers["x-modelgate-cost-usd"]) == pytest.approx(tokens * 0.5 / 1e6)
