"""An SSH server on loopback that runs commands as this user: what the links meet on real hosts, without one."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko


class Policy(paramiko.ServerInterface):
    """Lets one key in, runs commands, and forwards connections where it is a jump host."""

    def __init__(self, server: SshServer) -> None:
        self._server = server
        self.destinations: dict[int, tuple[str, int]] = {}

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self._server.users.append(username)
        known = key.fingerprint == self._server.login_key.fingerprint
        return int(paramiko.AUTH_SUCCESSFUL if known else paramiko.AUTH_FAILED)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)

    def check_channel_direct_tcpip_request(self, chanid: int, origin: Any, destination: tuple[str, int]) -> int:
        self.destinations[chanid] = destination
        self._server.forwarded.append(destination)
        return int(paramiko.OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._server.execute, args=(channel, command), daemon=True).start()
        return True


class SshServer:
    """The server. users: who has tried a key. forwarded: where connections went. mute: sends no banner."""

    def __init__(self, host_key: paramiko.PKey, login_key: paramiko.PKey, *, mute: bool = False) -> None:
        self.host_key = host_key
        self.login_key = login_key
        self.users: list[str] = []
        self.forwarded: list[tuple[str, int]] = []
        self.transports: list[paramiko.Transport] = []
        self._mute = mute
        self._closing = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def serve(self) -> None:
        """Until it is closed."""
        while True:
            connection, _ = self._listener.accept()
            if self._closing:
                connection.close()
                return
            self._held.append(connection)
            if not self._mute:
                threading.Thread(target=self._welcome, args=(connection,), daemon=True).start()

    def _welcome(self, connection: socket.socket) -> None:
        policy = Policy(self)
        try:
            transport = paramiko.Transport(connection)
            self.transports.append(transport)
            transport.add_server_key(self.host_key)
            transport.start_server(server=policy)
        except (paramiko.SSHException, EOFError, OSError):
            return  # the client did not like our key, or is gone
        while transport.is_active():
            channel = transport.accept(1.0)
            if channel is not None and (destination := policy.destinations.get(channel.chanid)):
                threading.Thread(target=self._forward, args=(channel, destination), daemon=True).start()

    @staticmethod
    def _forward(channel: paramiko.Channel, destination: tuple[str, int]) -> None:
        with socket.create_connection(destination) as there:
            threading.Thread(target=pour, args=(there, channel), daemon=True).start()
            pour(channel, there)

    @staticmethod
    def execute(channel: paramiko.Channel, command: bytes) -> None:
        """Run a command line as sshd does: by a shell, its end of input being the channel's."""
        process = subprocess.Popen(
            ["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        assert process.stdin
        assert process.stdout
        assert process.stderr
        threading.Thread(target=feed, args=(channel, process.stdin), daemon=True).start()
        errors = threading.Thread(target=drain, args=(process.stderr, channel.sendall_stderr), daemon=True)
        errors.start()
        drain(process.stdout, channel.sendall)
        errors.join()
        code = process.wait()
        if not channel.closed:
            channel.send_exit_status(code)
            channel.close()

    def close(self) -> None:
        self._closing = True
        # accept() does not notice that its socket is closed; a last connection wakes it.
        with socket.create_connection(("127.0.0.1", self.port)):
            self._listener.close()
        for transport in self.transports:
            transport.close()
        for connection in self._held:
            connection.close()


def feed(channel: paramiko.Channel, pipe: Any) -> None:
    with pipe:
        while data := channel.recv(65536):
            try:
                pipe.write(data)
            except BrokenPipeError:
                return


def drain(pipe: Any, send: Any) -> None:
    with pipe:
        while data := pipe.read(65536):
            try:
                send(data)
            except OSError:
                return


def pour(source: Any, target: Any) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        return
    finally:
        target.close()


@contextmanager
def ssh_server(login_key: Path, host_key: paramiko.PKey, *, mute: bool = False) -> Iterator[SshServer]:
    """A server that lets the owner of that key in."""
    server = SshServer(host_key, paramiko.Ed25519Key.from_private_key_file(str(login_key)), mute=mute)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()
