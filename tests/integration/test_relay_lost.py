"""A relay that restarts, refuses, or can't be dialed from the listening port."""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

import pytest

from kaspa_node import milestones
from kaspa_node.constants import PREFER_DIRECT
from kaspa_node.node.remote import attempt as attempt_module
from kaspa_node.p2p import tcp
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.connection import DIRECT, RELAYED, Connection
from kaspa_node.p2p.errors import PortBusy
from kaspa_node.p2p.punch import attempts, simultaneous
from kaspa_node.p2p.relay import circuit
from kaspa_node.p2p.reservation import keeper as keeper_module
from kaspa_node.p2p.reservation import link as link_module
from kaspa_node.p2p.reservation.link import RelayLink
from kaspa_node.settings.values import RelayAddress
from tests.integration.remotes import dialing
from tests.integration.world import Party, standing, until, world
from tests.unit.p2p.parties import peer_id

pytestmark = pytest.mark.trio

RUN = "20261123T101500Z-4f2a"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_module, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(keeper_module, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(attempts, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(attempts, "REFUSED_PAUSES", (0.01,))
    monkeypatch.setattr(simultaneous, "WINDOW_SECONDS", 0.2)


# A relay that restarts


async def test_after_a_restart_of_the_relay_peers_reserve_again_by_themselves() -> None:
    async with world() as w:
        relay = await w.relay()
        a, b = await w.party(1, relay, reserve=False), await w.party(2, relay)
        port = relay.host.listener.addresses[0].port
        await w.stop(relay.host)
        lost = await b.journal.seen(milestones.RESERVATION_LOST)
        assert lost["relay"] == relay.host.peer_id
        assert b.links[0].observed is None
        await b.journal.seen(milestones.RESERVATION_FAILED)
        again = await w.relay(port=port)
        await b.journal.seen(milestones.RESERVATION_ACCEPTED, count=2)
        assert list(again.ledger.reservations) == [b.peer_id]
        assert str(b.links[0].observed) == str(b.host.listener.addresses[0])
        async with dialing(a, b.peer_id, PREFER_DIRECT) as dialer:
            assert (await dialer.reach()).connection.route.path == DIRECT


async def test_the_remote_names_the_latest_reason_of_a_relay_that_is_down() -> None:
    async with world() as w:
        relay = await w.relay()
        a = await w.party(1, relay, reserve=False)
        async with dialing(a, peer_id(2), PREFER_DIRECT) as dialer:
            await until(lambda: dialer.keeper.state == "waiting")
            await w.stop(relay.host)
            await until(lambda: "Connection refused" in str(a.links[0].keeper.reason))
            await until(lambda: "Connection refused" in str(dialer.keeper.reason))


@pytest.fixture
def busy_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first dial from a listening port finds it busy, and the next try is due at once."""
    connect, tried = tcp.connect, []

    async def first_is_busy(remote: SocketAddress, local: SocketAddress | None = None, **options: Any) -> socket.socket:
        if local is not None and not tried:
            tried.append(remote)
            raise PortBusy(f"{remote}: Cannot assign requested address")
        return await connect(remote, local, **options)

    monkeypatch.setattr(tcp, "connect", first_is_busy)
    monkeypatch.setattr(link_module, "BUSY_SECONDS", 0.0)


@pytest.mark.usefixtures("busy_once")
async def test_from_another_port_it_goes_back_to_the_listening_port_without_losing_the_reservation() -> None:
    async with world() as w:
        relay = await w.relay()
        b = await w.party(2, relay)
        observed = await b.journal.seen(milestones.MAPPING_OBSERVED)
        assert observed["addr"] == str(b.host.listener.addresses[0]) == str(b.links[0].observed)
        await b.journal.seen(milestones.RESERVATION_ACCEPTED, renewal=True)
        assert b.journal.all(milestones.RESERVATION_LOST) == []
        assert list(relay.ledger.reservations) == [b.peer_id]
        await until(lambda: len(relay.host.connections.of(b.peer_id)) == 1)
        a = await w.party(1, relay, reserve=False)
        async with dialing(a, b.peer_id, PREFER_DIRECT) as dialer:
            assert (await dialer.reach()).connection.route.path == DIRECT


@pytest.mark.usefixtures("busy_once")
async def test_circuits_keep_the_connection_from_another_port(monkeypatch: pytest.MonkeyPatch) -> None:
    moves: list[bool] = []

    class Watched(RelayLink):
        async def _move(self, old: Connection) -> None:
            await super()._move(old)
            moves.append(self.live is not old)

    monkeypatch.setattr(link_module, "BUSY_SECONDS", 3600.0)
    async with world() as w:
        relay = await w.relay()
        b = Party(2, (relay,), reserve=True, punches=False, permits=lambda peer: True)
        link = Watched(b.host, relay.address, reserve=True, journal=b.journal)
        await w.run(b.host, link.run)
        await b.journal.seen(milestones.RESERVATION_ACCEPTED)
        a = await w.party(1, relay, reserve=False, punches=False)
        relayed = await circuit.dial(a.host, await a.links[0].connection(), b.peer_id)
        old = link.live
        assert old is not None
        await standing(b.host, a.peer_id, RELAYED)
        await link._move(old)
        relayed.close("done")
        await until(lambda: a.peer_id not in b.host.connections)
        await link._move(old)
        assert moves == [False, True]


@pytest.mark.usefixtures("busy_once")
@pytest.mark.parametrize("busy", [1, 2], ids=["who dials", "who is dialed"])
async def test_a_punch_goes_from_the_port_that_the_relay_sees(monkeypatch: pytest.MonkeyPatch, busy: int) -> None:
    monkeypatch.setattr(link_module, "BUSY_SECONDS", 3600.0)
    async with world() as w:
        relay = await w.relay()
        parties = {number: await w.party(number, relay) for number in (busy, 3 - busy)}
        [link] = parties[busy].links
        await until(lambda: link.mapping)
        assert link.mapping is not None
        assert link.observed is None
        async with dialing(parties[1], parties[2].peer_id, PREFER_DIRECT) as dialer:
            reached = await dialer.reach()
            assert (reached.connection.route.path, reached.attempts) == (DIRECT, 1)
            route = reached.connection.route
            ends = [SocketAddress.parse(end) for end in (route.local, route.remote)]
            assert ends[busy - 1] == link.mapping.seen_at
            old = link.live
            assert old is not None
            await link._move(old)
            assert link.live is old, "the punch was just now"


async def test_another_relay_at_the_address_is_not_reserved_on() -> None:
    async with world() as w:
        impostor = await w.host(4)
        at = impostor.listener.addresses[0]
        address = RelayAddress(f"{at.multiaddr()}/p2p/{peer_id(8)}", at.ip, at.port, peer_id(8))
        a = Party(1, (), reserve=True, punches=False, permits=lambda peer: True)
        link = RelayLink(a.host, address, reserve=True, journal=a.journal)
        await w.run(a.host, link.run)
        failed = await a.journal.seen(milestones.RESERVATION_FAILED)
        assert peer_id(4) in str(failed["reason"])
        assert link.keeper.reason == failed["reason"]


async def test_a_refused_reservation_is_told_and_tried_again() -> None:
    async with world() as w:
        relay = await w.relay(permits=lambda peer: False)
        b = Party(2, (relay,), reserve=True, punches=False, permits=lambda peer: True)
        await w.run(b.host, *(partial(link.run) for link in b.links))
        failed = await b.journal.seen(milestones.RESERVATION_FAILED, count=3)
        assert failed["reason"] == "the relay answered PERMISSION_DENIED (this peer is not on its allow list)"
        assert relay.service.refusals.count >= 3
