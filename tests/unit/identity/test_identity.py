"""The key file: made once, whole, for its owner alone; refused where it can't be trusted."""

from __future__ import annotations

import errno
import os
import stat
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.rsa import create_new_key_pair as create_rsa_pair
from libp2p.peer.id import ID

from kaspa_node import identity
from kaspa_node.errors import IdentityError
from kaspa_node.identity import KEY_FILE, Identity, Secret, encode, load_or_create

SEED = bytes(range(32))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A good key file in a directory of its own."""
    load_or_create(tmp_path / "state")
    return tmp_path / "state" / KEY_FILE


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


def refused(path: Path) -> str:
    """The line with which that file is refused, which leaves the file as it was."""
    before = _what_must_stay(path)
    with pytest.raises(IdentityError) as caught:
        load_or_create(path.parent)
    assert _what_must_stay(path) == before
    assert str(path) in str(caught.value)
    assert str(caught.value).isprintable()
    assert caught.value.exit_code == 2
    return str(caught.value)


def _what_must_stay(path: Path) -> tuple[int, ...]:
    status = os.lstat(path)
    return status.st_ino, status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns


def test_the_first_start_makes_a_key_and_the_next_finds_it(tmp_path: Path) -> None:
    made = load_or_create(tmp_path / "a" / "state")
    assert load_or_create(tmp_path / "a" / "state") == made
    assert made.peer_id.startswith("12D3KooW")
    assert str(ID.from_pubkey(made.key_pair.public_key)) == made.peer_id
    assert load_or_create(tmp_path / "b").peer_id != made.peer_id


def test_only_the_owner_can_read_it_whatever_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        load_or_create(tmp_path / "state")
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state" / KEY_FILE).stat().st_mode) == 0o600
    assert os.listdir(tmp_path / "state") == [KEY_FILE]


def test_the_file_is_what_rust_libp2p_writes(key_file: Path) -> None:
    """Type Ed25519 (1), then 64 bytes of data: seed and public key (libp2p specification, peer-ids)."""
    content = key_file.read_bytes()
    assert content[:4] == b"\x08\x01\x12\x40"
    found = load_or_create(key_file.parent)
    public = found.key_pair.public_key.to_bytes()
    assert content[4:] == found.private_key.reveal() + public


def test_py_libp2ps_shorter_form_is_read_as_well(key_file: Path) -> None:
    pair = create_new_key_pair(SEED)
    write(key_file, pair.private_key.serialize())
    assert load_or_create(key_file.parent).peer_id == str(ID.from_pubkey(pair.public_key))


def test_the_key_shows_up_nowhere(key_file: Path) -> None:
    found = load_or_create(key_file.parent)
    key = found.private_key.reveal()
    for text in (repr(found), str(found), f"{found.private_key}", f"{found.private_key!r}", repr([found])):
        assert key.hex() not in text
        assert repr(key)[2:-1] not in text
    assert "Secret(…)" in repr(Identity("12D3", Secret(key)))


def test_starts_at_the_same_moment_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: load_or_create(tmp_path / "state").peer_id, range(16)))
    assert len(set(found)) == 1
    assert os.listdir(tmp_path / "state") == [KEY_FILE]


def test_a_key_that_another_process_made_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(source: Path, target: Path) -> None:
        write(Path(target), encode(SEED))
        raise FileExistsError(errno.EEXIST, "exists")

    monkeypatch.setattr(os, "link", link)
    assert load_or_create(tmp_path / "state").private_key.reveal() == SEED
    assert os.listdir(tmp_path / "state") == [KEY_FILE]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o666, 0o777])
def test_a_key_that_others_can_reach_is_refused(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    line = refused(key_file)
    assert f"mode {mode:04o}" in line
    assert f"chmod 600 {key_file}" in line


def test_a_key_of_another_user_is_refused(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    line = refused(key_file)
    assert "not to user 4242" in line
    assert "chown 4242" in line


def test_root_makes_the_key_for_the_directorys_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owners: list[tuple[int, int]] = []
    real_stat = Path.stat

    def pretend(path: Path, **kwargs: bool) -> os.stat_result:
        found = real_stat(path, **kwargs)
        return os.stat_result((*found[:4], 4242, 43, *found[6:10])) if path == tmp_path else found

    monkeypatch.setattr(Path, "stat", pretend)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _, user, group: owners.append((user, group)))
    identity._create(tmp_path, tmp_path / KEY_FILE)
    assert owners == [(4242, 43)]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to others")
def test_root_may_look_at_a_services_key_but_not_at_one_slipped_into_its_directory(key_file: Path) -> None:
    made = load_or_create(key_file.parent)
    os.chown(key_file, 4242, -1)
    assert "it belongs to user 4242" in refused(key_file)
    os.chown(key_file.parent, 4242, -1)
    assert load_or_create(key_file.parent) == made


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\x00" * 68, "damaged"),
        (encode(SEED)[:-1], "damaged"),
        (encode(SEED) + b"\x00", "damaged"),
        (encode(SEED)[:-1] + b"\x00", "its public key is not that of its private key"),
        (b"\x08\x01\x12\x10" + SEED[:16], "16 bytes of key instead of 64"),
        (b"\x08\x01", "damaged"),
        (b"\x12\x40" + SEED * 2, "damaged"),
        (encode(SEED) + b"\x1a\x80\x40" + b"x" * 8192, "damaged"),
        (b"\x08\x02\x12\x20" + SEED, "a key of type Secp256k1, and only Ed25519 is supported"),
        (b"\x08\x03\x12\x20" + SEED, "a key of type ECDSA"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", "PEM"),
        (encode(b"\x07" + bytes(31)), "its key can be guessed"),
    ],
)
def test_content_that_is_no_key_is_refused(key_file: Path, content: bytes, reason: str) -> None:
    write(key_file, content)
    line = refused(key_file)
    assert reason in line
    assert "the next start" in line


def test_an_rsa_key_is_refused(key_file: Path) -> None:
    write(key_file, create_rsa_pair(2048).private_key.serialize())
    assert "a key of type RSA" in refused(key_file)


def test_a_refusal_does_not_carry_the_key(key_file: Path) -> None:
    content = encode(SEED)[:-1] + b"\x00"
    write(key_file, content)
    try:
        load_or_create(key_file.parent)
    except IdentityError as error:
        trace = "".join(traceback.format_exception(error))
    assert SEED.hex() not in trace
    assert repr(SEED)[2:20] not in trace


@given(st.binary(max_size=200))
def test_whatever_the_file_holds_it_is_a_key_or_refused_by_name(content: bytes) -> None:
    try:
        seed = identity._decoded(Path("identity.key"), content)
    except IdentityError:
        return
    assert len(seed) == 32


def test_what_stands_in_the_files_place_is_refused(key_file: Path, tmp_path: Path) -> None:
    makers: dict[str, Callable[[Path], None]] = {
        "a symbolic link": lambda path: path.symlink_to(tmp_path / "elsewhere"),
        "a directory": lambda path: path.mkdir(),
        "no regular file": lambda path: os.mkfifo(path, 0o600),
    }
    for what, make in makers.items():
        key_file.unlink(missing_ok=True)
        make(key_file)
        assert f"it is {what}" in refused(key_file)
        if what == "a directory":
            key_file.rmdir()


def test_a_link_to_a_good_key_is_refused_as_well(key_file: Path, tmp_path: Path) -> None:
    key_file.rename(tmp_path / "moved")
    key_file.symlink_to(tmp_path / "moved")
    assert "it is a symbolic link" in refused(key_file)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "no space is left"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission denied"),
        (errno.EIO, "input/output error"),
    ],
)
@pytest.mark.parametrize("call", ["fsync", "link"])
def test_what_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, reason: str, call: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(IdentityError) as caught:
        load_or_create(tmp_path / "state")
    assert reason in str(caught.value)
    assert os.listdir(tmp_path / "state") == []


def test_a_state_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for directory in (tmp_path / "file", tmp_path / "file" / "state"):
        with pytest.raises(IdentityError, match="no directory|is a file"):
            load_or_create(directory)
