"""`fab evidence` tells the run of verify that has just been, as its report does."""

from __future__ import annotations

import json

import pytest

from tests.fabric import fab
from tests.playbooks import ROOT, play, report

pytestmark = pytest.mark.usefixtures("verified")


@pytest.fixture(scope="module")
def verified(deployed: None) -> None:
    """A run of verify."""
    played = play("verify.yml", "lab")
    assert played.exit_code == 0, played.output[-4000:]


def test_the_newest_run() -> None:
    done, found = fab("evidence"), report("raw/report.json")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("  verdict    PASS\n  path       direct (expected: direct)\n")
    assert f"  report     evidence/{found['run_id']}/report.md\n" in done.out
    assert "  1. client was to open a Kaspa session with server." in done.out
    assert f"{len(found['story']):3}. {found['story'][-1]}\n" in done.out
    assert "server come from 203.0.113.30:4012" in done.out


def test_by_the_beginning_of_its_id_with_its_lines() -> None:
    run = report()["run_id"]
    done = fab("evidence", run[:-1], "--logs")
    lines = (ROOT / "evidence" / run / "logs" / "server.log").read_text().splitlines()
    assert done.code == 0
    assert "\nserver:\n" + "".join(f"  {line}\n" for line in lines) in done.out
    assert "203.0.113." not in done.out.partition("\nserver:\n")[2]
    assert "\n<HOME_IP>: the address of server as relay sees it\n" in done.out


def test_as_json() -> None:
    done, found = fab("evidence", "--json"), report("raw/report.json")
    document = done.document
    assert (done.code, document["ok"], document["run"]) == (0, True, found["run_id"])
    assert document["report"] == json.loads(json.dumps(found))
    assert document["story"] == found["story"]


def test_the_list() -> None:
    done, found = fab("evidence", "--list"), report()
    assert done.code == 0
    first = done.out.splitlines()[2]
    assert first.split()[:4] == [found["run_id"], "PASS", "direct", "direct"]
    assert fab("evidence", "--list", "--json").document["runs"][0]["run"] == found["run_id"]


def test_an_unknown_run_names_the_known_ones() -> None:
    done = fab("evidence", "yesterday")
    assert (done.code, done.out) == (2, "")
    (line,) = done.complaints
    assert line.startswith('no run "yesterday" in ')
    assert report()["run_id"] in line
