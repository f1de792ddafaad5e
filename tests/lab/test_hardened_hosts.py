"""Hosts as hardened images have them, and as an interrupted run leaves them: one lab, hardened before its first deploy.

Each test goes on where the last one ended.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import booted
from lab.lock import exclusive
from lab.paths import Paths
from lab.waiting import until
from tests.lab.scenes import PATIENCE, UNITS, on
from tests.playbooks import play, well
from tests.releases import next_release

# Small file systems without executables, hidden processes, umask 077, sudo with a terminal of its own.
HARDEN = """
sed -i 's/^UMASK.*/UMASK 077/' /etc/login.defs
echo 'session optional pam_umask.so' >> /etc/pam.d/common-session
mount -t tmpfs -o size=1m,mode=1777,noexec,nosuid,nodev tmp /tmp
mount -t tmpfs -o size=64k,mode=1777,noexec,nosuid,nodev tmp /var/tmp
mount -o remount,hidepid=2 /proc
useradd --create-home admin
install -D -o admin /root/.ssh/authorized_keys /home/admin/.ssh/authorized_keys
printf 'Defaults use_pty\\nDefaults:admin requiretty\\nadmin ALL=(ALL) NOPASSWD: ALL\\n' > /etc/sudoers.d/admin
"""
# At a first boot. Without a name server the precheck would fail.
CLOUD_INIT = """#!/bin/sh
[ "$*" = "status --wait" ] || exit
umask 022
echo 'nameserver 127.0.0.1' > /etc/resolv.conf
touch /run/cloud-init/result.json
"""
LOCKS = ("/var/lib/apt/lists/lock", "/var/lib/dpkg/lock-frontend")
HOLDER = f"""
import fcntl, pathlib, signal
files = [open(path, "w") for path in {LOCKS}]
for file in files:
    fcntl.lockf(file, fcntl.LOCK_EX)
pathlib.Path("/run/held").touch()
signal.pause()
"""
# The program that holds the locks ends when an apt-get has failed.
APT_GET = """#!/bin/sh
/usr/bin/apt-get "$@" && exit
systemctl stop holder
touch /run/tried
exit 100
"""
ONE_UNIT = "{{ {'PrivateUsers': 'no'} if inventory_hostname == 'client' else {} }}"
PACKAGES = '{"kaspa_node_packages": ["python3", "libgmp10", "iproute2", "ufw", "bc"]}'


@pytest.fixture(scope="module", autouse=True)
def hardened() -> Iterator[None]:
    with exclusive():
        booted.up(Paths(), fresh=True)
    for name in UNITS:
        on(name, HARDEN)
    yield
    with exclusive():
        booted.down(Paths())


def started(name: str) -> str:
    """Identifies the present start of a service; unchanged as long as nothing restarts it."""
    return on(name, f"systemctl show -p InvocationID -p NRestarts {UNITS[name]}")


def files(name: str) -> str:
    """Digests of what a node runs with."""
    return on(name, "readlink /opt/kaspa-node; sha256sum /etc/kaspa-node/* /etc/systemd/system/kaspa-*.service")


def hold_locks() -> None:
    """Have another program hold apt's locks on the relay."""
    on("relay", f"rm -f /run/held; printf %s {shlex.quote(HOLDER)} > /root/holder.py")
    on("relay", "systemd-run --quiet --collect --unit=holder python3 /root/holder.py")
    assert until(lambda: on("relay", "ls /run/held 2>/dev/null || true"), timeout=PATIENCE, pause=0.1)


def write_program(name: str, file: str, text: str) -> None:
    on(name, f"printf %s {shlex.quote(text)} > {file}; chmod 755 {file}")


def test_the_first_deploy() -> None:
    on("server", "mkdir /run/cloud-init; rm /etc/resolv.conf")
    write_program("server", "/usr/local/bin/cloud-init", CLOUD_INIT)
    write_program("relay", "/usr/local/bin/apt-get", APT_GET)
    hold_locks()
    assert on("relay", "umask") == "0077"

    unit = f"kaspa_node_unit_settings={ONE_UNIT}"
    well(play("deploy.yml", "lab", "-e", PACKAGES, "-e", unit))

    assert on("relay", "ls /run/tried; command -v bc") == "/run/tried\n/usr/bin/bc"
    for name, service in UNITS.items():
        found = on(name, f"systemctl show --value -p ActiveState -p NRestarts -p PrivateUsers {service}").split()
        assert sorted(found) == sorted(["active", "0", "no" if name == "client" else "yes"])
        assert (
            on(name, "find /opt/kaspa-node-* ! -perm -o+r; ls -d /opt/*/wheels /var/tmp/kaspa* 2>/dev/null || true")
            == ""
        )


