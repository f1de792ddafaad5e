"""TCP sockets over loopback."""

from __future__ import annotations

import socket

import pytest

from kaspa_node.p2p import tcp
from kaspa_node.p2p.addresses import SocketAddress

pytestmark = pytest.mark.trio


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])
async def test_the_kernel_gives_up_on_a_silent_remote_whoever_has_dialed(ip: str) -> None:
    with tcp.listen(SocketAddress(ip, 0)) as listener:
        name = listener.getsockname()
        with await tcp.connect(SocketAddress(name[0], name[1])) as dialed:
            accepted, _ = listener.accept()
            with accepted:
                timeouts = [s.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) for s in (dialed, accepted)]
    assert timeouts == [tcp.USER_TIMEOUT_MS, tcp.USER_TIMEOUT_MS]
