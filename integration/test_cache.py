"""Cached answers in a real Envoy: given again in either form and by either worker, to whom they are for, and to nobody else."""

import hashlib
import json
import os
import time

import httpx2
import openai
import pytest

import render
from gateway import user

CLIENTS = {"acme": "consumer", "bureau": "consumer", "club": "tier", "guild": "tier"}


def document(lane, **cache):
    """A model of OpenAI's and one of Anthropic's, whose answers are kept; a key for each client."""

    def consumer(name):
        return {"keys": [{"sha256": hashlib.sha256(f"key-of-{name}".encode()).hexdigest()}], "cache_scope": CLIENTS[name]}

    return {
        "providers": {name: lane.provider(name) for name in ("openai", "anthropic")},
        "models": {
            "gpt": {"provider": "openai", "model": "gpt-5.6-luna"},
            "claude": {"provider": "anthropic", "model": "claude-sonnet-4-6"},
        },
        "routes": {
            "both": {"targets": [{"model": "gpt"}, {"model": "claude"}]},
            "desk": {"targets": [{"model": "gpt"}], "cache": {"semantic": {}}},
        },
        "consumers": {name: consumer(name) for name in CLIENTS},
        "cache": {"exact": {"when": "always"}, **cache},
    }


class Client:
    """One consumer's SDK client, and what the headers of its last answer said."""

    def __init__(self, gateway, name="acme"):
        self.sdk = gateway.client(api_key=f"key-of-{name}").chat.completions.with_raw_response

    def ask(self, text, model="gpt", stream=False, control=None, **more):
        """(`x-modelgate-cache`, what the answer says)."""
        headers = {"cache-control": control} if control else {}
        raw = self.sdk.create(model=model, messages=user(text), stream=stream, extra_headers=headers, **more)
        self.headers = raw.headers
        answer = raw.parse()
        if stream:
            self.chunks = list(answer)
            said = "".join(choice.delta.content or "" for chunk in self.chunks for choice in chunk.choices)
        else:
            self.answer = answer
            said = answer.choices[0].message.content
        return raw.headers.get("x-modelgate-cache"), said


@pytest.mark.parametrize("model", ["gpt", "claude"])
@pytest.mark.parametrize("first", [False, True], ids=["whole", "streamed"])
def test_an_answer_in_either_form_is_given_again_in_either(start_gateway, own_lane, model, first):
    gateway = start_gateway(document(own_lane))
    client = Client(gateway)
    status, text = client.ask("hello", model, stream=first)
    assert status == "miss" and text.endswith("You said: hello")
    assert client.ask("hello", model) == ("hit", text)
    assert client.answer.usage.total_tokens > 0 and client.answer.choices[0].finish_reason == "stop"
    assert int(client.headers["age"]) < 5 and client.headers["x-modelgate-model"] == model
    tokens = client.answer.usage.total_tokens
    assert client.ask("hello", model, stream=True) == ("hit", text)
    assert all(chunk.usage is None for chunk in client.chunks)
    assert client.ask("hello", model, stream=True, stream_options={"include_usage": True}) == ("hit", text)
    assert client.chunks[-1].usage.total_tokens == tokens
    own_lane.only()
    deadline = time.monotonic() + 10
    while len(logged := [entry for entry in gateway.access_log() if entry["cache"] == "hit"]) < 3:
        assert time.monotonic() < deadline, "the access log does not have them"
        time.sleep(0.1)
    assert [int(entry["tokens_saved"]) for entry in logged] == [tokens] * 3
    assert all(entry["attempts"] in (None, 0, "0") for entry in logged), logged


def test_an_answer_is_good_for_its_time_only(start_gateway, own_lane):
    client = Client(start_gateway(document(own_lane, exact={"when": "always", "ttl": 2})))
    assert [client.ask("hello")[0] for _ in range(2)] == ["miss", "hit"]
    time.sleep(2)
    assert client.ask("hello")[0] == "miss"


def test_no_answer_crosses_a_scope(start_gateway, own_lane):
    gateway = start_gateway(document(own_lane))
    expected = [("acme", "miss"), ("bureau", "miss"), ("club", "miss"), ("guild", "hit"), ("acme", "hit"), ("bureau", "hit")]
    assert [(name, Client(gateway, name).ask("hello")[0]) for name, _ in expected] == expected
    with pytest.raises(openai.AuthenticationError):
        Client(gateway, "nobody").ask("hello")


def test_what_the_client_says_about_it_holds(start_gateway, own_lane):
    client = Client(start_gateway(document(own_lane)))
    for control, expected in [
        ("no-store", "bypass"),
        (None, "miss"),
        ("no-store", "bypass"),
        (None, "hit"),
        ("no-cache", "bypass"),
        ("max-age=60", "hit"),
        ("max-age=0", "miss"),
        ("only-if-cached", "hit"),
    ]:
        assert client.ask("hello", control=control)[0] == expected, control
    with pytest.raises(openai.InternalServerError) as refused:
        client.ask("something else", control="only-if-cached")
    assert (refused.value.status_code, refused.value.code) == (504, "not_cached")


@pytest.mark.parametrize("fault", [{"cut": 600}, {"end": 600}, {"error_after": 2}, {"finish": "length"}], ids=lambda fault: next(iter(fault)))
def test_a_stream_that_broke_is_not_kept(start_gateway, own_lane, fault):
    gateway = start_gateway(document(own_lane))
    client = Client(gateway)
    own_lane.script("openai", **fault)
    try:
        client.ask("hello", stream=True)
    except (openai.APIError, httpx2.HTTPError, ValueError):
        pass
    status, text = client.ask("hello", stream=True)
    assert status == "miss" and text.endswith("You said: hello")
    assert client.ask("hello") == ("hit", text)


