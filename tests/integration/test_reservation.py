"""A peer's link to a relay over loopback: clocks that differ, short reservations, names with several addresses."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from kaspa_node import milestones
from kaspa_node.node.status import relay_status
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.relay import messages as wire
from kaspa_node.p2p.relay import service as service_module
from kaspa_node.p2p.relay.ledger import RelayLimits
from kaspa_node.p2p.reservation import keeper as keeper_module
from kaspa_node.p2p.reservation.keeper import RESERVED
from kaspa_node.p2p.reservation.link import RelayLink
from kaspa_node.settings.values import RelayAddress
from tests.integration.resolving import names
from tests.integration.world import Party, Relay, World, make_host, until, world
from tests.unit.p2p.parties import peer_id

pytestmark = pytest.mark.trio


def clock_ahead_by(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Relays' clocks are ahead of those of peers."""
    monkeypatch.setattr(service_module, "time", SimpleNamespace(time=lambda: time.time() + seconds))


def lasts(link: RelayLink) -> float:
    """Seconds for which the link counts on its reservation."""
    assert link.keeper.expires is not None
    return link.keeper.expires - trio.current_time()


def shown(party: Party) -> dict[str, Any]:
    """What `kaspa-node status` shows of a party's relay."""
    [link] = party.links
    return relay_status(link)


# Clocks


@pytest.mark.parametrize("skew", [7200.0, -7200.0])
async def test_the_life_that_our_relay_sends_is_believed_whatever_its_clock(
    monkeypatch: pytest.MonkeyPatch, skew: float
) -> None:
    clock_ahead_by(monkeypatch, skew)
    async with world() as w:
        relay = await w.relay(RelayLimits(reservation_ttl=60))
        b = await w.party(2, relay)
        [link] = b.links
        assert 30 < lasts(link) <= 60
        assert (await b.journal.seen(milestones.RESERVATION_ACCEPTED))["ttl"] == 60
        text = f"the relay's clock is about 7,200 s {'ahead of' if skew > 0 else 'behind'} ours"
        assert link.keeper.clock is not None
        # By the whole seconds on the wire it may be one less.
        assert link.keeper.clock.text in (text, text.replace("7,200", "7,199"), text.replace("7,200", "7,201"))
        assert f"Relay {link.peer_id}: {link.keeper.clock.text}" in b.journal.lines
        assert shown(b)["reason"] == link.keeper.clock.text


@pytest.mark.parametrize("skew", [7200.0, -7200.0, 1e12])
async def test_a_wrong_clock_of_another_relay_is_not_believed(monkeypatch: pytest.MonkeyPatch, skew: float) -> None:
    clock_ahead_by(monkeypatch, skew)
    monkeypatch.setattr(wire, "put_life", lambda reservation, seconds: None)
    async with world() as w:
        relay = await w.relay(RelayLimits(reservation_ttl=60))
        b = await w.party(2, relay)
        assert 30 < lasts(b.links[0]) <= 60
        assert b.links[0].keeper.state == RESERVED
        assert b.links[0].keeper.clock is not None


async def test_a_reservation_of_two_seconds_is_renewed_before_it_ends() -> None:
    async with world() as w:
        relay = await w.relay(RelayLimits(reservation_ttl=2))
        b = await w.party(2, relay)
        renewed = await b.journal.seen(milestones.RESERVATION_ACCEPTED, renewal=True)
        assert renewed["relay"] == relay.host.peer_id
        assert (await relay.journal.seen(milestones.RELAY_RESERVED, count=2))["renewed"] is True
        assert len(b.journal.all(milestones.RESERVATION_PUBLISHED)) == 1


async def test_many_renewals_make_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as w:
        relay = await w.relay()
        b = await w.party(2, relay)
        [link] = b.links
        for number in range(1, 11):
            link.keeper.moved(trio.current_time())
            link.want(True)
            await relay.journal.seen(milestones.RELAY_RESERVED, count=number + 1)
            await until(lambda: isinstance(link.keeper.next(trio.current_time(), connected=True), keeper_module.Wait))
        assert len(b.journal.all(milestones.RESERVATION_ACCEPTED)) == 1 + 3


async def test_the_round_trip_of_a_relay_is_measured_while_it_is_connected() -> None:
    async with world() as w:
        relay = await w.relay()
        b = await w.party(2, relay)
        [link] = b.links
        assert link.round_trip is not None
        assert 0 < link.round_trip < 5
        await w.stop(relay.host)
        await b.journal.seen(milestones.RESERVATION_LOST)
        assert link.round_trip is None


# Names


def at_name(relay: Relay) -> RelayAddress:
    """The relay as relay.example."""
    port, peer = relay.host.listener.addresses[0].port, relay.host.peer_id
    return RelayAddress(f"/dns4/relay.example/tcp/{port}/p2p/{peer}", "relay.example", port, peer)


async def linked(w: World, address: RelayAddress) -> tuple[Party, RelayLink]:
    """A party that keeps a reservation on the relay at an address."""
    party = Party(1, (), reserve=True, punches=False, permits=lambda peer: True)
    link = RelayLink(party.host, address, reserve=True, journal=party.journal)
    await w.run(party.host, link.run)
    return party, link


async def test_the_second_address_of_a_name_is_dialed_if_the_first_does_not_answer() -> None:
    with names(relay=["127.0.0.2", "127.0.0.1"]):
        async with world() as w:
            relay = await w.relay()
            a, link = await linked(w, at_name(relay))
            await a.journal.seen(milestones.RESERVATION_ACCEPTED)
            assert link.live is not None
            assert link.live.route.remote == str(relay.host.listener.addresses[0])
            assert a.journal.all(milestones.RESERVATION_FAILED) == []


async def test_another_peer_at_the_first_address_does_not_keep_from_the_second() -> None:
    with names(relay=["127.0.0.2", "127.0.0.1"]):
        async with world() as w:
            relay = await w.relay()
            impostor = make_host(4)
            impostor.listener.bind([SocketAddress("127.0.0.2", relay.host.listener.addresses[0].port)])
            await w.run(impostor)
            a, _ = await linked(w, at_name(relay))
            await a.journal.seen(milestones.RESERVATION_ACCEPTED)


async def test_what_each_address_answered_is_told_and_the_name_is_looked_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper_module, "FIRST_PAUSE", 0.01)
    with names(relay=["127.0.0.2", "127.0.0.3"]) as resolver:
        async with world() as w:
            relay = await w.relay()
            address = at_name(relay)
            a, _ = await linked(w, address)
            failed = await a.journal.seen(milestones.RESERVATION_FAILED)
            port = address.port
            answers = f"127.0.0.2:{port}: Connection refused; 127.0.0.3:{port}: Connection refused"
            assert failed["reason"] == f"relay.example:{port}: {answers}"
            resolver.table["relay.example"] = ["127.0.0.1"]
            await a.journal.seen(milestones.RESERVATION_ACCEPTED)
            assert len(resolver.asked) >= 2


async def test_a_name_that_does_not_exist_is_told_as_such() -> None:
    with names():
        async with world() as w:
            address = RelayAddress(f"/dns4/relay.example/tcp/1/p2p/{peer_id(9)}", "relay.example", 1, peer_id(9))
            a, _ = await linked(w, address)
            failed = await a.journal.seen(milestones.RESERVATION_FAILED)
            assert failed["reason"] == "the name relay.example can't be resolved: Name or service not known"
