import sys
from types import SimpleNamespace

import pytest


@pytest.fixture
def served(monkeypatch):
    """Stand in for the server, and note what it is asked for."""
    calls = []
    stand_in = SimpleNamespace(serve=lambda *args, **options: calls.append((args, options)))
    monkeypatch.setitem(sys.modules, "avatargan.web", SimpleNamespace(server=stand_in))
    monkeypatch.setitem(sys.modules, "avatargan.web.server", stand_in)
    return calls


def test_listens_on_this_machine_alone_by_default(run, served):
    assert run("serve").code == 0
    ((address, options),) = served
    assert address == ("127.0.0.1", 7860)
    assert options["open_browser"] is False


def test_options_reach_the_server(run, served, weights):
    run("serve", "--host", "::1", "--port", 8000, "--weights", weights, "--device", "cpu", "--open")
    ((address, options),) = served
    assert address == ("::1", 8000)
    assert (options["weights"], options["device"]) == (str(weights), "cpu")
    assert options["open_browser"] is True


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_ports_that_do_not_exist(run, served, port):
    assert "'--port'" in run("serve", "--port", port).error
