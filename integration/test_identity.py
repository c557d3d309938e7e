"""envoy/secure.yaml: who may ask is told from keys, tokens and addresses, and nothing of a credential goes anywhere."""

import copy
import hashlib
import time

import openai
import pytest
import yaml

import gateway as gateways
import render
import tokens
from gateway import user, wait_until
from kinds import ANYONE
from lanes import Lane
from server import Server
from tokens import Elliptic, Rsa, Secret, token, unsigned

SECRET = Secret(b"a secret that the issuer and Envoy share")
OLD, NEW, EXPIRED, BUREAU = "sk-acme-old-0001", "sk-acme-new-0002", "sk-acme-expired-0003", "sk-bureau-0004"
WRONG = "sk-nobody-0005"
CREDENTIALS = ("sk-acme", "sk-bureau", "sk-nobody", "eyJ")
SOME = {"messages": user("hello")}


def sha256(key):
    return hashlib.sha256(key.encode()).hexdigest()


def document(lanes):
    """What secure.yaml has, with providers that are there and keys that are known."""
    shipped = copy.deepcopy(render.plugin(render.load(gateways.SECURE)))
    for name, provider in shipped["providers"].items():
        mock = lanes[name].provider(provider["vendor"], key=f"key-of-{name}")
        provider.update(base_url=mock["base_url"], api_key=mock["api_key"])
    old, new = shipped["consumers"]["acme"]["keys"]
    old["sha256"], new["sha256"] = sha256(OLD), sha256(NEW)
    expired = {"sha256": sha256(EXPIRED), "not_after": "2024-02-29T23:59:59+01:00"}
    old["not_after"] = "2999-12-31T23:59:59Z"
    shipped["consumers"]["acme"]["keys"].append(expired)
    shipped["consumers"]["bureau"]["keys"][0]["sha256"] = sha256(BUREAU)
    return shipped


@pytest.fixture(scope="module")
def lanes(mock_server):
    return {name: Lane(mock_server.origin, f"identity-{name}") for name in ("openai", "openai-eu", "anthropic")}


@pytest.fixture(scope="module")
def start(lanes, tmp_path_factory):
    """Starts secure.yaml, changed as `edit` says."""
    running = []

    def start(*keys, edit=None, document=document(lanes)):
        environment = {"MODELGATE_JWKS": tokens.jwks(*(keys or [SECRET]))}
        options = {"edit": edit, "environment": environment, "shipped": gateways.SECURE}
        running.append(gateways.Gateway(document, tmp_path_factory.mktemp("gateway"), **options))
        return running[-1]

    yield start
    for one in running:
        try:
            one.assert_healthy()
        finally:
            one.stop()


@pytest.fixture(scope="module")
def secured(start):
    return start()


@pytest.fixture
def gateway(secured, lanes):
    for lane in lanes.values():
        lane.clear()
    return secured


@pytest.fixture
def logged(gateway):
    """Gives the lines that this test's requests left in the access log, once there are so many."""
    # They are written with some delay: what comes after this one is this test's.
    gateway.http.get("/begin")
    wait_until(lambda: any(line["path"] == "/begin" for line in gateway.access_log()))
    gateway.mark()

    def logged(count):
        wait_until(lambda: len(gateway.access_log()) >= count)
        return gateway.access_log()

    return logged


def received(lanes):
    return [request for lane in lanes.values() for request in lane.received()]


def bearer(credential):
    return {"authorization": f"Bearer {credential}"}


def ask(gateway, headers, model="fast"):
    return gateway.post({"model": model, **SOME}, headers=headers)


def assert_refused(answer, code="invalid_api_key", status=401):
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["type"]) == (code, "invalid_request_error")
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
    assert not [word for word in CREDENTIALS if word in answer.text]


# ---- keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [OLD, NEW])
def test_the_sdk_is_served_with_either_key_of_a_consumer(gateway, logged, key):
    answer = gateway.client(api_key=key).chat.completions.create(model="smart", **SOME)
    assert "hello" in answer.choices[0].message.content
    chunks = list(gateway.client(api_key=key).chat.completions.create(model="fast", stream=True, **SOME))
    assert chunks[-1].choices[0].finish_reason == "stop"
    for line in logged(2):
        assert (line["consumer"], line["tier"], line["status"]) == ("acme", "premium", 200)


