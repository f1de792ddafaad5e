"""The path to a remote over loopback: waiting for its reservation, relays that restart, relays that are down."""

from __future__ import annotations

import pytest
import trio

from kaspa_node import milestones
from kaspa_node.constants import DIRECT_ONLY, PREFER_DIRECT, RELAY_ONLY
from kaspa_node.kaspa.errors import HandshakeFailed
from kaspa_node.node.remote import attempt as attempt_module
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.channel.connection import DIRECT, RELAYED, CircuitLimit
from kaspa_node.p2p.channel.stream import Stream
from kaspa_node.p2p.punch import attempts, simultaneous
from kaspa_node.p2p.punch.vantage import Vantage
from kaspa_node.p2p.relay.ledger import Circuit, RelayLimits
from kaspa_node.p2p.reservation import keeper as keeper_module
from kaspa_node.p2p.reservation.link import RelayLink
from kaspa_node.settings.values import RelayAddress
from tests.integration.remotes import dialing
from tests.integration.world import PATIENCE, Party, World, say, standing, until, world
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


async def two(w: World) -> tuple[Party, Party]:
    """A party that dials and one that waits, at one relay."""
    relay = await w.relay()
    return await w.party(1, relay, reserve=False), await w.party(2, relay)


# Policies


async def test_prefer_direct_takes_the_punched_path() -> None:
    async with world() as w:
        a, b = await two(w)
        async with dialing(a, b.peer_id, PREFER_DIRECT) as dialer:
            reached = await dialer.reach(RUN)
            assert reached.connection.route.path == DIRECT
            assert reached.answer["punch"] == {"attempts": 1, "succeeded": True, "reason": None, "code": None}
            timings = reached.answer["timings"]
            assert 0 < timings["relayed_dial"] < timings["dial_to_ready"]
            assert timings["punch"] > 0
            [started] = a.journal.all(milestones.DIAL_STARTED, run=RUN)
            [outbound] = a.journal.all(milestones.CIRCUIT_OUTBOUND, run=RUN)
            assert started["peer"] == outbound["peer"] == b.peer_id
            await until(lambda: a.host.connections.to(b.peer_id, RELAYED) is None)


async def test_relay_only_stays_on_the_relay_and_wants_no_punch() -> None:
    async with world() as w:
        a, b = await two(w)
        async with dialing(a, b.peer_id, RELAY_ONLY) as dialer:
            reached = await dialer.reach()
            assert reached.connection.route.path == RELAYED
            assert (reached.answer["punch"]["reason"], reached.answer["punch"]["code"]) == (
                "the policy is relay-only",
                "policy-relay-only",
            )
            assert await say(a.host, b.peer_id, b"relayed", RELAYED) == b"relayed"
            assert b.puncher is not None
            theirs = await standing(b.host, a.peer_id, RELAYED)
            await until(lambda: theirs.id == reached.connection.id)
            assert a.host.connections.to(b.peer_id, DIRECT) is None


def unreachable(party: Party) -> None:
    """Have a party name an address at which nobody answers."""
    assert party.puncher is not None
    party.puncher._vantage = lambda: Vantage([SocketAddress("127.0.0.1", 1)])


async def test_prefer_direct_falls_back_to_the_relay_and_says_why() -> None:
    async with world() as w:
        a, b = await two(w)
        unreachable(a)
        unreachable(b)
        async with dialing(a, b.peer_id, PREFER_DIRECT) as dialer:
            reached = await dialer.reach(RUN)
            assert reached.connection.route.path == RELAYED
            assert reached.attempts == 3
            failed = a.journal.all(milestones.PUNCH_FAILED, relayed=reached.connection.id)
            first, second, third = (str(told["reason"]) for told in failed)
            assert "127.0.0.1:1: Connection refused" in first
            assert "Connection refused" in second
            assert reached.answer["punch"]["reason"] == third
            assert reached.answer["punch"]["code"] in ("no-answer", "exchange-failed")
            [fallback] = a.journal.all(milestones.PATH_FALLBACK, run=RUN)
            assert (fallback["peer"], fallback["reason"]) == (b.peer_id, third)
            assert await say(a.host, b.peer_id, b"relayed") == b"relayed"


