from __future__ import annotations

import ipaddress
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kaspa_node import milestones as m
from kaspa_node.evidence.__main__ import main
from kaspa_node.evidence.bundle import BundleError
from kaspa_node.evidence.output import judge_directory, story_of
from tests.unit.evidence.builder import CLIENT, HOSTS, RUN, SERVER, Evidence, Log, complete

KEYS = {
    "verdict",
    "path",
    "expect_path",
    "run_id",
    "reason",
    "hint",
    "punch",
    "handshake",
    "dial",
    "proof",
    "milestones",
    "story",
}
KEYS |= {"hosts", "clock_skew"}


def outputs(directory: Path) -> dict[str, str]:
    """Every file that was written outside raw/."""
    files = [path for path in directory.rglob("*") if path.is_file() and "raw" not in path.relative_to(directory).parts]
    return {str(path.relative_to(directory)): path.read_text() for path in files}


def test_a_run_gives_its_files_and_the_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = complete().write(tmp_path / RUN)
    assert main(["judge", str(directory)]) == 0
    files = outputs(directory)
    assert set(files) == {"report.json", "report.md", "junit.xml", *(f"logs/{host}.log" for host in HOSTS)}
    assert (tmp_path / "latest").readlink() == Path(RUN)
    report = json.loads(files["report.json"])
    assert set(report) >= KEYS
    table = capsys.readouterr().out
    assert "verdict    PASS\n" in table
    assert f"report     {directory}/report.md\n" in table
    assert max(len(line) for line in table.splitlines() if "report " not in line) <= 100


def test_milestones_point_at_their_lines(tmp_path: Path) -> None:
    directory = complete().write(tmp_path / RUN)
    judge_directory(directory)
    report = json.loads((directory / "report.json").read_text())
    names = [entry["name"] for entry in report["milestones"]]
    assert names[0] == "dial.started"
    assert names.count("peer.connected") == 2
    for entry in report["milestones"]:
        assert set(entry) >= {"name", "host", "role", "time", "log", "line"}
        line = (directory / entry["log"]).read_text().split("\n")[entry["line"] - 1]
        assert f" milestone={entry['name']} " in line
        assert entry["sentence"] in line


@pytest.mark.parametrize(
    ("path", "expect", "code"), [("direct", "any", 0), ("relayed", "any", 0), ("relayed", "direct", 3)]
)
def test_exit_codes(path: str, expect: str, code: int, tmp_path: Path) -> None:
    directory = complete(path, "direct").write(tmp_path / RUN)
    assert main(["judge", str(directory), "--expect", expect]) == code
    assert json.loads((directory / "report.json").read_text())["expect_path"] == expect


def broken() -> Evidence:
    evidence = complete()
    evidence.run["session"] = {"error": "no answer from 198.51.100.99"}
    evidence.journals["server"] = []
    return evidence


def test_a_failed_run_exits_with_1_and_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = broken().write(tmp_path / RUN)
    assert main(["judge", str(directory)]) == 1
    text = (directory / "report.md").read_text()
    assert "The first missing milestone is `circuit.inbound` on server." in text
    assert "Its journal has no line of this run." in text
    assert "There is no session, so there is no path to prove." in text
    assert "hint" in capsys.readouterr().out


def test_unusable_evidence_is_one_line_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", str(tmp_path / "nowhere")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{tmp_path}/nowhere/raw/run.json: No such file or directory; give the directory")
    assert error.count("\n") == 1
    evidence = complete()
    evidence.run["expect_path"] = "fast"
    assert main(["judge", str(evidence.write(tmp_path / RUN))]) == 2
    assert "expect_path should be one of direct, relayed, any, found 'fast'" in capsys.readouterr().err
    assert not (tmp_path / "latest").exists()


def test_a_directory_that_can_not_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = complete().write(tmp_path / RUN)
    (directory / "report.json").mkdir()
    assert main(["judge", str(directory)]) == 2
    assert f"{directory}: can't write the report: Is a directory" in capsys.readouterr().err


