"""Sessions between two nodes over a unix socket: what works, what is refused, what ends."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
import trio
import trio.testing

from kaspa_node import networks
from kaspa_node.errors import ListenError
from kaspa_node.kaspa import synthetic
from kaspa_node.kaspa.config import KaspaConfig, Transport
from kaspa_node.kaspa.errors import HandshakeFailed
from kaspa_node.kaspa.service import ABSTRACT_CALLER, KaspaService
from tests.integration.kaspa_nodes import PATIENCE, meeting
from tests.unit.kaspa.shells import RecordingJournal

pytestmark = pytest.mark.trio


async def test_two_nodes_get_ready_and_ping(tmp_path: Path) -> None:
    async with meeting(tmp_path) as nodes:
        outgoing = await nodes.connect()
        incoming = await nodes.server.session()
        await incoming.ready()
        assert (outgoing.state, incoming.state) == ("ready", "ready")
        assert outgoing.handshake_seconds is not None
        assert 0 < await outgoing.ping(200, PATIENCE) < PATIENCE
        assert await incoming.ping(200, PATIENCE) > 0
        assert outgoing.messages_sent >= 400
        assert nodes.client.journal.names().count("kaspa.ping") == 200
    assert nodes.client.journal.of("peer.connected")["bound"] == "outbound"
    assert nodes.server.journal.of("peer.connected")["bound"] == "inbound"


async def test_disconnecting_ends_both_sides(tmp_path: Path) -> None:
    async with meeting(tmp_path) as nodes:
        session = await nodes.connect()
        await session.disconnect("enough")
        assert session.closed.is_set()
        assert not nodes.client.service.sessions
        gone = await nodes.server.closed(1)
        assert gone.close_reason == "the peer ended the stream"
        assert nodes.client.done == [session]


async def test_the_server_may_disconnect_too(tmp_path: Path) -> None:
    async with meeting(tmp_path) as nodes:
        session = await nodes.connect()
        await (await nodes.server.session()).disconnect("enough")
        await session.closed.wait()
        assert session.close_reason == "the peer ended the stream"


async def test_other_network_is_rejected_on_both_sides(tmp_path: Path) -> None:
    async with meeting(tmp_path, server=KaspaConfig(network=networks.SIMNET)) as nodes:
        with pytest.raises(HandshakeFailed, match=r"^Network mismatch - local: kaspa-\w+, remote: kaspa-\w+$"):
            await nodes.connect()
        gone = await nodes.server.closed(1)
        assert gone.close_reason is not None
        assert gone.close_reason.startswith("Network mismatch - local: kaspa-")
    for node in (nodes.client, nodes.server):
        assert node.journal.names()[-1] == "kaspa.handshake.failed"
        assert "kaspa.version.received" in node.journal.names()


async def test_an_old_protocol_version_is_rejected(tmp_path: Path) -> None:
    old = KaspaConfig(protocol_version=6)
    async with meeting(tmp_path, client=old, server=KaspaConfig(minimum_protocol_version=10)) as nodes:
        with pytest.raises(HandshakeFailed, match="^P2P protocol version mismatch - local: 11, remote: 6$"):
            await nodes.connect()
    assert nodes.client.journal.of("kaspa.reject.received")["reason"] == (
        "P2P protocol version mismatch - local: 11, remote: 6"
    )


async def test_a_node_that_calls_itself_is_told_so(tmp_path: Path) -> None:
    same = KaspaConfig()
    async with meeting(tmp_path, client=same, server=same) as nodes:
        with pytest.raises(HandshakeFailed, match="^LOOPBACK_CONNECTION$"):
            await nodes.connect()


async def test_the_same_node_again_over_the_same_path_is_a_duplicate(tmp_path: Path) -> None:
    async with meeting(tmp_path) as nodes:
        first = await nodes.connect()
        with pytest.raises(HandshakeFailed, match="^DUPLICATE_CONNECTION$"):
            await nodes.connect()
        second = await nodes.connect(path="relayed")
        assert (first.state, second.state) == ("ready", "ready")


async def test_a_session_id_is_used_once_at_a_time(tmp_path: Path) -> None:
    async with meeting(tmp_path) as nodes:
        session = await nodes.connect()
        with pytest.raises(HandshakeFailed, match="is open already"):
            await nodes.client.service.connect(nodes.target, session.transport)


async def test_nobody_listens(tmp_path: Path) -> None:
    async with meeting(tmp_path) as nodes:
        transport = nodes.client.transport("outgoing", "nobody")
        with pytest.raises(HandshakeFailed, match="^the peer does not answer, or its connection is gone$"):
            await nodes.client.service.connect(f"unix:{tmp_path}/absent", transport)


async def test_a_refused_caller_gets_no_kaspa_message(tmp_path: Path) -> None:
    async with meeting(tmp_path) as nodes, trio.open_nursery() as nursery:
        path = str(tmp_path / "closed.sock")
        await nursery.start(nodes.server.service.serve, path, lambda caller: None)
        transport = nodes.client.transport("outgoing", "server")
        with pytest.raises(HandshakeFailed, match="^the peer refused the stream$"):
            await nodes.client.service.connect(f"unix:{path}", transport)
        assert (await nodes.client.closed(1)).messages_received == 0
        assert not nodes.server.done
        nursery.cancel_scope.cancel()


async def test_callers_are_known_by_their_abstract_names(tmp_path: Path) -> None:
    """What a bridge does: its socket to the server is bound to a name that stands for a peer."""
    server = KaspaService(KaspaConfig(), RecordingJournal())
    client = KaspaService(KaspaConfig(), RecordingJournal())
    name = f"kaspa-test-{os.getpid()}"
    known = {f"{ABSTRACT_CALLER}{name}": Transport("s.1", "client", "direct", "incoming", "[fdff::1]:40000")}
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            await nursery.start(client.run)
            await nursery.start(server.serve, str(tmp_path / "server"), known.get)
            await nursery.start(_bridge, str(tmp_path / "bridge"), str(tmp_path / "server"), name)
            transport = Transport("c.1", "server", "direct", "outgoing", synthetic.socket_address("server", "direct"))
            await client.connect(f"unix:{tmp_path}/bridge", transport)
            assert server.sessions["s.1"].transport.peer == "client"
            nursery.cancel_scope.cancel()


async def _bridge(
    path: str, target: str, name: str, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    listener = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    await listener.bind(path)
    listener.listen(1)
    task_status.started()
    near, _ = await listener.accept()
    far = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    await far.bind(f"\0{name}")
    await far.connect(target)
    async with trio.SocketStream(near) as left, trio.SocketStream(far) as right, trio.open_nursery() as nursery:
        nursery.start_soon(_pump, left, right)
        nursery.start_soon(_pump, right, left)


async def _pump(source: trio.SocketStream, sink: trio.SocketStream) -> None:
    async for data in source:
        await sink.send_all(data)


async def test_a_node_that_does_not_run_connects_to_nobody(tmp_path: Path) -> None:
    service = KaspaService(KaspaConfig(), RecordingJournal())
    transport = Transport("c.1", "server", "direct", "outgoing", "[fdff::1]:40000")
    with pytest.raises(HandshakeFailed, match="shutting down"):
        await service.connect(f"unix:{tmp_path}/absent", transport)


async def test_the_socket_is_ours_alone_and_goes_with_the_service(tmp_path: Path) -> None:
    async with meeting(tmp_path) as nodes:
        assert stat.S_IMODE(os.stat(nodes.path).st_mode) == 0o600
    assert not await trio.Path(nodes.path).exists()


async def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "kaspa.sock"))
    async with meeting(tmp_path) as nodes:
        assert (await nodes.connect()).state == "ready"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("absent/kaspa.sock", "No such file or directory"),
        ("x" * 200, "path too long"),
        ("taken", "Address already in use"),
    ],
)
async def test_a_socket_that_can_not_be_bound_is_an_error_with_its_path(
    tmp_path: Path, name: str, problem: str, capfd: pytest.CaptureFixture[str]
) -> None:
    await trio.Path(tmp_path / "taken").write_text("a file that is not ours")
    service = KaspaService(KaspaConfig(), RecordingJournal())
    with pytest.raises(ListenError, match=f"{name}: .*{problem}; "):
        await service.serve(f"{tmp_path}/{name}", lambda caller: None)
    assert await trio.Path(tmp_path / "taken").read_text() == "a file that is not ours"
    assert capfd.readouterr().err == ""


async def test_a_connect_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "silent")
    async with meeting(tmp_path) as nodes:
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(path)
            silent.listen(1)
            async with trio.open_nursery() as nursery:
                transport = nodes.client.transport("outgoing", "silent")
                nursery.start_soon(nodes.client.service.connect, f"unix:{path}", transport)
                await trio.testing.wait_all_tasks_blocked()
                assert transport.session in nodes.client.service.sessions
                nursery.cancel_scope.cancel()
        assert not nodes.client.service.sessions
        assert nodes.client.done[0].close_reason == "given up by this side"


async def test_stopping_closes_sessions_on_both_sides(tmp_path: Path) -> None:
    async with meeting(tmp_path) as nodes:
        sessions = [await nodes.connect(peer=f"server-{n}", path="direct") for n in range(3)]
    assert {session.state for session in sessions} == {"closed"}
    assert not nodes.client.service.sessions
    assert not nodes.server.service.sessions
    assert len(nodes.server.done) == 3
