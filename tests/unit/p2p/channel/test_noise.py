"""The secure channel: who it is with, what it agrees on, and that nothing hostile gets through or out."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from libp2p.crypto.pb.crypto_pb2 import KeyType
from libp2p.crypto.pb.crypto_pb2 import PublicKey as KeyMessage
from libp2p.security.noise.pb.noise_pb2 import NoiseHandshakePayload

from kaspa_node.p2p.channel import noise, yamux
from kaspa_node.p2p.channel.noise import MAX_PLAINTEXT, NoiseHandshake, NoiseKeys
from kaspa_node.p2p.errors import NoiseError, ProtocolError, WrongPeer
from tests.unit.p2p.parties import channel, keys, peer_id, shake_hands

OTHER_MUXER = "/mplex/6.7.0"


def pair(
    ours: NoiseKeys | None = None, theirs: NoiseKeys | None = None, expected: str | None = None
) -> tuple[NoiseHandshake, NoiseHandshake]:
    """A dialer, party 1, and a listener, party 2."""
    return (
        NoiseHandshake(ours or keys(1), initiator=True, expected=expected),
        NoiseHandshake(theirs or keys(2), initiator=False),
    )


def test_both_sides_learn_who_the_other_is() -> None:
    initiator, responder = pair(expected=peer_id(2))
    shake_hands(initiator, responder)
    assert initiator.done
    assert responder.done
    assert (initiator.remote, responder.remote) == (peer_id(2), peer_id(1))


def test_the_binding_is_that_of_this_connection_only() -> None:
    (a, b), (c, d) = pair(), pair()
    shake_hands(a, b)
    shake_hands(c, d)
    assert len(a.binding) == 32
    assert a.binding == b.binding != c.binding == d.binding


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [
        ((yamux.PROTOCOL,), (yamux.PROTOCOL,), yamux.PROTOCOL),
        ((yamux.PROTOCOL, OTHER_MUXER), (OTHER_MUXER, yamux.PROTOCOL), yamux.PROTOCOL),
        ((OTHER_MUXER, yamux.PROTOCOL), (yamux.PROTOCOL,), yamux.PROTOCOL),
        ((yamux.PROTOCOL,), (OTHER_MUXER,), None),
        ((yamux.PROTOCOL,), (), None),
    ],
)
def test_the_muxer_is_the_first_of_the_dialer_that_the_listener_has(
    ours: tuple[str, ...], theirs: tuple[str, ...], agreed: str | None
) -> None:
    initiator, responder = pair(keys(1, ours), keys(2, theirs))
    shake_hands(initiator, responder)
    assert initiator.muxer == responder.muxer == agreed


def test_another_peer_than_the_expected_one_is_refused_by_name() -> None:
    initiator, responder = pair(expected=peer_id(3))
    with pytest.raises(WrongPeer) as caught:
        shake_hands(initiator, responder)
    assert (caught.value.expected, caught.value.actual) == (peer_id(3), peer_id(2))
    assert not initiator.done


def test_a_listener_may_expect_somebody_too() -> None:
    initiator = NoiseHandshake(keys(1), initiator=True)
    responder = NoiseHandshake(keys(2), initiator=False, expected=peer_id(3))
    with pytest.raises(WrongPeer):
        shake_hands(initiator, responder)
    assert not responder.done


@pytest.mark.parametrize("at", [0, 40, -1])
def test_a_changed_handshake_message_is_noticed(at: int) -> None:
    initiator, responder = pair()
    message = bytearray(responder.receive(initiator.opening()))
    body = memoryview(message)[2:]
    body[at] ^= 1
    with pytest.raises(NoiseError):
        initiator.receive(bytes(message))
    assert not initiator.done


def test_a_handshake_in_single_bytes() -> None:
    initiator, responder = pair()

    def bytewise(side: NoiseHandshake, data: bytes) -> bytes:
        return b"".join(side.receive(data[i : i + 1]) for i in range(len(data)))

    bytewise(responder, bytewise(initiator, bytewise(responder, initiator.opening())))
    assert initiator.done
    assert responder.done


@pytest.mark.parametrize(("mine", "theirs"), [(1460, 1460), (1460, 0), (0, 1460)])
def test_filler_makes_the_second_and_third_message_longer_and_is_skipped_by_the_other_side(
    mine: int, theirs: int
) -> None:
    initiator = NoiseHandshake(keys(1), initiator=True, filler=mine)
    responder = NoiseHandshake(keys(2), initiator=False, filler=theirs)
    first = initiator.opening()
    second = responder.receive(first)
    third = initiator.receive(second)
    assert responder.receive(third) == b""
    assert (initiator.remote, responder.remote) == (peer_id(2), peer_id(1))
    assert initiator.muxer == responder.muxer == yamux.PROTOCOL
    assert len(first) < 100
    assert (len(second) > 1460, len(third) > 1460) == (theirs > 0, mine > 0)


def test_what_follows_the_handshake_belongs_to_the_session() -> None:
    initiator, responder = pair()
    last = initiator.receive(responder.receive(initiator.opening()))
    responder.receive(last + initiator.session().seal(b"at once"))
    assert responder.session().open(b"") == [b"at once"]


# Hostile identities

Forge = Callable[[NoiseKeys], bytes]


def meet(forge: Forge) -> None:
    """A dialer meets a listener whose handshake payload is forged."""
    forger = keys(2)
    forger.payload = forge(forger)
    initiator, responder = pair(theirs=forger)
    initiator.receive(responder.receive(initiator.opening()))


def key_message(key_type: int, data: bytes) -> bytes:
    return b"\x08" + bytes([key_type]) + b"\x12" + bytes([len(data)]) + data


def claim(identity_key: bytes, signature: bytes = b"s" * 64) -> Forge:
    return lambda _: NoiseHandshakePayload(identity_key=identity_key, identity_sig=signature).SerializeToString()


def stolen(own: NoiseKeys) -> bytes:
    """Another peer's payload: its signature is for another Noise key."""
    return keys(3).payload


