"""The booted lab comes up with real hosts, is found up, and goes without a trace."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from lab import booted, cgroups, hosts, ssh
from lab.command import run
from lab.lock import exclusive
from lab.namespaces import NamedNamespaces, mounts_at
from lab.paths import CHECKOUT, RUN, Paths
from lab.topology import HOSTS, NAMESPACES, PREFIX, Host, host
from lab.waiting import until

PATHS = Paths()


@pytest.fixture(scope="module")
def up() -> None:
    with exclusive():
        booted.up(PATHS, fresh=True)


@pytest.fixture
def up_again() -> Iterator[None]:
    """For a test that takes the lab down: what runs after it finds it up."""
    yield
    with exclusive():
        booted.up(PATHS)


def on(name: str, *words: str) -> str:
    return run(ssh.command(PATHS, host(name), words)).strip()


def lab_command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *words], cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False
    )


def root_network() -> str:
    """The machine's own addresses, routes and firewall."""
    return run(["ip", "address"]) + run(["ip", "route", "show", "table", "all"]) + run(["nft", "list", "ruleset"])


@pytest.mark.parametrize("each", HOSTS, ids=lambda each: str(each.name))
@pytest.mark.usefixtures("up")
def test_a_host_is_a_real_machine(each: Host) -> None:
    assert on(each.name, "hostname") == each.name
    assert on(each.name, "cat", "/proc/1/comm") == "systemd"
    assert on(each.name, "systemctl", "is-active", "systemd-journald") == "active"
    assert on(each.name, "systemctl", "--failed", "--quiet") == ""
    assert on(each.name, "ufw", "status") == "Status: inactive"
    assert each.address in on(each.name, "ip", "-4", "-brief", "address", "show", "eth0")


@pytest.mark.usefixtures("up")
def test_a_host_knows_a_name_server_and_nothing_of_this_machine() -> None:
    assert on("client", "cat", "/etc/resolv.conf") == "nameserver 127.0.0.1"
    assert on("client", "cat", "/etc/machine-id") != Path("/etc/machine-id").read_text().strip()
    assert on("client", "cat", "/etc/machine-id") != on("server", "cat", "/etc/machine-id")


@pytest.mark.usefixtures("up")
def test_packages_come_through_the_forwarder() -> None:
    assert "Get:" in run(ssh.command(PATHS, host("client"), ["apt-get", "update"]), timeout=60)


@pytest.mark.usefixtures("up")
def test_only_package_hosts_can_be_reached_through_the_forwarder() -> None:
    script = (
        "import socket; s = socket.create_connection(('203.0.113.80', 80), 5); "
        "s.sendall(b'GET / HTTP/1.1\\r\\nHost: elsewhere.invalid\\r\\n\\r\\n'); print(len(s.recv(100)))"
    )
    assert run(ssh.command(PATHS, host("client"), ["python3", "-"]), stdin=script).strip() == "0"


@pytest.mark.usefixtures("up")
def test_up_finds_it_up_and_changes_nothing() -> None:
    on("client", "touch", "/root/mark")
    before = on("client", "cat", "/proc/sys/kernel/random/boot_id")
    again = lab_command("up")
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("the lab is up: ")
    assert on("client", "cat", "/proc/sys/kernel/random/boot_id") == before
    assert on("client", "ls", "/root/mark") == "/root/mark"


@pytest.mark.usefixtures("up")
def test_a_host_reboots_and_keeps_its_files() -> None:
    on("relay", "touch", "/root/mark")
    booted_before = on("relay", "journalctl", "--list-boots", "--quiet").count("\n")
    run(ssh.command(PATHS, host("relay"), ["systemctl", "reboot"]), check=False)
    assert until(
        lambda: hosts.answer(PATHS, host("relay"), "journalctl --list-boots -q").count("\n") > booted_before, timeout=30
    )
    assert on("relay", "ls", "/root/mark") == "/root/mark"
    assert booted.problems(PATHS, booted.running(PATHS), patience=20) == []


@pytest.mark.usefixtures("up")
def test_a_dead_helper_is_noticed_and_the_lab_built_anew() -> None:
    on("client", "touch", "/root/mark")
    cgroups.kill("hub")
    assert lab_command("status").returncode == 1
    again = lab_command("up")
    assert again.returncode == 0, again.stderr
    assert "the hub has ended" in again.stdout
    assert hosts.answer(PATHS, host("client"), "ls /root/mark") == ""
    assert lab_command("status").returncode == 0


@pytest.mark.usefixtures("up", "up_again")
def test_down_leaves_nothing_even_without_its_state() -> None:
    machine = root_network()
    for file in (PATHS.state_file, PATHS.known_hosts):
        file.unlink()
    done = lab_command("down")
    assert (done.returncode, done.stdout) == (0, "the lab is down\n"), done.stderr
    assert booted.left_over() == []
    assert NamedNamespaces().left() == []
    assert not RUN.exists()
    assert not any((tree / cgroups.ROOT).exists() for tree in cgroups.hierarchies())
    assert processes_of_the_lab() == []
    assert mounts_at("/run/netns") == 0 or any(Path("/run/netns").iterdir())
    assert str(PATHS.state) not in Path("/proc/self/mountinfo").read_text()
    assert root_network() == machine
    assert lab_command("down").stdout == "no lab was up\n"


def processes_of_the_lab() -> list[str]:
    """Command lines of processes that run a module of the lab, or anything under one of its names."""
    marks = ["lab.hub", "lab.forwarder", "lab.boot", *(f"{PREFIX}{name}" for name in NAMESPACES)]
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_text(errors="replace").split("\0")
            except OSError:
                continue
            if any(word == mark or word.endswith(f"={mark}") or f"/{mark}" in word for word in words for mark in marks):
                found.append(" ".join(words))
    return found


@pytest.mark.usefixtures("up_again")
def test_a_failed_start_is_cleaned_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "UP", ())
    monkeypatch.setattr(hosts, "wait_until_up", partial(hosts.wait_until_up, timeout=0))
    with exclusive():
        booted.down(PATHS)
        with pytest.raises(booted.LabError, match="is .* after 0 s"):
            booted.up(PATHS)
    assert booted.left_over() == []
    assert processes_of_the_lab() == []
