"""Configuration that changes while Envoy runs: envoy/live.yaml, whose roles come from files that Envoy watches."""

import concurrent.futures
import copy
import hashlib
import json
import os
import re
import subprocess
import threading
import time

import httpx2
import pytest

import gateway as gateways
import process
import render
from gateway import route, user, wait_until

LIVE = gateways.ROOT / "envoy" / "live.yaml"
ROLES = {"provider": "upstream_http_filter.modelgate_provider", "gateway": "http_filter.modelgate"}
SECOND = 1.0


class Folder:
    """The folder that Envoy watches, and what is in it."""

    def __init__(self, path):
        self.path = path
        self.resources = {}

    def take(self, config):
        self.resources = copy.deepcopy(render.hand_over(config, self.path))
        self.write()

    def text(self, role):
        return json.dumps({"resources": [self.resources[role]]})

    def write(self, document=None, **texts):
        """Puts the document in place in both roles, as scripts/reload does, or the texts."""
        for role in ROLES:
            if document is not None:
                self.resources[role]["typed_config"]["config"]["configuration"]["value"] = document
            new = self.path / f"{role}.new"
            new.write_text(texts.get(role) or self.text(role))
            new.rename(self.path / f"{role}.yaml")


class Live:
    """A gateway, its folder, and what is asked of it."""

    def __init__(self, start_gateway, document, path, edit=None, **options):
        self.folder = Folder(path)

        def hand_over(config):
            if edit:
                edit(config)
            self.folder.take(config)

        self.gateway = start_gateway(document, shipped=LIVE, edit=hand_over, **options)
        self.envoy = self.gateway.envoy
        # Envoy may say that it is ready before it has read what it is handed over.
        wait_until(lambda: all(self.reloads().values()))

    def ask(self, model="m", key=None, http=None, **more):
        """Over a connection of its own, so that both workers are asked."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        body = {"model": model, "messages": user("hello"), **more}
        return (http or httpx2).post(f"{self.gateway.origin}/v1/chat/completions", json=body, headers=headers, timeout=30)

    def knows(self, model, key=None):
        """Whether every one of several workers knows the model."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        asked = (httpx2.get(f"{self.gateway.origin}/v1/models/{model}", headers=headers) for _ in range(12))
        return all(answer.status_code == 200 for answer in asked)

    def reload(self, document, model, key=None):
        """Changes the configuration to one that has this model; how many seconds it took until Envoy had handed it to its workers."""
        before = self.reloads()
        began = time.time()
        self.folder.write(document)
        wait_until(lambda: self.knows(model, key))
        wait_until(lambda: all(self.reloads()[role] > before[role] for role in ROLES))
        return max(self.count("update_time").values()) / 1000 - began

    def count(self, what):
        """A counter of Envoy's about what it was handed over, by role."""
        stats = self.envoy.stats("extension_config_discovery")
        return {role: stats[f"extension_config_discovery.{name}.{what}"] for role, name in ROLES.items()}

    def reloads(self):
        return self.count("update_success")

    def memory(self):
        """What Envoy has in memory, in KiB."""
        return process.resident(self.envoy.pid) // 1024

    def machines(self):
        """How many VMs there are."""
        return self.envoy.stats("wasm.*active")["wasm.envoy.wasm.runtime.v8.active"]


def document(lane, *models, **more):
    """Two providers, the model `m`, and others of the same."""
    named = {name: {"provider": "openai", "model": "gpt-5-mini"} for name in ("m", *models)}
    providers = {vendor: lane.provider(vendor) for vendor in ("openai", "anthropic")}
    return {"providers": providers, "models": named, "health": "off", "auth": {"anonymous": {"consumer": "anonymous"}}, **more}


def consumer(*keys):
    return {"keys": [{"sha256": hashlib.sha256(key.encode()).hexdigest()} for key in keys]}


@pytest.fixture
def live(start_gateway, own_lane, tmp_path):
    return Live(start_gateway, document(own_lane), tmp_path)


# ---- what is good ---------------------------------------------------------------------------------------------------