def with_broken_muxer_name(own: NoiseKeys) -> bytes:
    return own.payload + b"\x22\x04\x12\x02\xff\xfe"


@pytest.mark.parametrize(
    "forge",
    [
        lambda own: b"",
        lambda own: b"\xff\xff\xff",
        stolen,
        with_broken_muxer_name,
        claim(b""),
        claim(b"\xff" * 10),
        claim(key_message(KeyType.Ed25519, b"k" * 31)),
        claim(key_message(KeyType.Ed25519, b"k" * 32)),
        claim(key_message(KeyType.Ed25519, bytes(32)), bytes(64)),
        claim(keys(2).payload, b""),
        claim(key_message(KeyType.RSA, b"ssh-rsa AAAA")),
        claim(key_message(KeyType.RSA, b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----")),
        claim(key_message(KeyType.RSA, b"\x30\x80")),
        claim(key_message(KeyType.Secp256k1, b"\x02" + b"k" * 32)),
        claim(key_message(KeyType.ECDSA, b"k")),
        claim(key_message(99, b"k")),
    ],
)
def test_an_identity_that_is_none_is_a_noise_error(forge: Forge) -> None:
    with pytest.raises(NoiseError):
        meet(forge)


@pytest.mark.parametrize("length", [0, 31, 63])
def test_a_signature_of_another_length(length: int) -> None:
    honest = NoiseHandshakePayload.FromString(keys(2).payload).identity_key
    with pytest.raises(NoiseError):
        meet(claim(honest, bytes(length)))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 4), st.binary(max_size=120), st.binary(max_size=70))
