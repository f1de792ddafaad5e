"""The hole punch through real NATs of every kind, with 50 ms between the public addresses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.local import lab
from tests.nat.nodes import Nodes, nodes

ROUTERS = ("nat-client", "nat-server")


@pytest.fixture(scope="module")
def world() -> Iterator[Nodes]:
    reason = lab.obstacle()
    if reason is not None:
        pytest.skip(f"no NATs without root here: {reason}")
    with nodes() as running:
        yield running


@pytest.fixture
def behind(world: Nodes) -> Iterator[Nodes]:
    """The three programs; the NATs are plain again afterwards, and the mappings those of plain NATs."""
    yield world
    for router in ROUTERS:
        world.set_nat(router, "plain")


def restart_behind(world: Nodes, client: str, server: str) -> None:
    """New NATs, and new mappings: the peers start again behind them."""
    world.stop("client", "server")
    world.set_nat("nat-client", client)
    world.set_nat("nat-server", server)
    world.start("server", "client")
    world.wait_reserved("server", "client")


@pytest.mark.parametrize("mode", ["plain", "rst", "eim"])
def test_the_first_attempt_succeeds(behind: Nodes, mode: str) -> None:
    restart_behind(behind, mode, mode)
    for number in range(3):
        reply = behind.session(f"{mode}-{number}")
        assert reply["path"] == "direct"
        assert reply["punch"] == {"attempts": 1, "succeeded": True, "reason": None}


def test_both_ends_name_the_session_alike_and_nothing_of_it_crosses_the_relay(behind: Nodes) -> None:
    restart_behind(behind, "plain", "plain")
    reply = behind.session("alike")
    [theirs] = [s for s in behind.status("server")["sessions"] if s["session"] == reply["session"]]
    assert theirs["path"] == "direct"
    assert theirs["remote"].startswith("203.0.113.20:")

    before = behind.status("relay")
    exercise = behind.ask("client", {"do": "exercise", "session": reply["session"], "pings": 200})["exercise"]
    after = behind.status("relay")
    assert exercise["bytes_sent"] > 200 * 24
    assert exercise["bytes_received"] > 200 * 24
    assert before["pairs"] == after["pairs"]
    assert after["circuits"] == []


@pytest.mark.parametrize(("client", "server"), [("symmetric", "symmetric"), ("plain", "symmetric")])
def test_a_nat_that_gives_each_destination_another_port_leaves_the_session_on_the_relay(
    behind: Nodes, client: str, server: str
) -> None:
    restart_behind(behind, client, server)
    reply = behind.session("symmetric")
    assert reply["path"] == "relayed"
    assert reply["punch"]["attempts"] == 3
    assert "no answer" in reply["punch"]["reason"]
    assert "milestone=path.fallback" in behind.log("client")


def test_the_policy_relay_only_punches_nothing(behind: Nodes) -> None:
    restart_behind(behind, "plain", "plain")
    reply = behind.session("relay-only", policy="relay-only")
    assert reply["path"] == "relayed"
    assert reply["punch"]["attempts"] == 0
    assert reply["conn"] not in "".join(line for line in behind.log("server").splitlines() if "punch.started" in line)
