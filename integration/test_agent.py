"""An agent: a plan, its steps by models and tools, and an answer made of them; a real Envoy, the official SDK."""

import json
import threading
from pathlib import Path

import openai
import pytest
import yaml

from gateway import user, wait_until
from kinds import ANYONE
from server import Server

PRICE = {"input": 1, "output": 2}
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}


class Service(Server):
    """A tool: it tells what it was asked, and can be slow or say too much."""

    def __init__(self):
        self.seen = []
        self.release = threading.Event()
        super().__init__(self._answer)

    def _answer(self, request):
        self.seen.append(request)
        if request.path.startswith("/slow"):
            self.release.wait(10)
        return b"x" * 5000 if request.path.startswith("/long") else b'{"found": "Ada Lovelace, 1843"}'


@pytest.fixture
def service():
    with Service() as service:
        yield service
        service.release.set()


def tool(path, **more):
    return {"cluster": "searching", "path": path, "description": "Finds things.", "parameters": QUERY} | more


def configuration(lane, **agent):
    """The planner is of one provider, and each step's model of another."""
    return {
        "auth": ANYONE,
        "consumers": {"acme": {}},
        "providers": {name: lane.provider(name) for name in ("openai", "anthropic", "gemini", "mistral")},
        "models": {
            "planner": {"provider": "openai", "model": "gpt-5-nano", "price": PRICE},
            "worker": {"provider": "anthropic", "model": "claude-haiku-4-5", "price": PRICE, "max_output_tokens": 64000},
            "writer": {"provider": "gemini", "model": "gemini-2.5-flash", "price": PRICE},
            "other": {"provider": "mistral", "model": "mistral-small-latest", "price": PRICE},
        },
        "tools": {
            "search": tool("/search?q={query}", headers={"x-token": {"env": "SEARCH_TOKEN"}}),
            "post": tool("/post", method="post", host="search.internal"),
            "slow": tool("/slow/{query}", timeout_ms=300),
            "long": tool("/long/{query}", max_bytes=1000),
            "theirs": tool("/theirs/{query}", consumers=["acme"]),
        },
        "routes": {
            "agent": {
                "targets": [{"model": "other"}],
                "orchestration": {
                    "agent": {
                        "planner": "planner",
                        "synthesis": "writer",
                        "models": [{"model": "worker", "description": "Reads well.", "capabilities": ["reading"]}],
                        "tools": ["search", "post", "slow", "long", "theirs"],
                    }
                    | agent
                },
            }
        },
    }


@pytest.fixture
def start(start_gateway, own_lane, service):
    def started(**agent):
        def edit(config):
            import render

            render.gateway(config)["vm_config"]["environment_variables"]["host_env_keys"].append("SEARCH_TOKEN")

        return start_gateway(
            configuration(own_lane, **agent),
            services={"searching": service.origin},
            environment={"SEARCH_TOKEN": "Bearer secret"},
            edit=edit,
        )

    return started


def ask(gateway, messages=None, **options):
    client = openai.OpenAI(base_url=gateway.origin + "/v1", api_key="unused", max_retries=0)
    return client.chat.completions.create(model="agent", messages=messages or user("Who wrote it?"), **options)


def plan(*steps):
    return json.dumps({"steps": list(steps)})


def use(name, query="a & b", **more):
    return {"id": name, "tool": name, "arguments": {"query": query}} | more


READ = {"id": "read", "needs": ["search"], "capability": "reading", "task": "Read it."}


def outcomes(answer):
    return {step["id"]: step["outcome"] for step in answer.model_extra["x_modelgate"]["agent"]["steps"]}


def test_a_plan_is_carried_out_by_models_and_tools(start, own_lane, service):
    gateway = start()
    own_lane.script("openai", text=plan(use("search"), use("post"), READ))
    own_lane.script("anthropic", text="It says Ada.")
    own_lane.script("gemini", text="Ada wrote it.")
    answer = ask(gateway)
    assert answer.choices[0].message.content == "Ada wrote it."
    assert outcomes(answer) == {"search": "ok", "post": "ok", "read": "ok"}
    seen = {request.path: request for request in service.seen}
    search = seen["/search?q=a%20%26%20b"]
    assert search.method == "GET" and search.headers["x-token"] == "Bearer secret" and search.headers["host"] == "searching"
    post = seen["/post"]
    assert post.method == "POST" and json.loads(post.body) == {"query": "a & b"} and post.headers["host"] == "search.internal"
    assert not [name for name in post.headers if "modelgate" in name or name == "authorization"]
    calls = {request.provider: request for request in own_lane.received()}
    assert "Ada Lovelace, 1843" in calls["anthropic"].raw and "It says Ada." in calls["gemini"].raw
    used = [request.usage for request in own_lane.received()]
    prompt, completion = sum(it["prompt"] for it in used), sum(it["completion"] for it in used)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (prompt, completion)
    assert answer.model_extra["x_modelgate"]["cost_usd"] == pytest.approx((prompt * PRICE["input"] + completion * PRICE["output"]) / 1e6)
    assert "secret" not in gateway.log()


