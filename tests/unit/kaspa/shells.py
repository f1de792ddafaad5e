"""What the trio shell needs around it: a journal that remembers, and a link without threads."""

from __future__ import annotations

import math
from collections.abc import Callable

import trio

from kaspa_node import networks
from kaspa_node.journal import FieldValue, Journal
from kaspa_node.kaspa import messages
from kaspa_node.kaspa.config import KaspaConfig, Transport
from kaspa_node.kaspa.errors import End, StreamEnded
from kaspa_node.kaspa.hub import Hub
from kaspa_node.kaspa.intake import Intake
from kaspa_node.kaspa.link import Arrival
from kaspa_node.kaspa.peer_session import KaspaSession
from kaspa_node.kaspa.protowire.messages_pb2 import KaspadMessage
from kaspa_node.milestones import Milestone
from tests.unit.kaspa.machines import nonces


class RecordingJournal(Journal):
    """Remembers the milestones and the other lines."""

    def __init__(self) -> None:
        super().__init__()
        self.milestones: list[tuple[str, dict[str, FieldValue]]] = []
        self.lines: list[str] = []

    def record(self, milestone: Milestone, **fields: FieldValue) -> None:
        super().record(milestone, **fields)
        self.milestones.append((milestone.name, fields))

    def debug(self, text: str, *args: object) -> None:
        self.lines.append(text % args)

    def warning(self, text: str, *args: object) -> None:
        self.lines.append(text % args)

    def info(self, text: str, *args: object) -> None:
        self.lines.append(text % args)

    def names(self) -> list[str]:
        """The milestones in order."""
        return [name for name, _ in self.milestones]

    def of(self, name: str) -> dict[str, FieldValue]:
        """The fields of the one milestone of that name."""
        (fields,) = (fields for recorded, fields in self.milestones if recorded == name)
        return fields


class MemoryLink:
    """A link that is one end of a wire in memory. drop: which messages get lost on the way out."""

    def __init__(self, drop: Callable[[KaspadMessage], bool] = lambda message: False) -> None:
        self._into, self._from = trio.open_memory_channel[bytes](math.inf)
        self._intake = Intake()
        self._drop = drop
        self.other: MemoryLink = self
        self.congested = False
        self.relief = trio.Event()
        self.finished = False
        self.received = 0

    async def relieved(self) -> None:
        await self.relief.wait()

    def send(self, data: bytes) -> None:
        if not self._drop(messages.decode(data)):
            self.other.arrive(data)

    def arrive(self, data: bytes) -> None:
        """Bytes of the other end."""
        try:
            self._into.send_nowait(data)
        except trio.ClosedResourceError:
            return

    def end(self) -> None:
        """The other end is gone."""
        self._into.close()

    async def receive(self) -> Arrival:
        try:
            data = await self._from.receive()
        except trio.EndOfChannel:
            raise StreamEnded(End.ENDED) from None
        self.received += 1
        return Arrival(self._intake.take(data), len(data))

    async def finish(self, linger: float) -> None:
        self.finished = True
        self.other.end()


def wire(drop: Callable[[KaspadMessage], bool] = lambda message: False) -> tuple[MemoryLink, MemoryLink]:
    """Both ends of a wire; drop: of the messages of the left end."""
    left, right = MemoryLink(drop), MemoryLink()
    left.other, right.other = right, left
    return left, right


def config(**values: object) -> KaspaConfig:
    """A mainnet node's, with nonces that count."""
    return KaspaConfig(**({"network": networks.MAINNET, "nonce": nonces()} | values))  # type: ignore[arg-type]


def transport(
    direction: str = "outgoing", address: str = "[fdff::1]:40000", session: str = "9f3a51c20b77d0e4.3"
) -> Transport:
    """A direct connection to some peer."""
    return Transport(session, "12D3KooWPeer", "direct", direction, address)  # type: ignore[arg-type]


class Node:
    """One node's side of sessions."""

    def __init__(self, **values: object) -> None:
        self.config = config(**values)
        self.hub = Hub()
        self.journal = RecordingJournal()

    def session(self, link: MemoryLink, over: Transport | None = None) -> KaspaSession:
        """A session over `link`, not yet running."""
        return KaspaSession(self.config, over or transport(), link, self.hub, self.journal)  # type: ignore[arg-type]
