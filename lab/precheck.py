"""Can booted hosts run on this machine? Fast probes that change nothing, each with its remedy."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab import aptsources, cgroups, inotify
from lab.aptsources import Distribution
from lab.command import environment, run, succeeds
from lab.errors import LabError, MissingPackages
from lab.paths import Paths
from lab.topology import HOSTS, NETWORKS

TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "ss": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "sysctl": "procps",
    "unshare": "util-linux",
    "nsenter": "util-linux",
}
"""Program → its Debian package."""

MEMORY_KIB = 1_000_000
DISK_BYTES = 2_000_000_000
CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21
PRIVILEGED = "start the container with --privileged"
NFT_PROBE = """table ip probe {
  chain translate { type nat hook postrouting priority srcnat; oifname "x" masquerade fully-random
  }
  counter dropped { }
  chain through { type filter hook forward priority filter; policy drop; counter name dropped drop
  }
}
"""


@dataclass(frozen=True)
class Probe:
    """One condition: whether it is met, and what to do if not.

    of_machine: nothing that is installed or ended on this machine would help; it is what it is.
    """

    name: str
    ok: bool
    remedy: str
    of_machine: bool = False

    @property
    def line(self) -> str:
        return f"ok    {self.name}" if self.ok else f"FAIL  {self.name}: {self.remedy}"


def missing_packages() -> list[str]:
    """Debian packages of the missing programs, for apt-get."""
    path = environment()["PATH"]
    return sorted({package for tool, package in TOOLS.items() if shutil.which(tool, path=path) is None})


def in_new_network(*argv: str, stdin: str | None = None) -> bool:
    return succeeds(["unshare", "--net", *argv], stdin=stdin)


def booted(paths: Paths, *, before_up: bool = True) -> list[Probe]:
    """All probes for booted hosts, the most important first; after a missing program the rest is left out."""
    probes = list(_privileges())
    packages = missing_packages()
    probes.append(Probe("programs", not packages, f"apt-get install {' '.join(packages)}"))
    if all(probe.ok for probe in probes):
        probes += _kernel()
        probes += _resources(paths)
        if before_up:
            probes += [_networks(), _inotify()]
    return probes


def first_problem(probes: list[Probe]) -> Probe | None:
    return next((probe for probe in probes if not probe.ok), None)


def require(probes: list[Probe]) -> None:
    """Raises MissingPackages or LabError for the first probe that failed."""
    packages = missing_packages()
    problem = first_problem(probes)
    if problem is None:
        return
    if problem.name == "programs":
        raise MissingPackages(packages)
    raise LabError(f"booted hosts can't run here: {problem.name}: {problem.remedy}")


def _privileges() -> Iterator[Probe]:
    no_root = "run as root, or use -i inventory/local, which does not need root"
    yield Probe("root", os.geteuid() == 0, no_root, of_machine=True)
    if os.geteuid() != 0:
        return
    rootless = "a rootless container can't boot hosts"
    yield Probe("the machine's own user namespace", _init_user_namespace(), rootless, of_machine=True)
    for name, bit in (("CAP_SYS_ADMIN", CAP_SYS_ADMIN), ("CAP_NET_ADMIN", CAP_NET_ADMIN)):
        yield Probe(name, bool(_capabilities() >> bit & 1), PRIVILEGED, of_machine=True)


def _init_user_namespace() -> bool:
    inside, outside, count = Path("/proc/self/uid_map").read_text().split()[:3]
    return (inside, outside) == ("0", "0") and int(count) > 4_000_000_000


def _capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _kernel() -> list[Probe]:
    veth = ("ip", "link", "add", "va", "type", "veth", "peer", "name", "vb")
    checks: list[tuple[str, Callable[[], bool], str]] = [
        ("network namespaces", lambda: in_new_network("true"), PRIVILEGED),
        ("veth", lambda: in_new_network(*veth), "kernel CONFIG_VETH"),
        (
            "nft NAT and counters",
            lambda: in_new_network("nft", "-f", "-", stdin=NFT_PROBE),
            "kernel NF_TABLES, NFT_MASQ",
        ),
        ("conntrack's netlink", lambda: in_new_network("conntrack", "-L"), "kernel NF_CT_NETLINK"),
        ("ip_forward", lambda: in_new_network("sysctl", "-qw", "net.ipv4.ip_forward=1"), "/proc/sys is read-only here"),
        ("overlay mount", _overlay, "kernel OVERLAY_FS, or a container runtime that forbids mounts"),
        ("cgroup2 with cgroup.kill", _cgroup, "mount cgroup2 writable; kernel 5.14 or newer"),
    ]
    return [Probe(name, check(), remedy, of_machine=True) for name, check, remedy in checks]


def _overlay() -> bool:
    script = (
        'mount -t tmpfs probe "$1" && mkdir "$1/l" "$1/u" "$1/w" "$1/m" && '
        'mount -t overlay probe -o "lowerdir=$1/l,upperdir=$1/u,workdir=$1/w" "$1/m"'
    )
    with tempfile.TemporaryDirectory() as directory:
        return succeeds(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "probe", directory])


def _cgroup() -> bool:
    root = cgroups.unified()
    if root is None:
        return False
    probe = root / f"{cgroups.ROOT}-probe-{os.getpid()}"
    try:
        probe.mkdir()
    except OSError:
        return False
    try:
        return os.access(probe / "cgroup.kill", os.W_OK)
    finally:
        probe.rmdir()


def _resources(paths: Paths) -> list[Probe]:
    lines = Path("/proc/meminfo").read_text().splitlines()
    memory = next((int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), 0)
    disk = shutil.disk_usage(paths.checkout).free
    return [
        _apt_sources(),
        Probe("1 GB of memory", memory > MEMORY_KIB, f"only {memory // 1000} MB are available"),
        Probe("2 GB of disk", disk > DISK_BYTES, f"only {disk // 1_000_000} MB are free at {paths.checkout}"),
    ]


def _apt_sources() -> Probe:
    try:
        aptsources.of_distribution(aptsources.read(), Distribution.read())
    except LabError as error:
        return Probe("apt sources of Debian or Ubuntu", False, str(error))
    return Probe("apt sources of Debian or Ubuntu", True, "")


def _networks() -> Probe:
    routes = run(["ip", "-4", "route", "show", "table", "all"], check=False)
    used = [network for network in NETWORKS if network.rsplit(".", 1)[0] + "." in routes]
    return Probe("the lab's networks are unused", not used, f"this machine itself uses {', '.join(used)}")


def _inotify() -> Probe:
    shortage = inotify.shortage(len(HOSTS))
    return Probe("inotify instances", not shortage, shortage)
