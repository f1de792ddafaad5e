"""Hosts that can't be asked: what the others know of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from operations.doctor.diagnose import Diagnosis, diagnose
from operations.doctor.facts import Facts, Session
from tests.unit.operations.doctor.scene import (
    AT,
    CLIENT_ID,
    IDS,
    SERVER_ID,
    apart,
    changed,
    healthy,
    reached,
    with_status,
)


def told(facts: Facts) -> Diagnosis:
    return diagnose(facts, "client", "server")


def causes(facts: Facts) -> list[str]:
    return [each.finding.kind for each in told(facts).told if each.part == "cause"]


def test_an_unreachable_host_is_a_finding_and_the_rest_is_still_looked_at() -> None:
    facts = apart(healthy(), "waiting")
    lost = replace(facts.hosts["server"], unreachable="Connection refused", service=None, status=None, settings=None)
    facts = replace(facts, hosts={**facts.hosts, "server": lost})
    facts = reached(facts, {("client", AT): "timeout"})
    found = told(facts)
    assert found.unreachable == ("server",)
    assert causes(facts) == ["host-unreachable", "relay-unreachable"]


def without_login(facts: Facts, name: str) -> Facts:
    """The facts where nobody can log in there."""
    nothing: dict[str, Any] = dict.fromkeys(("service", "status", "settings", "key_id", "recorded_id"))
    return changed(facts, name, unreachable="Connection refused", remembered_id=IDS[name], **nothing)


def test_a_host_without_login_whose_node_others_see_is_alive() -> None:
    facts = with_status(healthy(), "server", sessions=(Session(CLIENT_ID, "direct", "ready", 1796098037.7),))
    found = told(without_login(facts, "client"))
    assert (found.path, found.unreachable) == ("direct", ("client",))
    [only] = found.told
    assert (only.finding.kind, only.part) == ("login-fails", "warning")
    assert only.finding.text == "client can't be logged into, but its node is alive"
    assert only.finding.evidence == (
        "relay holds its reservation; server has a direct session with it since 2026-12-01 04:07:17 UTC; "
        "Connection refused"
    )
    of_relay = told(without_login(facts, "relay")).told
    assert of_relay[0].finding.text == "relay can't be logged into, but its node is alive"
    assert of_relay[0].finding.evidence.startswith("server has a reservation on it; client has a reservation on it; ")


def test_a_host_that_nobody_sees_is_unreachable() -> None:
    facts = with_status(apart(healthy(), "waiting"), "relay", reserved=frozenset({SERVER_ID}))
    assert causes(without_login(facts, "client"))[0] == "host-unreachable"
    seen = changed(without_login(healthy(), "client"), "client", remembered_id=None)
    assert causes(seen)[0] == "host-unreachable"


def test_a_reservation_on_a_relay_that_takes_no_connection_is_no_sign_of_life() -> None:
    facts = reached(without_login(healthy(), "relay"), {("client", AT): "timeout", ("server", AT): "timeout"})
    assert causes(facts)[0] == "host-unreachable"
    one = reached(without_login(healthy(), "relay"), {("client", AT): "timeout"})
    [login] = (each.finding for each in told(one).told if each.finding.kind == "login-fails")
    assert login.evidence.startswith("server has a reservation on it; Connection")
