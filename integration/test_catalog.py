"""The client's side besides the conversation: names of models, the list of them, health, and what headers tell."""

import openai
import pytest

from gateway import user
from kinds import ANYONE, DIALECTS, KINDS, known_as, name_of

each_dialect = pytest.mark.parametrize("kind", DIALECTS)


def headers_of(gateway, model, **options):
    raw = gateway.client().chat.completions.with_raw_response.create(model=model, messages=user("hello"), **options)
    answer = raw.parse()
    list(answer)
    return raw.headers


@pytest.mark.parametrize(
    "name, provider, model, known_as",
    [
        ("claude", "anthropic", "claude-sonnet-5-5", "claude"),
        ("sonnet", "anthropic", "claude-sonnet-5-5", "claude"),
        ("anthropic/claude-sonnet-5-5", "anthropic", "claude-sonnet-5-5", "claude"),
        ("flash", "gemini", "gemini-3.8-flash", "flash"),
        ("openai/gpt-4o", "openai", "gpt-4o", "openai/gpt-4o"),
        ("groq/openai/gpt-oss-20b", "groq", "openai/gpt-oss-20b", "groq/openai/gpt-oss-20b"),
        ("anthropic-then-gemini", "anthropic", "claude-sonnet-5-5", "claude"),
        ("a-model-nobody-listed", "openai", "a-model-nobody-listed", "openai/a-model-nobody-listed"),
    ],
)
def test_a_name_means_a_model(gateway, lane, name, provider, model, known_as):
    headers = headers_of(gateway, name)
    assert headers["x-modelgate-provider"] == provider
    assert headers["x-modelgate-model"] == known_as
    assert headers["x-modelgate-attempts"] == "1"
    received = lane.only()
    assert received.provider == provider
    assert model in (received.path if provider == "gemini" else received.body["model"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True])
def test_every_answer_says_how_it_came(gateway, kind, stream):
    headers = headers_of(gateway, name_of(kind), stream=stream)
    assert headers["x-modelgate-provider"] == kind
    assert headers["x-modelgate-model"] == known_as(kind)
    assert headers["x-modelgate-attempts"] == "1"
    assert headers["x-request-id"]
    assert headers["content-type"].startswith("text/event-stream" if stream else "application/json")


@each_dialect
def test_errors_carry_a_request_id(gateway, lane, kind):
    lane.script(kind, status=429)
    with pytest.raises(openai.RateLimitError) as caught:
        headers_of(gateway, name_of(kind))
    assert caught.value.request_id


def test_the_sdk_lists_the_models(gateway):
    listed = {model.id: model for model in gateway.client().models.list()}
    assert {"gpt", "claude", "flash", "openai-then-anthropic"} <= set(listed)
    assert all(model.object == "model" and isinstance(model.created, int) for model in listed.values())
    assert listed["claude"].owned_by == "anthropic"


def test_the_sdk_retrieves_a_model(gateway):
    client = gateway.client()
    for name in ("claude", "openai-then-anthropic"):
        assert client.models.retrieve(name).id == name
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nobody/nothing")
    assert caught.value.code == "model_not_found"


def test_healthz(gateway, lane):
    answer = gateway.http.get("/healthz")
    assert answer.status_code == 200
    assert lane.received() == []


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/completions", "/v1/chat", "/v1/chat/completions/x", "/favicon.ico"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_paths_are_not_found(gateway, lane, path, method):
    answer = gateway.http.request(method, path, json={} if method == "POST" else None)
    assert answer.status_code == 404
    assert set(answer.json()["error"]) >= {"message", "type", "param", "code"}
    assert lane.received() == []


def test_other_methods_are_not_allowed(gateway, lane):
    answer = gateway.http.get("/v1/chat/completions")
    assert answer.status_code in (404, 405)
    assert answer.json()["error"]["message"]
    assert lane.received() == []


def test_an_unknown_name_is_not_found_and_near_ones_are_told(start_gateway, own_lane):
    document = {
        "providers": {"openai": own_lane.provider("openai", allow_unlisted=False)},
        "models": {"gpt-5-mini": {"provider": "openai"}, "gpt-5-nano": {"provider": "openai"}},
        "auth": ANYONE,
    }
    gateway = start_gateway(document)
    with pytest.raises(openai.NotFoundError) as caught:
        gateway.client().chat.completions.create(model="gpt-5-mnii", messages=user("hello"))
    assert caught.value.code == "model_not_found"
    assert caught.value.body["param"] == "model"
    assert "gpt-5-mini" in caught.value.body["message"]
    with pytest.raises(openai.NotFoundError):
        gateway.client().chat.completions.create(model="openai/gpt-4o", messages=user("hello"))
    assert own_lane.received() == []


def test_what_a_target_cannot_represent_is_listed(gateway, lane):
    headers = headers_of(gateway, name_of("anthropic"), seed=7, logit_bias={"5": 1})
    dropped = {name.strip() for name in headers["x-modelgate-dropped"].split(",")}
    assert {"seed", "logit_bias"} <= dropped
    assert "seed" not in lane.only().body


@pytest.mark.parametrize("option", [{"n": 2}, {"logprobs": True}])
def test_what_changes_the_contract_is_refused(gateway, lane, option):
    (parameter,) = option
    with pytest.raises(openai.BadRequestError) as caught:
        gateway.client().chat.completions.create(model=name_of("anthropic"), messages=user("hello"), **option)
    assert caught.value.code == "unsupported_parameter"
    assert caught.value.param == parameter
    assert lane.received() == []


def test_a_target_that_cannot_is_left_out_when_another_can(gateway, lane):
    headers = headers_of(gateway, "anthropic-then-openai", n=2)
    assert headers["x-modelgate-provider"] == "openai"
    assert lane.order() == ["openai"]
