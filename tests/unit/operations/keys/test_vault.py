"""A sealed backup opens with its passphrase as it was, and in no other way."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.keys.vault import Backup, Entry, VaultError, open_sealed, seal

CHEAP = {"n": 16, "r": 1, "p": 1}
BACKUP = Backup(
    "2026-11-23T10:00:00Z",
    {"relay": Entry("12D3KooWRelay", "relay", b"\x08\x01secret"), "server": Entry("12D3KooWServer", "peer", b"other")},
)
SEALED = seal(BACKUP, "four words of mine", cost=CHEAP)


def test_it_opens_as_it_was() -> None:
    assert open_sealed(SEALED, "four words of mine") == BACKUP


def test_who_is_in_it_can_be_read_and_what_is_not() -> None:
    document = json.loads(SEALED)
    assert document["hosts"]["server"] == {"role": "peer", "peer_id": "12D3KooWServer"}
    assert b"secret" not in SEALED
    assert base64.b64encode(b"\x08\x01secret")[:8] not in SEALED


def test_two_backups_of_the_same_keys_have_nothing_in_common() -> None:
    first, second = (json.loads(seal(BACKUP, "four words of mine", cost=CHEAP)) for _ in range(2))
    assert first["sealed"] != second["sealed"]
    assert first["kdf"]["salt"] != second["kdf"]["salt"]
    assert first["cipher"]["nonce"] != second["cipher"]["nonce"]


def test_a_key_does_not_show_in_its_repr() -> None:
    assert "secret" not in repr(BACKUP)


@pytest.mark.parametrize("passphrase", ["", "Four words of mine", "four words of mine "])
def test_another_passphrase_opens_nothing(passphrase: str) -> None:
    with pytest.raises(VaultError, match="the passphrase is another one, or the file was changed or damaged"):
        open_sealed(SEALED, passphrase)


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(SEALED)
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["hosts"]["server"].update(peer_id="12D3KooWMallory"),
        lambda found: found["hosts"].update(more={"role": "peer", "peer_id": "12D3"}),
        lambda found: found["hosts"].pop("relay"),
        lambda found: found.update(made="2020-01-01T00:00:00Z"),
        lambda found: found["kdf"].update(n=32),
    ],
)
def test_what_is_readable_can_not_be_changed(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(VaultError, match="changed or damaged"):
        open_sealed(changed(change), "four words of mine")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is not a backup of keys"),
        (b"[]", "it is not a backup of keys"),
        (b"\xff\xfe", "it is not a backup of keys"),
        (b"[" * 100_000, "it is not a backup of keys"),
        (b" " * (1 << 20) + SEALED, "it is not a backup of keys"),
        (changed(lambda found: found.update(version=2)), "format version 2, and this version reads 1"),
        (changed(lambda found: found.pop("sealed")), "a part of it is missing"),
        (changed(lambda found: found.update(hosts=[])), "a part of it is missing"),
        (changed(lambda found: found.update(sealed="!")), "a part of it is missing"),
        (changed(lambda found: found["kdf"].update(name="md5")), "this version does not know"),
        (changed(lambda found: found["kdf"].update(n=1 << 40)), "the cost of its passphrase can't be right"),
        (changed(lambda found: found["kdf"].update(n=3)), "the cost of its passphrase can't be right"),
        (changed(lambda found: found["kdf"].update(r="8")), "the cost of its passphrase can't be right"),
        (changed(lambda found: found["kdf"].update(p=-1)), "the cost of its passphrase can't be right"),
    ],
)
def test_what_is_no_backup_is_told(content: bytes, problem: str) -> None:
    with pytest.raises(VaultError, match=problem):
        open_sealed(content, "four words of mine")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_at_all_end_in_one_sentence(content: bytes) -> None:
    with pytest.raises(VaultError):
        open_sealed(content, "four words of mine")


@settings(deadline=None, max_examples=50)
@given(st.integers(0, len(SEALED) - 1), st.integers(0, 255))
def test_a_byte_that_changed_is_noticed(place: int, value: int) -> None:
    """Or changes nothing that counts, as white space does."""
    damaged = SEALED[:place] + bytes([value]) + SEALED[place + 1 :]
    with contextlib.suppress(VaultError):
        assert open_sealed(damaged, "four words of mine") == BACKUP
