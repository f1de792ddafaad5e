"""Why something did not work: a code for programs, and a sentence for people.

Programs compare codes and never read sentences. Every sentence is made here, from the code and its details.
"""

from __future__ import annotations

# Hole punches (kaspa_node/p2p/punch)
NO_ANSWER = "no-answer"
HANDSHAKE_TIMEOUT = "handshake-timeout"
NO_ADDRESSES = "no-addresses"
REFUSED_BY_REMOTE = "refused-by-remote"
REMOTE_SILENT = "remote-silent"
EXCHANGE_TIMEOUT = "exchange-timeout"
EXCHANGE_FAILED = "exchange-failed"
CIRCUIT_LOST = "circuit-lost"

SENTENCES = {
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
    CIRCUIT_LOST: "the relayed connection has ended: {why}",
}
"""The sentence of each code; the names in braces are its details."""


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
