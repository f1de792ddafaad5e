"""What sessions share."""

from __future__ import annotations

import ipaddress
from random import Random

from kaspa_node.kaspa.addresses import NodeAddress
from kaspa_node.kaspa.hub import Hub


def test_a_key_is_taken_until_released() -> None:
    hub = Hub()
    key = (b"x" * 16, "fdff::1")
    assert not hub.taken(key)
    hub.take(key)
    assert hub.taken(key)
    assert not hub.taken((key[0], "fdff::2"))
    hub.release(key)
    assert not hub.taken(key)


def test_directions_are_counted_apart() -> None:
    hub = Hub()
    assert [hub.connected("incoming"), hub.connected("incoming"), hub.connected("outgoing")] == [1, 2, 1]
    hub.disconnected("incoming")
    assert hub.connected("incoming") == 2


def test_addresses_come_from_the_book() -> None:
    hub = Hub(Random(1))
    address = NodeAddress(ipaddress.ip_address("8.8.8.8"), 1)
    hub.book.add([address])
    assert hub.addresses() == [address]
