"""The rootless lab: the same NATs around plain processes, and loopback where there are none to be had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.local import lab as local
from lab.local import processes
from lab.local.namespaces import KeptNamespaces
from lab.local.state import LOOPBACK, NAMESPACES, State
from lab.paths import Paths
from lab.topology import host, router
from lab.waiting import until
from tests import nat_hosts
from tests.nat_hosts import Lab

_OBSTACLE = local.obstacle()
needs_namespaces = pytest.mark.skipif(_OBSTACLE is not None, reason=str(_OBSTACLE))


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paths]:
    """A lab of its own beside the checkout's."""
    paths = Paths(tmp_path_factory.mktemp("checkout"))
    paths.state.mkdir()
    yield paths
    local.down(paths)


def up(paths: Paths, mode: str) -> State:
    return local.up(paths, mode=mode)


def python(paths: Paths, state: State, name: str) -> list[str]:
    return [*local.enter(paths, state, host(name)), sys.executable]


@pytest.fixture
def lab(paths: Paths) -> Lab:
    state = up(paths, NAMESPACES)
    return Lab(
        python=lambda name: python(paths, state, name),
        namespaces=KeptNamespaces(state.pids),
        set_nat=lambda name, mode: local.set_nat(paths, router(name), mode),
    )


@needs_namespaces
@pytest.mark.parametrize("name", ["client", "server"])
def test_nothing_unsolicited_gets_in(lab: Lab, name: str) -> None:
    nat_hosts.check_nothing_unsolicited_gets_in(lab, name)


@needs_namespaces
def test_simultaneous_open_crosses_both_nats(lab: Lab) -> None:
    nat_hosts.check_simultaneous_open(lab)


@needs_namespaces
def test_each_mode_maps_ports_as_it_says(lab: Lab) -> None:
    nat_hosts.check_modes(lab)


@needs_namespaces
def test_public_addresses_are_fifty_milliseconds_apart(lab: Lab) -> None:
    nat_hosts.check_round_trips(lab, 50)


@needs_namespaces
def test_up_finds_it_up(paths: Paths) -> None:
    first = up(paths, NAMESPACES)
    assert up(paths, NAMESPACES) == first
    assert json.loads(local.state_file(paths).read_text())["mode"] == "namespaces"


@needs_namespaces
def test_the_interpreter_runs_on_its_host(paths: Paths) -> None:
    up(paths, NAMESPACES)
    script = "import socket; s = socket.socket(); s.bind(('10.2.0.2', 0)); print(s.getsockname()[0])"
    found = subprocess.run([local.interpreter(paths, host("server")), "-c", script], capture_output=True, text=True)
    assert found.stdout == "10.2.0.2\n", found.stderr


@needs_namespaces
def test_without_its_holder_the_lab_ends_and_is_built_anew(paths: Paths) -> None:
    first = up(paths, NAMESPACES)
    assert first.holder is not None
    os.kill(first.holder, 9)
    assert until(lambda: not processes.marked(paths.checkout), timeout=10)
    assert not local.is_well(paths, first)
    assert local.is_well(paths, up(paths, NAMESPACES))


@needs_namespaces
def test_down_ends_what_was_started_on_a_host(paths: Paths) -> None:
    state = up(paths, NAMESPACES)
    words = ["env", "-i", sys.executable, "-c", "import signal; print('ready', flush=True); signal.pause()"]
    argv = [*local.enter(paths, state, host("client")), *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as daemon:
        assert nat_hosts.line(daemon) == "ready"
        assert local.down(paths)
    assert daemon.returncode == -15
    assert processes.members(paths.checkout) == set()
    assert not paths.local.exists()
    assert not local.down(paths)


def test_on_loopback_each_host_has_an_address_of_its_own(paths: Paths) -> None:
    state = up(paths, LOOPBACK)
    assert (state.mode, state.reason, state.pids) == ("loopback", "asked for", {})
    assert len({values["address"] for values in state.hosts.values()}) == 3
    script = f"import socket; socket.socket().bind(({state.hosts['client']['address']!r}, 0)); print('bound')"
    found = subprocess.run([*python(paths, state, "client"), "-c", script], capture_output=True, text=True)
    assert found.stdout == "bound\n", found.stderr


def test_it_falls_back_to_loopback_and_says_why(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    local.down(paths)
    monkeypatch.setattr(local, "IN_USER_NAMESPACE", ["false"])
    state = local.up(paths)
    assert state.mode == LOOPBACK
    assert state.reason is not None
    assert state.reason.startswith("user namespaces don't work here")
    with pytest.raises(local.LabError):
        local.up(paths, mode=NAMESPACES)


def test_another_checkouts_lab_is_left_alone(paths: Paths, tmp_path: Path) -> None:
    state = up(paths, LOOPBACK)
    other = Paths(tmp_path)
    argv = [*python(paths, state, "client"), "-c", "import signal; print('ready', flush=True); signal.pause()"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as daemon:
        assert nat_hosts.line(daemon) == "ready"
        local.down(other)
        assert daemon.poll() is None
        local.down(paths)
    assert daemon.returncode == -15