def test_the_next_deploy_completes_what_was_interrupted_and_repairs_what_was_damaged() -> None:
    unit = f"/etc/systemd/system/{UNITS['relay']}.service"
    # As a run leaves it that ends after the unit was written: the node runs with the one before.
    on("relay", f"cp {unit} /root; sed -i s/^KASPA_UNIT=.*/KASPA_UNIT=before/ {unit}")
    on(
        "relay",
        f"sed -i s/KASPA_UNIT=.*/KASPA_UNIT=before/ {unit}; systemctl daemon-reload; systemctl restart kaspa-relay",
    )
    on("relay", f"cp /root/kaspa-relay.service {unit}")
    assert on("relay", "systemctl show --value -p NeedDaemonReload kaspa-relay") == "yes"
    # As umask 077 left a release before.
    on("server", "chmod -R go-rwx /opt/kaspa-node-*")
    running = {name: started(name) for name in UNITS}

    played = well(play("deploy.yml", "lab", "-e", PACKAGES))

    assert played.changed["relay"] == 1
    assert on("relay", "systemctl show --value -p NeedDaemonReload kaspa-relay") == "no"
    written = re.search(r"KASPA_UNIT=\w+", on("relay", f"cat {unit}"))
    environ = on("relay", "tr '\\0' '\\n' < /proc/$(systemctl show --value -p MainPID kaspa-relay)/environ")
    assert written is not None
    assert written[0] in environ.split()
    assert on("server", "setpriv --reuid kaspa --regid kaspa --init-groups /opt/kaspa-node/bin/kaspa-node --version")
    assert started("server") == running["server"]
    # Its unit has one line less.
    assert started("client") != running["client"]
    assert on("client", "systemctl show --value -p PrivateUsers kaspa-peer") == "yes"


def test_a_bad_configuration_is_refused_before_any_node_is_touched() -> None:
    before = {name: (started(name), files(name)) for name in UNITS}
    played = play("deploy.yml", "lab", "-e", '{"kaspa_peer_announce": ["/ip4/203.0.113.30/tcp/99999"]}')
    assert played.exit_code != 0
    assert "has the port 99999, which is above 65535" in " ".join(played.output.split())
    assert {name: (started(name), files(name)) for name in UNITS} == before


def test_a_release_that_cannot_run_is_never_used(tmp_path: Path) -> None:
    before = {name: (started(name), files(name)) for name in UNITS}
    releases = on("relay", "ls -d /opt/kaspa-node-*/complete")
    broken = next_release(tmp_path / "broken", "0.1.2", broken_program=True)
    played = play("playbooks/upgrade.yml", "lab", checkout=broken)
    assert played.exit_code != 0
    assert re.search(r"the user kaspa can't run /opt/kaspa-node-\w+/bin/kaspa-node: broken on purpose", played.output)
    assert {name: (started(name), files(name)) for name in UNITS} == before
    assert on("relay", "ls -d /opt/kaspa-node-*/complete") == releases


def test_who_holds_apts_lock_for_too_long() -> None:
    on("relay", "rm /usr/local/bin/apt-get")
    hold_locks()
    pid = on("relay", "systemctl show --value -p MainPID holder")
    played = play("tests/lab/plays/kaspa_packages.yml", "lab")
    on("relay", "systemctl stop holder")
    assert played.exit_code != 0
    (said,) = {line for line in played.output.splitlines() if line.startswith("fatal: ")}
    assert re.search(
        rf"apt can't install bc: its lock was held for \d+ s\. .* It is held by process {pid} \(python3\)", said
    )
    assert len(said) < 500


def test_sudo_that_wants_a_terminal() -> None:
    words = ("-e", "ansible_user=admin", "-e", "ansible_become=true")
    played = play("playbooks/precheck.yml", "lab", *words)
    assert played.exit_code != 0
    assert "sudo runs nothing without a terminal there (requiretty in sudoers)" in " ".join(played.output.split())
    well(play("playbooks/precheck.yml", "lab", *words, "-e", "ansible_pipelining=false"))
