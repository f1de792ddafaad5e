"""Where a backup is written, what is taken for a key, and whose keys go back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kaspa_node import identity
from operations.keys import backup, vault
from operations.keys.vault import Backup, Entry
from operations.problems import HostProblem, UsageProblem

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
SEED = bytes(range(32))
CONTENT = identity.encode(SEED)
PEER_ID = identity.from_content(CONTENT, Path("key")).peer_id
CHEAP = {"n": 16, "r": 1, "p": 1}
PASSPHRASE = "four words of mine"


def written(path: Path, **keys: Entry) -> str:
    path.write_bytes(vault.seal(Backup("2026", keys), PASSPHRASE, cost=CHEAP))
    return str(path)


def test_a_directory_gets_a_file_with_the_time_in_its_name(tmp_path: Path) -> None:
    assert backup.file_to_write(str(tmp_path), NOW) == tmp_path / "kaspa-keys-20261123T101500Z.json"


def test_a_file_is_the_one_that_was_named(tmp_path: Path) -> None:
    assert backup.file_to_write(str(tmp_path / "mine"), NOW) == tmp_path / "mine"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("earlier")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("mine", "link"):
        with pytest.raises(UsageProblem, match="is there already, and backups are never overwritten"):
            backup.file_to_write(str(tmp_path / name), NOW)
    with pytest.raises(UsageProblem, match="can't be written: file exists"):
        backup.write_new(tmp_path / "mine", b"later")
    assert (tmp_path / "mine").read_text() == "earlier"


@pytest.mark.parametrize("where", ["none/mine", "none/"])
def test_a_directory_that_is_missing_is_named(where: str, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="there is no directory .*none; make it first"):
        backup.file_to_write(f"{tmp_path}/{where}", NOW)


def test_a_backup_is_its_owners_alone(tmp_path: Path) -> None:
    backup.write_new(tmp_path / "mine", b"content")
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o600


def test_a_backup_comes_back(tmp_path: Path) -> None:
    entry = Entry(PEER_ID, "peer", CONTENT)
    assert backup.read_backup(written(tmp_path / "b", client=entry), PASSPHRASE).keys == {"client": entry}


def test_a_key_that_is_not_the_one_named_is_refused(tmp_path: Path) -> None:
    where = written(tmp_path / "b", client=Entry("12D3KooWother", "peer", CONTENT))
    with pytest.raises(UsageProblem, match="holds another key for client than it says"):
        backup.read_backup(where, PASSPHRASE)


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    where = written(tmp_path / "b", client=Entry(PEER_ID, "peer", b"\x00"))
    with pytest.raises(HostProblem, match="its key can't be used: .*the key of client in .* is damaged"):
        backup.read_backup(where, PASSPHRASE)


def test_a_backup_that_can_not_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="can't be read: no such file"):
        backup.read_backup(str(tmp_path / "none"), PASSPHRASE)
    where = written(tmp_path / "b", client=Entry(PEER_ID, "peer", CONTENT))
    with pytest.raises(UsageProblem, match=r"backup .*/b can't be opened: the passphrase is another one"):
        backup.read_backup(where, "another one of mine")


ENTRIES = {"relay": Entry("R", "relay", b""), "client": Entry("C", "peer", b"")}


def test_all_keys_or_the_chosen_ones_go_back() -> None:
    known = dict.fromkeys(("relay", "client", "server"))
    found = Backup("2026", ENTRIES)
    assert backup.chosen(found, None, known, "inventory/lab") == ENTRIES  # type: ignore[arg-type]
    only = backup.chosen(found, ("client",), known, "inventory/lab")  # type: ignore[arg-type]
    assert only == {"client": ENTRIES["client"]}


def test_hosts_of_only_one_side_are_named() -> None:
    known = {"client": None, "server": None}
    with pytest.raises(UsageProblem, match="the backup has no key of server; it has those of relay, client"):
        backup.chosen(Backup("2026", ENTRIES), ("server",), known, "inventory/lab")  # type: ignore[arg-type]
    with pytest.raises(UsageProblem, match="keys of hosts that inventory/lab does not have: relay; choose with --host"):
        backup.chosen(Backup("2026", ENTRIES), None, known, "inventory/lab")  # type: ignore[arg-type]
