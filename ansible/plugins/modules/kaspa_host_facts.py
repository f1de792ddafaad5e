#!/usr/bin/python
"""Everything that deploy must know about a host, in one call."""

from __future__ import annotations

import grp
import json
import os
import platform
import pwd
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_listeners
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import output

DOCUMENTATION = r"""
module: kaspa_host_facts
short_description: Gather facts about a host before it is changed
description:
  - Changes nothing and needs nothing but Python. It reads all at once what single modules would take many round
    trips for.
options:
  packages: {type: list, elements: str, default: [], description: Debian packages to look for.}
  key: {type: path, required: true, description: "The node's key file, of which only inode and time are looked at."}
  asked: {type: float, required: true, description: "The controller's clock when it asks, for a comparison."}
  names: {type: list, elements: str, default: [], description: "Names that this host looks up, those of relays."}
  user: {type: str, default: "", description: The node's user.}
  venv: {type: path, required: true, description: The link to the virtual environment in use.}
  facts: {type: path, required: true, description: "The directory that an earlier deploy left its C(kaspa_*.fact) in."}
"""

EXAMPLES = r"""
- name: Know the host
  kaspa_host_facts:
    venv: /opt/kaspa-node
    key: /var/lib/kaspa-node/identity.key
    facts: /etc/ansible/facts.d
    packages: [python3-venv, libgmp10]
"""

RETURN = r"""
ansible_facts:
  type: dict
  returned: always
  description: >-
    C(kaspa_host), with root, os, debian, arch, python, interpreter (its path), python_tag, systemd,
    init (name of process 1), user_namespaces (how many there may be, -1 if unknown), missing (packages),
    venv (what the link points to), key, recorded (facts of an earlier deploy), groups (their names),
    listening (port to program),
    ipv6 (whether the kernel has it), resolved (of each name its addresses),
    user_home (of the node's user, empty if there is none), login_home and login_free (where Ansible puts files, and MiB
    that are free there), free (MiB of disk), memory (MiB), resolver, time (of the host's clock), asked
"""

MIB = 1 << 20


def read(path: str) -> str:
    """A file's text, "" if it can't be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def os_release() -> dict[str, str]:
    """The assignments in /etc/os-release."""
    return {
        name: value.strip().strip("\"'")
        for name, separator, value in (line.partition("=") for line in read("/etc/os-release").splitlines())
        if separator
    }


def base_interpreter() -> str:
    """The Python that runs this; if that is one of a virtual environment, the Python that it was made from."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def missing_packages(wanted: list[str]) -> list[str]:
    """The packages that dpkg does not list as installed."""
    if not wanted:
        return []
    format_ = "${db:Status-Status} ${Package}\n"
    # dpkg-query fails if it does not know one of the names; it still prints the lines of the others.
    lines = output(["sh", "-c", f"dpkg-query -W -f='{format_}' {' '.join(wanted)} 2>/dev/null || true"]).splitlines()
    installed = {line.split()[1] for line in lines if line.startswith("installed ")}
    return [name for name in wanted if name not in installed]


def ipv6() -> bool:
    """Whether an interface of this host has an IPv6 address, be it only that of the loopback."""
    return bool(read("/proc/net/if_inet6").strip())


def resolved(name: str) -> list[str]:
    """The addresses of a name; none if it can't be looked up."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def owners() -> dict[int, str]:
    """TCP port → who listens there."""
    return kaspa_listeners.owners(kaspa_listeners.parse(output(list(kaspa_listeners.COMMAND))))


def free(path: str) -> int:
    """MiB of free disk at that path, which may not exist yet."""
    place = Path(path)
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free // MIB


def login() -> str:
    """The user that Ansible logged in as, before sudo."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.geteuid()).pw_name


def home(user: str) -> str:
    """A user's home directory, "" if there is no such user."""
    try:
        return pwd.getpwnam(user).pw_dir
    except KeyError:
        return ""


def memory() -> int:
    """MiB of available memory, by the kernel's estimate; 0 if there is none."""
    for line in read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def recorded(path: str) -> dict[str, Any]:
    """The facts of an earlier deploy, by the name of their file without its suffix."""
    found: dict[str, Any] = {}
    for file in sorted(Path(path).glob("kaspa_*.fact")):
        try:
            found[file.stem] = json.loads(read(str(file)))
        except ValueError:
            found[file.stem] = {}
    return found


def stamp(path: str) -> str:
    """Identifies a file: inode and time of change; "none" if there is no such file."""
    try:
        found = os.stat(path)
    except OSError:
        return "none"
    return f"{found.st_ino}-{int(found.st_mtime)}"


def gather(wanted: dict[str, Any]) -> dict[str, Any]:
    """All facts; `wanted` holds the module's parameters."""
    root = os.geteuid() == 0
    release = os_release()
    venv = Path(wanted["venv"])
    return {
        "time": time.time(),
        "asked": wanted["asked"],
        "root": root,
        "os": release.get("PRETTY_NAME", platform.system()),
        "debian": "debian" in (release.get("ID"), *release.get("ID_LIKE", "").split()),
        "arch": platform.machine(),
        "python": platform.python_version(),
        "interpreter": base_interpreter(),
        "python_tag": f"cp{sys.version_info.major}{sys.version_info.minor}",
        "systemd": Path("/run/systemd/system").is_dir(),
        "init": read("/proc/1/comm").strip() or "unknown",
        "user_namespaces": int(read("/proc/sys/user/max_user_namespaces") or -1),
        "missing": missing_packages(wanted["packages"]),
        "venv": os.readlink(venv) if venv.is_symlink() else ("not a link" if venv.exists() else ""),
        "key": stamp(wanted["key"]),
        "recorded": recorded(wanted["facts"]),
        "groups": sorted(group.gr_name for group in grp.getgrall()),
        "listening": {str(port): owner for port, owner in owners().items()},
        "ipv6": ipv6(),
        "resolved": {name: resolved(name) for name in wanted["names"]},
        "user_home": home(wanted["user"]),
        "login_home": home(login()),
        "login_free": free(home(login()) or "/"),
        "free": free(wanted["venv"]),
        "memory": memory(),
        "resolver": any(line.startswith("nameserver") for line in read("/etc/resolv.conf").splitlines()),
    }


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "default": []},
            "asked": {"type": "float", "required": True},
            "names": {"type": "list", "elements": "str", "default": []},
            "key": {"type": "path", "required": True, "no_log": False},
            "user": {"type": "str", "default": ""},
            "venv": {"type": "path", "required": True},
            "facts": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, ansible_facts={"kaspa_host": gather(module.params)})


if __name__ == "__main__":
    main()