async def test_direct_only_does_without_rather_than_stay_on_the_relay() -> None:
    async with world() as w:
        a, b = await two(w)
        unreachable(a)
        unreachable(b)
        async with dialing(a, b.peer_id, DIRECT_ONLY) as dialer:
            assert "no direct path" in await dialer.refused()
            assert a.host.connections.to(b.peer_id) is None


# Waiting


async def test_it_waits_for_the_reservation_of_the_remote_and_says_so() -> None:
    async with world() as w:
        relay = await w.relay()
        a = await w.party(1, relay, reserve=False)
        async with dialing(a, peer_id(2), RELAY_ONLY) as dialer:
            waiting = await a.journal.seen(milestones.DIAL_WAITING, count=2)
            assert (waiting["peer"], waiting["relay"]) == (peer_id(2), relay.host.peer_id)
            assert dialer.keeper.progress() == "waiting (the relay has no reservation for it)"
            await w.party(2, relay)
            await until(dialer.relayed)


async def test_it_waits_for_the_relay() -> None:
    async with world() as w:
        relay = await w.relay()
        port = relay.host.listener.addresses[0].port
        b = await w.party(2, relay)
        await w.stop(relay.host)
        a = Party(1, (relay,), reserve=False, punches=True, permits=lambda peer: True)
        await w.run(a.host, *(link.run for link in a.links))
        await a.journal.seen(milestones.RESERVATION_FAILED)
        async with dialing(a, b.peer_id, RELAY_ONLY) as dialer:
            await until(lambda: dialer.keeper.reason is not None)
            assert dialer.keeper.reason is not None
            assert dialer.keeper.reason.code == "no-relay"
            await w.relay(port=port)
            await until(dialer.relayed)


async def test_a_relay_that_is_down_does_not_stand_before_one_that_is_up() -> None:
    async with world() as w:
        relay = await w.relay()
        b = await w.party(2, relay)
        a = await w.party(1, relay, reserve=False)
        nowhere = RelayAddress(f"/ip4/127.0.0.1/tcp/1/p2p/{peer_id(8)}", "127.0.0.1", 1, peer_id(8))
        a.links.insert(0, RelayLink(a.host, nowhere, reserve=False, journal=a.journal))
        a.host.start_soon(a.links[0].run)
        async with dialing(a, b.peer_id, RELAY_ONLY) as dialer:
            assert (await dialer.reach()).connection.route.relay == relay.host.peer_id


async def test_without_a_relay_there_is_no_session() -> None:
    async with world() as w:
        a = Party(3, (), reserve=False, punches=False, permits=lambda peer: True)
        await w.run(a.host)
        async with dialing(a, peer_id(2), RELAY_ONLY) as dialer:
            assert await dialer.refused() == "no relay is configured for it"


async def test_a_remote_that_refuses_is_not_waited_for() -> None:
    async with world() as w:
        relay = await w.relay()
        a = await w.party(1, relay, reserve=False)
        await w.party(2, relay, permits=lambda peer: False)
        async with dialing(a, peer_id(2), PREFER_DIRECT) as dialer:
            refused = await dialer.refused()
            assert refused.startswith("through ")
            assert ": the relay answered CONNECTION_FAILED (the remote did not accept" in refused


# What fails leaves nothing behind


async def test_sessions_that_fail_hold_no_place_at_the_relay() -> None:
    async with world() as w:
        relay = await w.relay(RelayLimits(max_circuits_per_peer=3))
        a, b, c = await w.party(1, relay), await w.party(2, relay), await w.party(3, relay)
        for policy in (PREFER_DIRECT, RELAY_ONLY):
            async with dialing(a, b.peer_id, policy) as dialer:
                dialer.backend.refuses = HandshakeFailed("Network mismatch")
                for tries in range(1, 6):
                    assert await dialer.refused() == "Network mismatch"
                    assert dialer.backend.tries >= tries
                assert a.host.connections.of(b.peer_id) == []
                await until(lambda: not relay.ledger.circuits)
                async with dialing(c, b.peer_id, policy) as honest:
                    await honest.reach()


async def test_a_circuit_that_ends_at_once_is_a_failed_attempt() -> None:
    async with world() as w:
        a, b = await two(w)
        a.host.connections.up.append(lambda c: c.close("gone again") if c.route.path == RELAYED else None)
        async with dialing(a, b.peer_id, PREFER_DIRECT) as dialer:
            for _ in range(3):
                assert "gone again" in await dialer.refused()


