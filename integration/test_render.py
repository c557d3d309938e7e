"""The shipped configurations agree with themselves, and what scripts/run makes of them is what was asked for."""

import copy
import pathlib
from urllib.parse import urlsplit

import pytest

import render

FOLDER = pathlib.Path(__file__).parent.parent / "envoy"


@pytest.fixture
def config():
    return render.load(FOLDER / "envoy.yaml")


@pytest.fixture(params=["envoy.yaml", "fleet.yaml", "live.yaml", "secure.yaml"])
def each(request):
    return render.load(FOLDER / request.param)


def addresses(config):
    """Each cluster's (host, port, whether TLS)."""
    found = {}
    for cluster in render.provider_clusters(config):
        (locality,) = cluster["load_assignment"]["endpoints"]
        (endpoint,) = locality["lb_endpoints"]
        address = endpoint["endpoint"]["address"]["socket_address"]
        found[cluster["name"]] = (address["address"], address["port_value"], "transport_socket" in cluster)
    return found


def address_of(base_url):
    url = urlsplit(base_url)
    host = url.netloc.split(":")[0]  # as written: urlsplit's own hostname is in lower case
    return host, url.port or (443 if url.scheme == "https" else 80), url.scheme == "https"


def test_every_provider_has_its_cluster_and_its_row_in_the_matcher(each):
    providers = render.plugin(each)["providers"]
    assert addresses(each) == {name: address_of(p["base_url"]) for name, p in providers.items()}
    assert list(render.cluster_map(each)) == list(providers)
    for name, row in render.cluster_map(each).items():
        assert row["action"]["typed_config"]["cluster"] == name


def test_every_key_of_the_configuration_is_let_through(each):
    keys = {render.key_variable(provider) for provider in render.plugin(each)["providers"].values()} - {None}
    allowed = render.gateway(each)["vm_config"]["environment_variables"]["host_env_keys"]
    assert set(allowed) == keys


def test_every_model_and_target_is_there(each):
    document = render.plugin(each)
    assert render.without_missing(document) == document


def test_both_roles_share_one_configuration_and_one_vm():
    for name in render.SHIPPED:
        config = render.load(FOLDER / name)
        for cluster in render.provider_clusters(config):
            filters = cluster["typed_extension_protocol_options"][render.HTTP_OPTIONS]["http_filters"]
            role = filters[0]["typed_config"]["config"]
            assert role["root_id"] == "provider" and render.gateway(config)["root_id"] == "gateway"
            assert role["configuration"] is render.gateway(config)["configuration"]
            assert role["vm_config"] is render.gateway(config)["vm_config"]
            for one in (role, render.gateway(config)):
                assert one["failure_policy"] == "FAIL_RELOAD" and one["allow_on_headers_stop_iteration"] is True


def test_only_providers_with_a_key_are_kept(config):
    document = render.real_providers(render.plugin(config), {"ANTHROPIC_API_KEY": "a", "GEMINI_API_KEY": "", "HOME": "/"})
    assert list(document["providers"]) == ["anthropic"]
    assert {model["provider"] for model in document["models"].values()} == {"anthropic"}
    assert [t["model"] for t in document["routes"]["smart"]["targets"]] == ["claude-opus-5-5"]
    assert "default_provider" not in document
    render.use_providers(config, document)
    assert addresses(config) == {"anthropic": ("api.anthropic.com", 443, True)}
    assert list(render.cluster_map(config)) == ["anthropic"]


def test_without_a_key_there_is_no_real_provider(config):
    assert render.real_providers(render.plugin(config), {"PATH": "/bin"}) is None


@pytest.mark.parametrize(
    "variable, value, provider, base_url, address",
    [
        ("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1", "openai", "http://127.0.0.1:8000/v1", ("127.0.0.1", 8000, False)),
        ("OPENAI_BASE_URL", "https://proxy.example/openai/v1/", "openai", "https://proxy.example/openai/v1", ("proxy.example", 443, True)),
        ("OLLAMA_BASE_URL", "localhost:11434/v1", "ollama", "http://localhost:11434/v1", ("localhost", 11434, False)),
        ("ANTHROPIC_BASE_URL", "https://api.anthropic.com", "anthropic", "https://api.anthropic.com/v1", ("api.anthropic.com", 443, True)),
        ("ANTHROPIC_BASE_URL", "https://proxy.example/a/v1", "anthropic", "https://proxy.example/a/v1", ("proxy.example", 443, True)),
        ("GEMINI_BASE_URL", "http://proxy.example:81/g", "gemini", "http://proxy.example:81/g/v1beta", ("proxy.example", 81, False)),
        ("DASHSCOPE_BASE_URL", "https://dashscope.aliyuncs.com/compatible-mode/v1", "qwen", "https://dashscope.aliyuncs.com/compatible-mode/v1", ("dashscope.aliyuncs.com", 443, True)),
        ("AZURE_BASE_URL", "https://me.openai.azure.com/openai/v1", "azure", "https://me.openai.azure.com/openai/v1", ("me.openai.azure.com", 443, True)),
    ],
)
def test_a_base_url_points_a_provider_elsewhere(config, variable, value, provider, base_url, address):
    document = render.real_providers(render.plugin(config), {variable: value})
    assert list(document["providers"]) == [provider]
    assert document["providers"][provider]["base_url"] == base_url
    assert document["providers"][provider]["api_key"] == ("none" if provider == "ollama" else {"value": "no-key"})
    render.use_providers(config, document)
    assert addresses(config) == {provider: address}


def test_a_base_url_with_a_key_keeps_the_key(config):
    environment = {"OPENAI_BASE_URL": "http://proxy.example/v1", "OPENAI_API_KEY": "k"}
    document = render.real_providers(render.plugin(config), environment)
    assert document["providers"]["openai"]["api_key"] == {"env": "OPENAI_API_KEY"}


@pytest.mark.parametrize("environment", [{"AZURE_OPENAI_API_KEY": "k"}, {"OPENAI_BASE_URL": "ftp://x/y"}, {"OPENAI_BASE_URL": "http://"}])
def test_what_cannot_be_meant_is_said(config, environment):
    with pytest.raises(SystemExit, match="error"):
        render.real_providers(render.plugin(config), environment)


def test_mocks_keep_the_paths(config):
    document = render.mock_providers(render.plugin(config), "http://127.0.0.1:99")
    assert document["providers"]["gemini"]["base_url"] == "http://127.0.0.1:99/v1beta"
    assert document["providers"]["groq"]["base_url"] == "http://127.0.0.1:99/groq/openai/v1"
    render.use_providers(config, document)
    assert set(addresses(config).values()) == {("127.0.0.1", 99, False)}


def test_rendering_keeps_all_else(config):
    before = copy.deepcopy(render.connection_manager(config))
    render.use_providers(config, render.plugin(config))
    assert render.connection_manager(config) == before
