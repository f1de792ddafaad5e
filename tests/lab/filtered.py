"""A host with the real ufw and sshd in namespaces of its own: no systemd, so it is there in a second.

It has two interfaces, `eth0` with both IP versions and a default route, and `eth1`. Another namespace is the other end
of both, from which strangers and the owner come. The root file system is that of the lab's hosts, with an overlay in
memory. What runs there is what the module kaspa_firewall runs, without its timer, which needs systemd.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible

from lab import base
from lab.paths import CHECKOUT, Paths
from lab.waiting import until

HERE, THERE = {4: "192.0.2.1", 6: "2001:db8::1"}, {4: "192.0.2.9", 6: "2001:db8::9"}
SIDE = "198.51.100.1"
"""The address of `eth1`."""

LISTENED = (80, 4011, 9999)
SSH_PORTS = (22, 2222)
RECORD = "/etc/ansible/facts.d/kaspa_firewall.fact"
PATIENCE = 60.0
SHUT_SECONDS = 0.5
"""How long a connection that must not get in is tried: without an answer there is nothing to wait for."""

_SETUP = """
set -e
mount -t tmpfs none /run && mkdir -p /run/sshd /run/netns /run/lock
mount -t tmpfs none "$1" && mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" overlay "$1/root" && cd "$1/root"
mount -t proc none proc && mount --rbind /sys sys && mount --rbind /dev dev
mkdir -p mnt/checkout mnt/library/ansible
mount --bind "$3" mnt/checkout && mount --bind "$4" mnt/library/ansible
ip link set lo up
ip netns add far && mount --rbind /run run
ip link add eth0 type veth peer name far0 && ip link add eth1 type veth peer name far1
ip link set far0 netns far && ip link set far1 netns far
ip address add 192.0.2.1/24 dev eth0 && ip address add 2001:db8::1/64 dev eth0 nodad
ip address add 198.51.100.1/24 dev eth1 && ip link set eth0 up && ip link set eth1 up
ip netns exec far sh -ec 'ip address add 192.0.2.9/24 dev far0; ip address add 2001:db8::9/64 dev far0 nodad
  ip address add 198.51.100.9/24 dev far1; ip link set far0 up; ip link set far1 up; ip link set lo up'
ip route add default via 192.0.2.9 && ip -6 route add default via 2001:db8::9
exec chroot . sleep infinity
"""
_SSHD = """
ssh-keygen -A >/dev/null && mkdir -p -m 700 /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id
cp /root/.ssh/id.pub /root/.ssh/authorized_keys
cat > /etc/ssh/sshd_config <<'END'
Port 22
Port 2222
ListenAddress 0.0.0.0
ListenAddress ::
ListenAddress 127.0.0.1:2200
UsePAM no
Match Address 203.0.113.0/24
  PasswordAuthentication yes
END
/usr/sbin/sshd && cp -a /etc/ufw /root/ufw && cp /etc/default/ufw /root/ufw.default
"""
_LISTEN = """
import socket, sys, threading
def serve(port, family):
    listener = socket.create_server(("", port), family=family)
    listener.listen(99)
    def accept():
        while True:
            listener.accept()[0].close()
    threading.Thread(target=accept).start()
for port in map(int, sys.argv[1:]):
    serve(port, socket.AF_INET)
    serve(port, socket.AF_INET6)
"""
_CONNECT = """
import socket, sys
address, port, seconds, times = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
for _ in range(times):
    try:
        socket.create_connection((address, port), seconds).close()
        print("open")
    except OSError:
        print("shut")
"""
_RUN = """
import json, sys
from pathlib import Path
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_ufw_host
from ansible_collections.kaspa.private_peers.plugins.modules import kaspa_firewall as module
wanted = json.loads(sys.argv[1])
record = Path(wanted["record"])
before = module.read_record(record)
plan = module.planned(kaspa_ufw_host.read(), before, wanted)
if not plan.problems and not wanted["check"]:
    module.write_record(record, plan.record)
    module.apply(plan, False)
    module.check_read_back(plan, wanted["ports"] if wanted["state"] == "present" else [])
    now = module.planned(kaspa_ufw_host.read(), module.read_record(record), wanted)
    changes_again = bool(now.commands) or now.record != plan.record
else:
    changes_again = False
commands = [" ".join(words) for words in plan.commands]
print(json.dumps({"commands": commands, "problems": plan.problems, "changes_again": changes_again}))
"""
_JUDGE = """
import json, sys
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_ufw_host
found = kaspa_ufw_host.read()
print(json.dumps([found.access(**each).origin for each in json.loads(sys.argv[1])]))
"""
_ARM = """
import contextlib
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_firewall_undo
with contextlib.suppress(OSError):  # of systemctl, which is called last
    kaspa_firewall_undo.arm(60, False, [])
