"""A remote's keeper: when a relayed session is tried again on the direct path, and when it is left alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from kaspa_node.constants import PREFER_DIRECT, RELAY_ONLY
from kaspa_node.errors import RequestFailed
from kaspa_node.journal import Journal
from kaspa_node.node.remote import FIRST_RETRY_DIRECT, LONGEST_RETRY_DIRECT, PUNCH_PATIENCE, RemoteKeeper
from kaspa_node.node.requests import SessionRequest
from kaspa_node.p2p.channel.connection import DIRECT, RELAYED
from kaspa_node.p2p.dial import PUNCHING, Reached
from kaspa_node.p2p.errors import DialError
from kaspa_node.settings.values import Remote

pytestmark = pytest.mark.trio


class Wire:
    """Stands in for a connection."""

    def __init__(self, path: str) -> None:
        self.id = path
        self.route = SimpleNamespace(path=path, relay="relay")
        self.closed = trio.Event()

    def close(self, reason: str) -> None:
        self.closed.set()


class Session:
    """Stands in for what a backend opens."""

    session, handshake_seconds, first_byte_at = "c.1", None, None

    def __init__(self, path: str) -> None:
        self.path = path
        self.closed = trio.Event()

    async def retire(self, reason: str) -> None:
        self.closed.set()

    async def disconnect(self, reason: str) -> None:
        self.closed.set()


class World:
    """A dialer that reaches what `paths` says (nothing, where empty), at last the same for ever; and the rest."""

    def __init__(self, *paths: str) -> None:
        self.paths = list(paths)
        self.dialed_at: list[float] = []
        self.sessions: list[Session] = []
        self.state, self.reason = PUNCHING, None
        self.relays = {"relay"}
        self.connections = SimpleNamespace(of=lambda peer: [])
        self.takes = 0.0
        self.broken_off = 0

    async def reach(self, policy: str, run: str | None) -> Reached:
        now = trio.current_time()
        self.dialed_at.append(now)
        try:
            await trio.sleep(self.takes)
        except trio.Cancelled:
            self.broken_off += 1
            raise
        path = self.paths.pop(0) if len(self.paths) > 1 else self.paths[0]
        if not path:
            raise DialError("nobody answers")
        reason = None if path == DIRECT else "no answer"
        return Reached(Wire(path), Wire(RELAYED), now, now, None, 3, reason)  # type: ignore[arg-type]

    async def open(self, connection: Any, run: str | None) -> Session:
        self.sessions.append(Session(connection.route.path))
        return self.sessions[-1]

    def start_soon(self, function: Any, relayed: Any) -> None:
        relayed.close("the direct connection carries the session")

    def runs_over(self, connection: Any) -> bool:
        return connection.route.relay in self.relays

    def uses(self, connection: Any) -> bool:
        return False

    def connection_to(self, peer: str) -> None:
        return None

    @property
    def pauses(self) -> list[float]:
        """Seconds between one dial and the next."""
        return [round(after - before, 3) for before, after in zip(self.dialed_at, self.dialed_at[1:], strict=False)]


def keeper(world: Any) -> RemoteKeeper:
    remote = Remote(peer_id="12D3KooWRemote", name="server", addrs=())
    return RemoteKeeper(remote, PREFER_DIRECT, world, world, world, Journal())


async def until(seconds: float, world: Any, *requests: SessionRequest) -> RemoteKeeper:
    """A keeper that has run for that long, the requests made as soon as it has its first session."""
    kept = keeper(world)
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kept.run)
            await trio.testing.wait_all_tasks_blocked()
            for request in requests:
                await kept.fresh(request)
    return kept


async def test_a_relayed_session_is_tried_again_soon_and_then_ever_more_rarely(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World(RELAYED)
    kept = await until(2_000.0, world)
    assert world.pauses[:6] == [FIRST_RETRY_DIRECT, 20.0, 40.0, 80.0, 160.0, LONGEST_RETRY_DIRECT]
    assert set(world.pauses[5:]) == {LONGEST_RETRY_DIRECT}
    assert len(world.sessions) == 1
    assert kept.state == RELAYED


async def test_it_moves_over_and_stays_there(autojump_clock: trio.testing.MockClock) -> None:
    world = World(RELAYED, RELAYED, DIRECT)
    kept = await until(2_000.0, world)
    assert world.pauses == [FIRST_RETRY_DIRECT, 20.0]
    relayed, direct = world.sessions
    assert relayed.closed.is_set()
    assert not direct.closed.is_set()
    assert kept.state == DIRECT


async def test_a_session_that_was_asked_for_is_left_alone_longer(autojump_clock: trio.testing.MockClock) -> None:
    world = World(RELAYED)
    await until(LONGEST_RETRY_DIRECT - 1, world, SessionRequest(remote="server", run=None, policy=None, timeout=5.0))
    assert world.pauses == [0.0]


@pytest.mark.parametrize(("takes", "broken_off"), [(PUNCH_PATIENCE / 2, 0), (PUNCH_PATIENCE * 2, 1)])
async def test_a_punch_that_has_begun_may_end_before_a_session_is_asked_for(
    autojump_clock: trio.testing.MockClock, takes: float, broken_off: int
) -> None:
    world = World(DIRECT)
    world.takes = takes
    await until(60.0, world, SessionRequest(remote="server", run=None, policy=None, timeout=30.0))
    assert world.broken_off == broken_off
    assert world.pauses == [min(takes, PUNCH_PATIENCE)]


# Told by the settings


async def told(world: World, policy: str, *, relays: set[str] | None = None) -> RemoteKeeper:
    """A keeper that holds its first session for a second, then hears of a policy or of other relays."""
    kept = keeper(world)
    with trio.move_on_after(5.0):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kept.run)
            await trio.testing.wait_all_tasks_blocked()
            await trio.sleep(1.0)
            world.relays = relays if relays is not None else world.relays
            kept.aim(kept.remote, policy, world)  # type: ignore[arg-type]
    return kept


async def test_what_stands_well_stays(autojump_clock: trio.testing.MockClock) -> None:
    world = World(DIRECT)
    kept = await told(world, PREFER_DIRECT, relays={"another"})
    assert (len(world.dialed_at), kept.state) == (1, DIRECT)


@pytest.mark.parametrize(
    ("before", "after", "policy", "relays"),
    [
        (RELAYED, DIRECT, PREFER_DIRECT, None),
        (DIRECT, RELAYED, RELAY_ONLY, None),
        (RELAYED, RELAYED, PREFER_DIRECT, {"another"}),
    ],
)
async def test_what_stands_elsewhere_is_moved_at_once(
    autojump_clock: trio.testing.MockClock, before: str, after: str, policy: str, relays: set[str] | None
) -> None:
    world = World(before, after)
    kept = await told(world, policy, relays=relays)
    assert world.pauses[:1] == [1.0]
    first, second = world.sessions
    assert first.closed.is_set()
    assert not second.closed.is_set()
    assert kept.state == after


async def test_what_has_failed_is_tried_again_at_once_on_other_ways(autojump_clock: trio.testing.MockClock) -> None:
    world = World("", DIRECT)
    kept = keeper(world)
    with trio.move_on_after(60.0):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kept.run)
            await trio.testing.wait_all_tasks_blocked()
            assert kept.state == "backoff"
            kept.aim(kept.remote, PREFER_DIRECT, world)  # type: ignore[arg-type]
    assert world.pauses == [0.0]
    assert kept.state == DIRECT


async def test_a_dismissed_keeper_brings_about_nothing(autojump_clock: trio.testing.MockClock) -> None:
    world = World(DIRECT)
    kept = keeper(world)
    kept.dismiss()
    with pytest.raises(RequestFailed, match="no longer one of the remotes"):
        await kept.fresh(SessionRequest(remote="server", run=None, policy=None, timeout=5.0))
    assert world.sessions == []
