"""Running nodes get another configuration: what it still wants goes on, what it does not want ends, a slip is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from kaspa_node import milestones
from kaspa_node.errors import RequestRefused
from tests.integration.backends import Echo, call, exchange, free_port
from tests.integration.programs import ROOT, Program, Programs, programs
from tests.unit.p2p.parties import peer_id

CLIENT, SERVER, THIRD, FOURTH, RELAY, RELAY_2 = 1, 2, 3, 4, 9, 8
SIMNET = {"network": "simnet"}


class Scene(NamedTuple):
    """Two relays, a server and a client that know the first one, and what starts more."""

    relay: Program
    relay2: Program
    server: Program
    client: Program
    more: Programs


def remote(number: int, name: str) -> dict[str, str]:
    return {"name": name, "peer_id": peer_id(number)}


def configure(program: Program, *remotes: dict[str, str], **settings: object) -> None:
    """The file of a peer with remotes."""
    program.configure(**settings)
    with program.file.open("a") as file:
        for entry in remotes:
            file.write("\n[[remotes]]\n" + "".join(f'{key} = "{value}"\n' for key, value in entry.items()))


@pytest.fixture(scope="module")
def steady() -> Iterator[Scene]:
    """One that nothing here changes."""
    with a_scene() as found:
        yield found


@pytest.fixture
def scene() -> Iterator[Scene]:
    """One of the test's own."""
    with a_scene() as found:
        yield found


@contextmanager
def a_scene() -> Iterator[Scene]:
    with programs() as more:
        relay, relay2 = (
            more.start(name, "relay", number, allow="any") for name, number in (("relay", RELAY), ("relay2", RELAY_2))
        )
        at = [relay.address()]
        server = more.configured("server", "peer", SERVER, SIMNET, {"relays": at, "allow": [peer_id(CLIENT)]})
        server.seen(milestones.RESERVATION_ACCEPTED)
        client = more.configured(
            "client", "peer", CLIENT, SIMNET | {"remotes": f"server={peer_id(SERVER)}"}, {"relays": at}
        )
        client.seen(milestones.PEER_CONNECTED, path="direct")
        yield Scene(relay, relay2, server, client, more)


def address(backend: Echo) -> str:
    host, port = backend.address
    return f"{host}:{port}"


def sessions(program: Program) -> set[str]:
    return {row["session"] for row in program.status()["sessions"] if row["state"] == "ready"}


def relays(program: Program) -> list[str]:
    return [row["peer_id"] for row in program.status()["relays"]]


# Relays


def test_a_relay_is_replaced_and_the_direct_session_goes_on(scene: Scene) -> None:
    before = sessions(scene.client)
    old, new = scene.relay.address(), scene.relay2.address()
    for addresses, applied in (([old, new], "added"), ([new], "removed")):
        for program in (scene.server, scene.client):
            since = program.mark()
            allow = {"allow": [peer_id(CLIENT)]} if program is scene.server else {}
            program.configure(relays=addresses, **allow)
            found = program.ask("reload")
            assert found["restart"] == []
            assert found["applied"][0] == "relays", applied
            if applied == "added":
                program.seen(milestones.RESERVATION_ACCEPTED, since, relay=scene.relay2.peer_id)
            else:
                given_up = program.seen(milestones.RESERVATION_GIVEN_UP, since, relay=scene.relay.peer_id)
                assert given_up["reason"] == "the relay is no longer configured"
                assert relays(program) == [scene.relay2.peer_id]
    for program in (scene.server, scene.client):
        scene.relay.seen(milestones.RELAY_RESERVATION_ENDED, peer=program.peer_id)
        assert not program.all(milestones.RESERVATION_LOST)
    assert sessions(scene.client) == before
    (session,) = before
    assert scene.client.ask("exercise", session=session, pings=20)["pings"] == 20
    # The new relay brings about new sessions, and the old one is not needed for it.
    scene.relay.stop()
    assert scene.client.ask("session", remote="server", timeout=25)["path"] == "direct"
    assert scene.relay2.status()["pairs"][0]["circuits"] == 1


