"""TCP sockets over loopback."""

from __future__ import annotations

import socket

import pytest

from kaspa_node.p2p import tcp
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.errors import DialError
from tests.integration.resolving import names

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


@pytest.mark.parametrize(
    ("family", "found"),
    [
        ("dns4", ["192.0.2.1", "192.0.2.2"]),
        ("dns6", ["2001:db8::1"]),
        ("dns", ["192.0.2.1", "2001:db8::1", "192.0.2.2"]),
    ],
)
async def test_a_name_has_all_its_addresses_of_the_family_once_and_in_order(family: str, found: list[str]) -> None:
    with names(relay=["192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.1"]):
        assert await tcp.resolve("relay.example", 4011, family) == [SocketAddress(ip, 4011) for ip in found]


@pytest.mark.parametrize(("ip", "family"), [("192.0.2.1", "ip4"), ("2001:db8::1", "ip6")])
async def test_an_address_is_itself(ip: str, family: str) -> None:
    assert await tcp.resolve(ip, 4011, family) == [SocketAddress(ip, 4011)]


async def test_a_name_without_an_address_of_the_family_can_not_be_resolved() -> None:
    with names(relay=["2001:db8::1"]), pytest.raises(DialError, match=r"the name relay\.example can't be resolved: "):
        await tcp.resolve("relay.example", 4011, "dns4")


@pytest.mark.parametrize("name", ["a..example", f"{'a' * 64}.example", "-.example", "xn--\x00"])
async def test_what_can_be_no_name_can_not_be_resolved(name: str) -> None:
    with names(), pytest.raises(DialError, match="can't be resolved"):
        await tcp.resolve(name, 4011, "dns4")
