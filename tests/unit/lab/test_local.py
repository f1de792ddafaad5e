"""The rootless lab's state, and how its hosts are entered."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.local import lab, processes
from lab.local.__main__ import describe, main
from lab.local.namespaces import KeptNamespaces
from lab.local.state import NAMESPACES, State, loopback
from lab.paths import Paths
from lab.topology import HOSTS, host


def test_the_state_survives_its_file(tmp_path: Path) -> None:
    state = State(NAMESPACES, rtt_ms=50, holder=1, pids={"client": 2}, hosts={"client": {"address": "10.1.0.2"}})
    state.write(tmp_path / "state.json")
    assert State.read(tmp_path / "state.json") == state
    assert State.read(tmp_path / "none.json") is None


def test_on_loopback_the_reason_is_told() -> None:
    state = loopback("nft is not installed")
    assert set(state.hosts) == {each.name for each in HOSTS}
    assert describe(state).endswith("on loopback, without NATs (nft is not installed)")


def test_namespaces_are_entered_from_outside_and_from_inside() -> None:
    outside, inside = KeptNamespaces({"client": 42}), KeptNamespaces({"client": 42}, inside=True)
    assert outside.enter("client") == ["nsenter", "--target=42", "--user", "--preserve-credentials", "--net", "--"]
    assert inside.enter("client") == ["nsenter", "--net=/proc/42/ns/net", "--"]


def test_what_runs_on_a_host_carries_the_mark(tmp_path: Path) -> None:
    mark = ["env", f"KASPA_LAB_LOCAL={tmp_path}"]
    assert lab.enter(Paths(tmp_path), loopback(None), host("client")) == mark
    state = State(NAMESPACES, pids={"client": 42})
    assert lab.enter(Paths(tmp_path), state, host("client"))[:3] == [*mark, "nsenter"]


def test_processes_are_found_by_their_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = f"{processes.MARK}=/checkout".encode()
    for pid, environment, namespace in (
        (10, mark + b"\0HOME=/\0", "user:[2]"),
        (11, b"HOME=/\0", "user:[2]"),
        (12, mark + b"-other\0", "user:[1]"),
    ):
        directory = tmp_path / str(pid) / "ns"
        directory.mkdir(parents=True)
        (directory.parent / "environ").write_bytes(environment)
        (directory / "user").symlink_to(namespace)
    (tmp_path / "self").mkdir()
    monkeypatch.setattr(processes, "PROC", tmp_path)
    assert processes.marked(Path("/checkout")) == {10}
    # What cleaned its environment is found by the user namespace.
    assert processes.members(Path("/checkout")) == {10, 11}
    assert processes.members(Path("/nothing")) == set()


def test_a_missing_program_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab.shutil, "which", lambda tool, path: None if tool == "nft" else tool)
    assert lab.obstacle() == "nft is not installed: apt-get install nftables"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["exec", "moon", "--", "true"], "no host 'moon' in the lab; there are relay, server, client"),
        (["exec", "client", "--", "true"], "the local lab is not up; bring it up first: python3 -m lab.local up"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lab.local.__main__.Paths", lambda: Paths(tmp_path))
    assert main(words) == 2
    assert capsys.readouterr().err == f"lab: {message}\n"
