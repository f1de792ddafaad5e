"""What is between the hosts, by the inventory."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.local import lab as local
from lab.local.state import LOOPBACK, NAMESPACES, State
from operations.capture.targets import Surroundings, surroundings
from tests.unit.operations.hosts import inventory, node


def test_between_real_hosts_there_is_nothing_of_ours() -> None:
    assert surroundings(inventory(node("client"), node("server")), ["client", "server"]) == Surroundings()


def test_before_hosts_of_the_booted_lab_there_are_its_routers() -> None:
    found = surroundings(inventory(node("client", lab=True), node("server", lab=True)), ["server"])
    (router,) = found.routers
    assert (router.name, router.host, router.settings.address) == ("nat-server", "server", None)
    assert router.enter == ("nsenter", "--net=/run/netns/kl-nat-server", "--")
    assert (found.one_user, found.loopback) == (False, False)


@pytest.mark.parametrize("mode", [NAMESPACES, LOOPBACK, None])
def test_of_plain_processes_it_depends_on_what_was_possible(
    mode: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "state.json"
    monkeypatch.setattr(local, "state_file", lambda paths: file)
    if mode is not None:
        State(mode, pids={"nat-client": 11, "nat-server": 12}).write(file)
    nodes = [node(name, manager="process", lab=True) for name in ("client", "server")]
    found = surroundings(inventory(*nodes), ["client", "server"])
    if mode == NAMESPACES:
        assert [router.enter[1] for router in found.routers] == ["--target=11", "--target=12"]
        assert (found.one_user, found.loopback) == (True, False)
    else:
        assert found == Surroundings(loopback=True)
