"""Saves the keys of hosts in one encrypted file, and restores them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from kaspa_node.errors import IdentityError
from operations import ask, services
from operations.inventory import Node
from operations.keys.vault import LARGEST, Backup, Entry, VaultError, open_sealed
from operations.link import Link
from operations.problems import HostProblem, MissingFile, OperationProblem, UsageProblem

SAME, OTHER, MISSING = "same", "other", "missing"


def file_to_write(where: str, now: datetime) -> Path:
    """The file that a backup goes to: the one named, or a new one in the directory named. Raises UsageProblem."""
    path = Path(where).expanduser()
    if path.is_dir() or where.endswith("/"):
        path = path / f"kaspa-keys-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.json"
    if path.exists() or path.is_symlink():
        raise UsageProblem(f"{path} is there already, and backups are never overwritten; name another file")
    if not path.parent.is_dir():
        raise UsageProblem(f"there is no directory {path.parent}; make it first: mkdir -m 700 {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise UsageProblem(f"{path.parent} can't be written to; name another place")
    return path


def write_new(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read. Raises UsageProblem."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UsageProblem(f"{path} can't be written: {(error.strerror or str(error)).lower()}") from error


def load_libp2p() -> None:
    """Import it before many threads need it at the same time, because two threads that import it can deadlock."""
    import kaspa_node.identity  # noqa: F401


def read_key(link: Link, node: Node) -> Entry:
    """A host's key and its peer id. Raises HostProblem."""
    try:
        content = link.read(node.paths.key)
    except MissingFile:
        raise HostProblem("it has no key; deploy it first: ansible-playbook deploy.yml", node.name) from None
    return Entry(peer_id_of(content, node.paths.key, node.name), node.role, content)


def peer_id_of(content: bytes, path: str, host: str | None = None) -> str:
    """The peer id of a key file's content. Raises HostProblem."""
    # libp2p takes longer to import than everything else that a task does before it connects to a host.
    from kaspa_node import identity

    try:
        return identity.from_content(content, Path(path)).peer_id
    except IdentityError as error:
        raise HostProblem(f"its key can't be used: {error}", host) from None


def read_backup(where: str, passphrase: str) -> Backup:
    """Open a backup, and check that every key has the peer id that is recorded with it. Raises UsageProblem."""
    path = Path(where).expanduser()
    try:
        with path.open("rb") as file:
            backup = open_sealed(file.read(LARGEST + 1), passphrase)
    except OSError as error:
        raise UsageProblem(f"the backup {where} can't be read: {(error.strerror or str(error)).lower()}") from error
    except VaultError as error:
        raise UsageProblem(f"the backup {where} can't be opened: {error}") from None
    for name, entry in backup.keys.items():
        if peer_id_of(entry.content, f"the key of {name} in {where}") != entry.peer_id:
            raise UsageProblem(f"the backup {where} holds another key for {name} than it says")
    return backup


def compare(link: Link, node: Node, entry: Entry) -> str:
    """Whether the host has that key (SAME), another (OTHER), or none (MISSING). Raises HostProblem."""
    try:
        content = link.read(node.paths.key)
    except MissingFile:
        return MISSING
    try:
        return SAME if peer_id_of(content, node.paths.key) == entry.peer_id else OTHER
    except HostProblem:
        return OTHER  # damaged, so it has no peer id


def put_back(link: Link, node: Node, entry: Entry, *, timeout: float) -> tuple[list[str], str | None]:
    """Write the key and make the node run with it.

    Returns the changes, and the peer id that the node runs with; None if no node is deployed yet. Raises
    OperationProblem.
    """
    link.write(node.paths.key, entry.content, mode=0o600, owner=node.paths.user)
    changes = [f"the key of {entry.peer_id} written to {node.paths.key}"]
    if services.state(link, node).state == "not-found":
        return changes, None
    change = services.act(link, node, "restart", timeout=timeout)
    changes += [change.text] if change.text else []
    running = str(ask.status(link, node)["peer_id"])
    if running != entry.peer_id:
        raise OperationProblem(f"{node.service} runs as {running}, not as {entry.peer_id}", node.name)
    return changes, running


def chosen(backup: Backup, names: tuple[str, ...] | None, known: Mapping[str, Node], source: str) -> dict[str, Entry]:
    """The keys of these hosts; without names of all hosts in the backup. Raises UsageProblem."""
    wanted = tuple(backup.keys) if names is None else names
    if missing := [name for name in wanted if name not in backup.keys]:
        raise UsageProblem(f"the backup has no key of {', '.join(missing)}; it has those of {', '.join(backup.keys)}")
    if strange := [name for name in wanted if name not in known]:
        raise UsageProblem(
            f"the backup has keys of hosts that {source} does not have: {', '.join(strange)}; choose with --host"
        )
    return {name: backup.keys[name] for name in wanted}
