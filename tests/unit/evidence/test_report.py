from __future__ import annotations

from tests.unit.evidence.builder import RUN, complete
from tests.unit.evidence.conftest import Judge


def test_complete_evidence_of_a_first_punch_passes(judged: Judge) -> None:
    report = judged(complete())
    assert (report["verdict"], report["path"], report["exit_code"]) == ("PASS", "direct", 0)
    assert report["run_id"] == RUN
    assert report["punch"] == {"attempts": 1, "seconds": 0.21, "relay_rtt": 0.1, "round_trips": 6.8}
    assert report["handshake"] == {"seconds": 0.3}
    assert report["proof"]["sockets_match"] is True
    assert report["proof"]["session_bytes"] == 80_000
    assert report["proof"]["relay_bytes"] == 1_600
    assert report["proof"]["missing"] == []


def test_a_later_punch_is_flaky(judged: Judge) -> None:
    report = judged(complete(attempt=3))
    assert (report["verdict"], report["path"], report["exit_code"]) == ("PASS-FLAKY", "direct", 0)


def test_a_relayed_session_is_judged_by_what_was_expected(judged: Judge) -> None:
    evidence = complete("relayed", attempt=3)
    for expect, verdict, code in (("any", "RELAYED", 0), ("relayed", "RELAYED", 0), ("direct", "FAIL", 3)):
        report = judged(evidence, expect)
        assert (report["verdict"], report["path"], report["exit_code"]) == (verdict, "relayed", code)
        assert report["reason"].endswith("over the relay: 3 hole punches failed, timed out")
        assert report["proof"]["sockets_match"] is False
