"""js-libp2p as server and client through our relay; as a relay it is one of the cells of test_cells.py.

js-libp2p speaks DCUtR, but its TCP transport can't dial from its listening port: no hole punch through a NAT succeeds.
"""

from __future__ import annotations

import pytest

from tests.interop import extent
from tests.interop.test_cells import MIB, NOTICED_SECONDS, skip_unless_possible
from tests.interop.triples import OURS, RELAYED, STREAM_PROTOCOLS, Cell, triple

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("cell", extent.JS, ids=str)
def test_a_js_peer_is_reached_and_reaches_ours_through_a_relay(cell: Cell) -> None:
    skip_unless_possible(cell)
    with triple(cell) as t:
        t.connect_relayed()
        for protocol in STREAM_PROTOCOLS:
            t.echo(RELAYED, 64 * 1024, protocol)
        t.echo(RELAYED, MIB)
        if cell.client == OURS:
            assert t.session("prefer-direct")["path"] == RELAYED
            t.echo(RELAYED, 1024)
        assert t.kill_server(RELAYED) < NOTICED_SECONDS
