"""The state file of an inventory: what it holds, how it changes, and what two runs at once do to it."""

from __future__ import annotations

import json
import os
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


@pytest.mark.parametrize(
    "text", ["", "<<<<<<< ours\n{}", "[]", "{}", '{"hosts": {"a": {"role": "peer"}}}', '{"hosts": {"a": 3}}']
)
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


def test_a_link_to_the_file_stays_a_link(file: Path, tmp_path: Path) -> None:
    remember(file, {"client": CLIENT})
    link = tmp_path / "link.json"
    link.symlink_to(file)
    remember(link, {"relay": RELAY})
    assert link.is_symlink()
    assert set(state.read(str(file))) == {"client", "relay"}