def test_a_relayed_session_moves_to_the_relay_that_is_left(scene: Scene) -> None:
    old, new = scene.relay.address(), scene.relay2.address()
    scene.client.configure(relays=[old], path_policy="relay-only")
    assert scene.client.ask("reload")["applied"] == ["path_policy"]
    session = scene.client.seen(milestones.PEER_CONNECTED, path="relayed")["session"]
    scene.server.configure(relays=[new], allow=[peer_id(CLIENT)])
    scene.server.ask("reload")
    # The client still uses the old one: the server waits for it.
    assert scene.client.ask("exercise", session=session, pings=5)["pings"] == 5
    since = scene.client.mark()
    scene.client.configure(relays=[new], path_policy="relay-only")
    assert scene.client.ask("reload")["applied"] == ["relays", "remotes"]
    assert scene.client.seen(milestones.PEER_CONNECTED, since, path="relayed")["session"] != session
    ended = scene.client.seen(milestones.PEER_DISCONNECTED, since, session=session)
    assert ended["reason"] == "moved to another relay"
    for program in (scene.server, scene.client):
        program.seen(milestones.RESERVATION_GIVEN_UP, relay=scene.relay.peer_id)
    assert scene.relay.status()["circuits"] == []
    assert len(scene.relay2.status()["circuits"]) == 1


def test_a_relay_that_comes_back_while_it_is_left_is_kept(scene: Scene) -> None:
    scene.client.configure(relays=[scene.relay.address()], path_policy="relay-only")
    scene.client.ask("reload")
    session = scene.client.seen(milestones.PEER_CONNECTED, path="relayed")["session"]
    for at in (scene.relay2.address(), scene.relay.address()):
        scene.server.configure(relays=[at], allow=[peer_id(CLIENT)])
        assert scene.server.ask("reload")["applied"] == ["relays"]
    assert relays(scene.server) == [scene.relay.peer_id]
    assert scene.client.ask("exercise", session=session, pings=5)["pings"] == 5
    assert not scene.server.all(milestones.RESERVATION_GIVEN_UP, relay=scene.relay.peer_id)
    assert scene.server.status()["relays"][0]["state"] == "reserved"


# Peers


def test_who_is_not_allowed_any_more_is_cut_off_and_the_others_go_on(scene: Scene) -> None:
    at = [scene.relay.address()]
    both = [peer_id(CLIENT), peer_id(THIRD)]
    scene.server.configure(relays=at, allow=both)
    assert scene.server.ask("reload") == {"applied": ["allow"], "restart": []}
    third = scene.more.configured(
        "third", "peer", THIRD, SIMNET | {"remotes": f"server={peer_id(SERVER)}"}, {"relays": at}
    )
    third.seen(milestones.PEER_CONNECTED, path="direct")
    (kept,), (lost,) = sessions(scene.client), sessions(third)
    since = scene.server.mark()
    scene.server.configure(relays=at, allow=both[:1])
    assert scene.server.ask("reload") == {"applied": ["allow"], "restart": []}
    ended = scene.server.seen(milestones.PEER_DISCONNECTED, since, peer=third.peer_id, session=lost)
    assert ended["reason"] == "no longer on the allow list"
    closed = scene.server.seen(milestones.CONNECTION_CLOSED, since, peer=third.peer_id)
    assert closed["reason"] == "no longer on the allow list"
    third.seen(milestones.DIAL_FAILED)
    assert sessions(scene.server) == sessions(scene.client) == {kept}


def test_a_remote_comes_and_goes(scene: Scene) -> None:
    at = [scene.relay.address()]
    third = scene.more.start("third", "peer", THIRD, relays=at[0], allow=peer_id(SERVER), network="simnet")
    third.seen(milestones.RESERVATION_ACCEPTED)
    before = sessions(scene.client)
    configure(scene.server, remote(THIRD, "third"), relays=at, allow=[peer_id(CLIENT)])
    assert scene.server.ask("reload") == {"applied": ["remotes"], "restart": []}
    session = scene.server.seen(milestones.PEER_CONNECTED, peer=third.peer_id, path="direct")["session"]
    since = scene.server.mark()
    configure(scene.server, relays=at, allow=[peer_id(CLIENT)])
    assert scene.server.ask("reload") == {"applied": ["remotes"], "restart": []}
    ended = scene.server.seen(milestones.PEER_DISCONNECTED, since, session=session)
    assert ended["reason"] == "no longer one of the remotes"
    third.seen(milestones.PEER_DISCONNECTED, session=session)
    assert scene.server.status()["remotes"] == []
    assert sessions(scene.client) == before


