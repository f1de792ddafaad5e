"""The seed's own `kaspa_p2p_server` and `kaspa_p2p_client`, unmodified, with ours and with each other.

Four pairings behind two NATs, 50 ms from each other. The programs know nothing of libp2p: they speak gRPC on
[::1]:50051, and the peers beside them carry it. `make oracle` builds them; without them these tests are skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kaspa_node import milestones
from kaspa_node.evidence.journal_lines import Line
from kaspa_node.milestones import Milestone
from lab.local import lab
from tests.interop.oracle_programs import ADDRESS, OracleProgram, Wire, journal, wire
from tests.nat.nodes import Nodes, nodes

# Time for a fixture that starts three programs behind NATs, then for programs that live some ten seconds each.
pytestmark = [pytest.mark.native, pytest.mark.timeout(180)]

RUN = "20261123T101500Z-4f2a"
EXTERNAL = f'backend = "external"\nbackend_address = "{ADDRESS}"\n'
LISTEN = f'listen = "{ADDRESS}"\n'
HANDSHAKE = (milestones.VERSION_SENT, milestones.VERSION_RECEIVED, milestones.VERACK_RECEIVED)
HANDSHAKE += (milestones.READY_RECEIVED, milestones.PEER_CONNECTED)

Start = Callable[[str, str], OracleProgram]


@pytest.fixture(scope="module")
def world(native_programs: None) -> Iterator[Nodes]:
    reason = lab.obstacle()
    if reason is not None:
        pytest.skip(f"no NATs without root here: {reason}")
    with nodes() as running:
        yield running


@pytest.fixture
def start(world: Nodes) -> Iterator[Start]:
    """Starts one of the seed's programs on a host; they are gone at the end of the test."""
    running: list[OracleProgram] = []

    def started(host: str, name: str) -> OracleProgram:
        running.append(OracleProgram(world, host, name))
        return running[-1]

    yield started
    for program in running:
        program.end()


def peers(world: Nodes, *, client: bool, server: bool) -> None:
    """Start both peers anew. client, server: whether that one has an external backend."""
    world.stop("client", "server")
    world.configure_server(EXTERNAL if server else "")
    world.configure_client(EXTERNAL.partition("\n")[0] + "\n" if client else "", LISTEN if client else "")
    world.start("server", "client")
    world.wait_reserved("server", "client")


def their_server(start: Start) -> OracleProgram:
    """The seed's server, listening on its host."""
    server = start("server", "kaspa_p2p_server")
    server.said(f"P2P Server starting on: {ADDRESS}")
    return server


def shown(text: str, program: OracleProgram) -> None:
    """Their handshake, line by line, for whoever runs this with -s."""
    print(f"\n{text}")
    for milestone in HANDSHAKE:
        print(f"  {program.name}: {program.seen(milestone).text[:150]}")


def ours(world: Nodes, name: str, milestone: Milestone, session: str) -> Line:
    """A line of one of our peers about a session."""
    [line] = [line for line in journal(world, name).lines if line.is_a(milestone, session=session)]
    return line


def row(world: Nodes, name: str, **wanted: object) -> dict[str, Any]:
    """The one session of a peer with those values."""
    [found] = [s for s in world.status(name)["sessions"] if s.items() >= wanted.items()]
    return found


def check_direct(world: Nodes, session: str, before: Wire) -> None:
    """One TCP connection joins the two hosts, it has carried the session's bytes, and the relay has carried none."""
    ours_, theirs = row(world, "client", session=session), row(world, "server", session=session)
    after = wire(world)
    assert ours_["path"] == theirs["path"] == "direct"
    assert before.relay == after.relay
    assert world.status("relay")["circuits"] == []
    [at_client], [at_server] = after.client, after.server
    assert (at_client.local, at_client.remote) == (ours_["local"], ours_["remote"])
    assert (at_server.local, at_server.remote) == (theirs["local"], theirs["remote"])
    assert at_client.remote.startswith("203.0.113.30:")
    assert at_server.remote.startswith("203.0.113.20:")
    for socket, stream in ((at_client, ours_), (at_server, theirs)):
        assert socket.bytes_sent is not None
        assert socket.bytes_received is not None
        assert socket.bytes_sent >= stream["bytes_sent"] > 0
        assert socket.bytes_received >= stream["bytes_received"] > 0
    print(f"  direct: {at_client.local} → {at_client.remote} by ss on both hosts, session {session}")
    print(f"  bytes: {ours_['bytes_sent']} sent, {ours_['bytes_received']} received; relay {after.relay} as before")


