"""Several models as one: ensembles, cascades and races; two workers, a real Envoy, the official SDK."""

import asyncio
import json
import time
from pathlib import Path

import openai
import pytest
import yaml

from gateway import user, wait_until
from kinds import ANYONE

PRICE = {"input": 1, "output": 2}
MODELS = {
    "one": ("openai", "gpt-4o"),
    "two": ("anthropic", "claude-haiku-4-5"),
    "three": ("gemini", "gemini-2.5-flash"),
    "judge": ("mistral", "mistral-small-latest"),
    "other": ("compatible", "some-model"),
}
MEMBERS = [{"model": "one"}, {"model": "two"}, {"model": "three"}]


def configuration(lane, orchestration, **more):
    """Models of three dialects that answer together, one that judges or writes, and one that is the route's own."""
    return {
        "auth": ANYONE,
        "providers": {provider: lane.provider(provider) for provider, _ in MODELS.values()},
        "models": {
            name: {"provider": provider, "model": model, "price": PRICE, "max_output_tokens": 8000}
            for name, (provider, model) in MODELS.items()
        },
        "routes": {"several": {"targets": [{"model": "other"}], "orchestration": orchestration}},
    } | more


def ensemble(**rules):
    return {"ensemble": {"members": MEMBERS} | rules}


class Answer:
    """What the SDK makes of an answer, streamed or not."""

    def __init__(self, gateway, stream, model="several", text="6 * 7?", **options):
        client = openai.OpenAI(base_url=gateway.origin + "/v1", api_key="unused", max_retries=0)
        if stream:
            options["stream_options"] = {"include_usage": True}
        raw = client.chat.completions.with_raw_response.create(model=model, messages=user(text), stream=stream, **options)
        self.headers = raw.headers
        if not stream:
            whole = raw.parse()
            self.text, self.usage = whole.choices[0].message.content, whole.usage
            self.told = whole.model_extra.get("x_modelgate", {})
            self.finish = [whole.choices[0].finish_reason]
            return
        chunks = list(raw.parse())
        self.text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        self.finish = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
        self.usage, self.told = chunks[-1].usage, chunks[-1].model_extra.get("x_modelgate", {})


def says(lane, **texts):
    for name, text in texts.items():
        lane.script(MODELS[name][0], text=text)


def used(lane):
    """What the providers say they have produced."""
    reports = [request.usage for request in lane.received()]
    return sum(report["prompt"] for report in reports), sum(report["completion"] for report in reports)


def assert_bill(answer, lane):
    """The client is told of all tokens and what they cost."""
    prompt, completion = used(lane)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (prompt, completion)
    assert answer.told["cost_usd"] == pytest.approx((prompt * PRICE["input"] + completion * PRICE["output"]) / 1e6)


streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@streamed
@pytest.mark.parametrize(
    "rules, chosen",
    [({"combine": "vote", "vote": {"by": "number"}}, 0), ({"combine": "longest"}, 1), ({"combine": "first_valid"}, 2)],
    ids=["vote", "longest", "first_valid"],
)
def test_one_answer_is_made_of_several(start_gateway, own_lane, stream, rules, chosen):
    gateway = start_gateway(configuration(own_lane, ensemble(**rules)))
    own_lane.script("openai", text="It is 42.", delay_headers=200)
    own_lane.script("anthropic", text="Let me think: it is 41", delay_headers=400)
    own_lane.script("gemini", text="42.0")
    answer = Answer(gateway, stream)
    assert answer.text == ["It is 42.", "Let me think: it is 41", "42.0"][chosen]
    assert answer.finish == ["stop"]
    assert answer.told["ensemble"]["chosen"] == chosen
    assert answer.headers["x-modelgate-model"] == ["one", "two", "three"][chosen]
    assert answer.headers["x-modelgate-route"] == "several"
    if chosen < 2:
        assert_bill(answer, own_lane)


@streamed
def test_a_judge_finds_the_best(start_gateway, own_lane, stream):
    gateway = start_gateway(configuration(own_lane, ensemble(combine="best_of_n", judge={"model": "judge"})))
    says(own_lane, one="one", two="two", three="three")
    # Those who are asked again come after all who are asked first.
    scores = [{"text": text} for text in ('{"score": 3}', "3", "3/10")]
    own_lane.script("mistral", *[{"text": "hm", "delay_headers": 300}] * 3, *scores)
    answer = Answer(gateway, stream)
    assert answer.text == "one" and [member["score"] for member in answer.told["ensemble"]["members"]] == [3, 3, 3]
    assert own_lane.order().count("mistral") == 6, "who says nothing of use is asked once more"
    assert_bill(answer, own_lane)


@streamed
def test_a_model_writes_one_answer_as_it_comes(start_gateway, own_lane, stream):
    gateway = start_gateway(configuration(own_lane, ensemble(combine="fuse", model="judge")))
    says(own_lane, one="red", two="green", three="blue", judge="all colours")
    answer = Answer(gateway, stream)
    assert (answer.text, answer.headers["x-modelgate-model"]) == ("all colours", "judge")
    written = own_lane.received()[-1].body
    assert all(draft in written["messages"][0]["content"] for draft in ("red", "green", "blue"))
    assert bool(written.get("stream")) == stream
    assert_bill(answer, own_lane)
    assert len(answer.told["ensemble"]["members"]) == 3


