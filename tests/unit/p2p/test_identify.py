"""What peers tell of themselves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from libp2p.identity.identify.pb.identify_pb2 import Identify
from multiaddr import Multiaddr

from kaspa_node.p2p import addresses, identify
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.errors import ProtocolError
from kaspa_node.p2p.identify import MAX_PROTOCOLS, PeerInfo
from tests.unit.p2p.parties import identity, peer_id

REMOTE, US, RELAY = peer_id(1), peer_id(2), peer_id(3)
HERE, THERE = SocketAddress("203.0.113.10", 4011), SocketAddress("203.0.113.20", 4012)


def message(observed: bytes = THERE.encode()) -> bytes:
    return identify.encode(
        key=identity(1).public_key,
        agent="kaspa-node/1",
        version="/kaspad/libp2p/1",
        protocols=["/a", "/b"],
        listen=[HERE.encode()],
        observed=observed,
    )


def test_what_is_told_is_understood() -> None:
    assert identify.decode(message(), remote=REMOTE, us=US) == PeerInfo(
        "kaspa-node/1", frozenset({"/a", "/b"}), (HERE,), THERE
    )


def test_the_address_of_a_circuit_is_no_address_at_which_we_are_seen() -> None:
    raw = message(observed=addresses.encode_circuit(HERE, RELAY))
    assert identify.decode(raw, remote=REMOTE, us=US).observed is None
    assert identify.decode(raw, remote=RELAY, us=US).observed is None


def test_the_observed_address_may_end_with_our_id_and_the_listening_ones_with_the_remotes() -> None:
    raw = Identify.FromString(message(observed=Multiaddr(f"{THERE.multiaddr()}/p2p/{US}").to_bytes()))
    raw.listen_addrs[:] = [Multiaddr(f"{HERE.multiaddr()}/p2p/{peer}").to_bytes() for peer in (US, REMOTE)]
    info = identify.decode(raw.SerializeToString(), remote=REMOTE, us=US)
    assert (info.listen, info.observed) == ((HERE,), THERE)
    assert identify.decode(raw.SerializeToString(), remote=REMOTE, us=RELAY).observed is None


def test_the_message_is_libp2ps() -> None:
    raw = Identify.FromString(message())
    assert raw.public_key == identity(1).public_key.serialize()
    assert raw.protocol_version == "/kaspad/libp2p/1"
    assert list(raw.listen_addrs) == [HERE.encode()]


def test_an_empty_message_says_nothing() -> None:
    assert identify.decode(b"", remote=REMOTE, us=US) == PeerInfo("", frozenset(), (), None)


def test_long_lists_and_texts_are_cut() -> None:
    raw = Identify(agent_version="a" * 5000)
    raw.protocols.extend(f"/{number}" for number in range(MAX_PROTOCOLS + 50))
    info = identify.decode(raw.SerializeToString(), remote=REMOTE, us=US)
    assert len(info.agent) == 256
    assert len(info.protocols) == MAX_PROTOCOLS


@pytest.mark.parametrize(
    "raw",
    [b"\xff", b"\x32\x02\xff\xfe", b"\x1a\x02\xff\xfe", b"\x2a\x02\xff\xfe", b"\x1a\x05ab"],
    ids=["no message", "agent", "protocol", "version", "cut"],
)
def test_text_that_is_no_text_is_a_protocol_error_or_survives(raw: bytes) -> None:
    try:
        identify.decode(raw, remote=REMOTE, us=US)
    except ProtocolError:
        return


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_protocol_errors(raw: bytes) -> None:
    try:
        identify.decode(raw, remote=REMOTE, us=US)
    except ProtocolError:
        return
