"""What a deploy could leave on a host of the lab."""

from __future__ import annotations

import re

from lab import ssh
from lab.command import run
from lab.paths import Paths
from lab.topology import HOSTS, host

PATHS = Paths()
# Files that come and go with other things than a deploy: caches, backups that useradd makes, lists of packages.
PASSING = re.compile(r"/var/(cache|log|lib/(apt|dpkg|systemd|private))/|/etc/\S+-$|/root/\.ansible|/etc/\.pwd\.lock")
PLACES = ["/etc", "/opt", "/root", "/srv", "/usr/local", "/home", "/var"]


def on(name: str, *words: str) -> str:
    """What a command prints on a host. Raises LabError where it fails."""
    return run(ssh.command(PATHS, host(name), words)).strip()


def state(name: str) -> set[str]:
    """What deploy could leave on a host: names of files, users, groups, and the firewall's rules."""
    found = set(on(name, "find", *PLACES, "-xdev").splitlines())
    kept = {path for path in found if not PASSING.search(path)}
    names = {line for what in ("passwd", "group") for line in on(name, "getent", what).splitlines()}
    return kept | names | set(on(name, "ufw", "show", "added").splitlines())


def states() -> dict[str, set[str]]:
    """That of every host, by its name."""
    return {each.name: state(each.name) for each in HOSTS}
