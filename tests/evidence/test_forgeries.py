"""Lies, mix-ups and damage on the evidence of real runs: the verdict, and the one sentence that the user reads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kaspa_node import milestones as m
from tests.evidence import forgeries as by
from tests.evidence.corpus import DIRECT, LATER, NOT_PUNCHED, RELAY_ONLY, recorded
from tests.evidence.doctors import THIRD
from tests.evidence.judging import Workbench
from tests.unit.evidence.builder import SERVER, Evidence

Forgery = Callable[[Evidence], None]

PASSED, RELAYED, UNPROVEN = ("PASS", "direct", 0), ("RELAYED", "relayed", 0), ("FAIL", "unproven", 1)
PUNCHED = "The Kaspa handshake ran over a direct connection, punched at the first attempt"
BY_POLICY = "The handshake works over the relay: the policy is relay-only"
NOT_DIRECT, NOT_RELAYED = "Not proven to be direct", "Not proven to be relayed"
AT_RELAY = "went between client and the relay during the exercise, counted by relay; a direct session allows 4096"
LACKING = "The proof of the direct path is incomplete"
LACKING_RELAYED = "The proof of the relayed path is incomplete"
SESSION = recorded(DIRECT).run["session"]["session"]
LATER_SESSION, LATER_RUN = recorded(LATER).run["session"]["session"], recorded(LATER).run["run_id"]

CASES: list[tuple[str, Forgery, tuple[str, str, int], str]] = [
    (
        RELAY_ONLY,
        by.claims,
        UNPROVEN,
        f"{NOT_RELAYED}, stream: stream.opened in the journal of client says path=direct, not relayed",
    ),
    (
        NOT_PUNCHED,
        by.claims,
        UNPROVEN,
        f"{NOT_RELAYED}, stream: stream.opened in the journal of client says path=direct, not relayed",
    ),
    (
        RELAY_ONLY,
        by.all_claims,
        UNPROVEN,
        f"{NOT_DIRECT}, relay.still: the relay carried 17921 bytes and 0 new circuits between the peers meanwhile",
    ),
    (
        NOT_PUNCHED,
        by.all_claims,
        UNPROVEN,
        f"{NOT_DIRECT}, relay.still: the relay carried 20852 bytes and 0 new circuits between the peers meanwhile",
    ),
    (
        RELAY_ONLY,
        by.punch_lines,
        UNPROVEN,
        f"{NOT_DIRECT}, relay.still: the relay carried 17921 bytes and 0 new circuits between the peers meanwhile",
    ),
    (
        NOT_PUNCHED,
        by.punch_lines,
        UNPROVEN,
        f"{NOT_DIRECT}, relay.still: the relay carried 20852 bytes and 0 new circuits between the peers meanwhile",
    ),
    (
        RELAY_ONLY,
        by.root_on("client"),
        UNPROVEN,
        f"{NOT_DIRECT}, bytes.relay: 23081 bytes {AT_RELAY}",
    ),
    (
        RELAY_ONLY,
        by.root_on("server"),
        UNPROVEN,
        f"{NOT_DIRECT}, relay.still: the relay carried 17921 bytes and 0 new circuits between the peers meanwhile",
    ),
    (
        RELAY_ONLY,
        by.root_on("client", "server"),
        UNPROVEN,
        f"{NOT_DIRECT}, bytes.relay: 23081 bytes {AT_RELAY}",
    ),
    (
        NOT_PUNCHED,
        by.root_on("client", "server"),
        UNPROVEN,
        f"{NOT_DIRECT}, bytes.relay: 28652 bytes {AT_RELAY}",
    ),
    (
        LATER,
        by.journals_of_the_run_before,
        UNPROVEN,
        f"{LACKING}, circuit: the journal of client has no circuit.outbound of this run to the server",
    ),
    (
        LATER,
        by.journals_of_the_run_before_renamed,
        UNPROVEN,
        f"{LACKING}, stream: the journal of client has no stream.opened with run={LATER_RUN} session={LATER_SESSION}",
    ),
    (
        LATER,
        by.everything_of_the_run_before,
        UNPROVEN,
        f"{NOT_DIRECT}, clocks: the snapshots of relay were not taken during this run, or not in this order",
    ),
    (
        RELAY_ONLY,
        by.journals_of_the_run_before,
        UNPROVEN,
        f"{LACKING_RELAYED}, circuit: the journal of client has no circuit.outbound of this run to the server",
    ),
    (RELAY_ONLY, by.direct_to_a_third, RELAYED, BY_POLICY),
    (
        RELAY_ONLY,
        by.reply_of_a_third,
        UNPROVEN,
        f"{NOT_DIRECT}, handshake.client: kaspa.version.received in the journal of client says "
        f"peer={THIRD}, not {SERVER}",
    ),
    (DIRECT, by.longer_peer_id, UNPROVEN, f"{NOT_DIRECT}, session: the session is with {SERVER}7, not with the server"),
    (DIRECT, by.server_is_a_prefix_of_the_client, PASSED, PUNCHED),
    (
        DIRECT,
        by.unit_of_another_name,
        UNPROVEN,
        f"{LACKING}, socket.client: client: no established socket 10.1.0.2:4012 -> 203.0.113.30:4012 "
        "of kaspa-peer before the exercise",
    ),
    (LATER, by.with_the_run_before, PASSED, PUNCHED),
    (RELAY_ONLY, by.with_the_run_before, RELAYED, BY_POLICY),
    (LATER, by.interleaved_with_strangers, PASSED, PUNCHED),
    (RELAY_ONLY, by.interleaved_with_strangers, RELAYED, BY_POLICY),
    (
        DIRECT,
        by.reversed_lines,
        UNPROVEN,
        f"{NOT_DIRECT}, handshake.server: the handshake's lines in the journal of server are out of order",
    ),
    (
        DIRECT,
        by.split,
        UNPROVEN,
        f"{LACKING}, handshake.server: the journal of server has no kaspa.ready.received with session={SESSION}",
    ),
    (
        DIRECT,
        by.escape_in(m.PEER_CONNECTED),
        UNPROVEN,
        f"{LACKING}, handshake.server: the journal of server has no peer.connected with session={SESSION}",
    ),
    (DIRECT, by.escape_in(m.PUNCH_STARTED), PASSED, PUNCHED),
    (
        DIRECT,
        by.ten_megabytes_in_a_line,
        UNPROVEN,
        f"{LACKING}, handshake.client: the journal of client has no peer.connected with session={SESSION}",
    ),
    (DIRECT, by.rubbish_between, PASSED, PUNCHED),
    (DIRECT, by.other_zones, PASSED, PUNCHED),
    (RELAY_ONLY, by.other_zones, RELAYED, BY_POLICY),
    (DIRECT, by.zone_changed_within, PASSED, PUNCHED),
    (
        DIRECT,
        by.zone_without_the_time,
        UNPROVEN,
        f"{NOT_DIRECT}, circuit: circuit.outbound in the journal of client was not written during this run",
    ),
    (
        DIRECT,
        by.relay_carried_it,
        UNPROVEN,
        f"{NOT_DIRECT}, relay.still: the relay carried 20000 bytes and 0 new circuits between the peers meanwhile",
    ),
]


@pytest.mark.parametrize(
    ("run", "forgery", "verdict", "reason"), CASES, ids=[f"{forgery.__name__}-{run}" for run, forgery, _, _ in CASES]
)
def test_it_is_judged_for_what_it_is(
    run: str, forgery: Forgery, verdict: tuple[str, str, int], reason: str, workbench: Workbench
) -> None:
    evidence = recorded(run)
    forgery(evidence)
    report = workbench.judge(evidence)
    assert (report["verdict"], report["path"], report["exit_code"]) == verdict
    assert report["reason"] == reason


@pytest.mark.parametrize("host", ["client", "server"])
def test_a_journal_that_was_cut_off_passes_only_when_all_that_counts_came_before(
    host: str, workbench: Workbench
) -> None:
    evidence = recorded(DIRECT)
    lines = evidence.journals[host]
    last = next(index for index, line in enumerate(lines) if " milestone=peer.connected " in line)
    for kept in range(len(lines)):
        for half in (0, len(lines[kept]) // 2):
            evidence.journals[host] = lines[:kept] + ([lines[kept][:half]] if half else [])
            report = workbench.judge(evidence)
            expected = PASSED if kept > last else UNPROVEN
            assert (report["verdict"], report["path"], report["exit_code"]) == expected, (kept, half)
            assert host in report["reason"] or kept > last


def test_the_times_of_other_zones_are_the_same_moments(workbench: Workbench) -> None:
    evidence = recorded(DIRECT)
    known = workbench.judge(evidence)
    by.other_zones(evidence)
    report = workbench.judge(evidence)
    assert {line[23:29] for host in by.PEERS for line in evidence.journals[host]} == {"+05:30", "-09:30"}
    for name in ("milestones", "clock_skew", "proof", "story"):
        assert report[name] == known[name]


def test_what_was_not_used_is_counted(workbench: Workbench) -> None:
    evidence = recorded(DIRECT)
    count = len(evidence.journals["client"])
    by.rubbish_between(evidence)
    malformed = workbench.judge(evidence)["hosts"]["client"]["journal"]["malformed"]
    assert malformed.pop("longer than a line may be") == 1
    assert malformed.pop("control characters") == 2
    assert sum(malformed.values()) <= count