def test_a_change_is_live_in_a_second_and_no_request_of_many_fails(live, own_lane):
    done, failed, answered = threading.Event(), [], []

    def keep_asking():
        with httpx2.Client() as http:
            while not done.is_set():
                answer = live.ask("m", http=http)
                (answered if answer.status_code == 200 else failed).append(answer.text)

    took = []
    with concurrent.futures.ThreadPoolExecutor() as clients:
        asking = [clients.submit(keep_asking) for _ in range(4)]
        try:
            for number in range(4):
                first, second = ("openai/gpt-5-mini", "anthropic/claude-haiku-5-5")[:: 1 if number % 2 else -1]
                routes = {"both": route(first, second)}
                took.append(live.reload(document(own_lane, f"new-{number}", routes=routes), f"new-{number}"))
                assert live.ask(f"new-{number}").status_code == 200
                assert live.ask("both").headers["x-modelgate-provider"] == first.split("/")[0]
            wait_until(lambda: len(answered) > 300)
        finally:
            done.set()
        for one in asking:
            one.result()
    assert not failed
    # Each of them, where the machine has nothing else to do.
    assert sorted(took)[1] < SECOND, took
    print(f"live after {[round(one, 3) for one in took]} s, {len(answered)} answers")
    assert live.ask("new-0").status_code == 404


def test_a_long_stream_keeps_the_configuration_that_it_began_with(live, own_lane):
    text = "".join(f"piece {number} " for number in range(60))
    own_lane.script("openai", {"text": text, "size": 2, "delay_chunk": 60})
    body = {"model": "m", "stream": True, "messages": user("hello"), "stream_options": {"include_usage": True}}
    with httpx2.stream("POST", f"{live.gateway.origin}/v1/chat/completions", json=body, timeout=30) as stream:
        lines = stream.iter_lines()
        first = next(lines)
        without = document(own_lane, "other")
        del without["models"]["m"]
        live.reload(without, "other")
        assert live.ask("m").status_code == 404
        said = [first, *lines]
    chunks = [json.loads(line[6:]) for line in said if line.startswith("data: {")]
    said_text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    assert said_text == text and len({chunk["model"] for chunk in chunks}) == 1
    assert [line for line in said if line][-1] == "data: [DONE]" and chunks[-1]["usage"]


def test_many_changes_leave_no_vm_and_no_memory_behind(live, own_lane):
    live.reload(document(own_lane, "new-0"), "new-0")
    machines, memory = live.machines(), live.memory()
    for number in range(1, 13):
        live.reload(document(own_lane, f"new-{number}"), f"new-{number}")
    wait_until(lambda: live.machines() == machines)
    assert live.memory() - memory < 8 * 1024


def test_limits_and_answers_outlive_a_change(start_gateway, own_lane, tmp_path):
    limits = [{"name": "requests", "requests": 3, "window": "day"}]
    kept = {"cache": {"exact": {"when": "always"}}, "limits": limits}
    live = Live(start_gateway, document(own_lane, **kept), tmp_path)
    first = live.ask()
    assert first.headers["x-modelgate-cache"] == "miss" and live.ask().headers["x-modelgate-cache"] == "hit"
    assert live.ask(seed=1).status_code == 200
    live.reload(document(own_lane, "new", **kept), "new")
    again = live.ask()
    assert again.headers["x-modelgate-cache"] == "hit" and again.json()["choices"] == first.json()["choices"]
    assert [live.ask("new", seed=seed).status_code for seed in (2, 3, 4)] == [200, 429, 429]


def test_a_folder_that_is_mounted_is_changed_by_its_link(start_gateway, own_lane, tmp_path):
    """As Kubernetes does it: `gateway.yaml` leads to `..data/gateway.yaml`, and `..data` is what is renamed."""
    live = Live(start_gateway, document(own_lane), tmp_path)
    folder = live.folder

    def swap(name, document):
        (tmp_path / name).mkdir()
        for role in ROLES:
            folder.resources[role]["typed_config"]["config"]["configuration"]["value"] = document
            (tmp_path / name / f"{role}.yaml").write_text(folder.text(role))
        os.symlink(name, tmp_path / "..data_tmp")
        os.rename(tmp_path / "..data_tmp", tmp_path / "..data")

    swap("..1", document(own_lane, "one"))
    for role in ROLES:
        os.symlink(f"..data/{role}.yaml", tmp_path / f"{role}.link")
        os.rename(tmp_path / f"{role}.link", tmp_path / f"{role}.yaml")
    wait_until(lambda: live.knows("one"))
    swap("..2", document(own_lane, "two"))
    wait_until(lambda: live.knows("two"))
    assert live.ask("two").status_code == 200


