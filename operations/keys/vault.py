"""A backup of keys as one file: the names are readable, the keys are encrypted.

JSON, in the clear: format, time, the parameters of scrypt (RFC 7914), and for each host its role and peer id. Encrypted
with AES-256-GCM: the key files. The clear part is authenticated together with them, so every change is detected. Knows
no file and no host.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

FORMAT = "kaspa-node keys"
VERSION = 1
LARGEST = 1 << 20
"""The most bytes of a backup file; a key needs some hundred."""

# 128 MiB and half a second for each guess (n, r and p of scrypt).
COST = {"n": 1 << 17, "r": 8, "p": 1}
_MOST_MEMORY = 1 << 30
_SALT, _NONCE, _KEY = 16, 12, 32


class VaultError(Exception):
    """The backup can't be opened; the text says why, and what to do."""


@dataclass(frozen=True)
class Entry:
    """One host's key. content: of its key file; never shown."""

    peer_id: str
    role: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Backup:
    """made: when, as ISO 8601. keys: by host."""

    made: str
    keys: Mapping[str, Entry]


def seal(backup: Backup, passphrase: str, *, cost: Mapping[str, int] | None = None) -> bytes:
    """The backup as a file's content, which can't be opened without the passphrase."""
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    kdf = {"name": "scrypt", **(cost or COST), "salt": _text(salt)}
    head = {
        "format": FORMAT,
        "version": VERSION,
        "made": backup.made,
        "kdf": kdf,
        "cipher": {"name": "aes-256-gcm", "nonce": _text(nonce)},
        "hosts": {name: {"role": key.role, "peer_id": key.peer_id} for name, key in backup.keys.items()},
    }
    contents = json.dumps({name: _text(key.content) for name, key in backup.keys.items()}).encode()
    key = _derive(passphrase, salt, kdf)
    sealed = AESGCM(key).encrypt(nonce, contents, _canonical(head))
    return json.dumps({**head, "sealed": _text(sealed)}, indent=1).encode() + b"\n"


def open_sealed(content: bytes, passphrase: str) -> Backup:
    """The backup in a file's content. Raises VaultError."""
    document = _document(content)
    head = {name: value for name, value in document.items() if name != "sealed"}
    try:
        hosts = {str(name): (str(entry["role"]), str(entry["peer_id"])) for name, entry in head["hosts"].items()}
        made, salt = str(head["made"]), _bytes(head["kdf"]["salt"])
        nonce, sealed = _bytes(head["cipher"]["nonce"]), _bytes(document["sealed"])
        names = (head["kdf"]["name"], head["cipher"]["name"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise VaultError("it is damaged: a part of it is missing") from error
    if names != ("scrypt", "aes-256-gcm") or len(nonce) != _NONCE:
        raise VaultError("it is damaged: it names an encryption that this version does not know")
    key = _derive(passphrase, salt, head["kdf"])
    try:
        opened = json.loads(AESGCM(key).decrypt(nonce, sealed, _canonical(head)))
    except InvalidTag:
        raise VaultError("the passphrase is another one, or the file was changed or damaged") from None
    return Backup(made, {name: Entry(peer_id, role, _bytes(opened[name])) for name, (role, peer_id) in hosts.items()})


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content) if len(content) <= LARGEST else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise VaultError("it is not a backup of keys from `fab backup-keys`")
    if document.get("version") != VERSION:
        raise VaultError(f"it has format version {document.get('version')!r}, and this version reads {VERSION}")
    return document


def _derive(passphrase: str, salt: bytes, kdf: Mapping[str, Any]) -> bytes:
    n, r, p = (kdf.get(name) for name in ("n", "r", "p"))
    whole = all(isinstance(value, int) and value > 0 for value in (n, r, p))
    # A file must not make us use more memory than there is (RFC 7914, section 2: 128 * n * r bytes).
    if not whole or n & (n - 1) or n < 2 or 128 * n * r * p > _MOST_MEMORY:  # type: ignore[operator]
        raise VaultError("it is damaged: the cost of its passphrase can't be right")
    return Scrypt(salt=salt, length=_KEY, n=n, r=r, p=p).derive(passphrase.encode())  # type: ignore[arg-type]


def _canonical(head: Mapping[str, Any]) -> bytes:
    return json.dumps(head, sort_keys=True, separators=(",", ":")).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