def test_the_link_moves_to_the_newest_and_never_replaces_a_file(tmp_path: Path) -> None:
    judge_directory(complete().write(tmp_path / "first"))
    judge_directory(complete().write(tmp_path / "second"))
    assert (tmp_path / "latest").readlink() == Path("second")
    (tmp_path / "latest").unlink()
    (tmp_path / "latest").write_text("mine")
    judge_directory(complete().write(tmp_path / "third"))
    assert (tmp_path / "latest").read_text() == "mine"


def test_the_newest_run_can_be_judged_again_by_its_link(tmp_path: Path) -> None:
    judge_directory(complete().write(tmp_path / RUN))
    judge_directory(tmp_path / "latest", "any")
    assert (tmp_path / "latest").readlink() == Path(RUN)


def test_a_relative_directory_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complete().write(tmp_path / "evidence" / RUN)
    monkeypatch.chdir(tmp_path / "evidence" / RUN)
    judge_directory(Path())
    assert (tmp_path / "evidence" / "latest").readlink() == Path(RUN)


def test_lost_journals_are_named(tmp_path: Path) -> None:
    directory = complete().write(tmp_path / RUN)
    (directory / "raw" / "server" / "journal.log").unlink()
    report = judge_directory(directory)
    assert report["hosts"]["server"]["journal"]["lost"] == "journal.log: No such file or directory"
    assert "The journal of server is missing" in (directory / "report.md").read_text()
    assert not (directory / "logs" / "server.log").exists()


def hostile() -> Evidence:
    """Addresses, markup and control characters in every place that a peer or a host can write to."""
    evidence = complete()
    nasty = "198.51.100.77 | ``` <b> & ]]> [2001:db8::77]:80 2001:db8:0:0:0:0:0:77 ::ffff:198.51.100.78 \x1b[31m\u2028"
    log = Log()
    log.at(0.5, m.REJECT_RECEIVED, reason=nasty, addr="198.51.100.79:1", peer=SERVER, session="x")
    log.at(0.5, m.PEER_REFUSED, what=nasty, peer=CLIENT, count=1)
    log.plain(0.5, nasty)
    evidence.journals["client"] += [*log.lines, "198.51.100.80 \x1b[31m", "z" * 70_000 + " 198.51.100.81"]
    for host in evidence.run["hosts"].values():
        host["os"] = nasty
    evidence.run["session"]["punch"]["reason"] = nasty
    evidence.run["inventory"] = nasty
    return evidence


