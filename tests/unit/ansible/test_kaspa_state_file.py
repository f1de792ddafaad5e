"""The state file of an inventory: what it holds, how it changes, and what two runs at once do to it."""

from __future__ import annotations

import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_state_file as state

RELAY = {"role": "relay", "peer_id": "12D3KooWRelay", "multiaddr": "/ip4/203.0.113.10/tcp/4011/p2p/12D3KooWRelay"}
CLIENT = {"role": "peer", "peer_id": "12D3KooWClient"}
FOUND = {"relay": RELAY, "client": CLIENT}
TODAY = "2026-11-30"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".kaspa" / "hosts.yml.json"


def remember(file: Path, found: dict[str, dict[str, str]], today: str = TODAY) -> list[str]:
    return state.changes(*state.change(str(file), lambda entries: state.updated(entries, found, today)))


def test_without_a_file_nothing_is_known(file: Path) -> None:
    assert state.read(str(file)) == {}
    assert not file.parent.exists()


def test_the_file_can_be_read_by_people_and_is_sorted(file: Path) -> None:
    remember(file, FOUND)
    assert json.loads(file.read_text()) == {"hosts": {name: {**FOUND[name], "seen": TODAY} for name in FOUND}}
    assert file.read_text().index('"client"') < file.read_text().index('"relay"')
    assert file.read_text().endswith("}\n")


def test_the_same_on_the_same_day_leaves_the_file_alone(file: Path) -> None:
    remember(file, FOUND)
    before = file.stat()
    assert remember(file, FOUND) == []
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_a_host_says_of_itself_wins_and_is_shown(file: Path) -> None:
    assert remember(file, FOUND) == [
        "client: new, role peer, peer id 12D3KooWClient",
        f"relay: new, role relay, peer id 12D3KooWRelay, address {RELAY['multiaddr']}",
    ]
    assert remember(file, {"client": {**CLIENT, "peer_id": "12D3KooWOther"}}, "2026-12-01") == [
        "client: peer id 12D3KooWClient is now 12D3KooWOther"
    ]
    known = state.read(str(file))
    assert known["client"] == {"role": "peer", "peer_id": "12D3KooWOther", "seen": "2026-12-01"}
    assert known["relay"]["seen"] == TODAY


def test_a_removed_host_is_forgotten_and_an_empty_file_goes(file: Path) -> None:
    remember(file, FOUND)
    told = state.changes(*state.change(str(file), lambda entries: state.without(entries, ["client"])))
    assert told == ["client: forgotten"]
    state.change(str(file), lambda entries: state.without(entries, ["relay"]))
    assert not file.parent.exists()
    state.change(str(file), lambda entries: state.without(entries, ["relay"]))
    assert not file.parent.exists()


def test_two_runs_at_once_lose_nothing(file: Path) -> None:
    names = [f"peer{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as runs:
        list(runs.map(lambda name: remember(file, {name: {**CLIENT, "peer_id": f"12D3Koo{name}"}}), names))
    assert set(state.read(str(file))) == set(names)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


MERGE = """{
  "hosts": {
<<<<<<< HEAD
    "client": {"peer_id": "12D3KooWClient", "role": "peer", "seen": "2026-11-30"}
=======
    "client": {"peer_id": "12D3KooWOther", "role": "peer", "seen": "2026-12-01"}
>>>>>>> ann
  }
}
"""


def test_a_merge_that_was_not_finished_is_told_with_what_to_do(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(MERGE)
    expected = "has the marks of a merge that was not finished, in line 3; keep either side, because the next deploy"
    with pytest.raises(state.StateError, match=expected):
        remember(file, FOUND)
    assert file.read_text() == MERGE


@pytest.mark.parametrize("key", ["version", "fleet"])
def test_a_file_of_a_later_version_is_named_and_not_overwritten(file: Path, key: str) -> None:
    file.parent.mkdir()
    text = json.dumps({"hosts": {"client": CLIENT}, key: 2})
    file.write_text(text)
    expected = f"was written by a later version, because it has '{key}'; use the checkout that wrote it"
    with pytest.raises(state.StateError, match=expected):
        remember(file, FOUND)
    assert file.read_text() == text


def test_fields_of_a_host_that_a_later_version_wrote_are_kept(file: Path) -> None:
    file.parent.mkdir()
    file.write_text(json.dumps({"hosts": {"client": {**CLIENT, "tags": ["a"], "cluster": "x"}, "relay": RELAY}}))
    remember(file, {"client": CLIENT, "relay": RELAY})
    hosts = json.loads(file.read_text())["hosts"]
    assert hosts["client"] == {**CLIENT, "tags": ["a"], "cluster": "x", "seen": TODAY}


def test_a_host_that_is_no_relay_any_more_loses_its_address(file: Path) -> None:
    remember(file, FOUND)
    assert remember(file, {"relay": {"role": "peer", "peer_id": RELAY["peer_id"]}}) == [
        f"relay: role relay is now peer, address {RELAY['multiaddr']} is now none"
    ]
    assert "multiaddr" not in state.read(str(file))["relay"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hosts": {"a": {"role": "peer"}}}', '{"hosts": {"a": 3}}'])
def test_a_damaged_file_is_named_and_not_overwritten(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(state.StateError, match=r"hosts\.yml\.json is damaged .*; repair it, or remove it"):
        remember(file, FOUND)
    assert file.read_text() == text


def test_a_place_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with pytest.raises(state.StateError, match="can't be read: not a directory"):
        remember(tmp_path / "plain" / ".kaspa" / "hosts.yml.json", FOUND)


def test_a_write_that_fails_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(file, FOUND)
    before = file.read_text()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(state.StateError, match="can't be written: no space left on device; deploy works without it"):
        remember(file, {"server": CLIENT})
    assert file.read_text() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_that_can_be_read_and_written_passes_the_check_and_nothing_is_left(file: Path) -> None:
    assert state.check(str(file)) == {}
    assert not file.parent.exists()
    remember(file, FOUND)
    before = file.stat()
    assert set(state.check(str(file))) == {"client", "relay"}
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_the_check_finds_a_damaged_file(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("<<<<<<< ours")
    with pytest.raises(state.StateError, match="has the marks of a merge"):
        state.check(str(file))


@pytest.mark.parametrize("there", [True, False], ids=["file", "no-directory"])
def test_the_check_finds_a_place_that_can_not_be_written(
    file: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if there:
        remember(file, FOUND)

    def read_only(**where: object) -> tuple[int, str]:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkstemp", read_only)
    with pytest.raises(state.StateError, match=r"hosts\.yml\.json can't be written: read-only file system"):
        state.check(str(file))


def test_a_link_to_the_file_stays_a_link(file: Path, tmp_path: Path) -> None:
    remember(file, {"client": CLIENT})
    link = tmp_path / "link.json"
    link.symlink_to(file)
    remember(link, {"relay": RELAY})
    assert link.is_symlink()
    assert set(state.read(str(file))) == {"client", "relay"}