# ---- what is bad ----------------------------------------------------------------------------------------------------

# What is put in the file, or in the document, and what the log says of it.
BAD = {
    "no-json": ("{resources: [", {}, "Filesystem config update failure"),
    "unknown-key": (None, {"modles": {}}, "modles: unknown key `modles`: expected one of `providers`, `models`"),
    "unknown-model": (
        None,
        {"routes": {"both": {"targets": [{"model": "gpt-mimi"}]}}},
        'routes.both.targets[0].model: unknown model "gpt-mimi": expected a model, an alias or provider/model',
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_bad_is_refused_and_the_old_keeps_serving(live, own_lane, what):
    text, wrong, said = BAD[what]
    live.folder.write({**document(own_lane, "unheard-of"), **wrong}, **({role: text for role in ROLES} if text else {}))
    wait_until(lambda: all(live.count("config_fail").values()))
    assert [live.ask().status_code for _ in range(8)] == [200] * 8
    assert [live.ask("unheard-of").status_code for _ in range(8)] == [404] * 8
    assert said in live.gateway.log()
    # By the names that envoy/monitoring/alerts.yaml has.
    metrics = live.envoy.get("/stats/prometheus")
    for name in ROLES.values():
        assert re.search(rf"^envoy_extension_config_discovery_{name.replace('.', '_')}_config_fail{{}} [1-9]", metrics, re.M)
    live.reload(document(own_lane, "right"), "right")
    assert [live.ask("right").status_code for _ in range(8)] == [200] * 8
    wait_until(lambda: live.machines() == 4)


def test_a_file_that_is_gone_changes_nothing(live, own_lane):
    for role in ROLES:
        (live.folder.path / f"{role}.yaml").rename(live.folder.path / f"{role}.away")
    (live.folder.path / "new").write_text("")
    (live.folder.path / "new").rename(live.folder.path / "anything")
    wait_until(lambda: all(live.count("config_fail").values()))
    assert [live.ask().status_code for _ in range(8)] == [200] * 8
    live.reload(document(own_lane, "back"), "back")


# ---- scripts/reload -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not os.environ.get("CHECKER"), reason="CHECKER is not set")
def test_the_script_lets_nothing_in_that_is_wrong(tmp_path):
    folder = tmp_path / "live"
    folder.mkdir()
    for role in ROLES:
        (folder / f"{role}.yaml").write_text((gateways.ROOT / "envoy" / "live" / f"{role}.yaml").read_text())
        (folder / f"{role}.yaml").chmod(0o640)
    shipped = (gateways.ROOT / "envoy" / "live" / "modelgate.yaml").read_text()

    def reload(text, *more):
        file = tmp_path / "modelgate.yaml"
        file.write_text(text)
        command = [gateways.ROOT / "scripts" / "reload", file, folder, *more]
        return subprocess.run(command, env={**os.environ, "CHECK_CONFIG": os.environ["CHECKER"]}, capture_output=True, text=True)

    # What is shipped is what the script makes of the document beside it.
    before = {role: (folder / f"{role}.yaml").read_text() for role in ROLES}
    assert reload(shipped, LIVE).returncode == 0
    assert {role: (folder / f"{role}.yaml").read_text() for role in ROLES} == before

    wrong = [
        (shipped.replace("model: gpt-mini}", "model: gpt-mimi}"), 'unknown model "gpt-mimi"', []),
        (shipped + "modles: {}\n", "modles", []),
        ("[", "", []),
        (shipped.replace("anthropic", "mistral").replace("ANTHROPIC", "MISTRAL"), 'Envoy has no cluster "mistral"', [LIVE]),
    ]
    for text, said, more in wrong:
        done = reload(text, *more)
        assert done.returncode == 1 and said in done.stdout + done.stderr, done
        assert {role: (folder / f"{role}.yaml").read_text() for role in ROLES} == before

    assert reload(shipped.replace("gpt-mini", "gpt-tiny"), LIVE).returncode == 0
    for role in ROLES:
        assert render.load(folder / f"{role}.yaml")["resources"][0]["typed_config"]["config"]["configuration"]["value"]["models"]["gpt-tiny"]
        assert (folder / f"{role}.yaml").stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(folder)) == ["gateway.yaml", "provider.yaml"]


# ---- keys -----------------------------------------------------------------------------------------------------------


def test_a_consumers_key_is_changed_without_a_gap(start_gateway, own_lane, tmp_path):
    def with_keys(*keys, models=()):
        described = document(own_lane, *models, consumers={"acme": consumer(*keys)})
        del described["auth"]
        return described

    live = Live(start_gateway, with_keys("old"), tmp_path)
    allowed = lambda: [live.ask(key=key).status_code for key in ("old", "new")]
    assert allowed() == [200, 401]
    live.reload(with_keys("old", "new", models=["both"]), "both", "old")
    assert allowed() == [200, 200]
    live.reload(with_keys("new", models=["one"]), "one", "new")
    assert allowed() == [401, 200]


def sent(lane, live, name="authorization"):
    """The credential that the provider gets."""
    lane.clear()
    assert live.ask().status_code == 200
    return lane.only().headers[name]


def test_a_providers_key_is_changed_in_the_document(live, own_lane):
    assert sent(own_lane, live) == "Bearer key-of-openai"
    described = document(own_lane)
    described["providers"]["openai"]["api_key"] = {"value": "another"}
    live.folder.write(described)
    wait_until(lambda: all(sent(own_lane, live) == "Bearer another" for _ in range(4)))


def test_a_providers_key_is_changed_in_the_vms_environment(start_gateway, own_lane, tmp_path):
    """It makes new VMs, and what is counted is kept."""
    described = document(own_lane, limits=[{"name": "requests", "requests": 1000, "window": "day"}])
    described["providers"]["openai"]["api_key"] = {"env": "THE_KEY"}

    def environment(vm, key):
        vm["environment_variables"] = {"key_values": {"THE_KEY": key}}

    live = Live(start_gateway, described, tmp_path, edit=lambda config: environment(render.gateway(config)["vm_config"], "one"))
    left = lambda: int(live.ask("nothing/at-all").headers.get("x-ratelimit-remaining-requests") or live.ask().headers["x-ratelimit-remaining-requests"])
    assert sent(own_lane, live) == "Bearer one"
    before = left()
    for role in ROLES:
        environment(live.folder.resources[role]["typed_config"]["config"]["vm_config"], "two")
    live.folder.write()
    wait_until(lambda: all(sent(own_lane, live) == "Bearer two" for _ in range(4)))
    assert before - 100 < left() < before
    wait_until(lambda: live.machines() == 4)


def test_a_providers_key_is_changed_in_a_secret_of_envoys(start_gateway, own_lane, tmp_path):
    """By `credential_injector` behind the filter, whose secret is a file that Envoy watches (SDS); the filter sends no key."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()

    def secret(value):
        text = {"resources": [{"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", "name": "openai", "generic_secret": {"secret": {"inline_string": value}}}]}
        (secrets / "new").write_text(json.dumps(text))
        (secrets / "new").rename(secrets / "openai.json")

    def inject(config):
        source = {"path_config_source": {"path": str(secrets / "openai.json"), "watched_directory": {"path": str(secrets)}}}
        for cluster in render.provider_clusters(config):
            if cluster["name"] == "openai":
                filters = copy.deepcopy(render.upstream_filters(cluster))
                filters.insert(1, {
                    "name": "envoy.filters.http.credential_injector",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
                        "overwrite": True,
                        "credential": {
                            "name": "envoy.http.injected_credentials.generic",
                            "typed_config": {
                                "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
                                "credential": {"name": "openai", "sds_config": source},
                                "header": "authorization",
                            },
                        },
                    },
                })
                options = copy.deepcopy(cluster["typed_extension_protocol_options"])
                options[render.HTTP_OPTIONS]["http_filters"] = filters
                cluster["typed_extension_protocol_options"] = options

    described = document(own_lane)
    described["providers"]["openai"]["api_key"] = "none"
    secret("Bearer one")
    live = Live(start_gateway, described, tmp_path, edit=inject)
    assert sent(own_lane, live) == "Bearer one"
    created = live.envoy.stats("wasm.*created")
    secret("Bearer two")
    wait_until(lambda: all(sent(own_lane, live) == "Bearer two" for _ in range(4)))
    assert live.envoy.stats("wasm.*created") == created