def test_a_tool_that_is_slow_or_says_too_much_is_done_without(start, own_lane, service):
    gateway = start()
    own_lane.script("openai", text=plan(use("slow"), use("long"), use("search")))
    own_lane.script("gemini", text="Ada wrote it.")
    answer = ask(gateway)
    assert answer.choices[0].message.content == "Ada wrote it."
    assert outcomes(answer) == {"slow": "504:tool", "long": "too_large", "search": "ok"}


def test_what_a_plan_may_not_is_mended_or_left_to_the_route(start, own_lane, service):
    gateway = start()
    own_lane.script("openai", {"text": plan(use("theirs"))}, {"text": plan(use("search"))})
    own_lane.script("gemini", text="Ada wrote it.")
    answer = ask(gateway)
    assert answer.model_extra["x_modelgate"]["agent"]["repairs"] == 1
    own_lane.script("openai", {"text": "no"}, {"text": plan({"id": "x", "model": "other", "task": "t"})})
    own_lane.script("mistral", text="The route's own.")
    answer = ask(gateway)
    assert answer.choices[0].message.content == "The route's own."
    assert answer.model_extra["x_modelgate"]["agent"]["why"] == "invalid_plan"
    assert [request.path for request in service.seen] == ["/search?q=a%20%26%20b"]


def test_a_client_approves_of_a_plan(start, own_lane, service):
    gateway = start(autonomy="approve")
    own_lane.script("openai", text=plan(use("search"), READ))
    messages = user("Who wrote it?")
    answer = ask(gateway, messages)
    assert answer.choices[0].finish_reason == "tool_calls" and not service.seen
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "modelgate_approve_plan"
    messages.append(answer.choices[0].message)
    messages.append({"role": "tool", "tool_call_id": call.id, "content": '{"approve": true}'})
    own_lane.script("anthropic", text="It says Ada.")
    own_lane.script("gemini", text="Ada wrote it.")
    with openai.OpenAI(base_url=gateway.origin + "/v1", api_key="unused", max_retries=0) as client:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        chunks = list(client.chat.completions.create(model="agent", messages=messages, **options))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Ada wrote it."
    report = next(c.model_extra["x_modelgate"] for c in chunks if "x_modelgate" in (c.model_extra or {}))
    assert [step["outcome"] for step in report["agent"]["steps"]] == ["ok", "ok"]
    assert "modelgate_approve_plan" not in own_lane.received()[-1].raw


def test_a_plan_alone_is_streamed_and_logged(start, own_lane, service):
    gateway = start(autonomy="plan_only")
    own_lane.script("openai", text=plan(use("search")))
    chunks = list(ask(gateway, stream=True))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert json.loads(text)["steps"][0]["tool"] == "search" and not service.seen
    wait_until(lambda: gateway.access_log())


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_the_documentation_shows_runs_as_written(start_gateway, own_lane, service, stream):
    text = (Path(__file__).parent.parent / "docs" / "agent.md").read_text()
    document = yaml.safe_load(text.split("```yaml modelgate\n")[1].split("\n```")[0])
    document["providers"] = {provider: own_lane.provider(provider) for provider in document["providers"]}
    gateway = start_gateway(document, services={"searching": service.origin})
    steps = [use("search"), {"id": "read", "needs": ["search"], "capability": "reading", "task": "Read it."}]
    own_lane.script("openai", {"text": plan(*steps)}, {"text": '{"accept": true}'})
    own_lane.script("anthropic", {"text": "It says Ada."}, {"text": "Ada wrote it."})
    with openai.OpenAI(base_url=gateway.origin + "/v1", api_key="unused", max_retries=0) as client:
        options = {"model": "research", "messages": user("Who wrote it?")}
        if stream:
            chunks = client.chat.completions.create(stream=True, **options)
            said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        else:
            said = client.chat.completions.create(**options).choices[0].message.content
    assert said == "Ada wrote it." and [request.path for request in service.seen] == ["/search?q=a%20%26%20b"]
    assert own_lane.order() == ["openai", "anthropic", "openai", "anthropic"]
