"""Multiaddrs and peer ids as people write them, checked and split.

Supported: `/ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT`, for a relay followed by `/p2p/ID`, and for a circuit also by
`/p2p-circuit` and `/p2p/ID` of its far end. multiaddr's and libp2p's errors end here, as BadValue.
"""

from __future__ import annotations

from libp2p.peer.id import ID
from multiaddr import Multiaddr
from multiaddr.exceptions import Error as MultiaddrError

from kaspa_node.errors import shown
from kaspa_node.settings.values import RelayAddress, TcpAddress

EXPECT_PEER_ID = "an Ed25519 peer id: 52 characters that begin with 12D3KooW"
EXPECT_LISTEN = "/ip4|ip6/ADDRESS/tcp/PORT, such as /ip4/0.0.0.0/tcp/4012"
EXPECT_EXTERNAL = "/ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT, such as /ip4/203.0.113.20/tcp/4012"
EXPECT_RELAY = "/ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT/p2p/RELAY-ID, such as /ip4/203.0.113.10/tcp/4011/p2p/12D3KooW…"
EXPECT_CIRCUIT = EXPECT_RELAY.replace(", such", ", with or without /p2p-circuit, such")

_NAMES = ("dns", "dns4", "dns6")
_HOSTS = ("ip4", "ip6", *_NAMES)
_PEER_ID_BYTES = 38


class BadValue(ValueError):
    """A text that can't be used. value: the wrong part; problem and expected: one clause each."""

    def __init__(self, value: object, problem: str, expected: str) -> None:
        super().__init__(f"{shown(value)} {problem}; expected {expected}")
        self.value = value
        self.problem = problem
        self.expected = expected


def parse_peer_id(text: str) -> str:
    """The peer id that the text is; raises BadValue. Only ids of Ed25519 keys, in base58, are supported."""
    if text.strip() != text or not text.isascii():
        raise BadValue(text, "is not a peer id", EXPECT_PEER_ID)
    try:
        peer_id = ID.from_base58(text)
    except ValueError as error:
        raise BadValue(text, f"is not a peer id ({error})", EXPECT_PEER_ID) from error
    # extract_public_key answers None for hashes and for damaged ids alike: only the length shows that an id was cut.
    if len(peer_id.to_bytes()) != _PEER_ID_BYTES or peer_id.extract_public_key() is None or str(peer_id) != text:
        problem = "is not a complete Ed25519 peer id" if text.startswith("12D3") else "is not an Ed25519 peer id"
        raise BadValue(text, problem, EXPECT_PEER_ID)
    return text


def parse_listen(text: str) -> TcpAddress:
    """An address to bind: no name, port 0 to 65535; raises BadValue."""
    if is_circuit(text):
        raise BadValue(text, "is a circuit through a relay, which belongs in `relays`", EXPECT_LISTEN)
    parts = _split(text, EXPECT_LISTEN)
    address = _socket(text, parts[:2], EXPECT_LISTEN, lowest_port=0)
    if address.family in _NAMES:
        raise BadValue(text, "is a name, and only an address can be listened on", EXPECT_LISTEN)
    _no_rest(text, parts[2:], EXPECT_LISTEN)
    return address


def parse_external(text: str) -> TcpAddress:
    """An address at which others reach this node; raises BadValue."""
    parts = _split(text, EXPECT_EXTERNAL)
    address = _socket(text, parts[:2], EXPECT_EXTERNAL)
    _no_rest(text, parts[2:], EXPECT_EXTERNAL)
    return address


def parse_relay(text: str) -> RelayAddress:
    """A relay, with or without /p2p-circuit at the end; raises BadValue."""
    relay, target = parse_circuit(text)
    if target is not None:
        raise BadValue(text, "goes on beyond the relay", EXPECT_CIRCUIT)
    return relay


def parse_circuit(text: str) -> tuple[RelayAddress, str | None]:
    """The relay of a circuit address, and the peer id at its far end, if there is one; raises BadValue."""
    parts = _split(text, EXPECT_CIRCUIT)
    address = _socket(text, parts[:2], EXPECT_CIRCUIT)
    if len(parts) < 3 or parts[2][0] != "p2p":
        raise BadValue(text, "does not name the relay's peer id", EXPECT_CIRCUIT)
    relay_id = parts[2][1]
    relay = RelayAddress(f"{address.addr}/p2p/{relay_id}", address.host, address.port, relay_id)
    rest = parts[3:]
    if rest and rest[0][0] == "p2p-circuit":
        rest = rest[1:]
        if rest and rest[0][0] == "p2p":
            _no_rest(text, rest[1:], EXPECT_CIRCUIT)
            return relay, rest[0][1]
    _no_rest(text, rest, EXPECT_CIRCUIT)
    return relay, None


def is_circuit(text: str) -> bool:
    """Whether a listen address means a reservation on a relay."""
    return "/p2p-circuit" in text


def _split(text: str, expected: str) -> list[tuple[str, str]]:
    """(protocol, value) of each part; only the protocols of the supported forms."""
    if not text.startswith("/"):
        raise BadValue(text, "is not a multiaddr: it does not begin with /", expected)
    first = text.split("/", 2)[1]
    if first not in _HOSTS:
        raise BadValue(text, f"begins with /{first}: only /ip4, /ip6, /dns, /dns4 and /dns6 are supported", expected)
    _check_port(text, expected)
    _check_peer_ids(text)
    try:
        parts = [(protocol.name, value or "") for protocol, value in Multiaddr(text).items()]
    except MultiaddrError as error:
        raise BadValue(text, f"is not a multiaddr: {_why(error)}", expected) from error
    return parts


def _check_port(text: str, expected: str) -> None:
    """Name a bad port as such, because the library's message does not."""
    parts = text.split("/")
    if len(parts) > 4 and parts[3] == "tcp" and not (parts[4].isascii() and parts[4].isdigit() and len(parts[4]) <= 5):
        raise BadValue(text, f"has the port {shown(parts[4])}, which is not a number from 0 to 65535", expected)
    if len(parts) > 4 and parts[3] == "tcp" and int(parts[4]) > 0xFFFF:
        raise BadValue(text, f"has the port {int(parts[4])}, which is above 65535", expected)


def _check_peer_ids(text: str) -> None:
    """Name a bad peer id as such, because the library calls it an invalid CID."""
    words = text.split("/")
    for place, word in enumerate(words[:-1]):
        if word == "p2p":
            _peer_of(text, words[place + 1])


def _why(error: MultiaddrError) -> str:
    """The library's reason, without the address that the line shows anyway."""
    return str(getattr(error, "message", error))


def _socket(text: str, parts: list[tuple[str, str]], expected: str, lowest_port: int = 1) -> TcpAddress:
    if len(parts) < 2 or parts[1][0] != "tcp":
        found = f"/{parts[1][0]}" if len(parts) > 1 else "nothing"
        raise BadValue(text, f"has {found} instead of /tcp/PORT: only TCP is supported", expected)
    (family, host), (_, port_text) = parts
    port = int(port_text)
    if port < lowest_port:
        raise BadValue(text, "has port 0, which nobody can connect to", expected)
    return TcpAddress(f"/{family}/{host}/tcp/{port}", host, port)


def _peer_of(text: str, peer_id: str) -> str:
    try:
        return parse_peer_id(peer_id)
    except BadValue as error:
        raise BadValue(text, f"names {shown(peer_id)}, which {error.problem}", error.expected) from error


def _no_rest(text: str, rest: list[tuple[str, str]], expected: str) -> None:
    if not rest:
        return
    raise BadValue(text, f"goes on with /{rest[0][0]}, which has no place here", expected)