"""
_ENVIRONMENT = "PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/mnt/checkout/collections:/mnt/library"


@dataclass(frozen=True)
class Run:
    """What a run of the module did, or would do in check mode; changes_again: whether a second one would do more."""

    commands: list[str]
    problems: list[str]
    changes_again: bool


class FilteredHost:
    """The host; closed, nothing of it is left."""

    def __init__(self, directory: Path) -> None:
        library = Path(ansible.__file__).parent
        enter = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        words = ["sh", "-c", _SETUP, "sh", directory, base.ensure(Paths().bases), CHECKOUT, library]
        self._process = subprocess.Popen([*enter, *words], stdin=subprocess.DEVNULL)
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        assert until(lambda: children.read_text().split() != [], timeout=PATIENCE)
        self._pid = int(children.read_text().split()[0])
        command = Path(f"/proc/{self._pid}/comm")
        assert until(lambda: command.read_text() == "sleep\n", timeout=PATIENCE)
        self.on(_SSHD)
        self.on(f"setsid python3 -c '{_LISTEN}' {' '.join(map(str, LISTENED))} </dev/null >/dev/null 2>&1 &")
        assert until(self._listens, timeout=PATIENCE)

    def _listens(self) -> bool:
        shown = self.on("ss -Htln")
        return all(f":{port} " in shown for port in (*LISTENED, *SSH_PORTS))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def on(self, script: str) -> str:
        """What a script prints as root there; it has to succeed."""
        enter = ["nsenter", f"--target={self._pid}", "--mount", "--net", "--pid", "--root"]
        done = subprocess.run(
            [*enter, "sh", "-ec", f"cd /\n{script}"], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, (script, done.stdout, done.stderr)
        return done.stdout

    def login(self, script: str, port: int = 2222, family: int = 4) -> str:
        """The same over a new SSH connection from far, as the owner comes."""
        options = (
            "-F none -i /root/.ssh/id -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oConnectTimeout=10"
        )
        ssh = f"ssh -q {options} -p {port} root@{HERE[family]}"
        return self.on(f"ip netns exec far {ssh} sh -es <<'SCRIPT'\n{script}\nSCRIPT")

    def clean(self) -> None:
        """ufw off, and as it is when it was installed."""
        self.on(
            "if grep -q ^ENABLED=yes /etc/ufw/ufw.conf; then ufw disable >/dev/null; fi;"
            f"rm -rf {RECORD} /etc/ufw; cp -a /root/ufw /etc/ufw; cp /root/ufw.default /etc/default/ufw"
        )

    def rules(self) -> list[str]:
        """Whether ufw is on, its policies, and its rules as `ufw show added` prints them."""
        shown = self.on("ufw status verbose; ufw show added; grep POLICY /etc/default/ufw").splitlines()
        return [line for line in shown if line.startswith(("Status:", "Default:", "ufw ", "DEFAULT_"))]

    def admits(
        self, port: int, *, family: int = 4, address: str = "", expected: bool = True, times: int = 1
    ) -> list[bool]:
        """Whether connections from far get in, one after the other."""
        seconds = PATIENCE if expected else SHUT_SECONDS
        words = f"{address or HERE[family]} {port} {seconds} {times}"
        return [line == "open" for line in self.on(f"ip netns exec far python3 -c '{_CONNECT}' {words}").split()]

    def run(self, *, port: int = 2222, family: int = 4, **wanted: Any) -> Run:
        """Run the module as deploy does: over SSH."""
        given = {"state": "present", "record": RECORD, "ports": [4011], "ssh": True, "ssh_ports": [], "keep": []}
        words = json.dumps({**given, "check": False, **wanted})
        return Run(**json.loads(self.login(f"{_ENVIRONMENT} python3 -c '{_RUN}' '{words}'", port, family)))

    def origins(self, port: int) -> dict[int, str]:
        """What the module makes of ufw's rules for connections from far, by IP version: Access.origin."""
        of = {"port": port, "interface": "eth0"}
        given = [{**of, "family": each, "source": THERE[each], "to": HERE[each]} for each in (4, 6)]
        found = json.loads(self.on(f"{_ENVIRONMENT} python3 -c '{_JUDGE}' '{json.dumps(given)}'"))
        return dict(zip((4, 6), found, strict=True))

    def arm(self) -> None:
        """Keep the present rules, as for the timer, which can't run here."""
        self.on(f"{_ENVIRONMENT} python3 -c '{_ARM}'")
