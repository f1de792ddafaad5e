"""The lab's state file, and what it says of a lab with more hosts than usual."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.paths import Paths
from lab.state import State
from lab.topology import HOSTS, NAMESPACES, PORTS, SPARE


def test_the_state_survives_its_file(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    nat = {"nat-client": "eim", "nat-server": "plain"}
    state = State("/base", 80.0, 2.0, nat, 1.5, addresses={"relay": "203.0.113.12"})
    state.write(paths)
    assert State.read(paths) == state


@pytest.mark.parametrize("text", ["", "[]", '{"base": "x", "unknown": 1}'])
def test_a_damaged_state_is_none(tmp_path: Path, text: str) -> None:
    paths = Paths(tmp_path)
    paths.state.mkdir()
    paths.state_file.write_text(text)
    assert State.read(paths) is None


def test_the_usual_lab_has_the_usual_hosts() -> None:
    state = State("/base")
    assert (state.hosts, state.namespaces, state.ports) == (HOSTS, list(NAMESPACES), list(PORTS))
    with pytest.raises(ValueError, match="no host 'relay2' in the lab; there are relay, server, client"):
        state.host("relay2")


def test_a_spare_host_and_one_that_moved_are_part_of_it() -> None:
    state = State("/base")
    state.addresses |= {"relay": "203.0.113.12", SPARE.name: SPARE.address}
    assert state.host("relay").address == "203.0.113.12"
    assert state.host(SPARE.name) == SPARE
    assert state.relays == ["203.0.113.12", SPARE.address]
    assert SPARE.name in state.namespaces
    assert [port.addresses for port in state.ports if port.namespace == SPARE.name] == [(SPARE.address,)]
