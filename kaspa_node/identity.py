"""The node's identity: an Ed25519 key that is made on the host, in a file that only the node can read.

The file holds libp2p's protobuf message PrivateKey (libp2p specification, peer-ids), Ed25519 data as seed and public
key, 64 bytes: what rust-libp2p writes as a raw keypair. It is written completely or not at all, and is never
overwritten. The key is never printed or logged, and is not part of any error.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import DecodeError
from libp2p.crypto.ed25519 import Ed25519PrivateKey, create_new_key_pair
from libp2p.crypto.keys import KeyPair, PrivateKey
from libp2p.crypto.pb.crypto_pb2 import KeyType
from libp2p.crypto.pb.crypto_pb2 import PrivateKey as KeyMessage
from libp2p.peer.id import ID

from kaspa_node.errors import IdentityError

KEY_FILE = "identity.key"

_SEED = 32
_LARGEST = 4096
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_NEW_IDENTITY = "restore it from a backup, or move it away: the next start then makes a new identity with a new peer id"
_REASONS = {
    errno.EROFS: ("the file system is read-only", "set `state_dir` to a directory that can be written"),
    errno.ENOSPC: ("no space is left on the file system", "make room there, or set `state_dir` to another directory"),
    errno.EDQUOT: ("the disk quota is used up", "make room there, or set `state_dir` to another directory"),
    errno.EACCES: ("permission denied", "give `state_dir` to the user that runs the node (chown)"),
    errno.EPERM: ("operation not permitted", "give `state_dir` to the user that runs the node (chown)"),
    errno.ENOTDIR: ("a part of the path is no directory", "set `state_dir` to a directory"),
    errno.EEXIST: ("the state directory is a file", "set `state_dir` to a directory"),
    errno.ENOENT: ("it vanished while it was being read", "start again"),
}


@dataclass(frozen=True, slots=True)
class Secret:
    """Bytes that don't appear in logs, reprs or tracebacks; `reveal` returns them."""

    _value: bytes = field(repr=False)

    def reveal(self) -> bytes:
        """The bytes; never print them."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is.

    peer_id: base58, `12D3KooW…`; private_key: the 32-byte Ed25519 seed.
    """

    peer_id: str
    private_key: Secret

    @property
    def key_pair(self) -> KeyPair:
        """The keys as libp2p's host wants them."""
        private = Ed25519PrivateKey.from_bytes(self.private_key.reveal())
        return KeyPair(private, private.get_public_key())


def load_or_create(state_dir: str | Path) -> Identity:
    """The identity in that directory. If there is none, it is made now, with the directory (mode 0700).

    Raises IdentityError if the file can't be trusted, read or written.
    """
    directory = Path(state_dir)
    path = directory / KEY_FILE
    found = load_if_there(directory)
    if found is not None:
        return found
    try:
        _create(directory, path)
    except FileExistsError as error:
        if not directory.is_dir():
            raise _system_error(path, error) from error
        # Another process has made the key in the meantime: then that key counts.
    except OSError as error:
        raise _system_error(path, error) from error
    try:
        return load(path)
    except FileNotFoundError as error:
        raise _system_error(path, error) from error


def load_if_there(state_dir: str | Path) -> Identity | None:
    """The identity in that directory, None if there is none; raises IdentityError if it can't be trusted or read."""
    try:
        return load(Path(state_dir) / KEY_FILE)
    except FileNotFoundError:
        return None


def load(path: Path) -> Identity:
    """The identity in that file; raises FileNotFoundError, and IdentityError if it can't be trusted or read."""
    try:
        # O_NONBLOCK: a FIFO in the file's place must not make the start hang.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _not_regular(path, "a symbolic link") from error
        raise _system_error(path, error) from error
    try:
        _check_file(path, os.fstat(descriptor))
        content = os.read(descriptor, _LARGEST + 1)
    except OSError as error:
        raise _system_error(path, error) from error
    finally:
        os.close(descriptor)
    return from_content(content, path)