@pytest.mark.parametrize("headers", [{"x-api-key": NEW}, {"X-API-Key": NEW}, {"x-api-key": NEW, **bearer(NEW)}, {"authorization": f"bearer {NEW}"}])
def test_a_key_is_taken_from_either_header(gateway, headers):
    assert ask(gateway, headers).status_code == 200


@pytest.mark.parametrize("key", [WRONG, EXPIRED, NEW.upper(), NEW[:-1], sha256(NEW), "x" * 600, "unused"])
def test_a_wrong_key_an_expired_one_and_one_that_is_too_long_are_refused_alike(gateway, lanes, key):
    with pytest.raises(openai.AuthenticationError) as caught:
        gateway.client(api_key=key).chat.completions.create(model="fast", **SOME)
    assert caught.value.code == "invalid_api_key" and caught.value.request_id
    for headers in (bearer(key), {"x-api-key": key}):
        assert_refused(ask(gateway, headers))
    assert ask(gateway, bearer(key)).text == ask(gateway, bearer(WRONG)).text
    assert received(lanes) == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Basic c2stYWNtZS1uZXctMDAwMjo="},
        {"authorization": NEW},
        {"authorization": f"Bearer {NEW} {NEW}"},
        {"authorization": f"Bearer {NEW}, Bearer {NEW}"},
        {"authorization": f"Bearer {NEW}é".encode()},
        {"x-api-key": ""},
        {"x-api-key": f"Bearer {NEW}"},
        {"x-api-key": NEW, **bearer(BUREAU)},
        {"x-api-key": NEW, **bearer(WRONG)},
        {"cookie": NEW},
    ],
)
def test_what_is_not_one_readable_credential_is_refused(gateway, lanes, headers):
    assert_refused(ask(gateway, headers))
    assert received(lanes) == []


@pytest.mark.parametrize("name, value", [("authorization", f"Bearer {NEW}"), ("x-api-key", NEW)])
def test_a_header_that_is_there_twice_is_refused(gateway, name, value):
    once = f"{name}: {value}\r\n"
    for times, status in ((1, b"200"), (2, b"401")):
        request = f"GET /v1/models HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{once * times}\r\n"
        answer = gateway.send(request.encode())
        assert answer.startswith(b"HTTP/1.1 " + status), times
    assert b"invalid_api_key" in answer


def test_a_header_that_is_far_too_long_is_refused(gateway, lanes):
    assert_refused(ask(gateway, bearer("x" * 30_000)))
    assert ask(gateway, bearer("x" * 100_000)).status_code == 431, "Envoy's own limit"
    assert received(lanes) == []


def test_who_is_unknown_is_refused_before_the_body_is_there(gateway):
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {WRONG}\r\ncontent-length: 30000000\r\n\r\n"
    answer = gateway.send(head.encode() + b"{")
    assert answer.startswith(b"HTTP/1.1 401 ") and b"invalid_api_key" in answer


def test_health_is_told_to_anyone(gateway):
    assert gateway.http.get("/healthz").status_code == 200
    assert_refused(gateway.http.get("/v1/models"))


# ---- tokens ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claims, consumer, tier, smart",
    [
        ({"sub": "carol", "tier": "premium"}, "carol", "premium", 200),
        ({"sub": "carol"}, "carol", "default", 403),
        ({"sub": "carol", "tier": "platinum"}, "carol", "default", 403),
        ({"sub": "carol", "tier": ["premium"]}, "carol", "default", 403),
        ({"sub": "acme", "tier": "default"}, "acme", "premium", 200),
        ({"sub": "auth0|5f7c", "tier": "premium"}, "auth0|5f7c", "premium", 200),
        ({"sub": "jörg \u202e", "tier": "premium"}, "j%C3%B6rg%20%E2%80%AE", "premium", 200),
    ],
)
def test_a_token_names_its_consumer_and_tier(gateway, logged, claims, consumer, tier, smart):
    assert ask(gateway, bearer(token(SECRET, **claims))).status_code == 200
    assert ask(gateway, bearer(token(SECRET, **claims)), model="smart").status_code == smart
    for line in logged(2):
        assert (line["consumer"], line["tier"]) == (consumer, tier)


def test_the_sdk_is_served_with_a_token(gateway):
    client = gateway.client(api_key=token(SECRET, sub="carol", tier="premium"))
    assert client.chat.completions.create(model="smart", **SOME).choices[0].message.content
    assert {model.id for model in client.models.list()} >= {"smart", "fast"}
    with pytest.raises(openai.AuthenticationError):
        gateway.client(api_key=token(SECRET, sub="carol", exp=1_700_000_000)).models.list()


