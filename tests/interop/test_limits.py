"""Relays with limits: each side keeps to those of the other, and a direct connection has none."""

from __future__ import annotations

import pytest

from tests.interop import extent, table
from tests.interop.local_programs import Broken
from tests.interop.test_cells import MIB, skip_unless_possible
from tests.interop.triples import DIRECT, RELAYED, Cell, RelayLimits, triple

pytestmark = pytest.mark.timeout(300)

BYTES = 256 * 1024
SECONDS = 6
# Of a circuit, handshakes and identify included.
FITS = 16 * 1024


@pytest.mark.parametrize("cell", extent.LIMITED, ids=str)
def test_the_limits_of_a_relay_end_circuits_and_nothing_else(cell: Cell) -> None:
    skip_unless_possible(cell)
    with triple(cell, RelayLimits(BYTES, 3600)) as t:
        t.connect_relayed()
        t.echo(RELAYED, FITS)
        with pytest.raises(Broken) as broken:
            t.echo(RELAYED, 4 * BYTES)
        assert broken.value.received <= BYTES

        assert t.connect_direct().attempts == 1
        t.echo(DIRECT, 8 * MIB)
    with triple(cell, RelayLimits(64 * MIB, SECONDS)) as t:
        t.connect_relayed()
        lasted = t.relayed_until_ended()
        assert SECONDS - 1 < lasted < SECONDS + 3
    table.LIMITS[cell] = [
        f"echo of {4 * BYTES // 1024} KiB ended after {broken.value.received // 1024} of {BYTES // 1024} KiB",
        f"ended after {lasted:.1f} of {SECONDS} s",
        "8 MiB there and back, first attempt",
    ]
