from __future__ import annotations

from kaspa_node.evidence.endpoints import Endpoint
from operations.doctor import show
from operations.doctor.diagnose import diagnose
from operations.doctor.facts import Facts, Service
from operations.doctor.findings import KINDS
from operations.doctor.gather import _ahead
from tests.playbooks import ROOT
from tests.unit.operations.doctor.scene import apart, changed, healthy, link, with_status

DOCS = ROOT / "docs" / "doctor.md"


def stopped() -> Facts:
    return changed(apart(healthy(), "waiting"), "server", service=Service("kaspa-peer", "inactive"), status=None)


def test_a_line_for_each_finding_and_the_next_thing_to_try() -> None:
    assert list(show.lines(diagnose(stopped(), "client", "server"))) == [
        "client → server: not connected",
        "  cause: kaspa-peer on server is not running (inactive)",
        "  next: Start it: fab start --host server",
    ]


def test_a_pair_that_is_well_is_one_line() -> None:
    assert list(show.lines(diagnose(healthy(), "client", "server"))) == ["client → server: direct"]


def test_the_same_for_programs() -> None:
    found = show.as_json(diagnose(stopped(), "client", "server"))
    assert (found["path"], found["well"], found["why"]) == ("nothing", False, "kaspa-peer on server is not running")
    assert found["findings"][0]["hosts"] == ["server"]


def test_a_row_for_each_host() -> None:
    facts = with_status(stopped(), "client", relays=(link("client", observed=Endpoint("203.0.113.20", 24012)),))
    assert list(show.rows(changed(facts, "relay", unreachable="Connection refused"))) == [
        ("relay", "out of reach", "-", "-", "-", "-"),
        ("server", "kaspa-peer inactive", "right", "4012 open", "-", "unknown"),
        ("client", "kaspa-peer active", "right", "4012 open", "reserved", "203.0.113.20:24012 (changed)"),
    ]


def test_a_clock_counts_as_right_where_it_lies_in_the_time_that_asking_took() -> None:
    assert _ahead(10.5, 10.0, 11.0) == 0
    assert _ahead(611.0, 10.0, 11.0) == 600
    assert _ahead(4.0, 10.0, 11.0) == -6


def test_the_docs_have_every_kind() -> None:
    text = DOCS.read_text(encoding="utf-8")
    rows = [f"| `{k.name}` | {k.meaning}{' (a warning)' if k.warning else ''} |" for k in KINDS]
    assert "\n".join(rows) in text
