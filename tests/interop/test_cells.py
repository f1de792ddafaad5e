"""Ours with go-libp2p and rust-libp2p in every mixture of relay, server and client, across two NATs, 50 ms apart."""

from __future__ import annotations

import pytest

import interop_peers
from lab.local import lab
from tests.interop import extent, table
from tests.interop.triples import DIRECT, OURS, RELAYED, STREAM_PROTOCOLS, Cell, triple

pytestmark = pytest.mark.timeout(240 + 10 * extent.RUNS)

MIB = 1024 * 1024
RELAYED_BYTES = 64 * 1024
# What a relay may still see while a direct connection moves data: keep-alives, and the rest of an exchange.
ASIDE = 64 * 1024
# A killed program's sockets are closed by its kernel, so this is round trips and the work at the other end.
NOTICED_SECONDS = 5.0


def skip_unless_possible(cell: Cell) -> None:
    """Skip where a program is missing, or NATs can't be had."""
    for kind in cell:
        missing = None if kind == OURS else interop_peers.missing(kind)
        if missing is not None:
            pytest.skip(missing)
    reason = lab.obstacle()
    if reason is not None:
        pytest.skip(f"no NATs without root here: {reason}")


@pytest.mark.parametrize("cell", extent.CELLS, ids=str)
def test_relayed_then_direct_at_the_first_attempt_then_bulk_then_killed(cell: Cell) -> None:
    skip_unless_possible(cell)
    row = table.ROWS[cell] = table.Row()
    with triple(cell) as t:
        before = t.relay_bytes()
        t.connect_relayed()
        row.relayed = t.echo(RELAYED, RELAYED_BYTES, STREAM_PROTOCOLS[0])
        assert t.relay_bytes() - before > 2 * RELAYED_BYTES
        t.echo(RELAYED, 1024, STREAM_PROTOCOLS[1])

        attempts = []
        for _ in range(extent.RUNS):
            punched = t.connect_direct()
            t.echo(DIRECT, 1024)
            row.runs += 1
            attempts.append(punched.attempts)
            if punched.attempts == 1:
                row.punches.append(punched.seconds)
        assert attempts == [1] * extent.RUNS

        before = t.relay_bytes()
        row.bulk = t.echo(DIRECT, extent.MIB * MIB)
        assert t.relay_bytes() - before < ASIDE

        row.server_killed = t.kill_server()
        assert row.server_killed < NOTICED_SECONDS
        t.start("server")
        t.connect_direct()
        t.echo(DIRECT, 1024)
        row.client_killed = t.kill_client()
        assert row.client_killed < NOTICED_SECONDS


def test_a_go_client_that_serves_hole_punches_late_is_asked_again() -> None:
    """go-libp2p registers /libp2p/dcutr once it knows a public address. Until then it refuses our server's question."""
    cell = Cell(OURS, OURS, "go")
    skip_unless_possible(cell)
    with triple(cell, late=["client"]) as t:
        punched = t.connect_direct()
        client = t.foreign("client")
        [punching] = client.all("punching")
        [relayed] = client.all("connected", path=RELAYED)
        assert relayed["at"] < punching["at"]
        assert punched.attempts == 1
        t.echo(DIRECT, 1024)
