"""The answer to a request for a fresh session: its path, how long each step took, and why it is not direct."""

from __future__ import annotations

from kaspa_node import reasons
from kaspa_node.node.backends.base import Session
from kaspa_node.node.remote.events import Outcome
from kaspa_node.p2p.channel.connection import DIRECT


def reply(session: Session, outcome: Outcome, connection: str, peer: str, run: str | None) -> dict[str, object]:
    """As JSON values; times in seconds. connection: the id of the connection under the session."""
    direct, heard = outcome.path.kind == DIRECT, session.first_byte_at
    punch = None if outcome.direct_at is None else outcome.direct_at - outcome.relayed_at
    return {
        "session": session.session,
        "conn": connection,
        "path": outcome.path.kind,
        "peer_id": peer,
        "run": run,
        "timings": {
            "relayed_dial": _rounded(outcome.relayed_at - outcome.started),
            "punch": _rounded(punch),
            "first_direct": _rounded(heard - outcome.relayed_at if direct and heard else None),
            "handshake": _rounded(session.handshake_seconds),
            "dial_to_ready": _rounded(outcome.ready_at - outcome.started),
        },
        "punch": {
            "attempts": outcome.attempts,
            "succeeded": outcome.direct_at is not None,
            **reasons.as_json(outcome.not_direct),
        },
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
