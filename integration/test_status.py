"""The page about the gateway, in a real browser, and what it shows."""

import hashlib
import os
import pathlib
import shutil

import httpx2
import pytest
from playwright.sync_api import expect, sync_playwright

from gateway import route, user, wait_until
from kinds import two_and_none

PRICE = {"input": 3, "output": 15}
HOSTILE = "<img src=x onerror=alert(1)>"


def keys(name):
    return [{"sha256": hashlib.sha256(f"key-of-{name}".encode()).hexdigest()}]


def bearer(name):
    return {"authorization": f"Bearer key-of-{name}"}


def document(lane):
    return {
        "providers": two_and_none(lane),
        "models": {
            "gpt": {"provider": "openai", "model": "gpt-5.6-luna", "price": PRICE},
            "claude": {"provider": "anthropic", "model": "claude-sonnet-5-5", "price": PRICE, "max_output_tokens": 1000},
            "gone": {"provider": "dead", "model": "gpt-5", "price": PRICE},
        },
        "routes": {"fallback": route("gone", "claude")},
        "consumers": {"operations": {"admin": True, "keys": keys("operations")}, "acme": {"keys": keys("acme")}, HOSTILE.replace(" ", "_"): {"keys": keys("hostile")}},
        "limits": [{"name": "few", "per": ["consumer"], "requests": 20, "window": "hour"}],
        "cache": {"exact": {}},
    }


@pytest.fixture
def busy(own_lane, start_gateway):
    """A gateway that has had something to do."""
    gateway = start_gateway(document(own_lane))
    for _ in range(6):
        assert gateway.post({"model": "gpt", "messages": user("hello")}, headers=bearer("acme")).status_code == 200
    for _ in range(2):
        assert gateway.post({"model": "claude", "temperature": 0, "messages": user("hello")}, headers=bearer("acme")).status_code == 200
    assert gateway.post({"model": "fallback", "stream": True, "messages": user("hello")}, headers=bearer("hostile")).status_code == 200
    assert gateway.post({"model": "nobody", "messages": user("hello")}, headers=bearer("acme")).status_code == 404
    wait_until(lambda: sum(minute["requests"] for minute in status(gateway)["minutes"]) == 10)
    return gateway


def status(gateway):
    answer = gateway.http.get("/modelgate/status", headers=bearer("operations"))
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    return answer.json()


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium, as Debian has it."""
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if executable is None:
        pytest.skip("there is no chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield started
        started.close()


def open_page(browser, gateway, key="operations", **options):
    context = browser.new_context(http_credentials={"username": "me", "password": f"key-of-{key}"}, **options)
    page = context.new_page()
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("dialog", lambda dialog: page.said.append(dialog.message))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(f"{gateway.origin}/modelgate/")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_shows_what_has_happened(browser, busy, scheme, tmp_path):
    page = open_page(browser, busy, color_scheme=scheme, viewport={"width": 1200, "height": 1100})
    expect(page.locator("#models")).to_contain_text("gpt")
    expect(page.locator("#models")).to_contain_text("claude")
    expect(page.locator("#consumers")).to_contain_text("acme")
    expect(page.locator("#consumers")).to_contain_text(HOSTILE.replace(" ", "_"))
    expect(page.locator("#failovers")).to_contain_text("no response")
    expect(page.locator("#limits")).to_contain_text("few")
    expect(page.locator("#targets")).to_contain_text("closed")
    expect(page.locator("#tiles")).to_contain_text("10")
    assert page.locator("#plot-requests path").first.get_attribute("d").count("L") == 59, "a minute each"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == {"light": "rgb(246, 247, 249)", "dark": "rgb(14, 17, 22)"}[scheme]
    assert all(url.startswith((busy.origin, "data:")) for url in page.asked), page.asked
    assert page.said == [], "no error, and no name is taken for markup"
    picture = pathlib.Path(os.environ.get("SCREENSHOTS", tmp_path)) / f"status-{scheme}.png"
    page.screenshot(path=picture)
    assert picture.stat().st_size > 20_000


def test_the_page_has_room_on_a_phone(browser, busy):
    page = open_page(browser, busy, viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    expect(page.locator("#models")).to_contain_text("gpt")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360, "nothing is wider than the screen"
    assert page.said == []


def test_the_page_goes_on_by_itself(browser, busy):
    page = open_page(browser, busy)
    expect(page.locator("#tiles")).to_contain_text("10")
    for _ in range(3):
        busy.post({"model": "gpt", "messages": user("hello")}, headers=bearer("acme"))
    expect(page.locator("#tiles div").first).to_contain_text("13", timeout=15_000)


def test_a_browser_without_the_key_sees_nothing(browser, busy):
    for key, expected in (("nobody", 401), ("acme", 403)):
        context = browser.new_context(http_credentials={"username": "me", "password": f"key-of-{key}"})
        answer = context.new_page().goto(f"{busy.origin}/modelgate/")
        assert answer.status == expected


def test_all_workers_are_in_the_numbers(own_lane, start_gateway):
    gateway = start_gateway({**document(own_lane), "limits": []}, concurrency=4)
    ask = {"model": "gpt", "messages": user("hi")}
    for _ in range(40):
        with httpx2.Client(base_url=gateway.origin) as one_connection:
            assert one_connection.post("/v1/chat/completions", json=ask, headers=bearer("acme")).status_code == 200
    wait_until(lambda: sum(model["requests"] for model in status(gateway)["models"]) == 40)