def test_doors_of_an_external_backend_open_and_close(scene: Scene) -> None:
    at = [scene.relay.address()]
    echo = Echo(f"127.0.0.1:{free_port()}")
    first, second = (f"127.0.0.1:{free_port()}" for _ in range(2))
    external = {"backend": "external", "relays": at[0]}
    for number in (FOURTH, THIRD):
        backend = address(echo)
        peer = scene.more.start(
            f"server{number}", "peer", number, allow=peer_id(7), backend_address=backend, **external
        )
        peer.seen(milestones.RESERVATION_ACCEPTED)
    dialer = scene.more.configured("dialer", "peer", 7, {"backend": "external"}, {"relays": at})
    dialer.seen(milestones.NODE_STARTED)
    configure(dialer, remote(THIRD, "third") | {"listen": first}, relays=at)
    assert dialer.ask("reload")["applied"] == ["remotes"]
    assert exchange(first, b"one") == b"one"
    with call(first) as standing:
        standing.sendall(b"on")
        assert standing.recv(2) == b"on"
        # The forward moves: who is inside stays there. Another remote gets the place.
        configure(
            dialer, remote(THIRD, "third") | {"listen": second}, remote(FOURTH, "fourth") | {"listen": first}, relays=at
        )
        assert dialer.ask("reload")["applied"] == ["remotes"]
        assert exchange(second, b"two") == b"two"
        assert exchange(first, b"three") == b"three"
        assert {row["peer_id"] for row in dialer.status()["sessions"]} >= {peer_id(THIRD)}
        standing.sendall(b"and on")
        assert standing.recv(6) == b"and on"
        configure(dialer, remote(FOURTH, "fourth") | {"listen": first}, relays=at)
        dialer.ask("reload")
        assert standing.recv(1) == b""
    closed = dialer.seen(milestones.STREAM_CLOSED, peer=peer_id(THIRD), reason="no longer one of the remotes")
    assert closed["path"] == "direct"
    with pytest.raises(ConnectionRefusedError):
        call(second)
    # A place that another program has: nothing is applied.
    configure(dialer, remote(THIRD, "third") | {"listen": address(echo)}, relays=at)
    with pytest.raises(RequestRefused, match="port is in use"):
        dialer.ask("reload")
    assert exchange(first, b"four") == b"four"
    echo.stop()


# The relay


def test_a_relay_lets_in_others_and_puts_out_who_is_not_allowed(scene: Scene) -> None:
    relay3 = scene.more.configured("relay3", "relay", 6, {}, {"allow": [peer_id(THIRD)]})
    for number in (THIRD, FOURTH):
        scene.more.start(f"peer{number}", "peer", number, relays=relay3.address())
    relay3.seen(milestones.RELAY_RESERVED, peer=peer_id(THIRD))
    relay3.configure(allow=[peer_id(FOURTH)], max_circuits=3)
    assert relay3.ask("reload") == {"applied": ["allow", "max_circuits"], "restart": []}
    ended = relay3.seen(milestones.RELAY_RESERVATION_ENDED, peer=peer_id(THIRD))
    assert ended["reason"] == "no longer on the allow list"
    relay3.seen(milestones.RELAY_RESERVED, peer=peer_id(FOURTH))


# What can't be applied


def test_a_broken_file_changes_nothing(steady: Scene) -> None:
    before = steady.client.status()
    steady.client.file.write_text('relays = ["/ip4/203.0.113.10/tcp/4011')
    done = reload(steady.client)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("kaspa-node: --config: ")
    assert done.stderr.count("\n") == 1
    assert steady.client.seen(milestones.NODE_RELOAD_REFUSED)["reason"].startswith("--config: ")
    after = steady.client.status()
    assert (after["relays"], sessions(steady.client)) == (before["relays"], {before["sessions"][0]["session"]})


def test_what_needs_a_restart_keeps_the_rest_from_being_applied(steady: Scene) -> None:
    steady.server.configure(relays=[steady.relay2.address()], user_agent="/other:1/")
    done = reload(steady.server)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "Nothing was applied: only a restart changes user_agent\n"
    assert relays(steady.server) == [steady.relay.peer_id]
    assert sessions(steady.server) == sessions(steady.client)


def test_a_hangup_signal_reloads_too(steady: Scene) -> None:
    steady.server.configure(relays=[steady.relay.address()], allow=["any"])
    os.kill(steady.server.process.pid, signal.SIGHUP)
    assert steady.server.seen(milestones.NODE_RELOADED)["applied"] == "allow"
    assert steady.server.seen(milestones.NODE_OPEN)["what"] == "Kaspa streams"
    since = steady.server.mark()
    steady.server.file.write_text("nonsense")
    os.kill(steady.server.process.pid, signal.SIGHUP)
    steady.server.seen(milestones.NODE_RELOAD_REFUSED, since)
    assert sessions(steady.server) == sessions(steady.client)


def reload(program: Program) -> Any:
    """The command, as a user types it."""
    return subprocess.run(
        [sys.executable, "-m", "kaspa_node", "reload", "--control", str(program.control)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
