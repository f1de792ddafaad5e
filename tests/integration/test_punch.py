"""Hole punches over loopback: both timings, both orders of dials, and what the journals tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from kaspa_node import milestones
from kaspa_node.p2p.addresses import Leg, SocketAddress
from kaspa_node.p2p.channel.connection import DIRECT, INCOMING, OUTGOING, RELAYED, Connection
from kaspa_node.p2p.errors import DialError
from kaspa_node.p2p.host import Host
from kaspa_node.p2p.punch import exchange, running, simultaneous
from kaspa_node.p2p.relay import circuit
from kaspa_node.p2p.relay.service import RelayService
from tests.integration.punching import punched, relayed
from tests.integration.world import Party, say, standing, until, world

pytestmark = pytest.mark.trio


async def test_a_relayed_connection_becomes_a_direct_one() -> None:
    async with world() as w:
        a, b, connection = await relayed(w)
        direct = await punched(a, connection)
        assert direct.route.path == DIRECT
        theirs = await standing(b.host, a.peer_id, DIRECT)
        assert theirs.id == direct.id
        assert (direct.route.local, direct.route.remote) == (
            str(a.host.listener.addresses[0]),
            str(b.host.listener.addresses[0]),
        )
        assert await say(a.host, b.peer_id, b"direct", DIRECT) == b"direct"
        assert await say(b.host, a.peer_id, b"direct", DIRECT) == b"direct"
        assert await say(a.host, b.peer_id, b"still relayed", RELAYED) == b"still relayed"


async def test_the_initiator_is_the_server_and_the_responder_the_client() -> None:
    async with world() as w:
        a, b, connection = await relayed(w)
        direct = await punched(a, connection)
        theirs = await standing(b.host, a.peer_id, DIRECT)
        assert (direct.route.direction, theirs.route.direction) == (OUTGOING, INCOMING)
        assert (direct.mux.open().id % 2, theirs.mux.open().id % 2) == (1, 0)


async def test_both_journals_tell_of_it_with_the_same_ids() -> None:
    async with world() as w:
        a, b, connection = await relayed(w)
        direct = await punched(a, connection)
        ours = await a.journal.seen(milestones.PUNCH_SUCCEEDED)
        theirs = await b.journal.seen(milestones.PUNCH_SUCCEEDED)
        for told in (ours, theirs):
            assert (told["conn"], told["relayed"], told["attempt"]) == (direct.id, connection.id, 1)
        assert (ours["local"], ours["remote"]) == (theirs["remote"], theirs["local"])
        assert a.journal.of("punch.started")["role"] == "client"
        assert b.journal.of("punch.started")["role"] == "server"
        assert b.journal.of("punch.started")["addrs"] == str(a.host.listener.addresses[0])


async def test_the_specifications_timing_works_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(exchange.Initiator):
        def __init__(self, ours: Sequence[SocketAddress], *, leg: Leg, remote: str, agreed: bool) -> None:
            super().__init__(ours, leg=leg, remote=remote, agreed=False)

    monkeypatch.setattr(running, "Initiator", Plain)
    async with world() as w:
        a, b, connection = await relayed(w)
        direct = await punched(a, connection)
        assert await say(a.host, b.peer_id, b"direct", DIRECT) == b"direct"
        assert direct.route.direction == OUTGOING


@pytest.mark.parametrize("first", ["client", "server"])
async def test_whichever_side_dials_first(monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    """On loopback the first SYN meets the other's listener: once that of the client, once that of the server."""
    dialing = simultaneous.dial
    one_is_through = trio.Event()

    async def in_turn(host: Host, peer: str, plan: exchange.Dial, *more: Any, **options: Any) -> Connection:
        if plan.role != first:
            await one_is_through.wait()
        try:
            return await dialing(host, peer, plan, *more, **options)
        finally:
            one_is_through.set()

    monkeypatch.setattr(simultaneous, "dial", in_turn)
    async with world() as w:
        a, b, connection = await relayed(w)
        direct = await punched(a, connection)
        theirs = await standing(b.host, a.peer_id, DIRECT)
        assert theirs.id == direct.id
        assert (direct.mux.open().id % 2, theirs.mux.open().id % 2) == (1, 0)
        assert await say(a.host, b.peer_id, b"direct", DIRECT) == b"direct"


