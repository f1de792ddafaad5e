"""The rule from proofs to a verdict: one pure function over one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kaspa_node.constants import MAX_PUNCH_ATTEMPTS, PEER_PORT, PREFER_DIRECT
from kaspa_node.evidence.findings import Finding, Missing, Proven, Refuted
from kaspa_node.evidence.proof import DIRECT, RELAYED, required
from kaspa_node.reasons import POLICY_RELAY_ONLY

PASS, FLAKY, WORKS_RELAYED, FAIL = "PASS", "PASS-FLAKY", "RELAYED", "FAIL"
EXIT_SATISFIED, EXIT_FAIL, EXIT_UNUSABLE, EXIT_RELAYED = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the rule depends on.

    expect: direct, relayed or any. claimed: the path that the peers claim, None without a session.
    findings: what was found for each piece that the claimed path requires; an absent finding counts as missing.
    attempts: the attempt at which the punch succeeded. breakdown, hint: why there is no session, and what to do.
    relayed_because: why the session is not direct, for people. native: which of `client` and `server` have a native
    program. relayed_code: why the dialing peer has no direct path, as a code. peer_port: where the peers listen.
    """

    expect: str
    claimed: str | None
    findings: Mapping[str, Finding]
    attempts: int | None
    breakdown: str
    hint: str
    relayed_because: str
    native: frozenset[str] = frozenset()
    relayed_code: str | None = None
    peer_port: str = f"{PEER_PORT}/tcp"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer. path: direct, relayed, none or unproven. exit_code: that of `judge`. missing: keys of pieces."""

    word: str
    path: str
    reason: str
    hint: str
    rule: str
    exit_code: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: the first whose `when` holds decides."""

    name: str
    when: Callable[[Facts], bool]
    word: str
    path: str
    exit_code: int
    meaning: str
    reason: Callable[[Facts], str]
    hint: Callable[[Facts], str]


def _lacking(facts: Facts, kind: type[Missing] | type[Refuted]) -> list[tuple[str, Finding]]:
    pieces = required(facts.claimed or "", facts.native)
    found = [(piece.key, facts.findings.get(piece.key, Missing("was not looked for"))) for piece in pieces]
    return [(key, finding) for key, finding in found if isinstance(finding, kind)]


def _first(facts: Facts, kind: type[Missing] | type[Refuted]) -> str:
    key, finding = _lacking(facts, kind)[0]
    return f"{key}: {finding.detail}"


_OTHER_PORTS = "A path through a NAT with another port for each destination can't be proven: use another NAT there."
_PIECE_HINTS = {
    "hosts": "Make the host reachable and its service's control socket readable, then run verify again.",
    "clocks": "Use the evidence of one run only, and don't change clocks during a run.",
    "services": "Find out why the service stopped or restarted, then run verify again.",
    "identity": "Deploy again, which records each host's peer id. No two hosts may have the same key.",
    "alive": "The session ended too early: look at the lines around its end in both journals.",
    "bytes.session": "Exercise the session with more pings, so that its bytes can be found.",
    "mirror.client": _OTHER_PORTS,
    "mirror.server": _OTHER_PORTS,
}
_ANY_PIECE = "Run verify again; docs/verdicts.md says what this piece of proof needs."
_ASKED_FOR = f"Nothing to do: the policy asks for the relay. Use the policy {PREFER_DIRECT} for a direct path."


def _relayed_hint(facts: Facts) -> str:
    if facts.relayed_code == POLICY_RELAY_ONLY:
        return _ASKED_FOR
    return f"Open {facts.peer_port} towards one of the peers, or use a NAT that keeps one mapping for all destinations."


def _piece_hint(kind: type[Missing] | type[Refuted]) -> Callable[[Facts], str]:
    return lambda facts: _hints(facts).get(_lacking(facts, kind)[0][0], _ANY_PIECE)


def _hints(facts: Facts) -> dict[str, str]:
    """A native program can't be made to send more, so the hint about more pings does not apply."""
    return {**_PIECE_HINTS, "bytes.session": _ANY_PIECE} if "client" in facts.native else _PIECE_HINTS


