"""What the tests share: the mock providers, one gateway for most tests, and gateways of one's own for the others.

The environment says what to run: WASM, MOCK and ENVOY (scripts/test sets them)."""

import os

import pytest

import gateway as gateways
import kinds
from lanes import Lane
import process
import recordings

REQUIRED = ("WASM", "MOCK", "ENVOY")


def pytest_configure(config):
    missing = [name for name in REQUIRED if not os.environ.get(name)]
    if missing and not config.option.help:
        raise pytest.UsageError(f"{', '.join(missing)} not set: run scripts/test integration")


@pytest.fixture(scope="session")
def mock_server(tmp_path_factory):
    with process.Mock(str(tmp_path_factory.mktemp("mock")), fixtures=recordings.folder()) as server:
        yield server


@pytest.fixture(scope="session")
def shared_gateway(mock_server, tmp_path_factory):
    """One gateway with two workers and a provider of every kind."""
    lane = Lane(mock_server.origin, "shared")
    running = gateways.Gateway(kinds.document(lane), tmp_path_factory.mktemp("gateway"))
    running.lane = lane
    yield running
    try:
        running.assert_healthy()
    finally:
        running.stop()


@pytest.fixture
def gateway(shared_gateway):
    """The shared gateway; this test has its providers for itself: `gateway.lane` begins empty."""
    shared_gateway.lane.clear()
    shared_gateway.mark()
    yield shared_gateway
    assert shared_gateway.envoy.is_running(), "Envoy has ended"


@pytest.fixture
def lane(gateway):
    """The shared gateway's providers."""
    return gateway.lane


@pytest.fixture
def own_lane(mock_server, request):
    """Providers for a gateway of one's own."""
    lane = Lane(mock_server.origin, request.node.name.replace("/", "-").replace("[", "-").replace("]", ""))
    yield lane
    lane.clear()


@pytest.fixture
def start_gateway(tmp_path_factory):
    """Starts gateways with documents of one's own; they are healthy in the end, and stopped."""
    running = []

    def start(document, **options):
        started = gateways.Gateway(document, tmp_path_factory.mktemp("gateway"), **options)
        running.append(started)
        return started

    start.running = running
    yield start
    for one in running:
        try:
            one.assert_healthy()
        finally:
            one.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A test that failed shows what its gateways' logs said meanwhile."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and report.when in ("call", "teardown"):
        involved = [item.funcargs["gateway"]] if "gateway" in item.funcargs else []
        involved += getattr(item.funcargs.get("start_gateway"), "running", [])
        for one in involved:
            report.sections.append(("Envoy's log", one.log()[-6000:]))