@pytest.mark.parametrize(
    "credential",
    [
        token(SECRET, sub="carol", exp=int(time.time()) - 3600),
        token(SECRET, sub="carol", exp=None),
        token(SECRET, sub="carol", nbf=int(time.time()) + 3600),
        token(SECRET, sub="carol", iss="https://elsewhere.example.com"),
        token(SECRET, sub="carol", aud="something-else"),
        token(SECRET, sub="carol", aud=None),
        token(Secret(b"another secret, of somebody else's!!"), sub="carol"),
        token(SECRET, sub="carol")[:-4] + "AAAA",
        token(SECRET, sub="carol").rsplit(".", 1)[0] + ".",
        token(SECRET, {"alg": "none"}, sub="carol"),
        token(SECRET, {"alg": "HS512"}, sub="carol"),
        unsigned(sub="carol"),
        "a.b.c",
        # Valid, but it does not say in words who has it.
        token(SECRET),
        token(SECRET, sub=""),
        token(SECRET, sub=12),
        token(SECRET, sub=True),
        token(SECRET, sub=None),
        token(SECRET, sub={"name": "carol"}),
        token(SECRET, sub=["carol"]),
        token(SECRET, sub="carol\r\nx-admin: true"),
        token(SECRET, sub="c" * 256),
    ],
)
def test_a_token_that_is_not_valid_or_names_nobody_is_refused(gateway, lanes, credential):
    assert_refused(ask(gateway, bearer(credential)))
    assert received(lanes) == []


def test_a_token_is_taken_from_its_header_only(gateway):
    good = token(SECRET, sub="carol")
    assert_refused(gateway.http.get("/v1/models", params={"access_token": good}))
    assert_refused(gateway.http.get("/v1/models", headers={"x-api-key": good}))
    assert_refused(gateway.http.get("/v1/models", headers={"cookie": f"token={good}"}))


@pytest.mark.parametrize("subject, status", [("acme", 200), ("bureau", 401), ("carol", 401)])
def test_a_token_and_a_key_have_to_be_of_one_consumer(gateway, subject, status):
    headers = {**bearer(token(SECRET, sub=subject, tier="premium")), "x-api-key": NEW}
    answer = ask(gateway, headers)
    assert answer.status_code == status
    if status == 401:
        assert_refused(answer)


def test_a_token_does_not_make_up_for_a_wrong_key(gateway):
    assert_refused(ask(gateway, {**bearer(token(SECRET, sub="carol")), "x-api-key": WRONG}))


@pytest.mark.parametrize("make", [Rsa, Elliptic])
def test_tokens_are_verified_with_public_keys(start, make):
    key = make()
    gateway = start(key)
    assert ask(gateway, bearer(token(key, sub="carol"))).status_code == 200
    assert_refused(ask(gateway, bearer(token(make(), sub="carol"))))
    assert_refused(ask(gateway, bearer(token(SECRET, sub="carol"))))


def test_a_public_key_is_no_secret(start):
    """The old confusion: a token signed with HS256 and the public key, which anyone has."""
    key = Rsa()
    gateway = start(key)
    for head in ({}, {"kid": "RS256"}):
        assert_refused(ask(gateway, bearer(token(Secret(key.public()), head, sub="carol"))))


