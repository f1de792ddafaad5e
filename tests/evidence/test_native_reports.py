"""What the user reads of runs of native programs: the cause where there is no session, the story, the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kaspa_node.evidence import table
from kaspa_node.evidence.output import judge_directory
from tests.evidence.corpus import (
    NATIVE,
    NATIVE_CLIENT,
    NATIVE_DOWN,
    NATIVE_RELAYED,
    NATIVE_SERVER,
    recorded,
)
from tests.evidence.judging import Workbench
from tests.evidence.native_doctors import during, index
from tests.unit.evidence.builder import Evidence

STAMP = "2026-11-23 08:32:40.000+00:00"


def server_runs(evidence: Evidence) -> None:
    during(evidence, "server")["native"]["service"]["active"] = True  # type: ignore[index]


def client_never_ran(evidence: Evidence) -> None:
    server_runs(evidence)
    evidence.native["client"] = []


def never_refused(evidence: Evidence) -> None:
    server_runs(evidence)
    for host in ("client", "server"):
        kept = [x for x in evidence.journals[host] if "milestone=backend.refused" not in x]
        evidence.journals[host] = [x for x in kept if "milestone=remote.unreached" not in x]


def call_refused(evidence: Evidence) -> None:
    never_refused(evidence)
    evidence.journals["client"].append(
        f"{STAMP} [WARN ] A connection to server was refused: punching milestone=remote.unreached name=server "
        "peer=x reason=punching"
    )


def gave_up(evidence: Evidence) -> None:
    server_runs(evidence)
    evidence.native["client"].append(
        f"{STAMP} [DEBUG] P2P, handshake failed for outbound peer [::1]:50051: peer misbehaved"
    )


def no_path(evidence: Evidence) -> None:
    never_refused(evidence)
    evidence.run["session"] = {"error": "no way there"}


CAUSES: list[tuple[Callable[[Evidence], None], str]] = [
    (lambda evidence: None, "kaspa-native-server on server is not running"),
    (client_never_ran, "kaspa-native-client on client is not running"),
    (server_runs, "kaspa-native-server on server can't be reached by the peer beside it: Connection refused"),
    (call_refused, "the call of kaspa-native-client on client was refused: punching"),
    (gave_up, "the Kaspa handshake failed, says kaspa-native-client on client: peer misbehaved"),
    (never_refused, "no session stands on connection"),
]


@pytest.mark.parametrize(("doctor", "cause"), CAUSES, ids=[cause[:40] for _, cause in CAUSES])
def test_the_cause_of_a_run_without_a_session(
    doctor: Callable[[Evidence], None], cause: str, workbench: Workbench
) -> None:
    evidence = recorded(NATIVE_DOWN)
    doctor(evidence)
    report = workbench.judge(evidence)
    assert (report["verdict"], report["path"]) == ("FAIL", "none")
    assert cause in report["reason"]
    assert report["hint"]
    assert report["punch"]["attempts"] == 1
    assert "There was no Kaspa session." in report["story"]


def test_where_there_is_no_path_the_programs_are_not_to_blame(workbench: Workbench) -> None:
    evidence = recorded(NATIVE_DOWN)
    no_path(evidence)
    assert "native" not in workbench.judge(evidence)["reason"]


def test_a_native_log_without_the_connection_is_no_session(workbench: Workbench) -> None:
    evidence = recorded(NATIVE)
    del evidence.native["client"][index(evidence, "client", "P2P Connected")]
    report = workbench.judge(evidence)
    assert (report["verdict"], report["path"]) == ("FAIL", "none")
    assert report["failure"]["milestone"] == "peer.connected"
    assert [line["text"][:29] for line in report["failure"]["last_lines"]]
    assert "accepted ready message" in report["failure"]["last_lines"][-1]["text"]


def test_whoever_says_the_handshake_is_not_whole_is_named(workbench: Workbench) -> None:
    evidence = recorded(NATIVE)
    del evidence.native["client"][index(evidence, "client", "accepted verack")]
    report = workbench.judge(evidence)
    assert report["handshake"]["seconds"] is None
    assert any(line.startswith("kaspa-native-client on client says that it had a session") for line in report["story"])


@pytest.mark.parametrize(
    ("name", "programs"),
    [
        (NATIVE, "kaspa-native-client on client and kaspa-native-server on server speak Kaspa, unmodified programs"),
        (NATIVE_CLIENT, "kaspa-native-client on client speaks Kaspa there, an unmodified program that knows nothing"),
        (NATIVE_SERVER, "kaspa-native-server on server speaks Kaspa there, an unmodified program that knows nothing"),
        (NATIVE_RELAYED, "kaspa-native-client on client and kaspa-native-server on server speak Kaspa"),
    ],
)
def test_the_story_names_the_programs(name: str, programs: str, workbench: Workbench) -> None:
    report = workbench.judge(recorded(name))
    assert any(line.startswith(programs) for line in report["story"])
    assert any("the sockets which the peers carried are the native programs' own" in line for line in report["story"])
    counted = [line for line in report["story"] if "moved on the native program's own socket" in line]
    assert len(counted) == (0 if name == NATIVE_SERVER else 1)
    assert 8 <= len(report["story"]) <= 15


def test_the_report_shows_their_lines_with_file_and_number(tmp_path: Path) -> None:
    recorded(NATIVE).write(tmp_path)
    report = judge_directory(tmp_path)
    shown = [entry for entry in report["milestones"] if entry["log"] == "logs/client.native.log"]
    assert [entry["name"] for entry in shown] == [
        "kaspa.version.sent",
        "kaspa.version.received",
        "kaspa.verack.received",
        "kaspa.ready.received",
        "peer.connected",
    ]
    lines = (tmp_path / "logs" / "client.native.log").read_text().split("\n")
    assert all(entry["sentence"] in lines[entry["line"] - 1] for entry in shown)
    markdown = (tmp_path / "report.md").read_text()
    assert "`kaspa-peer` and `kaspa-native-server`" in markdown
    assert "logs/server.native.log:" in markdown
    assert 'name="native.versions"' in (tmp_path / "junit.xml").read_text()
    assert json.loads((tmp_path / "report.json").read_text())["hosts"]["client"]["native"] == "kaspa-native-client"


@pytest.mark.parametrize(
    ("name", "handshake"),
    [(NATIVE, "0.127 s, by the native programs' logs"), (NATIVE_SERVER, "0.166 s, 0.670 s from dial")],
)
def test_the_table_says_whose_handshake_it_timed(name: str, handshake: str, workbench: Workbench) -> None:
    assert f"handshake  {handshake}\n" in table.render(workbench.judge(recorded(name)), "report.md")


def test_lines_that_are_not_used_are_counted_by_log(tmp_path: Path) -> None:
    evidence = recorded(NATIVE)
    evidence.native["client"].append("Segmentation fault")
    evidence.write(tmp_path)
    judge_directory(tmp_path)
    said = "- 1 lines in the log of kaspa-native-client on client were not used: no time stamp and level."
    assert said in (tmp_path / "report.md").read_text()


def test_of_a_lost_log_the_report_says_so(tmp_path: Path) -> None:
    evidence = recorded(NATIVE)
    del evidence.native["server"]
    evidence.write(tmp_path)
    assert judge_directory(tmp_path)["hosts"]["server"]["native_log"]["lost"] == "native.log: No such file or directory"
    assert "- The log of kaspa-native-server on server is missing" in (tmp_path / "report.md").read_text()