def test_no_identity_raises_anything_but_a_noise_error(key_type: int, data: bytes, signature: bytes) -> None:
    with pytest.raises(NoiseError):
        meet(claim(KeyMessage(key_type=KeyType.ValueType(key_type), data=data).SerializeToString(), signature))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_payload_raises_anything_but_a_noise_error(payload: bytes) -> None:
    with pytest.raises(NoiseError):
        meet(lambda _: payload)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_arbitrary_handshake_bytes_raise_nothing_but_protocol_errors(data: bytes, dialing: bool, framed: bool) -> None:
    side = NoiseHandshake(keys(1), initiator=dialing)
    side.opening()
    try:
        side.receive(len(data).to_bytes(2, "big") + data if framed else data)
    except ProtocolError:
        return
    assert not side.done


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 48, 95, 96, 65535])
def test_handshake_messages_of_every_awkward_length(length: int) -> None:
    for dialing in (True, False):
        for body in (bytes(length), b"\x01" * length, os.urandom(length)):
            side = NoiseHandshake(keys(1), initiator=dialing)
            side.opening()
            try:
                side.receive(length.to_bytes(2, "big") + body)
            except NoiseError:
                continue
            assert not side.done


# The transport phase


@pytest.mark.parametrize("size", [0, 1, MAX_PLAINTEXT, MAX_PLAINTEXT + 1, 3 * MAX_PLAINTEXT + 7])
def test_plaintext_of_every_size_passes(size: int) -> None:
    ours, theirs = channel()
    plaintext = bytes(i & 0xFF for i in range(size))
    sealed = ours.seal(plaintext)
    messages = theirs.open(sealed)
    assert b"".join(messages) == plaintext
    assert len(messages) == max(1, -(-size // MAX_PLAINTEXT))
    assert theirs.seal(memoryview(plaintext)) != sealed


def test_no_message_is_longer_than_the_specification_allows() -> None:
    ours, _ = channel()
    sealed = ours.seal(bytes(200_000))
    position = 0
    while position < len(sealed):
        length = int.from_bytes(sealed[position : position + 2], "big")
        assert length <= noise.MAX_MESSAGE
        position += 2 + length
    assert position == len(sealed)


def test_a_truncated_message_waits_for_its_rest() -> None:
    ours, theirs = channel()
    sealed = ours.seal(b"first") + ours.seal(b"second")
    for cut in range(len(sealed) - 1):
        assert theirs.open(sealed[cut : cut + 1]) in ([], [b"first"])
    assert theirs.open(sealed[-1:]) == [b"second"]


@pytest.mark.parametrize(
    "harm",
    [
        lambda first, second: first[:-1] + bytes([first[-1] ^ 1]),
        lambda first, second: first + first,
        lambda first, second: second,
    ],
    ids=["changed", "repeated", "left out"],
)
def test_messages_can_not_be_tampered_with(harm: Callable[[bytes, bytes], bytes]) -> None:
    ours, theirs = channel()
    wire = harm(ours.seal(b"first"), ours.seal(b"second"))
    with pytest.raises(NoiseError, match="authentication"):
        theirs.open(wire)


@pytest.mark.parametrize("length", [0, 1, 15, 16])
def test_a_message_too_short_for_its_tag(length: int) -> None:
    _, theirs = channel()
    with pytest.raises(NoiseError):
        theirs.open(length.to_bytes(2, "big") + bytes(length))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=2000), max_size=6), st.lists(st.integers(1, 700), min_size=1))
def test_content_survives_any_split(pieces: list[bytes], sizes: list[int]) -> None:
    ours, theirs = channel()
    wire = b"".join(map(ours.seal, pieces))
    opened: list[bytes] = []
    position = step = 0
    while position < len(wire):
        size = sizes[step % len(sizes)]
        opened += theirs.open(wire[position : position + size])
        position += size
        step += 1
    assert opened == pieces


@settings(deadline=None)
@given(st.binary(min_size=2, max_size=200))
def test_arbitrary_transport_bytes_open_nothing(data: bytes) -> None:
    _, theirs = channel()
    try:
        assert theirs.open(data) == []
    except NoiseError:
        return