def from_content(content: bytes, path: Path) -> Identity:
    """The identity in a key file's content; `path` names it in errors. Raises IdentityError."""
    return _identity(_decoded(path, content))


def encode(seed: bytes) -> bytes:
    """The content of a key file for a 32-byte Ed25519 seed."""
    public = Ed25519PrivateKey.from_bytes(seed).get_public_key().to_bytes()
    content: bytes = KeyMessage(key_type=KeyType.Ed25519, data=seed + public).SerializeToString()
    return content


def _identity(seed: bytes) -> Identity:
    public = Ed25519PrivateKey.from_bytes(seed).get_public_key()
    return Identity(str(ID.from_pubkey(public)), Secret(seed))


def _check_file(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _not_regular(path, "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file")
    user = os.geteuid()
    # Root may read a service's key (`sudo kaspa-node identity`), if the key belongs to the directory's owner.
    if status.st_uid != user and not (user == 0 and status.st_uid == path.parent.stat().st_uid):
        problem = f"it belongs to user {status.st_uid}, not to user {user} who runs the node"
        raise IdentityError(path, problem, f"run the node as its owner, or chown {user} {path}")
    if status.st_mode & _OTHERS:
        problem = f"others than its owner can read or change it (mode {stat.S_IMODE(status.st_mode):04o})"
        raise IdentityError(path, problem, f"chmod 600 {path}, or move it away if somebody may have read it")


def _not_regular(path: Path, what: str) -> IdentityError:
    return IdentityError(path, f"it is {what}", "put the key file itself there, or move this away")


def _decoded(path: Path, content: bytes) -> bytes:
    """The seed in a key file's content; raises IdentityError."""
    if not content:
        raise IdentityError(path, "it is empty", _NEW_IDENTITY)
    if content.startswith(b"-----BEGIN"):
        raise IdentityError(path, "it is a PEM file, not libp2p's protobuf form of a private key", _NEW_IDENTITY)
    try:
        message = KeyMessage.FromString(content[:_LARGEST])
    except DecodeError as error:
        raise IdentityError(
            path, "it is damaged: not libp2p's protobuf form of a private key", _NEW_IDENTITY
        ) from error
    if len(content) > _LARGEST or not message.HasField("data") or not message.HasField("key_type"):
        raise IdentityError(path, "it is damaged: not libp2p's protobuf form of a private key", _NEW_IDENTITY)
    if message.key_type != KeyType.Ed25519:
        problem = f"it holds a key of type {KeyType.Name(message.key_type)}, and only Ed25519 is supported"
        raise IdentityError(path, problem, _NEW_IDENTITY)
    # py-libp2p writes only the seed, the others write seed and public key.
    seed, public = bytes(message.data[:_SEED]), bytes(message.data[_SEED:])
    if len(seed) != _SEED or len(public) not in (0, _SEED):
        problem = f"it is damaged: {len(message.data)} bytes of key instead of 64"
        raise IdentityError(path, problem, _NEW_IDENTITY)
    if public and Ed25519PrivateKey.from_bytes(seed).get_public_key().to_bytes() != public:
        raise IdentityError(path, "it is damaged: its public key is not that of its private key", _NEW_IDENTITY)
    # The relay of the first proof of concept had a key of one byte and 31 zeros; anybody can make that key.
    if len(set(seed)) <= 2:
        problem = "its key can be guessed: it was made from a single byte"
        raise IdentityError(path, problem, "move it away: the next start makes a random one with a new peer id")
    return seed


def _create(directory: Path, path: Path) -> None:
    """Write a new key to a temporary file, then link it to the right name, which fails if the name exists."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    private: PrivateKey = create_new_key_pair().private_key
    temporary = directory / f".{KEY_FILE}.{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            owner = directory.stat()
            if os.geteuid() == 0 and owner.st_uid != 0:
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(encode(private.to_bytes()))
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(directory)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _system_error(path: Path, error: OSError) -> IdentityError:
    reason = (error.strerror or str(error)).lower()
    problem, remedy = _REASONS.get(error.errno or 0, (reason, "see that `state_dir` can be written"))
    return IdentityError(path, problem, remedy)