def test_a_client_that_leaves_after_the_end_mark_has_left_an_answer(start_gateway, own_lane):
    """As SDKs do: what comes after the end mark is not waited for."""
    gateway = start_gateway(document(own_lane))
    body = {"model": "gpt", "messages": user("hello"), "stream": True}
    with gateway.http.stream("POST", "/v1/chat/completions", json=body, headers={"authorization": "Bearer key-of-acme"}) as answer:
        for line in answer.iter_lines():
            if line == "data: [DONE]":
                break
    assert Client(gateway).ask("hello")[0] == "hit"


def test_a_client_that_leaves_before_has_not(start_gateway, own_lane):
    gateway = start_gateway(document(own_lane))
    own_lane.script("openai", chunks=50, delay_chunk=20)
    body = {"model": "gpt", "messages": user("hello"), "stream": True}
    with gateway.http.stream("POST", "/v1/chat/completions", json=body, headers={"authorization": "Bearer key-of-acme"}) as answer:
        next(line for line in answer.iter_lines() if "content" in line)
    time.sleep(0.2)
    assert Client(gateway).ask("hello")[0] == "miss"


def test_both_workers_have_it(start_gateway, own_lane):
    gateway = start_gateway(document(own_lane), concurrency=2)
    _, text = Client(gateway).ask("hello")
    # Each on a connection of its own, which the kernel gives to either worker.
    assert [Client(gateway).ask("hello") for _ in range(40)] == [("hit", text)] * 40
    workers = gateway.envoy.stats(r"listener\.[0-9].*worker_.\.downstream_cx_total")
    assert len([1 for count in workers.values() if count]) == 2, workers
    own_lane.only()


def test_many_at_the_same_time_get_their_own_answers(start_gateway, own_lane):
    """Few places for many answers, so that they are given and taken all the time."""
    import concurrent.futures

    store = {"entries": 8, "entry_bytes": 2048, "total_bytes": 8192}
    gateway = start_gateway(document(own_lane, store=store), concurrency=2)
    names = ["acme", "bureau", "club"]

    def ask(number):
        name, text = names[number % 3], f"question {number % 21}"
        status, said = Client(gateway, name).ask(text, stream=number % 2 == 0)
        assert said.endswith(f"You said: {text}")
        return status

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(ask, range(400)))
    assert {"hit", "miss"} == set(statuses)


def test_a_question_that_means_the_same_gets_the_same_answer(start_gateway, own_lane):
    gateway = start_gateway(document(own_lane))
    client = Client(gateway)
    assert client.ask("How do ticks look?", "desk")[0] == "miss"
    assert client.ask("How does a tick look", "desk", stream=True) == ("semantic", client.ask("How do ticks look?", "desk")[1])
    assert client.ask("How do 2 ticks look?", "desk")[0] == "miss"
    assert Client(gateway, "bureau").ask("How does a tick look", "desk")[0] == "miss"
    assert client.ask("How does a tick look", "gpt")[0] == "miss", "only where a route says so"


def test_what_another_target_answered_is_kept(start_gateway, own_lane):
    client = Client(start_gateway(document(own_lane)))
    own_lane.script("openai", status=503)
    status, text = client.ask("hello", "both", seed=7)
    assert status == "miss" and "from anthropic" in text
    assert client.ask("hello", "both", seed=7) == ("hit", text)
    assert client.headers["x-modelgate-provider"] == "anthropic" and client.headers["x-modelgate-dropped"] == "seed"
    assert own_lane.order() == ["openai", "anthropic"]


def test_an_answer_from_here_counts_against_no_limit(start_gateway, own_lane):
    limit = {"name": "requests", "per": ["consumer"], "requests": 1, "window": "day"}
    client = Client(start_gateway({**document(own_lane), "limits": [limit]}))
    assert [client.ask("hello")[0] for _ in range(4)] == ["miss", "hit", "hit", "hit"]
    with pytest.raises(openai.RateLimitError):
        client.ask("something else")


def test_an_answer_outlives_a_change_of_the_configuration(start_gateway, own_lane, tmp_path):
    """The gateway role's configuration comes from a file that Envoy watches."""
    described = {}

    def write(document):
        described["typed_config"]["config"]["configuration"]["value"] = document
        described["version"] = described.get("version", 0) + 1
        extension = {
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": "modelgate",
            "typed_config": described["typed_config"],
        }
        new = tmp_path / "new.json"
        new.write_text(json.dumps({"version_info": str(described["version"]), "resources": [extension]}))
        os.rename(new, tmp_path / "gateway.json")

    def discover(config):
        wasm = next(f for f in render.connection_manager(config)["http_filters"] if f["name"] == "modelgate")
        described["typed_config"] = json.loads(json.dumps(wasm.pop("typed_config")))
        source = {"path": str(tmp_path / "gateway.json"), "watched_directory": {"path": str(tmp_path)}}
        wasm["config_discovery"] = {
            "config_source": {"path_config_source": source, "resource_api_version": "V3"},
            "type_urls": [described["typed_config"]["@type"]],
        }
        config["node"] = {"id": "gateway", "cluster": "gateways"}
        write(before)

    before = document(own_lane)
    gateway = start_gateway(before, edit=discover)
    client = Client(gateway)
    _, text = client.ask("hello")
    after = document(own_lane)
    after["models"]["gpt"]["aliases"] = ["new-name"]
    write(after)
    deadline = time.monotonic() + 10
    while gateway.http.get("/v1/models/new-name", headers={"authorization": "Bearer key-of-acme"}).status_code != 200:
        assert time.monotonic() < deadline, "the new configuration is not there"
        time.sleep(0.05)
    assert client.ask("hello", "new-name") == ("hit", text)
    own_lane.only()
