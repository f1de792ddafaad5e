"""State machines ready to be driven by hand, and a wire of plain lists between two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from kaspa_node.kaspa.events import Event, Send
from kaspa_node.kaspa.flows import Flows, FlowSources
from kaspa_node.kaspa.handshake import Handshake, HandshakeSettings
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage
from kaspa_node.kaspa.protowire.p2p_pb2 import VersionMessage
from kaspa_node.kaspa.session import Session

OURS, THEIRS = b"o" * 16, b"t" * 16
NETWORK = "kaspa-mainnet"


def nonces(first: int = 1000) -> Callable[[], int]:
    """A source of nonces that counts."""
    numbers = count(first)
    return lambda: next(numbers)


def handshake(taken: Callable[[bytes], bool] = lambda node_id: False, **settings: object) -> Handshake:
    """Our side of a handshake; settings: those that differ from a plain mainnet node."""
    values: dict[str, object] = {"network": NETWORK, "node_id": OURS, "user_agent": "/ours/"}
    values |= {"protocol_version": 10, "minimum_protocol_version": 5} | settings
    return Handshake(HandshakeSettings(**values), 1_700_000_000_000, taken)  # type: ignore[arg-type]


def flows(ping_interval: float = 120.0) -> Flows:
    """Flows of a node that knows no addresses."""
    return Flows(FlowSources(nonces(), list), ping_interval)


def session(taken: Callable[[bytes], bool] = lambda node_id: False, **settings: object) -> Session:
    """Our side of a session."""
    return Session(handshake(taken, **settings), flows())


def version(**fields: object) -> KaspadMessage:
    """The peer's Version; fields: those that differ from a peer that we accept."""
    values: dict[str, object] = {"protocolVersion": 10, "id": THEIRS, "userAgent": "/theirs/", "network": NETWORK}
    return KaspadMessage(version=VersionMessage(**(values | fields)))  # type: ignore[arg-type]


def sent(events: list[Event]) -> list[str]:
    """The kinds of the messages among the events."""
    return [str(event.message.WhichOneof("payload")) for event in events if isinstance(event, Send)]


def of(kind: type, events: list[Event]) -> Iterator[Event]:
    """The events of one kind."""
    return (event for event in events if isinstance(event, kind))


def converse(left: Session, right: Session, now: float = 0.0) -> tuple[list[Event], list[Event]]:
    """Start both and carry their messages until neither has more to say; what each reported."""
    reports: tuple[list[Event], list[Event]] = ([], [])
    machines = (left, right)
    waiting: list[tuple[int, list[Event]]] = [(side, machines[side].start(now)) for side in (0, 1)]
    while waiting:
        side, events = waiting.pop(0)
        reports[side].extend(events)
        for event in events:
            if isinstance(event, Send):
                waiting.append((1 - side, machines[1 - side].receive(event.message, now)))
    return reports
