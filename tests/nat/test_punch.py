"""The hole punch through real NATs of every kind, with 50 ms between the public addresses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from lab.local import lab
from lab.topology import router
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
    for name in ROUTERS:
        world.set_nat(name, "plain")


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
        assert reply["punch"] == {"attempts": 1, "succeeded": True, "reason": None, "code": None}


SYN_AND_NO_MORE = """
import errno, socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("0.0.0.0", 4012))
    assert sock.connect_ex((sys.argv[1], 4012)) == errno.EINPROGRESS
"""


def test_what_a_broken_off_punch_leaves_in_a_router_costs_one_attempt(behind: Nodes) -> None:
    """A SYN from each side, the second while nobody sends any more: the server's listener answers, with a sequence
    number that the server's router takes for wrong, and with it all that follows between these two ports."""
    behind.stop("client", "server")
    for name in ROUTERS:
        behind.set_nat(name, "plain")
    behind.start("server")
    behind.wait_reserved("server")
    for name, other in (("server", "client"), ("client", "server")):
        words = [sys.executable, "-c", SYN_AND_NO_MORE, router(other).public]
        subprocess.run([*behind.inside(name), *words], check=True)
    behind.start("client")
    status = behind.wait_for("client", lambda status: status["sessions"])
    assert [session["path"] for session in status["sessions"]] == ["direct"]
    told = behind.log("client").splitlines()
    assert [line for line in told if "punch.failed" in line and "attempt=1" in line]
    conn, _, _ = status["sessions"][0]["session"].partition(".")
    assert [line for line in told if "punch.succeeded" in line and f"conn={conn}" in line and "attempt=2" in line]


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


@pytest.fixture
def narrow(behind: Nodes) -> Iterator[Nodes]:
    """A path between the two NATs that drops packets of more than 1,300 bytes, and no ICMP about it."""
    restart_behind(behind, "plain", "plain")
    for name in ROUTERS:
        behind.narrow(name, 1300)
    yield behind
    for name in ROUTERS:
        behind.narrow(name, None)


def test_over_a_path_that_drops_full_size_packets_data_crosses_in_small_segments(narrow: Nodes) -> None:
    reply = narrow.session("narrow")
    assert reply["path"] == "direct"
    assert reply["punch"]["attempts"] == 2
    failed = [line for line in narrow.log("client").splitlines() if "code=handshake-timeout" in line]
    assert failed
    assert "segment=1220" in next(
        line for line in narrow.log("client").splitlines() if "punch.succeeded" in line and reply["conn"] in line
    )
    narrow.ask("client", {"do": "exercise", "session": reply["session"], "pings": 500})
    # What is known of the path spares the next punch the failure.
    again = narrow.session("narrow-again")
    assert (again["path"], again["punch"]["attempts"]) == ("direct", 1)
