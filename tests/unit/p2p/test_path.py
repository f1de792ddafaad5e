"""A path is closed by its owner, once, and not under streams that somebody else has on it."""

from __future__ import annotations

from contextlib import suppress

import pytest

from kaspa_node.p2p.channel.connection import Connection
from kaspa_node.p2p.path import PathOwner
from tests.unit.p2p.pipes import connected

pytestmark = pytest.mark.trio


def never(connection: Connection) -> bool:
    """Nobody else uses the connection."""
    return False


async def test_what_an_owner_still_holds_ends_with_its_scope() -> None:
    dialer, _ = connected()
    with PathOwner(never) as owner:
        owner.hold(dialer)
        assert not dialer.closed.is_set()
    assert (dialer.closed.is_set(), dialer.reason) == (True, "its owner has ended")


async def test_what_was_handed_over_is_the_new_owners() -> None:
    dialer, _ = connected()
    with PathOwner(never) as owner:
        path = owner.hold(dialer)
        owner.hand_over(path)
        owner.close(path, "not ours any more")
    assert not dialer.closed.is_set()


async def test_a_path_is_closed_once() -> None:
    dialer, _ = connected()
    with PathOwner(never) as owner:
        path = owner.hold(dialer)
        owner.close(path, "first")
        owner.close(path, "second")
    assert dialer.reason == "first"


async def test_a_failure_inside_the_scope_closes_the_path_too() -> None:
    dialer, _ = connected()
    with suppress(LookupError), PathOwner(never) as owner:
        owner.hold(dialer)
        raise LookupError
    assert dialer.closed.is_set()


async def test_a_connection_with_streams_of_others_stays() -> None:
    dialer, _ = connected()
    with PathOwner(lambda connection: connection is dialer) as owner:
        owner.hold(dialer)
    assert not dialer.closed.is_set()
