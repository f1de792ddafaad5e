"""Why something did not work: a code for programs, and a sentence for people.

Programs compare codes and never read sentences. Every sentence is made here, from the code and its details.
"""

from __future__ import annotations

from typing import Final

POLICY_RELAY_ONLY: Final = "policy-relay-only"
"""The path policy wants the relay."""

NO_RELAY_CONFIGURED: Final = "no-relay-configured"
"""No relay is configured for the remote."""

NO_RELAY: Final = "no-relay"
"""None of the relays is connected."""

NO_RESERVATION: Final = "no-reservation"
"""The relay holds no reservation of the remote."""

RELAY_REFUSED: Final = "relay-refused"
"""No relay has opened a circuit."""

NO_LONGER_WANTED: Final = "no-longer-wanted"
"""The remote is no longer one of the configured ones."""

NO_DIRECT_PATH: Final = "no-direct-path"
"""The path policy wants a direct path, and there is none."""

PATH_FAILED_UNDER_DATA: Final = "path-failed-under-data"
"""Nothing came through a direct path after it was opened: it is not tried for a while."""

NODE_STOPPING: Final = "node-stopping"
"""This node is about to end."""

PATH_LOST: Final = "path-lost"
"""The connection under a session has ended."""

NO_SESSION_YET: Final = "no-session-yet"
"""The path is up, and the Kaspa handshake on it is not done."""

SESSION_REFUSED: Final = "session-refused"
"""The Kaspa handshake has failed."""

CIRCUIT_LIMITED: Final = "circuit-limited"
"""The circuit under a session has ended, and the relay limits circuits."""

SESSION_ENDED: Final = "session-ended"
"""The session is over, and its path was in order."""

BACKEND_FAILED: Final = "backend-failed"
"""What speaks Kaspa on this machine could not be reached."""

# Hole punches (kaspa_node/p2p/punch)
NO_ANSWER: Final = "no-answer"
HANDSHAKE_TIMEOUT: Final = "handshake-timeout"
NO_ADDRESSES: Final = "no-addresses"
REFUSED_BY_REMOTE: Final = "refused-by-remote"
REMOTE_SILENT: Final = "remote-silent"
EXCHANGE_TIMEOUT: Final = "exchange-timeout"
EXCHANGE_FAILED: Final = "exchange-failed"
CIRCUIT_LOST: Final = "circuit-lost"
DIRECT_LOST: Final = "direct-lost"

# Connections that came in and were not set up (kaspa_node/p2p/listener.py)
PORT_TESTED: Final = "port-tested"
HUNG_UP: Final = "hung-up"
WRONG_PEER: Final = "wrong-peer"
BAD_HANDSHAKE: Final = "bad-handshake"
NO_COMMON_PROTOCOL: Final = "no-common-protocol"
DISPLACED: Final = "displaced"
NO_PLACE: Final = "no-place"

SENTENCES = {
    POLICY_RELAY_ONLY: "the policy is relay-only",
    NO_RELAY_CONFIGURED: "no relay is configured for it",
    NO_RELAY: "{relays}",
    NO_RESERVATION: "the relay has no reservation for it",
    RELAY_REFUSED: "{answers}",
    NO_LONGER_WANTED: "no longer one of the remotes",
    NO_DIRECT_PATH: "no direct path: {why}",
    PATH_FAILED_UNDER_DATA: "the direct path failed under data ({why}); it is not tried for {seconds:.0f} s",
    NODE_STOPPING: "this node is shutting down",
    PATH_LOST: "{problem}",
    CIRCUIT_LIMITED: "{problem}; the relay limits a circuit to {limit}",
    NO_SESSION_YET: "the {path} path is up, and the Kaspa handshake is not done yet",
    SESSION_REFUSED: "{problem}",
    SESSION_ENDED: "{problem}",
    BACKEND_FAILED: "{problem}",
    NO_ANSWER: "timeout after {seconds:.0f} s ({answers})",
    HANDSHAKE_TIMEOUT: (
        "TCP connected, but the handshake had no answer within {seconds:.0f} s ({answers}); "
        "the path may drop full-size packets"
    ),
    NO_ADDRESSES: "the remote named no address that can be dialed",
    REFUSED_BY_REMOTE: "the remote does not want a hole punch",
    REMOTE_SILENT: "the remote did not begin a hole punch",
    EXCHANGE_TIMEOUT: "no answer within {seconds:.0f} s",
    EXCHANGE_FAILED: "{problem}",
    DIRECT_LOST: "the direct connection has ended already",
    CIRCUIT_LOST: "the relayed connection has ended: {why}",
    PORT_TESTED: "the remote hung up without a word, as deploy, fab doctor and scans do when they test a port",
    DISPLACED: "too many handshakes at a time",
    NO_PLACE: "too many connections",
}
"""The sentence of a code; the names in braces are its details."""


class Reason:
    """A code of SENTENCES with its details; `str` gives the sentence."""

    __slots__ = ("_sentence", "code")

    def __init__(self, code: str, **details: object) -> None:
        self.code = code
        self._sentence = SENTENCES[code].format(**details)

    def __str__(self) -> str:
        return self._sentence

    def __repr__(self) -> str:
        return f"Reason({self.code}: {self._sentence})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reason) and (self.code, str(self)) == (other.code, str(other))

    def __hash__(self) -> int:
        return hash((self.code, self._sentence))


def as_json(reason: Reason | None) -> dict[str, str | None]:
    """`code` and `reason` (the sentence), both None if there is no reason."""
    return {"code": None, "reason": None} if reason is None else {"code": reason.code, "reason": str(reason)}
