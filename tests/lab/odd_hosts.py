"""Makes the hosts of a fresh lab as odd as users' hosts are, and writes the inventory and ssh's configuration for them.

Logins are for the user `admin`, whose sudo asks for a password, at port 2222 only. The relay has a private address
behind a 1:1 NAT, and is reached through a bastion. Root has umask 077, /tmp is small and runs no programs, and
programs speak German.
"""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import booted, one_to_one, ssh
from lab.command import run
from lab.paths import CHECKOUT, CONTROL, Paths
from lab.topology import HOSTS, Host

PATHS = Paths()
PORT = 2222
BASTION = "admin@10.1.0.2"
"""The relay is reached through the client's machine."""
PASSWORD = "only for this lab"

# Translations are left out of the lab's base; sudo's is what a password prompt is made of.
ODD = f"""set -e
export DEBIAN_FRONTEND=noninteractive
rm /etc/dpkg/dpkg.cfg.d/99mmdebstrap
apt-get -qq update
echo 'de_DE.UTF-8 UTF-8' > /etc/locale.gen
apt-get -qq install locales
apt-get -qq install --reinstall coreutils sudo
echo LANG=de_DE.UTF-8 > /etc/default/locale
sed -i 's/^UMASK.*/UMASK 077/' /etc/login.defs
echo 'session optional pam_umask.so' >> /etc/pam.d/common-session
echo 'tmp /tmp tmpfs size=1m,mode=1777,noexec,nosuid,nodev' >> /etc/fstab
mount /tmp
useradd --create-home --shell /bin/bash admin
echo 'admin:{PASSWORD}' | chpasswd
install -D -o admin -g admin -m 600 /root/.ssh/authorized_keys /home/admin/.ssh/authorized_keys
chown admin: /home/admin/.ssh
echo 'admin ALL=(ALL) ALL' > /etc/sudoers.d/admin
rm /root/.ssh/authorized_keys
printf 'Port {PORT}\\nPermitRootLogin no\\n' > /etc/ssh/sshd_config.d/odd.conf
systemctl restart ssh
"""


def make() -> None:
    """A fresh lab with three odd hosts. Raises LabError."""
    booted.up(PATHS, fresh=True)
    with ThreadPoolExecutor() as pool:
        list(pool.map(_make_odd, HOSTS))
    for host in HOSTS:
        if host.public:
            one_to_one.place_behind(host)


def _make_odd(host: Host) -> None:
    run(ssh.command(PATHS, host, ["bash", "-s"]), stdin=ODD, timeout=200)


def write_inventory(directory: Path) -> str:
    """Write it and its ssh_config; returns its path as `tests.playbooks.play` takes it."""
    config = directory / "ssh_config"
    config.write_text(
        f"Host 203.0.113.*\n  ProxyCommand {CHECKOUT}/lab/bin/ssh-in-lab {BASTION} -F {config} -W %h:%p\n"
        "Host *\n"
        f"  Port {PORT}\n  IdentityFile {PATHS.key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {PATHS.known_hosts}\n"
        "  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  ConnectTimeout 10\n"
        "  ServerAliveInterval 5\n  ServerAliveCountMax 3\n"
    )
    common = {
        "ansible_user": "admin",
        "ansible_become": True,
        "ansible_become_password": PASSWORD,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_executable": f"{CHECKOUT}/lab/bin/ssh-in-lab",
        "ansible_ssh_args": f"-F {config} -o ControlMaster=auto -o ControlPersist=120s -o ControlPath={CONTROL}/%C",
        "ansible_ssh_transfer_method": "piped",
    }
    proxy = {"kaspa_operations_proxy": f"{CHECKOUT}/lab/bin/tcp-in-lab %h %p"}
    relays = {"relay": {"ansible_host": "203.0.113.10", "ansible_port": PORT, "kaspa_relay_address": "203.0.113.10"}}
    peers = {
        "server": {"ansible_host": "10.2.0.2", "ansible_port": PORT, **proxy},
        "client": {"ansible_host": "10.1.0.2", "kaspa_peer_dials": ["server"], **proxy},
    }
    groups = {"relays": {"hosts": relays}, "peers": {"hosts": peers}}
    (directory / "hosts.json").write_text(json.dumps({"all": {"vars": common, "children": groups}}))
    return str(directory / "hosts.json")


def log_in_anew(name: str, config: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as root over a connection that is opened for it."""
    address = next(host.address for host in HOSTS if host.name == name)
    argv = [CHECKOUT / "lab/bin/ssh-in-lab", "-F", config, "-o", "ControlPath=none", f"admin@{address}"]
    return subprocess.run(
        [*argv, f"sudo -S -p '' sh -c '{command}'"],
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