@pytest.mark.parametrize("make", [complete, broken, hostile, lambda: complete("relayed", attempt=3)])
def test_no_address_leaves_the_raw_evidence(make: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(make)
    directory = make().write(tmp_path / RUN)
    main(["judge", str(directory)])
    assert "\x1b" not in capsys.readouterr().out
    texts = outputs(directory)
    for name, text in texts.items():
        for found in re.findall(r"[0-9]+(?:\.[0-9]+){3}", text):
            assert found == "0.0.0.0" or found.startswith("127."), (name, found)
        for found in re.findall(r"[0-9a-fA-F:]*::?[0-9a-fA-F:.]+", text):
            try:
                address = ipaddress.ip_address(found.strip(".:"))
            except ValueError:
                continue
            assert str(address) == "fd12:3456:789a::1", (name, found)
        assert "\x1b" not in text
    ElementTree.fromstring(texts["junit.xml"])
    if make is hostile:
        assert texts["report.md"].count("````") == 2
        assert "\n<b>" not in texts["report.md"]
        assert "&lt;b&gt;" in texts["report.md"]
    if make is complete:
        assert "<HOME_IP>:4012" in texts["report.json"]
        assert "<CLIENT_LAN_IP>" in texts["logs/client.log"]
        assert "/ip4/<RELAY_IP>/tcp/4011" in texts["logs/client.log"]


def test_a_host_that_is_named_by_its_address(tmp_path: Path) -> None:
    name, evidence = "203.0.113.30", complete()
    evidence.run["pair"]["server"] = name
    evidence.run["hosts"][name] = evidence.run["hosts"].pop("server")
    directory = evidence.write(tmp_path / RUN)
    (directory / "raw" / "server").rename(directory / "raw" / name)
    assert judge_directory(directory)["hosts"]["server"]["name"] == name
    shared = json.loads((directory / "report.json").read_text())
    assert shared["hosts"]["server"]["name"] == "<HOME_IP>"
    logs = {entry["log"] for entry in shared["milestones"]}
    assert logs == {"logs/<HOME_IP>.log", "logs/client.log", "logs/relay.log"}
    assert all((directory / log).is_file() for log in logs)


def test_the_owner_sees_addresses_and_what_is_shared_has_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = complete()
    evidence.run["hosts"]["relay"]["unreachable"] = "ssh: connect to host 198.51.100.9 port 22: Connection refused"
    directory = evidence.write(tmp_path / RUN)
    assert main(["judge", str(directory)]) == 1
    assert "connect to host 198.51.100.9 port 22" in " ".join(capsys.readouterr().out.split())
    own = directory / "raw" / "report.json"
    assert own.stat().st_mode & 0o777 == 0o600
    assert "host 198.51.100.9 port 22" in json.loads(own.read_text())["reason"]
    assert "host <OTHER_IP_1> port 22" in json.loads((directory / "report.json").read_text())["reason"]


def test_the_report_says_what_the_placeholders_mean(tmp_path: Path) -> None:
    directory = complete().write(tmp_path / RUN)
    judge_directory(directory)
    assert json.loads((directory / "report.json").read_text())["legend"]["<HOME_IP>"] == (
        "the address of server as relay sees it"
    )
    legend = (directory / "report.md").read_text().partition("\n## Addresses\n")[2]
    assert "- `<HOME_IP>`: the address of server as relay sees it\n" in legend
    assert "- `<OTHER_IP_n>`: any other address" in legend


def test_the_story_stands_in_both_reports_and_is_told_again_from_either(tmp_path: Path) -> None:
    directory = complete().write(tmp_path / RUN)
    told = story_of(directory)
    assert not (directory / "report.json").exists()
    report = judge_directory(directory)
    assert report["story"] == story_of(directory) == told
    assert "relay saw server come from 203.0.113.30:4012" in " ".join(told)
    last = (directory / "report.md").read_text().partition("\n## What happened\n\n")[2].partition("\n\n")[0]
    assert [line.partition(". ")[0] for line in last.splitlines()] == [str(n) for n in range(1, len(told) + 1)]


def test_a_story_of_a_shared_report_says_what_its_placeholders_mean(tmp_path: Path) -> None:
    directory = complete().write(tmp_path / RUN)
    report = judge_directory(directory)
    (directory / "raw").rename(directory / "kept")
    *told, meanings = story_of(directory)
    assert len(told) == len(report["story"])
    assert "relay saw server come from <HOME_IP>:4012" in " ".join(told)
    assert meanings == (
        "Addresses: <HOME_IP>: the address of server as relay sees it; <SERVER_LAN_IP>: an address of server itself; "
        "<CLIENT_VPS_IP>: the address of client as relay sees it."
    )
    assert "OTHER_IP" not in meanings
    (directory / "report.json").write_text('{"story": ["A punched."]}')
    assert story_of(directory) == ["A punched."]


def test_a_report_from_before_there_were_stories_is_told_from_the_evidence(tmp_path: Path) -> None:
    directory = complete().write(tmp_path / RUN)
    (directory / "report.json").write_text('{"verdict": "PASS"}')
    assert story_of(directory)[-1].startswith("So the verdict is PASS")


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"{", "report.json: not JSON"), (b"\xff", "codec can't decode"), (b'{"story": 5}', "story should be a list")],
)
def test_a_damaged_report_has_no_story(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(BundleError, match=why):
        story_of(tmp_path)


def test_neither_report_nor_evidence_is_no_story(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"run\.json: No such file"):
        story_of(tmp_path)
    (tmp_path / "report.json").mkdir()
    with pytest.raises(BundleError, match="Is a directory"):
        story_of(tmp_path)


def test_junit_has_a_case_for_the_verdict_and_each_piece(tmp_path: Path) -> None:
    evidence = complete()
    evidence.after("relay")["status"]["pairs"] = []
    directory = evidence.write(tmp_path / RUN)
    judge_directory(directory)
    suite = ElementTree.parse(directory / "junit.xml").getroot()
    failures = {case.get("name"): case.find("failure") for case in suite.iter("testcase")}
    assert {name for name, failure in failures.items() if failure is not None} == {"verdict", "relay.still"}
    assert (suite.get("tests"), suite.get("failures")) == ("22", "2")


def test_the_module_is_a_program_that_needs_nothing_that_runs(tmp_path: Path) -> None:
    directory = complete().write(tmp_path / RUN)
    code = (
        "import sys; from kaspa_node.evidence.__main__ import main; code = main(['judge', sys.argv[1]]);"
        "heavy = {'libp2p', 'grpc', 'trio', 'google.protobuf', 'multiaddr'} & set(sys.modules);"
        "sys.exit(9 if heavy else code)"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", code, str(directory)]
    assert subprocess.run(command, env=environment, capture_output=True, check=False, timeout=20).returncode == 0
    ours = 'import sys, kaspa_node.evidence.__main__; print(*(n for n in sys.modules if n.startswith("kaspa_node")))'
    run = subprocess.run([sys.executable, "-c", ours], env=environment, capture_output=True, text=True, check=True)
    needed = {f"kaspa_node{name}" for name in ("", ".constants", ".milestones", ".reasons", ".evidence")}
    modules = set(run.stdout.split()) - needed
    assert all(name.startswith("kaspa_node.evidence.") for name in modules)


def test_it_runs_as_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["evidence", "judge", str(tmp_path)])
    monkeypatch.delitem(sys.modules, "kaspa_node.evidence.__main__")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("kaspa_node.evidence", run_name="__main__")
    assert caught.value.code == 2


def test_the_last_lines_before_a_break_are_in_the_report(tmp_path: Path) -> None:
    evidence = broken()
    evidence.journals["server"] = complete().journals["server"][:1]
    judge_directory(evidence.write(tmp_path / RUN))
    text = (tmp_path / RUN / "report.md").read_text()
    assert "Its last lines before that:\n\n```\n1: 2026-11-23 10:15:00.250+00:00 [INFO ] InboundCircuit" in text


def test_a_time_that_no_calendar_holds_is_a_number(tmp_path: Path) -> None:
    evidence = complete()
    evidence.run["started"] = 1e18
    assert judge_directory(evidence.write(tmp_path / RUN))["started"] == "1000000000000000000"


def test_without_figures_the_report_still_reads(tmp_path: Path) -> None:
    evidence = complete()
    del evidence.run["session"]["timings"]
    del evidence.run["session"]["punch"]
    evidence.replace("server", m.PUNCH_SUCCEEDED, " relay_rtt=0.1", "")
    for host in evidence.run["hosts"].values():
        host |= {"addresses": [], "public": None, "os": None, "version": None}
    report = judge_directory(evidence.write(tmp_path / RUN))
    assert report["verdict"] == "PASS"
    assert report["punch"] == {"attempts": 1, "seconds": None, "relay_rtt": None, "round_trips": None}
    assert "unknown system" in (tmp_path / RUN / "report.md").read_text()


def test_a_run_on_loopback_says_so(tmp_path: Path) -> None:
    evidence = complete()
    evidence.run["network_mode"] = "loopback"
    judge_directory(evidence.write(tmp_path / RUN))
    assert "**without any NAT**" in (tmp_path / RUN / "report.md").read_text()