def test_the_issuers_keys_are_fetched(start):
    """With `remote_jwks` as docs/security.md shows it."""
    key = Rsa()
    documents = {"/.well-known/jwks.json": tokens.jwks(key).encode()}
    shown = blocks_of_the_documentation("remote_jwks:")

    def edit(config):
        (jwt,) = (f for f in render.connection_manager(config)["http_filters"] if f["name"] == "envoy.filters.http.jwt_authn")
        provider = jwt["typed_config"]["providers"]["issuer"]
        provider.pop("local_jwks")
        provider["remote_jwks"] = shown["remote_jwks"]
        (cluster,) = shown["clusters"]
        (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        endpoint["endpoint"]["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": issuer.port}
        cluster.pop("transport_socket")
        config["static_resources"]["clusters"].append(cluster)

    with Server(lambda request: documents.get(request.path)) as issuer:
        gateway = start(edit=edit)
        assert ask(gateway, bearer(token(key, sub="carol"))).status_code == 200
        assert_refused(ask(gateway, bearer(token(Rsa(), sub="carol"))))


def blocks_of_the_documentation(begin):
    """The YAML block of docs/security.md that begins so."""
    text = (gateways.ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    blocks = [block.split("\n```")[0] for block in text.split("```yaml\n")[1:]]
    (block,) = (block for block in blocks if block.startswith(begin))
    return yaml.safe_load(block)


# ---- what is for whom -----------------------------------------------------------------------------------------------


def test_a_model_that_is_not_for_a_consumer_is_forbidden(gateway, lanes):
    client = gateway.client(api_key=BUREAU)
    for model in ("smart", "claude-opus", "gpt-5-mini-eu", "openai-eu/gpt-5-mini"):
        with pytest.raises(openai.PermissionDeniedError) as caught:
            client.chat.completions.create(model=model, **SOME)
        assert (caught.value.code, caught.value.param) == ("model_not_allowed", "model")
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nothing", **SOME)
    assert received(lanes) == []


def test_targets_in_other_regions_are_not_asked(gateway, lanes):
    raw = gateway.client(api_key=BUREAU).chat.completions.with_raw_response.create(model="fast", **SOME)
    assert raw.headers["x-modelgate-provider"] == "openai-eu"
    lanes["openai-eu"].script("openai", status=503)
    with pytest.raises(openai.InternalServerError):
        gateway.client(api_key=BUREAU).chat.completions.create(model="fast", **SOME)
    assert [lane.received() == [] for lane in lanes.values()] == [True, False, True]


def test_a_region_that_is_not_for_a_consumer_is_forbidden(gateway, lanes):
    european = bearer(token(SECRET, sub="carol", tier="european"))
    for model in ("gpt-5-mini", "smart", "anthropic/claude-haiku-5-5"):
        assert_refused(ask(gateway, european, model=model), "region_not_allowed", 403)
    assert ask(gateway, european, model="gpt-5-mini-eu").status_code == 200
    assert [lane.received() == [] for lane in lanes.values()] == [True, False, True]


@pytest.mark.parametrize(
    "credential, expected",
    [
        (NEW, ["claude-opus", "claude-opus-5-5", "fast", "smart"]),
        (BUREAU, ["fast"]),
        (token(SECRET, sub="carol"), ["fast"]),
        (token(SECRET, sub="carol", tier="european"), ["fast", "gpt-5-mini-eu"]),
    ],
)
def test_only_what_is_for_a_consumer_is_listed(gateway, credential, expected):
    client = gateway.client(api_key=credential)
    assert [model.id for model in client.models.list()] == expected
    assert client.models.retrieve(expected[0]).id == expected[0]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-5.6-sol")


# ---- addresses, web pages, headers ----------------------------------------------------------------------------------


def test_an_address_that_is_denied_is_refused_whatever_key_it_has(start, gateway, lanes):
    claimed = {"x-forwarded-for": "192.0.2.7"}
    assert ask(gateway, {**bearer(NEW), **claimed}).status_code == 200, "anyone can claim to be anywhere"

    def behind_a_proxy(config):
        render.connection_manager(config)["xff_num_trusted_hops"] = 1

    behind = start(edit=behind_a_proxy)
    for address in ("192.0.2.7", "8.8.8.8, 192.0.2.7", "2001:db8::1"):
        assert_refused(ask(behind, {**bearer(NEW), "x-forwarded-for": address}), "address_not_allowed", 403)
    for address in ("8.8.8.8", "192.0.2.7, 8.8.8.8"):
        assert ask(behind, {**bearer(NEW), "x-forwarded-for": address}).status_code == 200


def test_only_addresses_that_are_allowed_are_served(start):
    def only_elsewhere(config):
        (allowed,) = (f for f in render.connection_manager(config)["http_filters"] if f["name"] == "allowed-addresses")
        policy = allowed["typed_config"]["rules"]["policies"]["allowed"]
        policy["principals"] = [{"remote_ip": {"address_prefix": "198.51.100.0", "prefix_len": 24}}]

    gateway = start(edit=only_elsewhere)
    assert_refused(ask(gateway, bearer(NEW)), "address_not_allowed", 403)
    assert_refused(ask(gateway, {}), "address_not_allowed", 403)


def test_a_web_page_of_an_allowed_origin_may_ask(gateway, lanes):
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type,x-stainless-os"}
    preflight = lambda origin: gateway.http.options("/v1/chat/completions", headers={"origin": origin, **asked})
    allowed = preflight("https://app.example.com")
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
    assert allowed.headers["access-control-allow-headers"] == "authorization, *"
    assert "POST" in allowed.headers["access-control-allow-methods"]
    for origin in ("https://evil.example.com", "http://app.example.com", "https://app.example.com.evil.example", "null"):
        refused = preflight(origin)
        assert "access-control-allow-origin" not in refused.headers and refused.status_code >= 400
    served = ask(gateway, {"origin": "https://app.example.com", **bearer(NEW)})
    assert served.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "x-modelgate-provider" in served.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in ask(gateway, {"origin": "https://evil.example.com", **bearer(NEW)}).headers
    unknown = ask(gateway, {"origin": "https://app.example.com", **bearer(WRONG)})
    assert_refused(unknown)
    assert unknown.headers["access-control-allow-origin"] == "https://app.example.com", "so that the page can read why"
    assert len(received(lanes)) == 2


def test_every_answer_has_the_security_headers(gateway, lanes):
    for lane in lanes.values():
        lane.script("openai", headers={"strict-transport-security": "max-age=0", "x-content-type-options": "sniff"})
    stream = gateway.post({"model": "fast", "stream": True, **SOME}, headers=bearer(NEW))
    answers = [
        ask(gateway, bearer(NEW)),
        stream,
        ask(gateway, bearer(WRONG)),
        ask(gateway, bearer(BUREAU), model="smart"),
        gateway.http.get("/v1/models", headers=bearer(NEW)),
        gateway.http.get("/nothing"),
        gateway.http.get("/healthz"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 401, 403, 200, 404, 200]
    for answer in answers:
        assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000; includeSubDomains"]
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] in ("no-store", "no-cache")


# ---- secrets --------------------------------------------------------------------------------------------------------


def test_no_credential_reaches_a_provider_or_a_log(gateway, logged, lanes):
    lanes["anthropic"].script("anthropic", status=503)
    good = token(SECRET, sub="carol", tier="premium")
    for credential, status in ((NEW, 200), (good, 200), (WRONG, 401), (good[:-3], 401)):
        headers = {**bearer(credential), "cookie": credential, "proxy-authorization": credential, "api-key": credential}
        for key in ({}, {"x-api-key": credential}):
            answer = gateway.http.post("/v1/chat/completions", params={"key": "of-the-query"}, json={"model": "smart", **SOME}, headers={**headers, **key})
            # A token in the other header is a wrong key.
            assert answer.status_code == (status if credential in (NEW, WRONG) or not key else 401)
            assert not [word for word in CREDENTIALS if word in answer.text + str(answer.headers)]
    requests = received(lanes)
    assert len(requests) == 4, "three were served, one of them by the second provider"
    for request in requests:
        sent = str(request.headers) + request.raw + request.path
        assert not [word for word in CREDENTIALS if word in sent]
        assert not {"cookie", "proxy-authorization"} & set(request.headers)
    lines = logged(8)
    assert [line["consumer"] for line in lines if line["status"] == 200] == ["acme", "acme", "carol"]
    assert {line["consumer"] for line in lines if line["status"] == 401} == {None}
    said = gateway.log()
    assert not [word for word in (*CREDENTIALS, "of-the-query", "key-of-") if word in said]


# ---- anonymous use --------------------------------------------------------------------------------------------------


def test_anonymous_use_is_for_requests_that_bring_nothing(start_gateway, own_lane):
    document = {
        "providers": {"openai": own_lane.provider("openai")},
        "auth": ANYONE,
        "consumers": {"acme": {"keys": [{"sha256": sha256(NEW)}]}},
    }
    gateway = start_gateway(document)
    for headers, status in (({}, 200), (bearer(NEW), 200), (bearer(WRONG), 401), ({"x-api-key": ""}, 401)):
        assert ask(gateway, headers, model="openai/m").status_code == status
    assert len(own_lane.received()) == 2


def test_a_document_that_does_not_say_who_may_ask_is_refused(start_gateway, own_lane):
    with pytest.raises(gateways.process.DidNotStart, match="auth: {anonymous: {consumer: anonymous}}"):
        start_gateway({"providers": {"openai": own_lane.provider("openai")}})
