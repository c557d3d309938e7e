"""Similar questions by the vectors of a model, which the gateway asks itself through its internal listener."""

import asyncio
import time

import openai
import pytest

from gateway import user, wait_until
from test_cache import Client, document
from test_single_flight import Clients, asked

TICKS, MITES, OTHER = (
    "How do I remove ticks from my dog?",
    "How do I remove mites from my dog?",
    "How do I bake bread without an oven?",
)


def configuration(lane, embedder=None, **more):
    made = document(lane, exact={"when": "always"}, embedder={"model": "embedder", **(embedder or {})}, semantic={"threshold": 0.7})
    made["models"]["embedder"] = {"provider": "openai", "model": "text-embedding-3-small", "price": {"input": 1, "output": 0}}
    made["routes"]["desk"] = {"targets": [{"model": "claude"}], "cache": {"semantic": {}}}
    return made | more


def ask(gateway, text, name="acme", **more):
    return Client(gateway, name).ask(text, model="desk", **more)[0]


def test_a_question_in_other_words_gets_the_answer(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane))
    assert [ask(gateway, text) for text in (TICKS, TICKS, MITES, OTHER)] == ["miss", "hit", "semantic", "miss"]
    assert ask(gateway, MITES, stream=True) == "semantic"
    assert own_lane.order() == ["openai", "anthropic", "openai", "openai", "anthropic", "openai"]


def test_no_answer_crosses_a_scope(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane))
    assert [ask(gateway, TICKS, "acme"), ask(gateway, MITES, "bureau"), ask(gateway, MITES, "acme")] == ["miss", "miss", "semantic"]


def test_the_call_is_the_consumers_in_the_log_and_in_its_limits(start_gateway, own_lane):
    limits = [{"name": "few", "per": ["consumer"], "requests": 3, "window": "day"}]
    gateway = start_gateway(configuration(own_lane, limits=limits))
    assert ask(gateway, TICKS) == "miss"
    lines = wait_until(lambda: len(lines := gateway.access_log()) == 2 and lines)
    call = next(line for line in lines if line["client"].startswith("envoy://"))
    assert (call["consumer"], call["model"], call["status"], call["usage"]) == ("acme", "embedder", 200, "provider")
    assert float(call["cost_usd"]) == pytest.approx(int(call["tokens_in"]) / 1e6) and int(call["tokens_in"]) > 0
    # Two of three requests are used: the third is the next question's vector, and nothing is left for the answer.
    with pytest.raises(openai.RateLimitError):
        ask(gateway, OTHER)


def test_a_consumer_need_not_be_allowed_to_ask_for_the_embedder(start_gateway, own_lane):
    made = configuration(own_lane)
    made["consumers"]["acme"]["models"] = ["desk"]
    gateway = start_gateway(made)
    assert [ask(gateway, text) for text in (TICKS, MITES)] == ["miss", "semantic"]
    with pytest.raises(openai.PermissionDeniedError):
        gateway.client(api_key="key-of-acme").embeddings.create(model="embedder", input="hi")


@pytest.mark.parametrize("route", [False, True], ids=["alone", "with-another"])
@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"garbage": True}, {"raw": '{"data":[{"embedding":[]}]}'}, {"reset": True}, {"delay_headers": 3000}],
    ids=["error", "garbage", "no-vector", "reset", "slow"],
)
def test_without_a_vector_the_question_is_answered_all_the_same(start_gateway, own_lane, fault, route):
    made = configuration(own_lane, {"timeout_ms": 500})
    if route:
        made["providers"]["mistral"] = own_lane.provider("mistral")
        made["models"]["second"] = {"provider": "mistral", "model": "mistral-embed"}
        made["routes"]["embedders"] = {"targets": [{"model": "embedder"}, {"model": "second"}]}
        made["cache"]["embedder"]["model"] = "embedders"
    gateway = start_gateway(made)
    own_lane.script("openai", *[fault] * 2)
    began = time.monotonic()
    falls_back = route and "delay_headers" not in fault
    assert [ask(gateway, text) for text in (TICKS, MITES)] == ["miss", "semantic" if falls_back else "miss"]
    assert time.monotonic() - began < 3
    if not falls_back:
        assert "no vector of a question" in gateway.log()


def test_nobody_else_can_say_for_whom_they_ask(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane) | {"auth": {"anonymous": {"consumer": "anonymous"}}})
    body = {"model": "gpt", "messages": user("hello")}
    assert gateway.post(body).status_code == 200
    answer = gateway.post(body, headers={"x-modelgate-caller": "0123456789abcdef0123456789abcdef"})
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "invalid_api_key"


def ask_while_a_vector_is_made(start_gateway, lane, others, leaves=False):
    """What clients get, (status, `x-modelgate-cache`): the first one has the vector made, which it may not wait for, and others
    ask the same before it is there."""
    gateway = start_gateway(configuration(lane), concurrency=1)
    lane.script("openai", hold=True)

    async def run():
        clients = Clients(gateway)
        body = {"model": "desk", "messages": user(TICKS)}
        first = clients.start(body, 1)
        await asked(lane, 1)
        waiting = clients.start(body, others)
        await asyncio.sleep(0.3)
        if leaves:
            first.pop().cancel()
        lane.release()
        return await asyncio.gather(*first, *waiting)

    return [answer[:2] for answer in asyncio.run(run())]


def test_the_same_question_several_times_at_once_asks_for_one_vector(start_gateway, own_lane):
    answers = ask_while_a_vector_is_made(start_gateway, own_lane, 10)
    assert answers == [(200, "miss")] + [(200, "hit")] * 10
    assert own_lane.order() == ["openai", "anthropic"]


def test_clients_may_leave_while_the_vector_is_made(start_gateway, own_lane):
    answers = ask_while_a_vector_is_made(start_gateway, own_lane, 3, leaves=True)
    assert {status for status, _ in answers} == {200}
