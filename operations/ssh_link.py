"""A link over SSH: Fabric's connection over paramiko, set up as ssh would do it.

Host keys are always checked. Nothing is learned or written.
"""

from __future__ import annotations

import contextlib
import logging
import shlex
import socket
import subprocess
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import paramiko
from fabric import Config, Connection

from operations.connection_settings import ConnectionSettings
from operations.known_hosts import KnownKeys, known_keys
from operations.problems import HostProblem
from operations.proxy import Proxy
from operations.ssh_config import SshConfig, ask_ssh
from operations.ssh_login import Login
from operations.supervised import SupervisedLink

KEEPALIVE_SECONDS = 5
LOST_MILLISECONDS = 15_000
"""How long the kernel waits for a silent host (TCP_USER_TIMEOUT, tcp(7))."""
_LISTS = {
    "key_types": "hostkeyalgorithms",
    "kex": "kexalgorithms",
    "ciphers": "ciphers",
    "digests": "macs",
}
"""paramiko's names of lists of algorithms, and ssh's."""

# We report a problem in one line; paramiko's log would add its own lines, with tracebacks.
_log = logging.getLogger("paramiko")
_log.addHandler(logging.NullHandler())
_log.propagate = False


class _Known(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]  # paramiko has no types
    """paramiko knows no host keys of its own, so it asks for each."""

    def __init__(self, known: KnownKeys, host: str) -> None:
        self._known = known
        self._host = host

    def missing_host_key(self, client: object, hostname: str, key: paramiko.PKey) -> None:
        self._known.check((key.get_name(), key.get_base64()), key.fingerprint, self._host)


class SshLink(SupervisedLink):
    """Commands over one SSH connection, each in a channel of its own. Raises HostProblem if it can't be opened."""

    def __init__(self, host: str, settings: ConnectionSettings, interrupted: threading.Event, timeout: float) -> None:
        super().__init__(host, settings, interrupted)
        self._settings = settings
        with contextlib.ExitStack() as undo:
            self._undo = undo
            config = ask_ssh(settings, host)
            self._timeout = min(timeout, config.timeout)
            self._connection = self._open(config)
            self._undo = undo.pop_all()

    def close(self) -> None:
        """See Link."""
        self._undo.close()

    def _start(self, argv: Sequence[str]) -> SshRunning:
        try:
            channel = self._connection.transport.open_session(timeout=self._timeout)
            channel.exec_command(shlex.join(argv))
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise HostProblem(f"the connection was lost: {_reason(error)}", self._host) from error
        return SshRunning(channel)

    def _open(self, config: SshConfig) -> Any:
        proxy = login = None
        try:
            if config.proxy is None:
                sock = self._dial(config)
            else:
                proxy = Proxy(config.proxy)
                self._undo.callback(proxy.close)
                sock = proxy.socket
            known, login = known_keys(config, self._host), Login(config, self._settings.password)
            connection = Connection(
                config.host,
                user=config.user,
                port=config.port,
                config=Config(ssh_config=paramiko.SSHConfig()),
                connect_timeout=self._timeout,
                connect_kwargs={
                    "sock": sock,
                    "auth_strategy": login,
                    "transport_factory": partial(_transport, config, known),
                    "banner_timeout": self._timeout,
                    "auth_timeout": self._timeout,
                    "channel_timeout": self._timeout,
                },
            )
            connection.client.set_missing_host_key_policy(_Known(known, self._host))
            self._undo.callback(connection.client.close)
            connection.open()
        except paramiko.ssh_exception.IncompatiblePeer as error:
            raise HostProblem(f"{config.where} and paramiko have no algorithm in common: {error}", self._host) from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            if login is not None and isinstance(error, paramiko.AuthenticationException):
                raise self._refused(config, login, error) from None
            said = proxy.complaint() if proxy else ""
            raise HostProblem(f"can't reach {config.where}: {said or _reason(error)}", self._host) from None
        connection.transport.set_keepalive(KEEPALIVE_SECONDS)
        return connection

    def _dial(self, config: SshConfig) -> socket.socket:
        """Connect without a proxy, to the first address that answers."""
        found = socket.getaddrinfo(config.host, config.port, config.family, socket.SOCK_STREAM)
        problem = OSError("no address")
        for family, kind, protocol, _, address in found:
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self._timeout)
                if config.source is not None:
                    connection.bind((config.source, 0))
                connection.connect(address)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LOST_MILLISECONDS)
            except OSError as error:
                problem = error
                connection.close()
            else:
                self._undo.callback(connection.close)
                return connection
        raise problem

    def _refused(self, config: SshConfig, login: Login, error: Exception) -> HostProblem:
        notes = [*login.obstacles]
        if not login.tried and not notes:
            notes.append(f"there is no login key {' or '.join(config.identities)}")
        command = [*self._settings.ssh, "-O", "check", str(self._settings.address)]
        checked = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True)
        if checked.returncode == 0:
            notes.append("ssh gets in over a connection that it keeps open (ControlPath), tasks open one of their own")
        text = "; ".join([*notes, "see ansible_user and ansible_ssh_private_key_file"])
        tried = ", ".join(login.tried) or "no key"
        return HostProblem(f"{config.where} refuses the login with {tried}: {_reason(error)}; {text}", self._host)


def _transport(config: SshConfig, known: KnownKeys, sock: Any, **options: Any) -> paramiko.Transport:
    """paramiko's transport with the algorithms that ssh would use, and first with those of the keys that we know."""
    transport = paramiko.Transport(sock, **options)
    security = transport.get_security_options()
    for ours, theirs in _LISTS.items():
        wanted = config.algorithms(theirs)
        if ours == "key_types":
            wanted = [name for name in wanted if "-cert-" not in name]  # paramiko can't check host certificates
            wanted.sort(key=lambda name: not any(_is_for(name, kind) for kind in known.types))
        shared = [name for name in wanted if name in getattr(security, ours)]
        if not shared:
            raise paramiko.ssh_exception.IncompatiblePeer(f"ssh is told to use {','.join(wanted)} only ({theirs})")
        setattr(security, ours, shared)
    return transport


def _is_for(algorithm: str, kind: str) -> bool:
    """Whether a key of that kind signs with the algorithm."""
    return algorithm == kind or (kind == "ssh-rsa" and algorithm.startswith("rsa-sha2-"))


class SshRunning:
    """A channel with a command on it."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def send(self, data: bytes) -> None:
        """See Running."""
        with contextlib.suppress(OSError):  # its output shows its end
            self._channel.sendall(data)

    def hang_up(self) -> None:
        """See Running."""
        with contextlib.suppress(OSError):
            self._channel.shutdown_write()

    def receive(self) -> bytes:
        """See Running."""
        data: bytes = self._channel.recv(65536)
        return data

    def receive_error(self) -> bytes:
        """See Running."""
        data: bytes = self._channel.recv_stderr(65536)
        return data

    def exit_code(self) -> int:
        """See Running."""
        code: int = self._channel.recv_exit_status()
        return code

    def close(self) -> None:
        """See Running."""
        self._channel.close()


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "no such name"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, EOFError):
        return "the connection was closed"
    return str(error).rstrip(".") or type(error).__name__
