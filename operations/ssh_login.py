"""The login at a host: the keys of the agent, of files, and their certificates, in ssh's order; then a password."""

from __future__ import annotations

import contextlib
import copy
import io
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from paramiko.auth_strategy import AuthSource, AuthStrategy, InMemoryPrivateKey, NoneAuth, Password
from paramiko.pkey import PublicBlob

from operations.ssh_config import SshConfig

_KINDS = {
    Ed25519PrivateKey: paramiko.Ed25519Key,
    EllipticCurvePrivateKey: paramiko.ECDSAKey,
    RSAPrivateKey: paramiko.RSAKey,
}


class Agent(paramiko.agent.AgentSSH):  # type: ignore[misc]  # paramiko has no types
    """ssh's agent at a socket; without keys if there is none."""

    def __init__(self, path: str | None) -> None:
        super().__init__()
        if path is None:
            return
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            self._connect(connection)
        except (OSError, paramiko.SSHException):
            connection.close()

    def close(self) -> None:
        """Disconnect."""
        self._close()


@dataclass
class Identity:
    """A file with a login key. blob: its public key, None if there is none. private: None if it can't be used.

    obstacle: why not.
    """

    path: str
    blob: bytes | None = None
    private: paramiko.PKey | None = None
    obstacle: str | None = None


class Login(AuthStrategy):  # type: ignore[misc]
    """Tries what ssh would try. obstacles: what it could not try, and why, for a message.

    tried: the names of keys.
    """

    def __init__(self, config: SshConfig, password: str | None) -> None:
        super().__init__(ssh_config=None)
        self._config = config
        self._password = password
        self._agent = Agent(config.agent)
        self._identities = [identity(path) for path in config.identities]
        self.obstacles = [each.obstacle for each in self._identities if each.obstacle]
        self.tried: list[str] = []

    def get_sources(self) -> Iterator[AuthSource]:
        """See AuthStrategy."""
        user, methods = self._config.user, self._config.methods
        if "publickey" in methods:
            for name, key in self._keys():
                if _accepted(key, self._config.algorithms("pubkeyacceptedalgorithms")):
                    self.tried.append(name)
                    yield InMemoryPrivateKey(user, key)
        if self._password is not None and {"password", "keyboard-interactive"} & methods:
            self.tried.append("the password")
            yield Password(user, lambda: self._password)
        # For hosts that ask for nothing else, such as those of a VPN that knows its users.
        yield NoneAuth(user)

    def authenticate(self, transport: paramiko.Transport) -> None:
        """Raises AuthenticationException. A host may ask for several methods, one after the other."""
        try:
            reason = paramiko.AuthenticationException("Authentication failed")
            for source in self.get_sources():
                try:
                    if not source.authenticate(transport):
                        return
                except paramiko.AuthenticationException as error:
                    if not transport.is_active():
                        raise
                    if not isinstance(error, paramiko.BadAuthenticationType):
                        reason = error
                except paramiko.SSHException:  # the agent won't sign, or the key has no algorithm that the host takes
                    if not transport.is_active():
                        raise
            raise reason
        finally:
            self._agent.close()

    def _keys(self) -> Iterator[tuple[str, paramiko.PKey]]:
        """Keys with their names in ssh's order: with certificates, of the agent, of files."""
        config = self._config
        held = {key.asbytes(): key for key in self._agent.get_keys() if not _certified(key)}
        ours = {each.blob: each for each in self._identities if each.blob}
        for path in [*config.certificates, *(f"{each.path}-cert.pub" for each in self._identities)]:
            with contextlib.suppress(OSError, ValueError):
                certificate = PublicBlob.from_file(path)
                usable = {blob: each.private for blob, each in ours.items() if each.private} | held
                for blob, key in usable.items():
                    if _certifies(certificate, blob):
                        yield path, _with(key, certificate)
        named = [key for key in self._agent.get_keys() if key.blob in ours]
        others = [key for key in self._agent.get_keys() if key.blob not in ours]
        for key in [*named, *([] if config.yes("identitiesonly") else others)]:
            label = ours[key.blob].path if key.blob in ours else f"{key.comment or key.get_name()} of ssh's agent"
            yield label, _with(key, PublicBlob(key.get_name(), key.blob)) if _certified(key) else key
        for each in self._identities:
            if each.private is not None and each.blob not in held:
                yield each.path, each.private


def identity(path: str) -> Identity:
    """Read a key file, or the public key beside it."""
    found = Identity(path)
    try:
        data = Path(path).read_bytes()
    except OSError:
        data = b""
    for text in (data, _bytes(f"{path}.pub")):
        with contextlib.suppress(ValueError, paramiko.SSHException, UnicodeDecodeError):
            if not text.startswith(b"-----"):
                found.blob = found.blob or PublicBlob.from_string(text.decode()).key_blob
    if not data.startswith(b"-----"):
        return found
    # ssh does not use such a key either.
    state = os.stat(path)
    if state.st_uid == os.getuid() and stat.S_IMODE(state.st_mode) & 0o077:
        found.obstacle = f"{path} can be read by others: chmod 600 {path}"
        return found
    try:
        found.private = private_key(data)
        found.blob = found.private.asbytes()
    except TypeError:
        found.obstacle = f"{path} has a passphrase; load it with ssh-add"
    except (ValueError, UnsupportedAlgorithm, paramiko.SSHException):
        found.obstacle = f"{path} is a key that tasks can't use; load it with ssh-add"
    return found


def private_key(data: bytes) -> paramiko.PKey:
    """A private key in OpenSSH's format, PKCS #8 or PKCS #1; paramiko itself knows only some of these.

    Raises TypeError if it has a passphrase, ValueError and UnsupportedAlgorithm.
    """
    try:
        key = load_ssh_private_key(data, None)
    except ValueError:
        key = load_pem_private_key(data, None)  # type: ignore[assignment]  # of the same kinds
    text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    for kind, ours in _KINDS.items():
        if isinstance(key, kind):
            return ours.from_private_key(io.StringIO(text))
    raise UnsupportedAlgorithm(type(key).__name__)


def _accepted(key: paramiko.PKey, algorithms: list[str]) -> bool:
    """Whether one of these algorithms is the key's; an RSA key has several."""
    kind = key.public_blob.key_type if key.public_blob else key.get_name()
    ours = kind.replace("ssh-rsa", "rsa-sha2-512"), kind.replace("ssh-rsa", "rsa-sha2-256")
    return not {*ours}.isdisjoint(algorithms)


def _certified(key: paramiko.PKey) -> bool:
    """Whether an agent's key is a certificate; the agent has its plain key too."""
    return bool(key.get_name().endswith("-cert-v01@openssh.com"))


def _certifies(certificate: PublicBlob, blob: bytes) -> bool:
    """Whether a certificate is for a public key. It repeats the key's fields after its type and nonce."""
    ours, theirs = paramiko.Message(blob), paramiko.Message(certificate.key_blob)
    kind = ours.get_string().decode(errors="replace")
    theirs.get_string()
    theirs.get_string()
    fields: bytes = theirs.get_remainder()
    return certificate.key_type.startswith(f"{kind}-cert-") and fields.startswith(ours.get_remainder())


def _with(key: paramiko.PKey, certificate: PublicBlob) -> paramiko.PKey:
    # An agent's key forwards attributes that it has not, so it can't be copied.
    agents = isinstance(key, paramiko.AgentKey)
    other = paramiko.AgentKey(key.agent, key.blob, key.comment) if agents else copy.copy(key)
    other.public_blob = certificate
    return other


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