def _handshake(facts: Facts) -> str:
    of = {frozenset({"client", "server"}): "the two native programs", frozenset({"client"}): "the native client"}
    of[frozenset({"server"})] = "the native server"
    return f"The Kaspa handshake of {of[facts.native]}" if facts.native else "The Kaspa handshake"


RULES: tuple[Rule, ...] = (
    Rule(
        "no session",
        lambda facts: facts.claimed not in (DIRECT, RELAYED),
        FAIL,
        "none",
        EXIT_FAIL,
        "There is no Kaspa session between the two peers. The reason names the likely cause and the missing milestone.",
        lambda facts: f"No Kaspa handshake: {facts.breakdown}",
        lambda facts: facts.hint,
    ),
    Rule(
        "contradicted",
        lambda facts: bool(_lacking(facts, Refuted)),
        FAIL,
        "unproven",
        EXIT_FAIL,
        "The peers claim a path, but a piece of evidence contradicts it. The reason names the contradiction.",
        lambda facts: f"Not proven to be {facts.claimed}, {_first(facts, Refuted)}",
        _piece_hint(Refuted),
    ),
    Rule(
        "incomplete",
        lambda facts: bool(_lacking(facts, Missing)),
        FAIL,
        "unproven",
        EXIT_FAIL,
        "The peers claim a path, but a required piece of proof is missing. The reason names the piece.",
        lambda facts: f"The proof of the {facts.claimed} path is incomplete, {_first(facts, Missing)}",
        _piece_hint(Missing),
    ),
    Rule(
        "relayed, direct expected",
        lambda facts: facts.claimed == RELAYED and facts.expect == DIRECT,
        FAIL,
        RELAYED,
        EXIT_RELAYED,
        "The session works and is proven to run over the relay, but expect_path asks for direct.",
        lambda facts: f"The handshake works, but over the relay: {facts.relayed_because}",
        _relayed_hint,
    ),
    Rule(
        "relayed",
        lambda facts: facts.claimed == RELAYED,
        WORKS_RELAYED,
        RELAYED,
        EXIT_SATISFIED,
        "The session works and is proven to run over the relay, which expect_path allows.",
        lambda facts: f"The handshake works over the relay: {facts.relayed_because}",
        _relayed_hint,
    ),
    Rule(
        "first attempt",
        lambda facts: facts.attempts == 1,
        PASS,
        DIRECT,
        EXIT_SATISFIED,
        "Every piece of proof for the direct path is there, and the first attempt of the hole punch succeeded.",
        lambda facts: f"{_handshake(facts)} ran over a direct connection, punched at the first attempt",
        lambda facts: "Nothing to do.",
    ),
    Rule(
        "later attempt",
        lambda facts: facts.attempts in range(2, MAX_PUNCH_ATTEMPTS + 1),
        FLAKY,
        DIRECT,
        EXIT_SATISFIED,
        "Every piece of proof for the direct path is there, but the hole punch needed a second or third attempt.",
        lambda facts: f"{_handshake(facts)} ran over a direct connection, punched at attempt {facts.attempts}",
        lambda facts: (
            "Run verify a few times. On a loaded host or behind a slow NAT the two dials can miss each other."
        ),
    ),
    Rule(
        "attempt unknown",
        lambda facts: True,
        FAIL,
        "unproven",
        EXIT_FAIL,
        "Every piece of proof is there, but it is not known which attempt succeeded.",
        lambda facts: f"The proof of the direct path is incomplete, punch: attempt {facts.attempts}",
        lambda facts: _ANY_PIECE,
    ),
)


def judge(facts: Facts) -> Verdict:
    """The verdict on these facts; the same facts always give the same one."""
    rule = next(rule for rule in RULES if rule.when(facts))
    missing = tuple(
        piece.key
        for piece in required(facts.claimed or "", facts.native)
        if not isinstance(facts.findings.get(piece.key), Proven)
    )
    reason, hint = rule.reason(facts), rule.hint(facts)
    return Verdict(rule.word, rule.path, reason, hint, rule.name, rule.exit_code, missing)
