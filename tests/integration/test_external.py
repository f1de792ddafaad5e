"""Peers whose Kaspa is another program's: what those programs see, and what the peers say of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from kaspa_node import milestones
from kaspa_node.errors import RequestFailed
from tests.integration.backends import Echo, abort, break_off, call, exchange, free_port, rest_of
from tests.integration.programs import Program, Programs, programs
from tests.unit.p2p.parties import peer_id

CLIENT, SERVER, STRANGER, RELAY = 1, 2, 3, 9
RUN = "20261123T101500Z-4f2a"


class World(NamedTuple):
    """Two peers with a forward to each other, both with an echo behind them, one on TCP and one on a unix socket."""

    relay: Program
    server: Program
    client: Program
    at_server: Echo
    at_client: Echo
    to_server: str
    to_client: str
    backend: str
    more: Programs


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with programs() as more:
        relay = more.start("relay", "relay", RELAY, allow=",".join(map(peer_id, (CLIENT, SERVER, STRANGER))))
        backend = f"127.0.0.1:{free_port()}"
        to_client = f"127.0.0.1:{free_port()}"
        server_home = relay.home.parent
        to_server, behind_client = f"unix:{server_home}/forward.sock", f"unix:{server_home}/echo.sock"
        at_server, at_client = Echo(backend), Echo(behind_client)
        common = {"relays": relay.address(), "backend": "external"}
        server = more.start(
            "server",
            "peer",
            SERVER,
            **common,
            allow=peer_id(CLIENT),
            backend_address=backend,
            remotes=f"client={peer_id(CLIENT)}@{to_client}",
        )
        server.seen(milestones.RESERVATION_ACCEPTED)
        client = more.start(
            "client",
            "peer",
            CLIENT,
            **common,
            allow=peer_id(SERVER),
            backend_address=behind_client,
            remotes=f"server={peer_id(SERVER)}@{to_server}",
        )
        yield World(relay, server, client, at_server, at_client, to_server, to_client, backend, more)
        at_server.stop()
        at_client.stop()


@pytest.fixture(autouse=True)
def _paths_stand(world: World) -> None:
    for program in (world.client, world.server):
        program.seen(milestones.PATH_READY, path="direct")


def fresh(world: World, **request: object) -> dict[str, Any]:
    return world.client.ask("session", remote="server", run=RUN, timeout=25, **request)


# Bytes


def test_bytes_go_both_ways_from_either_end(world: World) -> None:
    data = os.urandom(5 << 20)
    since = world.client.mark(), world.server.mark()
    assert exchange(world.to_server, data) == data
    opened = world.client.seen(milestones.STREAM_OPENED, since[0])
    accepted = world.server.seen(milestones.STREAM_ACCEPTED, since[1], session=opened["session"])
    assert opened["path"] == accepted["path"] == "direct"
    assert accepted["caller"].startswith("127.0.0.1:")
    for program, start in zip((world.client, world.server), since, strict=True):
        closed = program.seen(milestones.STREAM_CLOSED, start, session=opened["session"])
        assert closed["reason"] == "ended in order"
        assert min(int(closed["sent"]), int(closed["received"])) >= len(data)
    assert exchange(world.to_client, data) == data


def test_several_connections_are_several_sessions(world: World) -> None:
    known = len(world.at_server.callers)
    socks = [call(world.to_server) for _ in range(8)]
    for number, sock in enumerate(socks):
        sock.sendall(bytes([number]) * 1000)
    for number, sock in enumerate(socks):
        found = b""
        while len(found) < 1000:
            found += sock.recv(1000)
        assert found == bytes([number]) * 1000
    world.at_server.wait_for(callers=known + 8)
    rows = [row for row in world.client.status()["sessions"] if row["direction"] == "outgoing"]
    assert len({row["session"] for row in rows}) == len({row["address"] for row in rows}) * 8 == 8
    assert {(row["path"], row["state"]) for row in rows} == {("direct", "carried")}
    assert all(row["bytes_sent"] >= 1000 and row["bytes_received"] >= 1000 for row in rows)
    mirrored = {row["session"] for row in world.server.status()["sessions"]}
    assert {row["session"] for row in rows} <= mirrored
    for sock in socks:
        sock.close()


# Ends


def test_a_killed_caller_is_noticed_by_the_backend(world: World) -> None:
    ended, since = world.at_server.ended, world.client.mark()
    sock = call(world.to_server)
    sock.sendall(b"hello")
    assert sock.recv(5) == b"hello"
    abort(sock)
    world.at_server.wait_for(ended=ended + 1)
    world.client.seen(milestones.STREAM_CLOSED, since)


def test_a_killed_backend_is_noticed_by_the_caller(world: World) -> None:
    since = world.server.mark()
    with call(world.to_server) as sock:
        sock.sendall(b"hello")
        assert sock.recv(5) == b"hello"
        session = world.server.seen(milestones.STREAM_ACCEPTED, since)["session"]
        break_off(world.at_server.callers[-1])
        assert rest_of(sock) == b""
    world.client.seen(milestones.STREAM_CLOSED, session=session)
    world.server.seen(milestones.STREAM_CLOSED, session=session)


# A fresh path


def test_a_fresh_path_has_no_session_until_a_program_uses_it(world: World) -> None:
    since = world.client.mark()
    with call(world.to_server) as old:
        old.sendall(b"x")
        assert old.recv(1) == b"x"
        reply = fresh(world)
        assert rest_of(old) == b""
    assert (reply["path"], reply["session"], reply["run"]) == ("direct", None, RUN)
    assert reply["punch"] == {"attempts": 1, "succeeded": True, "reason": None, "code": None}
    times = reply["timings"]
    assert times["handshake"] is times["first_direct"] is None
    assert 0 < times["relayed_dial"] + times["punch"] <= times["dial_to_ready"] + 0.001
    assert world.client.seen(milestones.PATH_READY, since, conn=reply["conn"])["run"] == RUN
    # The first stream on the path is the run's, the next one is not.
    with call(world.to_server) as first, call(world.to_server) as second:
        for sock in (first, second):
            sock.sendall(b"y")
            assert sock.recv(1) == b"y"
        rows = [row for row in world.client.status()["sessions"] if row["conn"] == reply["conn"]]
        assert [row["run"] for row in rows].count(RUN) >= 1
    with call(world.to_server) as third:
        third.sendall(b"z")
        assert third.recv(1) == b"z"
        known = [row["session"] for row in rows]
        [row] = [row for row in world.client.status()["sessions"] if row["session"] not in known]
        assert row["run"] is None


def test_whoever_asks_may_wait_for_the_first_stream(world: World) -> None:
    since = world.client.mark()
    replies: list[dict[str, Any]] = []
    asker = threading.Thread(target=lambda: replies.append(fresh(world, stream=True)))
    asker.start()
    conn = world.client.seen(milestones.PATH_READY, since, run=RUN)["conn"]
    with call(world.to_server) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        asker.join(30)
        [reply] = replies
        assert reply["conn"] == conn
        [row] = [row for row in world.client.status()["sessions"] if row["session"] == reply["session"]]
        assert row["run"] == RUN
        assert reply["timings"]["first_direct"] > reply["timings"]["punch"]


def test_a_path_that_no_program_uses_is_told_to_whoever_waits_for_one(world: World) -> None:
    with pytest.raises(RequestFailed, match=r"the path is up \(direct\), and no local program"):
        world.client.ask("session", remote="server", timeout=3, stream=True)


def test_a_request_that_makes_no_sense_is_answered_so(world: World) -> None:
    with pytest.raises(RequestFailed, match='stream is "yes"; expected true or false'):
        world.client.ask("session", remote="server", stream="yes")


def test_a_relayed_path_carries_as_well(world: World) -> None:
    assert fresh(world, policy="relay-only")["path"] == "relayed"
    assert exchange(world.to_server, b"relayed") == b"relayed"
    assert fresh(world)["path"] == "direct"


def test_pings_are_not_ours_to_send(world: World) -> None:
    with pytest.raises(RequestFailed, match="the backend is external"):
        world.client.ask("exercise", session="0.0", pings=1)


# The backend is away


def test_a_backend_that_is_down_is_told_once_and_tried_again(world: World) -> None:
    since = world.server.mark()
    conn = fresh(world)["conn"]
    world.at_server.stop()
    for _ in range(3):
        assert exchange(world.to_server, b"lost") == b""
    backend = world.server.status()["backend"]
    assert (backend["address"], backend["state"]) == (world.backend, "refusing")
    assert backend["reason"] == "Connection refused"
    world.server.seen(milestones.BACKEND_REFUSED, since)
    assert len(world.server.all(milestones.BACKEND_REFUSED, since)) == 1
    echo = Echo(world.backend)
    try:
        assert exchange(world.to_server, b"found") == b"found"
        assert world.server.status()["backend"] == backend | {
            "state": "up",
            "reason": None,
            "checked": world.server.status()["backend"]["checked"],
        }
        assert len(world.server.all(milestones.BACKEND_CONNECTED, since)) == 1
        assert world.client.status()["remotes"][0]["state"] == "direct"
        assert not world.client.all(milestones.CONNECTION_CLOSED, conn=conn)
    finally:
        echo.stop()


# Who is not there, and who is not let in


def test_a_caller_waits_for_a_remote_that_is_on_its_way(world: World) -> None:
    with programs() as more:
        relay = more.start("relay", "relay", RELAY, allow=f"{peer_id(CLIENT)},{peer_id(SERVER)}")
        common = {"relays": relay.address(), "backend": "external"}
        forward = f"unix:{relay.home.parent}/forward.sock"
        client = more.start("client", "peer", CLIENT, **common, remotes=f"server={peer_id(SERVER)}@{forward}")
        client.seen(milestones.DIAL_WAITING)
        for _ in range(20):
            # These hang up before the remote is there.
            call(forward).close()
        echo = Echo(f"127.0.0.1:{free_port()}")
        found: list[bytes] = []
        caller = threading.Thread(target=lambda: found.append(exchange(forward, b"early")))
        caller.start()
        host, port = echo.address
        more.start("server", "peer", SERVER, **common, allow=peer_id(CLIENT), backend_address=f"{host}:{port}")
        caller.join(30)
        assert found == [b"early"]
        assert len(echo.callers) == len(client.all(milestones.STREAM_OPENED)) == 1
        echo.stop()


def test_a_stranger_reaches_no_backend(world: World) -> None:
    known = len(world.at_server.callers)
    forward = f"unix:{world.relay.home.parent}/stranger.sock"
    stranger = world.more.start(
        "stranger",
        "peer",
        STRANGER,
        relays=world.relay.address(),
        backend="external",
        remotes=f"server={peer_id(SERVER)}@{forward}",
    )
    try:
        stranger.seen(milestones.DIAL_FAILED)
        assert len(world.at_server.callers) == known
    finally:
        stranger.stop()


def test_a_door_that_is_taken_ends_the_program_with_one_line(world: World) -> None:
    second = world.more.start(
        "second",
        "peer",
        STRANGER,
        relays=world.relay.address(),
        backend="external",
        remotes=f"server={peer_id(SERVER)}@{world.to_client}",
    )
    assert second.process.wait(20) == 2
    second.kill()
    assert second.lines[-1] == (
        f"kaspa-node: can't listen on {world.to_client}: the port is in use; "
        "stop the other program, or set `listen` of the remote server to another address"
    )


def test_sigterm_ends_the_streams_and_the_doors(world: World) -> None:
    with call(world.to_server) as sock:
        assert world.client.stop() < 5
        assert rest_of(sock) == b""
    assert world.client.process.returncode == 0
    assert world.server.stop() < 5
    for program in (world.client, world.server):
        assert not [line for line in program.lines if "[ERROR]" in line or "Traceback" in line]
