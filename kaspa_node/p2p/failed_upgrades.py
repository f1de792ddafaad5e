"""Connections that came in and were not set up: always counted, some are logged."""

from __future__ import annotations

from collections import Counter

from kaspa_node import milestones, reasons
from kaspa_node.journal import Journal, Moderation
from kaspa_node.p2p.addresses import SocketAddress
from kaspa_node.p2p.errors import (
    ConnectionLost,
    HandshakeTimeout,
    NegotiationError,
    NothingSaid,
    P2PError,
    ProtocolError,
    WrongPeer,
)
from kaspa_node.reasons import Reason

# The first that fits: some are kinds of others.
_CODES: tuple[tuple[type[P2PError], str], ...] = (
    (WrongPeer, reasons.WRONG_PEER),
    (NegotiationError, reasons.NO_COMMON_PROTOCOL),
    (ProtocolError, reasons.BAD_HANDSHAKE),
    (HandshakeTimeout, reasons.HANDSHAKE_TIMEOUT),
    (NothingSaid, reasons.PORT_TESTED),
    (ConnectionLost, reasons.HUNG_UP),
)


class FailedUpgrades:
    """An observer of the listener's failures. counts: since the start, by code."""

    def __init__(self, journal: Journal) -> None:
        self.counts: Counter[str] = Counter()
        self._journal = journal
        self._moderation = Moderation()

    @property
    def total(self) -> int:
        """All of them."""
        return self._moderation.count

    def __call__(self, remote: SocketAddress, why: P2PError | str) -> None:
        """A connection from `remote` came to nothing. why: the error, or a code."""
        code = why if isinstance(why, str) else code_of(why)
        self.counts[code] += 1
        if self._moderation.due():
            text = str(Reason(code)) if isinstance(why, str | NothingSaid) else why.problem
            self._journal.record(milestones.UPGRADE_FAILED, addr=str(remote), reason=text, code=code, count=self.total)


def code_of(error: P2PError) -> str:
    """The code of the error that ended an upgrade."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), reasons.BAD_HANDSHAKE)
