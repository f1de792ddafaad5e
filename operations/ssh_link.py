"""A link over SSH: Fabric's connection over paramiko, host keys are always checked, nothing is learned or written."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import paramiko
from fabric import Config, Connection

from operations.connection_settings import ConnectionSettings
from operations.problems import HostProblem
from operations.proxy import Proxy
from operations.supervised import SupervisedLink

CONNECT_SECONDS = 10.0
KEEPALIVE_SECONDS = 5
LOST_MILLISECONDS = 15_000
"""How long the kernel waits for a silent host (TCP_USER_TIMEOUT, tcp(7))."""

# We report a problem in one line; paramiko's log would add its own lines, with tracebacks.
_log = logging.getLogger("paramiko")
_log.addHandler(logging.NullHandler())
_log.propagate = False


class UnknownHostKey(paramiko.SSHException):  # type: ignore[misc]  # paramiko has no types
    """The host has a key that is in no known_hosts file."""


class _Refuse(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
    """Accept no unknown key."""

    def missing_host_key(self, client: object, hostname: str, key: paramiko.PKey) -> None:
        raise UnknownHostKey(f"{key.get_name()} {key.fingerprint}")


class SshLink(SupervisedLink):
    """Commands over one SSH connection, each in a channel of its own. Raises HostProblem if it can't be opened."""

    def __init__(self, host: str, settings: ConnectionSettings, interrupted: threading.Event, timeout: float) -> None:
        super().__init__(host, settings.interpreter, settings.sudo, interrupted)
        self._settings = settings
        self._proxies: list[Proxy] = []
        self._timeout = min(timeout, CONNECT_SECONDS)
        self._connections: list[Any] = []
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            self._connections = self._prepare()
            self._open()
            undo.pop_all()

    def close(self) -> None:
        """See Link."""
        for connection in self._connections:
            connection.client.close()
        for proxy in self._proxies:
            proxy.close()

    def _start(self, argv: Sequence[str]) -> SshRunning:
        transport = self._connections[0].transport
        try:
            channel = transport.open_session(timeout=self._timeout)
            channel.exec_command(shlex.join(argv))
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise HostProblem(f"the connection was lost: {_reason(error)}", self._host) from error
        return SshRunning(channel)

    def _prepare(self) -> list[Any]:
        """The connection, and those to the jump hosts that it goes through, the last one first."""
        settings = self._settings
        assert settings.address is not None
        for key in settings.keys:
            if not Path(key).expanduser().is_file():
                raise HostProblem(f"there is no login key {key}; see ansible_ssh_private_key_file", self._host)
        try:
            config = Config(ssh_config=_ssh_config(settings.config))
        except (paramiko.ssh_exception.ConfigParseError, OSError) as error:
            raise HostProblem(f"ssh's configuration can't be read: {_reason(error)}", self._host) from error
        gateway: Any = None
        for hop in settings.jumps:
            gateway = Connection(hop, config=config, gateway=gateway, connect_kwargs=self._logins())
        if settings.proxy is not None:
            gateway = settings.proxy if settings.proxy.lower() != "none" else False
        connection = Connection(
            settings.address,
            user=settings.user,
            port=settings.port,
            config=config,
            gateway=gateway,
            connect_kwargs=self._logins(),
        )
        chain = [connection]
        while isinstance(chain[-1].gateway, Connection):
            chain.append(chain[-1].gateway)
        for each in chain:
            self._secure(each)
        return chain

    def _logins(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "key_filename": [str(Path(key).expanduser()) for key in settings.keys],
            "password": settings.password,
            "allow_agent": not settings.only_keys,
            "look_for_keys": not (settings.only_keys and settings.keys),
            "banner_timeout": self._timeout,
            "auth_timeout": self._timeout,
            "channel_timeout": self._timeout,
        }

    def _secure(self, connection: Any) -> None:
        """Make a connection check host keys and limit the time of its start, also a connection of Fabric's own."""
        client = connection.client
        client.set_missing_host_key_policy(_Refuse())
        for name in self._settings.known_hosts:
            path = Path(name).expanduser()
            if path.is_file():
                try:
                    client.load_system_host_keys(str(path))
                except (paramiko.hostkeys.InvalidHostKey, OSError) as error:
                    raise HostProblem(f"{name} can't be read: {_reason(error)}", self._host) from error
        connection.connect_timeout = self._timeout
        connection.connect_kwargs = {**self._logins(), **connection.connect_kwargs}
        if isinstance(connection.gateway, str):
            proxy = Proxy(connection.gateway, connection.host, connection.port, connection.user)
            self._proxies.append(proxy)
            connection.gateway = False
            connection.connect_kwargs["sock"] = proxy.socket

    def _open(self) -> None:
        connection = self._connections[0]
        where = f"{connection.user}@{connection.host}:{connection.port}"
        try:
            connection.open()
        except paramiko.BadHostKeyException as error:
            files = " or ".join(self._settings.known_hosts)
            raise HostProblem(
                f"{where} has another host key ({error.key.fingerprint}) than {files} says: if it was "
                "installed again, remove its old line there; otherwise somebody may be in between",
                self._host,
            ) from None
        except UnknownHostKey as error:
            files = " or ".join(self._settings.known_hosts) or "any file"
            raise HostProblem(
                f"the host key of {where} is not in {files}: check {error} and log in once with ssh", self._host
            ) from None
        except paramiko.PasswordRequiredException:
            raise HostProblem(f"the login key for {where} has a passphrase; load it with ssh-add", self._host) from None
        except paramiko.AuthenticationException as error:
            keys = ", ".join(self._settings.keys) or "those of ssh's agent and of ~/.ssh"
            raise HostProblem(
                f"{where} refuses the login with {keys}: {_reason(error)}; see ansible_user and "
                "ansible_ssh_private_key_file",
                self._host,
            ) from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            said = next((text for proxy in self._proxies if (text := proxy.complaint())), "")
            raise HostProblem(f"can't reach {where}: {said or _reason(error)}", self._host) from None
        transport = connection.transport
        transport.set_keepalive(KEEPALIVE_SECONDS)
        with contextlib.suppress(OSError, AttributeError):  # a jump host's channel is not a socket
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LOST_MILLISECONDS)


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


def _ssh_config(path: str | None) -> paramiko.SSHConfig:
    """ssh's own configuration: the user's file and the system's, or a given one, or none at all."""
    config = paramiko.SSHConfig()
    names = () if path is None else (path, "/etc/ssh/ssh_config") if path == "~/.ssh/config" else (path,)
    for name in names:
        file = Path(name).expanduser()
        if file.is_file():
            with file.open(encoding="utf-8", errors="replace") as stream:
                config.parse(stream)
    return config


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, paramiko.ssh_exception.NoValidConnectionsError):
        return ", ".join(dict.fromkeys(os.strerror(each.errno) for each in error.errors.values())).lower()
    if isinstance(error, socket.gaierror):
        return "no such name"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, EOFError):
        return "the connection was closed"
    return str(error).rstrip(".") or type(error).__name__