async def test_a_relay_that_carries_nothing_is_left_for_another_one() -> None:
    async with world() as w:
        dead, relay = await w.relay(), await w.other_relay(8)
        b = await w.party(2, dead, relay)
        a = await w.party(1, dead, relay, reserve=False)

        async def swallow(circuit: Circuit, source: Stream, sink: Stream) -> str:
            await trio.sleep_forever()
            raise AssertionError

        dead.service._forward = swallow  # type: ignore[method-assign]
        a.host.upgrader._seconds = 0.3
        async with dialing(a, b.peer_id, RELAY_ONLY) as dialer:
            for _ in range(3):
                assert (await dialer.reach()).connection.route.relay == relay.host.peer_id
        assert len(a.journal.all(milestones.DIAL_STARTED, addr=dead.address.circuit_to(b.peer_id))) == 1


async def test_a_session_that_ended_with_a_limited_circuit_names_the_limit() -> None:
    async with world() as w:
        relay = await w.relay(RelayLimits(circuit_duration=1.0))
        a, b = await w.party(1, relay, reserve=False), await w.party(2, relay)
        async with dialing(a, b.peer_id, RELAY_ONLY) as dialer:
            reached = await dialer.reach()
            await until(lambda: dialer.keeper.reason is not None and dialer.keeper.reason.code == "circuit-limited")
            assert str(dialer.keeper.reason) == (
                "the circuit was broken off (the stream was reset); the relay limits a circuit to 1 s"
            )
            assert reached.connection.closed.is_set()


async def test_the_limit_of_a_circuit_is_read() -> None:
    async with world() as w:
        relay = await w.relay(RelayLimits(circuit_duration=7.0, circuit_bytes=4096))
        a, b = await w.party(1, relay, reserve=False), await w.party(2, relay)
        async with dialing(a, b.peer_id, RELAY_ONLY) as dialer:
            reached = await dialer.reach()
            limit = CircuitLimit(seconds=7, bytes=4096)
            assert reached.connection.route.limit == dialer.keeper.limit == limit
            assert (await standing(b.host, a.peer_id, RELAYED)).route.limit == limit


async def test_whoever_waits_for_a_direct_path_gets_one_as_soon_as_there_is_one() -> None:
    async with world() as w:
        a, b = await two(w)
        unreachable(a)
        unreachable(b)
        async with dialing(a, b.peer_id, PREFER_DIRECT) as dialer:
            await until(dialer.relayed)
            for party in (a, b):
                assert party.puncher is not None
                party.puncher._vantage = party.vantage
            await dialer.keeper.direct_within(PATIENCE)
            assert dialer.keeper.state == DIRECT
            await until(lambda: a.host.connections.to(b.peer_id, RELAYED) is None)


async def test_other_relays_while_a_session_is_being_moved() -> None:
    """The new relay has no reservation of the remote, then it has: once that kept the keeper busy for ever."""
    async with world() as w:
        relay, other = await w.relay(), await w.other_relay(8)
        b = await w.party(2, relay)
        a = await w.party(1, relay, other, reserve=False)
        unreachable(a)
        unreachable(b)
        async with dialing(a, b.peer_id, PREFER_DIRECT) as dialer:
            await until(dialer.relayed)
            keeper, (first, second) = dialer.keeper, a.links
            keeper.aim(keeper.remote, PREFER_DIRECT, [first])
            keeper.aim(keeper.remote, PREFER_DIRECT, [second])
            await a.journal.seen(milestones.DIAL_STARTED, addr=second.address.circuit_to(b.peer_id))
            dialer.backend.opened[-1].connection.close("gone while it was to move")
            await a.journal.seen(milestones.DIAL_WAITING, relay=other.host.peer_id)
            keeper.aim(keeper.remote, PREFER_DIRECT, [first])
            await until(dialer.relayed)


async def test_a_session_that_ends_again_and_again_is_dialed_more_and_more_rarely() -> None:
    async with world() as w:
        a, b = await two(w)
        async with dialing(a, b.peer_id, RELAY_ONLY) as dialer:
            for number in (1, 2):
                await until(lambda number=number: len(dialer.backend.opened) == number)  # type: ignore[misc]
                dialer.backend.opened[-1].connection.close("its time is over")
                await until(lambda: not dialer.relayed())
            assert dialer.keeper.progress() == "backoff (its time is over)"
