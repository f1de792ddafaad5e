"""What the doctor can find, from root cause to symptom, and which finding explains which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CAUSE, CONSEQUENCE, WARNING = "cause", "consequence", "warning"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding.

    explains: names of kinds that follow from it, if both are about the same host.
    warning: it is worth a line, but does no harm.
    """

    name: str
    meaning: str
    explains: tuple[str, ...] = ()
    warning: bool = False


_NO_WAY = ("reservation-missing", "no-session")
_NO_RELAY = ("relay-unreachable", *_NO_WAY)
_WRONG_ID = ("id-wrong", "not-allowed", "kaspa-rejected", *_NO_RELAY)
_NO_NODE = (*_WRONG_ID, "punch-failed")
_NO_START = ("service-down", "service-crashing", *_NO_NODE)
_NO_HANDSHAKE = ("kaspa-rejected", "no-session")

KINDS: tuple[Kind, ...] = (
    Kind("host-unreachable", "A host can't be reached over SSH.", _NO_WAY),
    Kind("login-fails", "Nobody can log into a host, but its node is alive: other hosts see it.", warning=True),
    Kind("clock-off", "A host's clock differs from the controller's.", warning=True),
    Kind("firewall-replaced", "A host throws ufw's rules away at boot or at a reload.", warning=True),
    Kind("configuration-wrong", "A node's settings can't be used, so it does not start.", _NO_START),
    Kind("service-down", "A service is stopped, has failed, or is not installed.", _NO_NODE),
    Kind("service-crashing", "A service ends again and again.", _NO_NODE),
    Kind(
        "service-silent",
        "A service runs but does not answer: it is stopped by a signal, frozen, or overloaded.",
        _NO_NODE,
    ),
    Kind("key-changed", "A host has another key than the one that other hosts know.", _WRONG_ID),
    Kind("key-shared", "Two hosts have the same key.", _WRONG_ID),
    Kind("key-not-loaded", "A node still uses an old key: its key file has changed since it started.", _WRONG_ID),
    Kind("id-wrong", "A configuration names the wrong peer id for a host.", ("not-allowed", *_NO_WAY)),
    Kind("relay-none", "A peer has no relay, or the two have none in common.", _NO_WAY),
    Kind("relay-address", "A peer looks for its relay at an address where the relay is not.", _NO_RELAY),
    Kind("relay-firewall", "The relay's own firewall blocks its port.", _NO_RELAY),
    Kind("relay-half-open", "The relay's own firewall blocks its port for one IP version.", warning=True),
    Kind("relay-unreachable", "A peer gets no TCP connection to its relay.", _NO_WAY),
    Kind("not-allowed", "A peer's id is not on the allow list of the relay, or of the peer that it dials.", _NO_WAY),
    Kind("network-differs", "The two peers are on different Kaspa networks.", _NO_HANDSHAKE),
    Kind("protocol-differs", "One peer's protocol version is too low for the other.", _NO_HANDSHAKE),
    Kind("not-reserving", "The settings of the dialed peer switch reservations off.", _NO_WAY),
    Kind("not-dialed", "According to the inventory, neither of the two dials the other.", ("no-session",)),
    Kind("reservation-missing", "A peer has no reservation on a relay.", ("no-session",)),
    Kind("policy", "The path policy allows only the relay, or only a direct path.", ("punch-failed",)),
    Kind(
        "port-not-used",
        "A peer's connection to its relay uses another local port than its listening port.",
        ("punch-failed",),
    ),
    Kind(
        "nat-symmetric",
        "A NAT uses another port for each destination, so the mapping that the relay saw does not help.",
        ("punch-failed", "no-session"),
    ),
    Kind("nat-shared", "Both peers are behind one public address.", ("punch-failed",)),
    Kind("punch-failed", "The last hole punches failed.", ("no-session",)),
    Kind("backend-down", "The external backend does not accept connections.", ("no-session",)),
    Kind("kaspa-rejected", "A peer rejected the Kaspa handshake, or it failed.", ("no-session",)),
    Kind("no-session", "There is no session, and nothing above says why."),
)
_ORDER = {kind.name: place for place, kind in enumerate(KINDS)}
_KINDS = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    kind: the name of one of KINDS. about: names of the hosts concerned. text: what is wrong, a clause with names.
    evidence: how it was seen. remedy: what to try next, a sentence.
    """

    kind: str
    about: frozenset[str]
    text: str
    evidence: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Told:
    """A finding and its part: CAUSE, CONSEQUENCE of an earlier one, or WARNING."""

    finding: Finding
    part: str


def in_order(found: Sequence[Finding]) -> tuple[Told, ...]:
    """The findings from root cause to symptom, each once, causes before what follows from them."""
    ordered = sorted(dict.fromkeys(found), key=lambda finding: _ORDER[finding.kind])
    return tuple(Told(finding, _part(finding, ordered[:place])) for place, finding in enumerate(ordered))


def _part(finding: Finding, earlier: Sequence[Finding]) -> str:
    if _KINDS[finding.kind].warning:
        return WARNING
    return CONSEQUENCE if any(_explains(other, finding) for other in earlier) else CAUSE


def _explains(cause: Finding, finding: Finding) -> bool:
    follows = finding.kind in _KINDS[cause.kind].explains and cause.kind != finding.kind
    return follows and bool(cause.about & finding.about)
