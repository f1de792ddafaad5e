"""ssh's answers, as tasks use them. ssh itself reads the configuration; nothing is contacted."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from operations.connection_settings import ConnectionSettings
from operations.problems import HostProblem
from operations.ssh_config import SshConfig, ask_ssh


def ask(place: Path, text: str, *arguments: str, address: str = "vps") -> SshConfig:
    (place / "config").write_text(text)
    return ask_ssh(ConnectionSettings(address, ("ssh", "-F", str(place / "config"), *arguments)), "a")


def test_options_in_all_the_ways_that_ssh_takes_them(tmp_path: Path) -> None:
    config = ask(tmp_path, "", "-o", "Port=2222", "-oUser=admin", "-o", "ProxyCommand=nc %h %p", "-i", "/dev/null")
    assert (config.where, config.proxy, config.identities) == ("admin@vps:2222", "nc vps 2222", ["/dev/null"])


def test_the_first_value_of_an_option_counts(tmp_path: Path) -> None:
    assert ask(tmp_path, "Port 4\n", "-o", "Port=1", "-o", "Port=2", "-p", "3").port == 1


def test_a_jump_host_is_reached_by_the_program_that_the_inventory_names_for_ssh(tmp_path: Path) -> None:
    program = tmp_path / "my 100% ssh"
    program.write_text('#!/bin/sh\nexec ssh "$@"\n')
    program.chmod(0o755)
    config = ask_ssh(ConnectionSettings("vps", (str(program), "-F", "/dev/null", "-J", "admin@gate:7")), "a")
    assert config.proxy == f"'{program}' -l admin -p 7 -F /dev/null -W '[vps]:22' gate"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("Match user nobody\n Port 1\nMatch user admin\n Port 2\nHost *\n User admin\n", "admin@vps:22"),
        ("Host *\n User admin\nMatch user admin\n Port 2\n", "admin@vps:2"),
        ("Include {}/more\n", "included@vps:23"),
        ("MATCH HOST vps\n Port 5\n User b\n", "b@vps:5"),
        ("Match host other\n Port 5\nHost *\n User c\n", "c@vps:22"),
        ("Host v*\n HostName %h.example\n User d\n", "d@vps.example:22"),
    ],
)
def test_blocks_and_files_of_the_configuration(text: str, where: str, tmp_path: Path) -> None:
    (tmp_path / "more").write_text("Port 23\nUser included\n")
    assert ask(tmp_path, text.format(tmp_path)).where == where


def test_who_logs_in_is_nothing_that_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ask(tmp_path, "").user
    monkeypatch.setenv("LOGNAME", "somebody")
    monkeypatch.setenv("USER", "somebody")
    assert ask(tmp_path, "").user == before != "somebody"


def test_tokens_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "/there")
    text = "HostName 10.0.0.1\nPort 7\nUser x\nProxyCommand p %h %p %r %n %%\nIdentityFile ${PLACE}/%r-%n\n"
    config = ask(tmp_path, text + "CertificateFile /c/%h\n")
    assert (config.proxy, config.identities, config.certificates) == (
        *("p 10.0.0.1 7 x vps %", ["/there/x-vps"]),
        ["/c/10.0.0.1"],
    )


def test_a_token_that_tasks_do_not_know(tmp_path: Path) -> None:
    with pytest.raises(HostProblem, match=r"^tasks don't know %C in ssh's configuration \(/keys/%C\)$"):
        _ = ask(tmp_path, "IdentityFile /keys/%C\n").identities


def test_jump_hosts_are_sshs_own_business(tmp_path: Path) -> None:
    config = ask(tmp_path, "", "-J", "admin@jump:2200,[::1]:9", "-p", "5")
    assert config.proxy == f"ssh -p 9 -J admin@jump:2200 -F {tmp_path}/config -W '[vps]:5' ::1"
    assert ask(tmp_path, "Host *\n ProxyJump none\nHost vps\n ProxyJump gate\n").proxy is None


def test_a_proxy_command_that_is_none(tmp_path: Path) -> None:
    assert ask(tmp_path, "ProxyCommand gate\n", "-o", "ProxyCommand=none").proxy is None


def test_names_in_known_hosts(tmp_path: Path) -> None:
    assert ask(tmp_path, "HostName V.example\n").names == ["v.example"]
    assert ask(tmp_path, "Port 5\n").names == ["[vps]:5", "vps"]
    assert ask(tmp_path, "Port 5\nHostKeyAlias alias\n").names == ["alias"]


def test_files(tmp_path: Path) -> None:
    (tmp_path / "a b").touch()
    text = f'UserKnownHostsFile "{tmp_path}/a b" /other\nGlobalKnownHostsFile none\nRevokedHostKeys /bad\n'
    config = ask(tmp_path, text)
    assert (config.known_hosts, config.revoked_keys) == ([f"{tmp_path}/a b", "/other"], ["/bad"])
    assert ask(tmp_path, "RevokedHostKeys none\n").revoked_keys == []


def test_times_and_addresses(tmp_path: Path) -> None:
    config = ask(tmp_path, "ConnectTimeout 1m\nAddressFamily inet6\nBindAddress ::1\nForwardAgent Yes\n")
    assert (config.timeout, config.family, config.source) == (60.0, socket.AF_INET6, "::1")
    assert (ask(tmp_path, "").timeout, ask(tmp_path, "").source) == (10.0, None)


def test_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    monkeypatch.setenv("OTHER", "/other")
    found = [ask(tmp_path, text).agent for text in ("", "IdentityAgent none\n", "IdentityAgent $OTHER\n")]
    assert found == ["/agent", None, "/other"]
    assert ask(tmp_path, "IdentityAgent /mine\n").agent == "/mine"


def test_methods(tmp_path: Path) -> None:
    assert ask(tmp_path, "PubkeyAuthentication no\n").methods == {"keyboard-interactive", "password"}
    assert ask(tmp_path, "PreferredAuthentications gssapi-with-mic,publickey\n").methods == {
        *("publickey", "gssapi-with-mic")
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "Port=many"), "a: can't reach vps: ssh says: command-line line 0: .*'many'"),
        (("-o", "IdentityFile"), "a: can't reach vps: ssh says: command-line line 0: .*[Ii]dentity[Ff]ile"),
    ],
)
def test_arguments_that_can_not_be_read(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(HostProblem, match=f"^{said}"):
        ask(tmp_path, "", *words)


def test_no_ssh() -> None:
    with pytest.raises(HostProblem, match="^a: /nowhere/ssh can't be started: No such file or directory$"):
        ask_ssh(ConnectionSettings("vps", ("/nowhere/ssh",)), "a")
