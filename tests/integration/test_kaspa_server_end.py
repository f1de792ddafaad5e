"""A gRPC server that stops by itself ends the program: a node without it would live on and serve nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from kaspa_node.kaspa.config import KaspaConfig
from kaspa_node.kaspa.errors import HandshakeFailed, ServerStopped
from kaspa_node.kaspa.grpc_loop import shared
from kaspa_node.kaspa.service import KaspaService
from tests.integration.kaspa_nodes import PATIENCE, Node, meeting
from tests.unit.kaspa.shells import RecordingJournal

pytestmark = pytest.mark.trio


async def test_serving_ends_with_an_error_when_grpcs_loop_ends(tmp_path: Path) -> None:
    service = KaspaService(KaspaConfig(), RecordingJournal())
    with trio.fail_after(PATIENCE):
        with pytest.RaisesGroup(pytest.RaisesExc(ServerStopped, match="has stopped by itself; restart the node$")):
            async with trio.open_nursery() as nursery:
                await nursery.start(service.run)
                await nursery.start(service.serve, str(tmp_path / "kaspa.sock"), lambda caller: None)
                shared().stop()
    async with meeting(tmp_path) as nodes:
        assert (await nodes.connect()).state == "ready"


async def test_a_call_that_finds_no_loop_is_a_failed_handshake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = shared()
    ended = trio.Event()
    client = Node("client", KaspaConfig())
    with trio.fail_after(PATIENCE), loop.watched(ended.set):
        loop.stop()
        await ended.wait()
        monkeypatch.setattr("kaspa_node.kaspa.grpc_client.shared", lambda: loop)
        async with trio.open_nursery() as nursery:
            await nursery.start(client.service.run)
            with pytest.raises(HandshakeFailed, match="^the peer does not answer, or its connection is gone$"):
                await client.service.connect(f"unix:{tmp_path}/any", client.transport("outgoing", "server"))
            nursery.cancel_scope.cancel()
