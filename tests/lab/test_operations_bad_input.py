"""Hosts that can't be reached or used: each task says so in one line for each, exits with 2 and changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.command import run
from lab.topology import HOSTS
from tests.fabric import ON_HOST, fab, here, words
from tests.lab.scenes import PATHS, on
from tests.playbooks import ROOT

pytestmark = pytest.mark.usefixtures("unchanged")

TASKS = sorted(ON_HOST)
PLAIN = "plain"
"""A user of the hosts without any rights."""

LAB = ROOT / "inventory" / "lab"
HOSTS_FILE = LAB / "hosts.yml"


@pytest.fixture(autouse=True)
def _in_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("ANSIBLE_INVENTORY", raising=False)


@pytest.fixture(scope="module")
def unchanged(deployed: None) -> Iterator[None]:
    """At the end every service still is the one that it was, and so is every key."""
    script = "systemctl show --value -p InvocationID 'kaspa-*'; sha256sum /var/lib/kaspa-node/identity.key"
    before = {each.name: on(each.name, script) for each in HOSTS}
    yield
    assert {each.name: on(each.name, script) for each in HOSTS} == before


def inventory(place: Path, address: str | None = None, **variables: object) -> list[str]:
    """The lab's inventory, with another address and other variables for all hosts, as an option."""
    directory = place / "inventory"
    variables_of_all = directory / "group_vars" / "all"
    variables_of_all.mkdir(parents=True)
    hosts = re.sub(
        "ansible_host: .*", r"\g<0>" if address is None else f"ansible_host: {address}", HOSTS_FILE.read_text()
    )
    (directory / "hosts.yml").write_text(hosts)
    common = (LAB / "group_vars" / "all.yml").read_text()
    common = re.sub("^_lab_checkout: .*$", f"_lab_checkout: {ROOT}", common, flags=re.MULTILINE)
    (variables_of_all / "1.yml").write_text(common)
    (variables_of_all / "2.yml").write_text(json.dumps(variables))
    return ["--inventory", str(directory)]


@pytest.fixture(scope="module", params=TASKS)
def task(request: pytest.FixtureRequest) -> str:
    """Each task that asks hosts."""
    name: str = request.param
    return name


def told(capsys: pytest.CaptureFixture[str], task: str, place: Path, option: list[str]) -> set[str]:
    """What is told of each host, the host's name and address left out; each host has one line."""
    done = here(capsys, *words(task, "client", place), *option)
    assert done.code == 2, done
    found = [re.fullmatch(r"(relay|server|client): (.*)", line) for line in done.complaints]
    assert found, done
    assert all(found), done
    named = [match[1] for match in found if match]
    assert len(named) == len(set(named)), done
    return {re.sub(r"\b(10\.\d\.0\.2|203\.0\.113\.10):22\b", "HOST", match[2]) for match in found if match}


def test_hosts_that_are_not_there(task: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    option = inventory(tmp_path, "127.0.0.1", ansible_port=9, kaspa_operations_proxy="none")
    assert told(capsys, task, tmp_path, option) == {"can't reach root@127.0.0.1:9: connection refused"}


def test_hosts_with_other_keys_than_known(task: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")])
    kind, key, *_ = (tmp_path / "other.pub").read_text().split()
    known = tmp_path / "known_hosts"
    known.write_text("".join(f"{each.address} {kind} {key}\n" for each in HOSTS))
    option = inventory(tmp_path, ansible_ssh_args=f"-F /dev/null -o UserKnownHostsFile={known}")
    (said,) = {re.sub(r"SHA256:\S+\)", "KEY)", text) for text in told(capsys, task, tmp_path, option)}
    assert said == (
        f"root@HOST has another host key (KEY) than {known} or /dev/null says: if it was installed again, "
        "remove its old line there; otherwise somebody may be in between"
    )


def test_hosts_that_nobody_knows(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    option = inventory(tmp_path, ansible_ssh_args="-F /dev/null -o UserKnownHostsFile=/dev/null")
    for said in told(capsys, "status", tmp_path, option):
        assert re.fullmatch(
            r"the host key of root@HOST is not in /dev/null or /dev/null: check ssh-ed25519 SHA256:\S+ and log in once "
            "with ssh",
            said,
        )


def test_a_login_key_that_is_not_let_in(task: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    key = tmp_path / "stranger"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
    # Not the lab's ControlPath: a connection that deploy left open there would be named too.
    arguments = f"-F /dev/null -o UserKnownHostsFile={PATHS.known_hosts} -o IdentitiesOnly=yes"
    option = inventory(tmp_path, ansible_ssh_private_key_file=str(key), ansible_ssh_args=arguments)
    assert told(capsys, task, tmp_path, option) == {
        f"root@HOST refuses the login with {key}: Authentication failed; "
        "see ansible_user and ansible_ssh_private_key_file"
    }


@pytest.fixture(scope="module")
def plain_user(deployed: None) -> Iterator[None]:
    """A login without root on each host."""
    public = PATHS.key.with_name(PATHS.key.name + ".pub").read_text().strip()
    for each in HOSTS:
        on(each.name, f"useradd --create-home --shell /bin/sh {PLAIN}; install -d -o {PLAIN} ~{PLAIN}/.ssh")
        on(each.name, f"echo '{public}' > ~{PLAIN}/.ssh/authorized_keys")
    yield
    for each in HOSTS:
        on(each.name, f"until userdel --remove {PLAIN} 2>/dev/null; do pkill -u {PLAIN} || true; done")


@pytest.mark.usefixtures("plain_user")
def test_a_login_without_sudo(task: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    option = inventory(tmp_path, ansible_user=PLAIN, ansible_become=True)
    assert told(capsys, task, tmp_path, option) == {
        "no root: sudo: a password is required; give the password (ansible_become_password), or let the login user "
        "run sudo without one"
    }


def test_a_host_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    done = fab("status", "--timeout", "2", *inventory(tmp_path, kaspa_operations_proxy="sleep 60"))
    assert (done.code, len(done.complaints)) == (2, 3)
    for line in done.complaints:
        assert re.fullmatch(r"(relay|server|client): (can't reach root@\S+: .+|not done within 2 s; .+)", line)


def test_an_unknown_session_names_the_known_ones() -> None:
    done = fab("capture", "0123456789abcdef.1")
    assert done.code == 2
    (line,) = done.complaints
    assert re.fullmatch(
        r"no session '0123456789abcdef\.1'; sessions: [0-9a-f]{16}\.\d+ \(client and server, direct\)", line
    )


def test_a_host_alone_is_no_session() -> None:
    (line,) = fab("capture", "client").complaints
    assert line.startswith("client is a host: name the peer at the other end too, or a session; sessions: ")
