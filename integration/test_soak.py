"""A short soak: rounds of mixed traffic, after which the accounts are settled and nothing is left (scripts/soak runs it for longer)."""

import pytest

import render
import soak


@pytest.mark.timeout(300)
def test_after_half_a_minute_of_everything_the_accounts_are_settled_and_nothing_is_left(mock_server, tmp_path):
    it = soak.Soak(mock_server, tmp_path)
    try:
        report = it.run(seconds=25)
    finally:
        it.stop()
    assert not report.wrong, "\n".join(report.wrong)
    assert report.rounds >= 3 and report.outcomes["ok"] > report.asked / 2
    # Of each way in which a request can end, some have.
    assert all(report.outcomes[way] for way in ("ok", "error", "broken", "cancelled")), report.outcomes
    assert report.linear[-1] > 1 << 20, "the VMs' memory was not found"


def test_a_configuration_in_a_file_is_changed_there(tmp_path):
    """What Envoy gets by discovery is replaced whole, with another value in the plugin's document."""
    file = tmp_path / "gateway.yaml"
    plugin = {"providers": {}, "bounds": {"held_bytes": 1}}
    render.save({"resources": [{"typed_config": {"config": {"configuration": {"value": plugin}}}}]}, file)
    filters = [{"name": "modelgate", "config_discovery": {"config_source": {"path_config_source": {"path": str(file)}}}}]
    envoy = tmp_path / "envoy.yaml"
    render.save({"static_resources": {"listeners": [{"http_filters": filters}]}}, envoy)
    seen = []
    for number in range(2):
        assert soak.change(type("Gateway", (), {"config_path": envoy}), number)
        (changed,) = soak.plugins(render.read(file))
        seen.append(changed["bounds"]["held_bytes"])
    assert seen == [65_536, 65_537]
    render.save({"static_resources": {}}, envoy)
    assert not soak.change(type("Gateway", (), {"config_path": envoy}), 0)