def test_members_that_fail_are_left_out_and_listed(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane, ensemble(combine="longest")))
    own_lane.script("openai", status=500)
    own_lane.script("anthropic", reset=True)
    says(own_lane, three="alone")
    answer = Answer(gateway, False)
    outcomes = [member["outcome"] for member in answer.told["ensemble"]["members"]]
    assert answer.text == "alone" and outcomes[2] == "ok" and all(it.startswith("50") for it in outcomes[:2])


@streamed
def test_the_routes_own_targets_answer_where_too_few_have(start_gateway, own_lane, stream):
    gateway = start_gateway(configuration(own_lane, ensemble(combine="longest", min_responses=2)))
    own_lane.script("openai", status=500)
    own_lane.script("anthropic", status=429)
    says(own_lane, three="alone", other="the route")
    answer = Answer(gateway, stream)
    assert (answer.text, answer.headers["x-modelgate-model"]) == ("the route", "other")
    answered = [request for request in own_lane.received() if request.status == 200]
    assert answer.usage.prompt_tokens == sum(request.usage["prompt"] for request in answered)


def test_a_deadline_is_kept(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane, ensemble(combine="longest") | {"call_timeout_ms": 500}))
    own_lane.script("openai", text="a very long answer, but too late", delay_headers=5000)
    says(own_lane, two="in time", three="now")
    began = time.monotonic()
    answer = Answer(gateway, False)
    assert answer.text == "in time" and 0.4 < time.monotonic() - began < 2
    assert answer.told["ensemble"]["members"][0]["outcome"].startswith("504")


def test_a_member_has_a_deadline_of_its_own(start_gateway, own_lane):
    members = [{"model": "one", "timeout_ms": 500}, {"model": "two", "timeout_ms": 5000}, {"model": "three"}]
    gateway = start_gateway(configuration(own_lane, ensemble(combine="longest", members=members)))
    own_lane.script("openai", text="a very long answer, but too late", delay_headers=4000)
    own_lane.script("anthropic", text="later", delay_headers=900)
    own_lane.script("gemini", text="now")
    began = time.monotonic()
    answer = Answer(gateway, False)
    assert answer.text == "later" and 0.8 < time.monotonic() - began < 2.5
    assert [it["outcome"][:3] for it in answer.told["ensemble"]["members"]] == ["504", "ok", "ok"]


@streamed
def test_a_cascade_asks_the_next_only_where_it_has_to(start_gateway, own_lane, stream):
    stages = [{"model": "one"}, {"model": "two"}, {"model": "three"}]
    rules = {"cascade": {"stages": stages, "accept": {"min_length": 5, "by": "said"}}}
    gateway = start_gateway(configuration(own_lane, rules))
    says(own_lane, one='It is 42.\n{"confidence": 0.9}')
    answer = Answer(gateway, stream)
    assert (answer.text, own_lane.order()) == ("It is 42.", ["openai"])
    assert_bill(answer, own_lane)
    own_lane.clear()
    says(own_lane, one="Hm.", two='Perhaps 41?\n{"confidence": 0.3}', three="It is 42, surely.")
    answer = Answer(gateway, stream)
    assert (answer.text, own_lane.order()) == ("It is 42, surely.", ["openai", "anthropic", "gemini"])
    assert [stage["verdict"] for stage in answer.told["cascade"]["stages"]] == ["too_short", "unsure", "not_checked"]
    assert_bill(answer, own_lane)


@streamed
def test_a_race_is_won_by_the_first_good_answer(start_gateway, own_lane, stream):
    rules = {"race": {"targets": MEMBERS, "stagger_ms": 150}}
    gateway = start_gateway(configuration(own_lane, rules))
    own_lane.script("openai", text="late", delay_headers=5000)
    own_lane.script("anthropic", status=500)
    says(own_lane, three="first")
    began = time.monotonic()
    answer = Answer(gateway, stream)
    assert answer.text == "first" and 0.14 < time.monotonic() - began < 1.5
    assert [target["outcome"] for target in answer.told["race"]["targets"]][::2] == ["cancelled", "ok"]
    # Whoever has lost is left alone at once.
    wait_until(lambda: own_lane.received()[0].ended != "open" or None)
    own_lane.clear()
    says(own_lane, one="fast")
    answer = Answer(gateway, stream)
    assert answer.text == "fast" and own_lane.order() == ["openai"]
    assert_bill(answer, own_lane)


