"""Links over SSH as they are to real hosts: keys, host keys, jump hosts, and hosts that can't be had."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from lab.waiting import until
from operations.connection_settings import Become, ConnectionSettings
from operations.problems import HostProblem, OperationProblem
from operations.ssh_link import SshLink
from tests.integration.ssh_server import SshServer, ssh_server


def make_key(path: Path, passphrase: bytes = b"") -> Path:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    path.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, encryption))
    path.chmod(0o600)
    return path


def key(path: Path) -> paramiko.PKey:
    return paramiko.Ed25519Key.from_private_key_file(str(path))


@pytest.fixture
def login(tmp_path: Path) -> Path:
    return make_key(tmp_path / "login")


@pytest.fixture
def server(tmp_path: Path, login: Path) -> Iterator[SshServer]:
    with ssh_server(login, key(make_key(tmp_path / "host"))) as server:
        yield server


def known(tmp_path: Path, *servers: SshServer) -> str:
    """A known_hosts file with their keys."""
    lines = [f"[127.0.0.1]:{each.port} {each.host_key.get_name()} {each.host_key.get_base64()}\n" for each in servers]
    path = tmp_path / "known_hosts"
    path.write_text("".join(lines))
    return str(path)


def options(**values: object) -> tuple[str, ...]:
    """ssh with these options; those of `start` come first, and the first value of an option counts."""
    return tuple(word for name, value in values.items() for word in ("-o", f"{name}={value}"))


def having(settings: ConnectionSettings, **values: object) -> ConnectionSettings:
    return replace(settings, ssh=("ssh", *options(**values), *settings.ssh[1:]))


@pytest.fixture
def settings(tmp_path: Path, login: Path, server: SshServer) -> ConnectionSettings:
    return ConnectionSettings(
        address="127.0.0.1",
        ssh=(
            *("ssh", "-F", "/dev/null"),
            *options(Port=server.port, User="admin", IdentityFile=login, IdentitiesOnly="yes", IdentityAgent="none"),
            *options(UserKnownHostsFile=known(tmp_path, server), GlobalKnownHostsFile="/dev/null"),
        ),
    )


def port_of(settings: ConnectionSettings) -> int:
    return next(int(word.partition("=")[2]) for word in settings.ssh if word.startswith("Port="))


def connect(settings: ConnectionSettings, timeout: float = 20.0) -> SshLink:
    return SshLink("vps", settings, threading.Event(), timeout)


def refused(settings: ConnectionSettings, timeout: float = 20.0) -> str:
    with pytest.raises(HostProblem) as problem:
        connect(settings, timeout)
    return str(problem.value)


def test_commands_input_files_and_lines(settings: ConnectionSettings, server: SshServer, tmp_path: Path) -> None:
    link = connect(settings)
    ran = link.run(["sh", "-c", "cat; echo err >&2; exit 3"], input=b"x" * 300_000)
    assert (ran.exit_code, len(ran.out), ran.err) == (3, 300_000, b"err\n")
    assert link.run(["printf", "%s|", "a b", "$HOME", "'"]).text == "a b|$HOME|'|"
    link.write(str(tmp_path / "file"), b"content", mode=0o640)
    assert link.read(str(tmp_path / "file")) == b"content"
    lines: list[str] = []
    link.stream(["printf", "one\\ntwo"], lines.append, timeout=20, stop=threading.Event())
    assert lines == ["one", "two"]
    assert set(server.users) == {"admin"}
    link.close()


def test_a_stream_that_is_stopped_leaves_nothing_behind(settings: ConnectionSettings) -> None:
    link, stop, lines = connect(settings), threading.Event(), []

    def on_line(line: str) -> None:
        lines.append(line)
        stop.set()

    link.stream(["sh", "-c", 'sleep 1000 & echo "$!"; wait'], on_line, timeout=60, stop=stop)
    assert until(lambda: not running(int(lines[0])), timeout=20)
    link.close()


def test_a_lost_connection_is_a_problem_and_leaves_nothing_behind(
    settings: ConnectionSettings, server: SshServer
) -> None:
    link, lines = connect(settings), []

    def on_line(line: str) -> None:
        lines.append(line)
        for transport in server.transports:
            transport.close()

    argv = ["sh", "-c", 'sleep 1000 & echo "$!"; wait']
    with pytest.raises(HostProblem, match="^vps: the connection was lost while `sh -c .*` ran$"):
        link.stream(argv, on_line, timeout=60, stop=threading.Event())
    assert until(lambda: not running(int(lines[0])), timeout=20)
    with pytest.raises(HostProblem, match="^vps: the connection was lost: "):
        link.run(["true"])
    link.close()


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_another_host_key_than_the_known_one(settings: ConnectionSettings, server: SshServer, tmp_path: Path) -> None:
    server.host_key = key(make_key(tmp_path / "another"))
    said = refused(settings)
    assert said.startswith(f"vps: admin@127.0.0.1:{port_of(settings)} has another host key (SHA256:")
    assert said.endswith("otherwise somebody may be in between")


def test_a_host_key_that_nobody_knows(settings: ConnectionSettings, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    said = refused(having(settings, UserKnownHostsFile=f"{tmp_path}/empty {tmp_path}/missing"))
    assert said.startswith(
        f"vps: the host key of admin@127.0.0.1:{port_of(settings)} is not in {tmp_path}/empty or /dev/null"
    )
    assert "check ssh-ed25519 SHA256:" in said
    assert (tmp_path / "empty").read_text() == ""


def test_a_login_key_that_is_not_let_in(settings: ConnectionSettings, login: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    said = refused(replace(settings, ssh=tuple(word.replace(str(login), str(other)) for word in settings.ssh)))
    assert said.startswith(f"vps: admin@127.0.0.1:{port_of(settings)} refuses the login with {other}: ")
    assert said.endswith("see ansible_user and ansible_ssh_private_key_file")


def test_a_login_key_that_is_not_there(settings: ConnectionSettings, login: Path) -> None:
    login.unlink()
    said = refused(settings)
    assert f"refuses the login with no key: Authentication failed; there is no login key {login}; see " in said


def test_a_login_key_with_a_passphrase(settings: ConnectionSettings, login: Path) -> None:
    make_key(login, b"secret")
    assert f"{login} has a passphrase; load it with ssh-add; see " in refused(settings)


def test_nobody_listens(settings: ConnectionSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert refused(having(settings, Port=port)) == f"vps: can't reach admin@127.0.0.1:{port}: connection refused"


def test_a_name_that_is_none(settings: ConnectionSettings) -> None:
    assert refused(replace(settings, address="nobody.invalid")).startswith("vps: can't reach admin@nobody.invalid:")


def test_a_host_that_says_nothing(tmp_path: Path, settings: ConnectionSettings, login: Path) -> None:
    with ssh_server(login, key(login), mute=True) as mute:
        said = refused(having(settings, Port=mute.port), timeout=0.5)
        assert said.startswith(f"vps: can't reach admin@127.0.0.1:{mute.port}: ")


def test_a_proxy_command(settings: ConnectionSettings, server: SshServer, tmp_path: Path) -> None:
    relay = "import os,socket,sys,threading\n"
    relay += "s=socket.create_connection((sys.argv[1],int(sys.argv[2])))\n"
    relay += "def pour(a,b):\n"
    relay += "  while d:=os.read(a,65536): os.write(b,d)\n"
    relay += "  os._exit(0)\n"
    relay += "threading.Thread(target=pour,args=(s.fileno(),1)).start(); pour(0,s.fileno())"
    (tmp_path / "relay.py").write_text(relay)
    link = connect(having(settings, ProxyCommand=f"python3 {tmp_path}/relay.py %h %p"))
    assert link.run(["echo", "hello"]).text == "hello\n"
    link.close()


def test_a_proxy_command_that_fails_is_quoted(settings: ConnectionSettings) -> None:
    said = refused(having(settings, ProxyCommand="sh -c 'echo the lab is not up >&2; exit 255'"))
    assert said == f"vps: can't reach admin@127.0.0.1:{port_of(settings)}: the lab is not up"


@pytest.fixture
def jump(tmp_path: Path, login: Path) -> Iterator[SshServer]:
    with ssh_server(login, key(make_key(tmp_path / "jump"))) as jump:
        yield jump


def through(settings: ConnectionSettings, jump: SshServer, place: Path, login: Path, known: str) -> ConnectionSettings:
    """A jump host has the configuration of the file, not the options that are for the host behind it."""
    config = place / "config"
    config.write_text(
        f"Host gate\n  HostName 127.0.0.1\n  Port {jump.port}\n  User gate\n  IdentityFile {login}\n"
        f"  UserKnownHostsFile {known}\nHost *\n  IdentityAgent none\n  ProxyJump none\n"
    )
    return having(replace(settings, ssh=("ssh", "-F", str(config), *settings.ssh[3:])), ProxyJump="gate")


def test_a_jump_host(
    settings: ConnectionSettings, server: SshServer, jump: SshServer, tmp_path: Path, login: Path
) -> None:
    link = connect(through(settings, jump, tmp_path, login, known(tmp_path, server, jump)))
    assert link.run(["echo", "hello"]).text == "hello\n"
    assert jump.forwarded == [("127.0.0.1", server.port)]
    assert (set(jump.users), set(server.users)) == ({"gate"}, {"admin"})
    link.close()


def test_a_jump_hosts_key_is_checked_too(
    settings: ConnectionSettings, server: SshServer, jump: SshServer, tmp_path: Path, login: Path
) -> None:
    said = refused(through(settings, jump, tmp_path, login, known(tmp_path, server)))
    assert said.startswith(f"vps: can't reach admin@127.0.0.1:{server.port}: ")
    assert (jump.users, server.users) == ([], [])


def test_an_alias_of_sshs_own_configuration(
    settings: ConnectionSettings, server: SshServer, tmp_path: Path, login: Path
) -> None:
    with_alias = tmp_path / "config"
    with_alias.write_text(f"Host vps\n  HostName 127.0.0.1\n  Port {server.port}\n  User other\n")
    arguments = options(IdentityFile=login, IdentityAgent="none", UserKnownHostsFile=known(tmp_path, server))
    link = connect(replace(settings, address="vps", ssh=("ssh", "-F", str(with_alias), *arguments)))
    assert link.run(["echo", "hello"]).text == "hello\n"
    assert set(server.users) == {"other"}
    link.close()


def test_no_sudo(settings: ConnectionSettings) -> None:
    become = Become(lambda line: (f"/nowhere/sudo {line}", ""))
    link = connect(replace(settings, become=become))
    with pytest.raises(OperationProblem, match="^vps: no (root|Python there): "):
        link.run(["true"])
    link.close()
