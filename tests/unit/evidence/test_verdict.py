from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node.evidence.findings import Finding, Missing, Proven, Refuted
from kaspa_node.evidence.proof import required
from kaspa_node.evidence.verdict import RULES, Facts, Verdict, judge
from kaspa_node.reasons import POLICY_RELAY_ONLY

EACH: list[Finding] = [Proven("seen"), Missing("not there"), Refuted("says otherwise")]
FINDINGS = st.sampled_from(EACH)


def facts(claimed: str | None, expect: str = "direct", attempts: int | None = 1, **findings: Finding) -> Facts:
    proven: dict[str, Finding] = {piece.key: Proven("seen") for piece in required(claimed or "")}
    proven |= {key.replace("_", "."): value for key, value in findings.items()}
    return Facts(expect, claimed, proven, attempts, "it broke off", "do something", "a punch failed")


@pytest.mark.parametrize(
    ("given_facts", "word", "path", "code", "rule"),
    [
        (facts(None), "FAIL", "none", 1, "no session"),
        (facts("elsewhere"), "FAIL", "none", 1, "no session"),
        (facts("direct"), "PASS", "direct", 0, "first attempt"),
        (facts("direct", attempts=2), "PASS-FLAKY", "direct", 0, "later attempt"),
        (facts("direct", attempts=3), "PASS-FLAKY", "direct", 0, "later attempt"),
        (facts("direct", attempts=4), "FAIL", "unproven", 1, "attempt unknown"),
        (facts("direct", attempts=None), "FAIL", "unproven", 1, "attempt unknown"),
        (facts("direct", expect="relayed"), "PASS", "direct", 0, "first attempt"),
        (facts("direct", relay_still=Missing("gone")), "FAIL", "unproven", 1, "incomplete"),
        (facts("direct", relay_still=Refuted("grew")), "FAIL", "unproven", 1, "contradicted"),
        (facts("direct", hosts=Missing("x"), relay_still=Refuted("y")), "FAIL", "unproven", 1, "contradicted"),
        (facts("relayed"), "FAIL", "relayed", 3, "relayed, direct expected"),
        (facts("relayed", expect="any"), "RELAYED", "relayed", 0, "relayed"),
        (facts("relayed", expect="relayed"), "RELAYED", "relayed", 0, "relayed"),
        (facts("relayed", expect="any", stream=Missing("gone")), "FAIL", "unproven", 1, "incomplete"),
    ],
)
def test_each_row_of_the_rule(given_facts: Facts, word: str, path: str, code: int, rule: str) -> None:
    verdict = judge(given_facts)
    assert (verdict.word, verdict.path, verdict.exit_code, verdict.rule) == (word, path, code, rule)
    assert verdict.reason
    assert verdict.hint


def test_the_reason_names_the_piece() -> None:
    verdict = judge(facts("direct", hosts=Missing("server could not be reached")))
    assert verdict.reason == "The proof of the direct path is incomplete, hosts: server could not be reached"
    assert verdict.missing == ("hosts",)
    assert verdict.hint.startswith("Make the host reachable")


def test_a_piece_that_nobody_looked_for_is_missing() -> None:
    verdict = judge(Facts("direct", "direct", {}, 1, "", "", ""))
    assert verdict.rule == "incomplete"
    assert verdict.missing == tuple(piece.key for piece in required("direct"))


@given(st.data(), st.sampled_from(["direct", "relayed"]), st.sampled_from(["direct", "relayed", "any"]))
def test_a_path_is_named_only_with_every_piece(data: st.DataObject, claimed: str, expect: str) -> None:
    found: dict[str, Finding] = {piece.key: data.draw(FINDINGS) for piece in required(claimed)}
    found = {key: value for key, value in found.items() if data.draw(st.integers(0, 9)) > 0}
    attempts = data.draw(st.none() | st.integers(-1, 5))
    verdict: Verdict = judge(Facts(expect, claimed, found, attempts, "", "", ""))
    whole = all(isinstance(found.get(piece.key), Proven) for piece in required(claimed))
    assert (verdict.path == claimed) == (whole and (claimed == "relayed" or attempts in (1, 2, 3)))
    assert (verdict.word in ("PASS", "PASS-FLAKY")) == (verdict.path == "direct")


def test_rules_have_names_of_their_own_and_codes_that_mean_one_thing() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all((rule.exit_code == 0) == (rule.word != "FAIL") for rule in RULES)


def test_every_required_piece_alone_decides() -> None:
    wrong: tuple[Finding, ...] = Missing("why"), Refuted("why")
    for claimed, finding in itertools.product(("direct", "relayed"), wrong):
        for piece in required(claimed):
            broken: dict[str, Finding] = {piece.key.replace(".", "_"): finding}
            verdict = judge(facts(claimed, "any", 1, **broken))
            assert (verdict.word, verdict.missing) == ("FAIL", (piece.key,))
            assert verdict.reason.endswith(f"{piece.key}: why")


def test_who_asked_for_the_relay_is_not_told_to_open_a_port() -> None:
    asked = dataclasses.replace(facts("relayed", expect="relayed"), relayed_code=POLICY_RELAY_ONLY)
    assert judge(asked).hint.startswith("Nothing to do")
    assert "4012/tcp" in judge(facts("relayed", expect="relayed")).hint