def test_the_seeds_client_with_our_embedded_peer(world: Nodes, start: Start) -> None:
    peers(world, client=True, server=False)
    reply = world.session(RUN)
    assert (reply["path"], reply["session"]) == ("direct", None)
    before = wire(world)

    client = start("client", "kaspa_p2p_client")
    shown("their client → our embedded peer", client)
    assert client.seen(milestones.PEER_CONNECTED).fields["addr"] == ADDRESS
    assert client.seen(milestones.VERSION_RECEIVED).fields["user_agent"].startswith("/kaspa-node:")

    found = world.wait_for("server", lambda status: [s for s in status["sessions"] if s["state"] == "ready"])
    [session] = [s["session"] for s in found["sessions"]]
    assert session.startswith(reply["conn"] + ".")
    assert row(world, "client", session=session)["run"] == RUN
    assert row(world, "server", session=session)["applied_protocol"] == 5
    for milestone in HANDSHAKE:
        ours(world, "server", milestone, session)
    # Whatever their program gets it sends back: our Ping comes home as one, is answered, and the Pong comes home, too.
    done = world.ask("server", {"do": "exercise", "session": session, "pings": 50})["exercise"]
    assert min(done["bytes_sent"], done["bytes_received"]) > 50 * 24
    check_direct(world, session, before)


def test_our_embedded_peer_with_the_seeds_server(world: Nodes, start: Start) -> None:
    peers(world, client=False, server=True)
    server = their_server(start)
    reply = world.session(RUN)
    before = wire(world)
    session = reply["session"]
    assert reply["path"] == "direct"
    assert reply["timings"]["handshake"] is not None
    shown("our embedded peer → their server", server)
    for milestone in HANDSHAKE:
        ours(world, "client", milestone, session)
    assert row(world, "client", session=session)["applied_protocol"] == 5
    accepted = ours(world, "server", milestones.STREAM_ACCEPTED, session)
    assert accepted.fields["caller"] in [
        line.fields["addr"] for line in server.lines if line.is_a(milestones.PEER_CONNECTED, direction="incoming")
    ]
    done = world.ask("client", {"do": "exercise", "session": session, "pings": 200})["exercise"]
    assert min(done["bytes_sent"], done["bytes_received"]) > 200 * 24
    check_direct(world, session, before)


def test_the_seeds_programs_with_each_other_over_the_punched_path(world: Nodes, start: Start) -> None:
    peers(world, client=True, server=True)
    server = their_server(start)
    reply = world.session(RUN)
    assert (reply["path"], reply["session"]) == ("direct", None)
    before = wire(world)

    client = start("client", "kaspa_p2p_client")
    shown("their client → their server, punched", client)
    shown("and at the other end", server)
    assert client.seen(milestones.PEER_CONNECTED).is_a(milestones.PEER_CONNECTED, direction="outgoing", addr=ADDRESS)
    incoming = server.seen(milestones.PEER_CONNECTED)
    assert incoming.fields["direction"] == "incoming"

    # What joins their line to our session is the socket between them and the peer beside them.
    session = row(world, "client", run=RUN)["session"]
    assert ours(world, "server", milestones.STREAM_ACCEPTED, session).fields["caller"] == incoming.fields["addr"]
    assert world.status("server")["backend"]["state"] == "up"
    check_direct(world, session, before)

    assert server.seen(milestones.PEER_DISCONNECTED).fields["addr"] == incoming.fields["addr"]
    assert world.status("client")["remotes"][0]["state"] == "direct"


def test_the_seeds_programs_with_each_other_over_the_relay(world: Nodes, start: Start) -> None:
    peers(world, client=True, server=True)
    server = their_server(start)
    reply = world.session(RUN, policy="relay-only")
    assert (reply["path"], reply["session"]) == ("relayed", None)
    before = wire(world)

    client = start("client", "kaspa_p2p_client")
    shown("their client → their server, through the relay", client)
    shown("and at the other end", server)
    assert server.seen(milestones.PEER_CONNECTED).fields["direction"] == "incoming"
    ours_ = row(world, "client", run=RUN)
    theirs = row(world, "server", session=ours_["session"])
    assert ours_["path"] == theirs["path"] == "relayed"
    after = wire(world)
    assert after.client == after.server == []
    forward, backward = (new - old for new, old in zip(after.relay, before.relay, strict=True))
    assert forward > ours_["bytes_sent"] > 0
    assert backward > ours_["bytes_received"] > 0
    print(f"  relayed: session {ours_['session']}, no connection between the hosts by ss")
    print(f"  bytes: {ours_['bytes_sent']} sent, {ours_['bytes_received']} received; relay +{forward} and +{backward}")
