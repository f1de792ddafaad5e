"""A spare host joins the booted lab and leaves it, and the relay moves to another address and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import booted, hosts, public
from lab.lock import exclusive
from lab.namespaces import NamedNamespaces
from lab.paths import CHECKOUT, Paths
from lab.state import State
from lab.topology import ROUTERS, SPARE, host

PATHS = Paths()
NEW = "203.0.113.12"


@pytest.fixture(scope="module", autouse=True)
def up() -> Iterator[None]:
    """A lab that is up; as usual at the end."""
    with exclusive():
        booted.up(PATHS)
    yield
    with exclusive():
        public.remove_spare(PATHS)
        public.move(PATHS, "relay", host("relay").address)


def lab_command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *words], cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False
    )


def ansible_sees(name: str, address: str) -> bool:
    """Whether Ansible reaches the host at that address by the lab's own settings."""
    words = [
        str(Path(sys.executable).with_name("ansible")),
        "all",
        "-i",
        "inventory/lab",
        "-e",
        f"ansible_host={address}",
    ]
    words += ["--limit", "relay", "-m", "ansible.builtin.command", "-a", "hostname"]
    environ = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(words, cwd=CHECKOUT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 0 and done.stdout.split()[-1] == name


def pings(source: str, address: str) -> bool:
    return "1 received" in hosts.answer(PATHS, host(source), "ping", "-c1", "-W2", address)


def counted_hosts(router: str) -> str:
    words = [*NamedNamespaces().enter(router), "nft", "-j", "list", "set", "ip", "filter", "relays"]
    listing = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return " ".join(sorted(next(each["set"]["elem"] for each in json.loads(listing)["nftables"] if "set" in each)))


def test_a_spare_host_joins_and_leaves_while_the_others_stay() -> None:
    before = {name: boot_id(name) for name in ("relay", "server", "client")}
    done = lab_command("spare", "up")
    assert done.returncode == 0, done.stderr
    assert booted.running(PATHS).host(SPARE.name) == SPARE
    assert lab_command("ssh", SPARE.name, "hostname").stdout == f"{SPARE.name}\n"
    assert f"{SPARE.name:<12} {SPARE.address:<14} running" in lab_command("status").stdout
    assert ansible_sees(SPARE.name, SPARE.address)
    assert pings("client", SPARE.address)
    assert pings("client", host("relay").address)
    assert counted_hosts(ROUTERS[0].name) == "203.0.113.10 203.0.113.11"
    assert lab_command("spare", "up").stdout == "relay2 is up\n"
    assert lab_command("up").stdout.endswith("relay2 203.0.113.11\n")  # and changes nothing

    assert lab_command("spare", "down").stdout == "relay2 is gone\n"
    assert lab_command("spare", "down").stdout == "relay2 is down\n"
    assert not (PATHS.hosts / SPARE.name).exists()
    assert SPARE.address not in PATHS.known_hosts.read_text()
    assert f"kl-{SPARE.name}" not in NamedNamespaces().left()
    assert booted.problems(PATHS, booted.running(PATHS), patience=20) == []
    assert {name: boot_id(name) for name in before} == before
    assert pings("client", host("relay").address)


def test_the_relay_moves_while_it_runs_and_back() -> None:
    before, old = boot_id("relay"), host("relay").address
    assert lab_command("move", "relay", NEW).stdout == f"relay is now at {NEW}, no longer at {old}\n"
    assert lab_command("ssh", "relay", "hostname").stdout == "relay\n"
    assert f"{'relay':<12} {NEW:<14} running" in lab_command("status").stdout
    assert ansible_sees("relay", NEW)
    assert pings("client", NEW)
    assert not pings("client", old)
    assert counted_hosts(ROUTERS[1].name) == NEW
    assert lab_command("move", "relay", old).returncode == 0
    assert boot_id("relay") == before
    assert ansible_sees("relay", old)
    assert pings("server", old)


def test_down_takes_the_spare_host_along() -> None:
    assert lab_command("spare", "up").returncode == 0
    done = lab_command("down")
    assert (done.returncode, done.stdout) == (0, "the lab is down\n"), done.stderr
    assert booted.left_over() == []
    with exclusive():
        booted.up(PATHS)
    assert booted.running(PATHS).addresses == State("").addresses


def boot_id(name: str) -> str:
    return hosts.answer(PATHS, host(name), "cat", "/proc/sys/kernel/random/boot_id")