def test_what_several_calls_are_not_for_is_served_by_the_route(start_gateway, own_lane):
    trigger = {"tasks": ["code"], "min_prompt_tokens": 30, "max_cost_usd": 0.05}
    gateway = start_gateway(configuration(own_lane, ensemble(combine="longest") | {"when": trigger}, tasks={}))
    long = " It has to be fast, and to use no memory besides the list itself; do not forget the empty list." * 3
    code = "Write a function in Rust that reverses a linked list." + long
    for text, model, options, served in [
        (code, "several", {}, "one"),
        ("Write a function in Rust.", "several", {}, "other"),
        ("Write a poem about the sea and the moon." + long, "several", {}, "other"),
        (code, "several", {"max_tokens": 8000, "n": 2}, "other"),
        (code, "one", {}, "one"),
    ]:
        own_lane.clear()
        says(own_lane, one="the longest of all answers", two="two", three="three")
        assert Answer(gateway, False, model, text, **options).headers["x-modelgate-model"] == served, (text, options)
        assert len(own_lane.received()) == (3 if (served, model) == ("one", "several") else 1)


def test_routes_answer_for_routes(start_gateway, own_lane):
    document = configuration(own_lane, ensemble(combine="vote", members=[{"model": "quick"}, {"model": "three"}]))
    race = {"race": {"targets": [{"model": "one"}, {"model": "two"}], "stagger_ms": 0}}
    document["routes"]["quick"] = {"targets": [{"model": "other"}], "orchestration": race}
    gateway = start_gateway(document)
    own_lane.script("openai", status=500)
    says(own_lane, two="yes", three="Yes.")
    answer = Answer(gateway, False)
    assert answer.text == "yes" and sorted(own_lane.order()) == ["anthropic", "gemini", "openai"]


def test_nobody_outside_can_claim_to_be_inside(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane, ensemble(combine="longest")))
    body = {"model": "several", "messages": user("Hi")}
    for word in ("", "0" * 32, "x" * 4000):
        assert gateway.post(body, {"x-modelgate-caller": word}).status_code == 401
    assert own_lane.received() == []


def test_what_was_asked_is_charged_when_the_client_has_left(start_gateway, own_lane):
    limits = [{"name": "daily", "requests": 1000, "window": "day"}, {"name": "slots", "concurrent": 50}]
    document = configuration(own_lane, ensemble(combine="best_of_n", judge={"model": "judge"}), limits=limits)
    gateway = start_gateway(document)
    own_lane.script("openai", text="slow", delay_headers=3000)
    client = openai.OpenAI(base_url=gateway.origin + "/v1", api_key="unused", max_retries=0, timeout=1)
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="several", messages=user("Hi"))
    lines = wait_until(lambda: found if len(found := gateway.access_log()) >= 4 else None)
    inner = [line for line in lines if line.get("asked_for") not in (None, "", "-")]
    assert len(inner) == 3 and len({line["asked_for"] for line in inner}) == 1
    assert all(int(line["tokens_in"]) > 0 for line in inner), "also of the call that was cut off"
    time.sleep(0.5)
    assert "mistral" not in own_lane.order(), "nobody judges for nobody"


def test_many_at_once(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane, ensemble(combine="vote")), concurrency=2)

    async def run():
        async with openai.AsyncOpenAI(base_url=gateway.origin + "/v1", api_key="unused", max_retries=0) as client:
            ask = lambda: client.chat.completions.create(model="several", messages=user("Hi"))
            return await asyncio.gather(*(ask() for _ in range(100)))

    answers = asyncio.run(run())
    assert len(answers) == 100 and all(answer.choices[0].message.content for answer in answers)
    assert len(own_lane.received()) == 300
    assert (sum(it.usage.prompt_tokens for it in answers), sum(it.usage.completion_tokens for it in answers)) == used(own_lane)
    assert all(len(answer.model_extra["x_modelgate"]["ensemble"]["members"]) == 3 for answer in answers)


@streamed
@pytest.mark.parametrize("name", ["ensemble", "cascade", "race", "continuation", "when"])
def test_what_the_documentation_shows_runs_as_written(start_gateway, own_lane, name, stream):
    text = (Path(__file__).parent.parent / "docs" / "orchestration.md").read_text()
    section = text.split(f"\n## {name.capitalize()}\n")[1].split("\n## ")[0]
    document = yaml.safe_load(section.split("```yaml modelgate\n")[1].split("\n```")[0])
    document["providers"] = {provider: own_lane.provider(provider) for provider in document["providers"]}
    gateway = start_gateway(document)
    (route,) = document["routes"]
    answer = Answer(gateway, stream, route)
    assert answer.text and answer.finish == ["stop"] and answer.headers["x-modelgate-route"] == route


def test_the_log_tells_how_an_answer_was_made(start_gateway, own_lane):
    gateway = start_gateway(configuration(own_lane, ensemble(combine="longest") | {"report": False}))
    gateway.mark()
    says(own_lane, one="the longest one", two="two", three="three")
    answer = Answer(gateway, False)
    assert "ensemble" not in answer.told
    lines = wait_until(lambda: found if len(found := gateway.access_log()) >= 4 else None)
    (outer,) = [line for line in lines if line.get("orchestration") == "ensemble"]
    assert json.loads(outer["calls"])["chosen"] == 0
