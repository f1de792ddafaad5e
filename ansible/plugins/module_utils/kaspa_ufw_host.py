"""Reads ufw's state on this host; see kaspa_ufw for what it means."""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_ufw
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import command, search_path

RULES = ("/etc/ufw/user.rules", "/etc/ufw/user6.rules")
DEFAULTS = "/etc/default/ufw"
BOOT = "/etc/ufw/ufw.conf"
FILES = (*RULES, DEFAULTS, BOOT)
"""All of ufw's state that its commands change."""


def read() -> kaspa_ufw.Filter | None:
    """The filter of this host; None if ufw is not installed. Needs root; raises OSError if ufw fails."""
    if not shutil.which("ufw", path=search_path()):
        return None
    active = command(["ufw", "status"]).startswith("Status: active")
    return kaspa_ufw.parse(active, _text(DEFAULTS), *map(_text, RULES), _text(BOOT))


def not_in_force(found: kaspa_ufw.Filter) -> list[str]:
    """Why a change may shut what is open now: the rules of the kernel are not those of ufw's files. `what; remedy`."""
    problems = []
    asked = (("iptables", "-S", "ufw-user-input"), ("ip6tables", "-S", "ufw6-user-input"))
    for path, argv in zip(RULES, asked[: 2 if found.ipv6 else 1], strict=False):
        in_file = kaspa_ufw.counted(_text(path))
        in_force = kaspa_ufw.counted(command(argv)) if found.active else in_file
        if in_file != in_force:
            problems.append(
                f"{path} has {in_file} rules for incoming packets, and {in_force} are in force, so a change may shut "
                "what is open now; correct the file (`ufw show added` lists its rules), then `ufw reload`"
            )
    return problems


def _text(path: str) -> str:
    """A file's text; "" if ufw has not written it yet."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