async def test_a_dial_that_is_here_before_ours_does_not_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stands before the client's port and its own dial is late: two listeners must not wait for each other."""
    monkeypatch.setattr(exchange, "LONGEST_WAIT", 3600.0)
    async with world() as w:
        relay = await w.relay()
        a = await w.party(1, relay, reserve=False)
        b = await w.party(2, relay)
        a.host.connections.up.insert(0, make_slow)
        connection = await circuit.dial(a.host, await a.links[0].connection(), b.peer_id)
        direct = await punched(a, connection)
        assert await say(a.host, b.peer_id, b"direct", DIRECT) == b"direct"
        assert direct.route.direction == OUTGOING


def make_slow(connection: Connection) -> None:
    """Have a relayed connection believe that it takes an hour there and back."""
    if connection.route.path == RELAYED:
        connection.mux.round_trip = 3600.0


class SecondAttempts:
    """First attempts come to nothing; later ones dial once `may_dial` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_dial = trio.Event()
        self._dial = simultaneous.dial
        self._dialed = set[str]()
        monkeypatch.setattr(simultaneous, "dial", self._in_turn)

    async def _in_turn(self, host: Host, peer: str, plan: exchange.Dial, *more: Any, **options: Any) -> Connection:
        if host.peer_id not in self._dialed:
            self._dialed.add(host.peer_id)
            raise DialError("no answer")
        await self.may_dial.wait()
        return await self._dial(host, peer, plan, *more, **options)


async def test_a_second_attempt_goes_from_a_port_of_which_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    SecondAttempts(monkeypatch).may_dial.set()
    async with world() as w:
        a, b, connection = await relayed(w)
        direct = await punched(a, connection)
        theirs = await standing(b.host, a.peer_id, DIRECT)
        assert theirs.id == direct.id
        assert direct.route.local == str(a.host.listener.addresses[0])
        assert SocketAddress.parse(direct.route.remote).port != b.host.listener.addresses[0].port
        assert await say(a.host, b.peer_id, b"direct", DIRECT) == b"direct"
        assert (await a.journal.seen(milestones.PUNCH_SUCCEEDED))["attempt"] == 2


async def test_the_next_punch_begins_with_such_a_port_for_as_long_as_routers_remember(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    SecondAttempts(monkeypatch).may_dial.set()
    told = []
    async with world() as w:
        a, b, connection = await relayed(w)
        assert b.puncher is not None
        for number in (1, 2, 3):
            if number == 3:
                b.puncher.barred = type(b.puncher.barred)(0.0)
            direct = await punched(a, connection)
            succeeded = await a.journal.seen(milestones.PUNCH_SUCCEEDED, number)
            await b.journal.seen(milestones.PUNCH_SUCCEEDED, number)
            told.append((succeeded["attempt"], direct.route.remote == str(b.host.listener.addresses[0])))
            direct.close("the next one")
            connection.close("the next one")
            await until(lambda: a.peer_id not in b.host.connections)
            connection = await circuit.dial(a.host, await a.links[0].connection(), b.peer_id)
    assert told == [(2, False), (1, False), (1, True)]


async def test_the_relay_sees_that_port_for_as_long_as_the_direct_connection_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    SecondAttempts(monkeypatch).may_dial.set()
    async with world() as w:
        relay = await w.relay()
        a = await w.party(1, relay, reserve=False)
        b = await w.party(2, relay)
        [reserved] = b.host.connections.of(relay.host.peer_id)
        direct = await punched(a, await circuit.dial(a.host, await a.links[0].connection(), b.peer_id))
        seen = {entry["observed"] for entry in relay.status()["connections"] if entry["peer_id"] == b.peer_id}
        assert seen == {reserved.route.local, direct.route.remote}
        direct.close("the end")
        await until(lambda: b.host.connections.of(relay.host.peer_id) == [reserved])


@pytest.mark.parametrize("newest", [False, True], ids=["over the one that has reserved", "over the newest"])
async def test_who_comes_through_the_relay_meanwhile_stays(monkeypatch: pytest.MonkeyPatch, newest: bool) -> None:
    """A peer has two connections to the relay while it punches from another port; our relay takes the first."""
    attempts = SecondAttempts(monkeypatch)
    if newest:
        monkeypatch.setattr(RelayService, "_connection_to", lambda service, peer: service._host.connections.to(peer))
    async with world() as w:
        relay = await w.relay()
        a = await w.party(1, relay, reserve=False)
        b = await w.party(2, relay)
        c = await w.party(3, relay, reserve=False, punches=False)
        [reserved] = b.host.connections.of(relay.host.peer_id)
        relayed = await circuit.dial(a.host, await a.links[0].connection(), b.peer_id)
        await until(lambda: len(b.host.connections.of(relay.host.peer_id)) == 2)
        guest = await circuit.dial(c.host, await c.links[0].connection(), b.peer_id)
        attempts.may_dial.set()
        direct = await punched(a, relayed)
        relayed.close("not needed any more")
        direct.close("the end")
        if newest:
            assert await say(c.host, b.peer_id, b"still there") == b"still there"
            assert len(b.host.connections.of(relay.host.peer_id)) == 2
            guest.close("the end")
        await until(lambda: b.host.connections.of(relay.host.peer_id) == [reserved])
        if not newest:
            assert await say(c.host, b.peer_id, b"still there") == b"still there"


async def test_several_remotes_punch_at_once() -> None:
    async with world() as w:
        relay = await w.relay()
        b = await w.party(2, relay)
        parties = [await w.party(number, relay, reserve=False) for number in (1, 3, 4)]

        async def go(party: Party) -> None:
            connection = await circuit.dial(party.host, await party.links[0].connection(), b.peer_id)
            await punched(party, connection)

        async with trio.open_nursery() as nursery:
            for party in parties:
                nursery.start_soon(go, party)
        for party in parties:
            assert await say(party.host, b.peer_id, b"direct", DIRECT) == b"direct"


async def test_a_standing_direct_connection_is_taken() -> None:
    async with world() as w:
        a, b, connection = await relayed(w)
        direct = await punched(a, connection)
        again = await circuit.dial(a.host, await a.links[0].connection(), b.peer_id)
        assert await punched(a, again) is direct


async def test_a_direct_connection_that_does_not_answer_is_not_taken_for_a_punch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "CHECK_SECONDS", 0.01)
    async with world() as w:
        a, b, connection = await relayed(w)
        await punched(a, connection)
        left_over = await standing(b.host, a.peer_id, DIRECT)
        monkeypatch.setattr(left_over, "ping", trio.sleep_forever)
        again = await circuit.dial(a.host, await a.links[0].connection(), b.peer_id)
        await left_over.closed.wait()
        assert left_over.reason.startswith("no answer")
        fresh = await punched(a, again)
        assert fresh.id != left_over.id


async def test_a_dead_connection_is_taken_by_neither_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "CHECK_SECONDS", 0.05)
    async with world() as w:
        a, b, connection = await relayed(w)
        ours = await punched(a, connection)
        theirs = await standing(b.host, a.peer_id, DIRECT)
        for dead in (ours, theirs):
            monkeypatch.setattr(dead._pipe, "try_send", len)
        again = await circuit.dial(a.host, await a.links[0].connection(), b.peer_id)
        fresh = await punched(a, again)
        assert fresh.id != ours.id
        assert "no answer" in ours.reason or "no answer" in theirs.reason
        assert await say(a.host, b.peer_id, b"direct", DIRECT) == b"direct"
