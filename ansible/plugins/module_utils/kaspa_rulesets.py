"""What replaces all of a host's packet filter at boot or at a reload, and with it the rules of ufw."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_REPLACES = r"\bflush\s+ruleset\b|\bip6?tables(-nft|-legacy)?-restore\b|\bip6?tables\s+(-t\s+filter\s+)?(-F|--flush)\b"
_BOOT = "/etc/rc.local /etc/network/interfaces /etc/network/interfaces.d/* /etc/network/if-*.d/*"
_SCRIPT = rf"""
find='systemctl list-unit-files --type=service --state=enabled,enabled-runtime,generated'
names=$($find --plain --no-legend | sed 's/ .*//' | grep -v @.service)
units=$(systemctl show --property=Id,ExecStart,ExecReload $names)
printf '%s\n' "$units"
files=$(printf '%s\n' "$units" | sed -n 's/^Exec.*argv\[\]=\([^;]*\);.*/\1/p' | tr ' ' '\n' | grep '^/' | sort -u)
for file in $files {_BOOT}; do
  if [ -f "$file" ]; then grep -HIE -- '{_REPLACES}' "$file"; fi
done
exit 0
"""

COMMAND = ("sh", "-c", _SCRIPT)
"""Prints the services that systemd starts at boot, a paragraph for each; then `FILE:LINE` of files that they name, and
of others that are run at boot."""

# They load the rules by programs of their own, so no line of theirs says it.
_KNOWN = re.compile(r"(netfilter-persistent|ferm|shorewall6?(-lite)?|firehol|arno-iptables-firewall)\.service")
_UFW = "ufw.service"
_EXEC = re.compile(r"^Exec(?:Start|Reload)=.*?argv\[\]=(?P<argv>[^;]*?) ;", re.MULTILINE)
_HIT = re.compile(r"^(?P<file>/[^:\n]+):(?P<line>.*)$", re.MULTILINE)
_KEEPS = re.compile(r"-restore\b.*\s(-n|--noflush|--test|-t)\b")


@dataclass(frozen=True)
class Replacer:
    """who: a unit, or a file that is run at boot. how: what says so, as text."""

    who: str
    how: str

    @property
    def remedy(self) -> str:
        """How it is stopped from doing so. The present rules stay, so not --now: a stop of nftables flushes them."""
        return f"disable it (systemctl disable {self.who})" if self.who.endswith(".service") else "remove that line"

    def __str__(self) -> str:
        return f"{self.who} replaces all rules of the host at boot or when it is reloaded ({self.how})"


def parse(printed: str) -> list[Replacer]:
    """Everything that replaces the rules, from the output of COMMAND."""
    hits: dict[str, str] = {}
    for each in _HIT.finditer(printed):
        if _counts(each["line"]):
            hits.setdefault(each["file"], each["line"].strip())
    of_units = {word for argv in _EXEC.findall(printed) for word in argv.split()}
    at_boot = (Replacer(file, f"`{line}`") for file, line in hits.items() if file not in of_units)
    return [*_units(printed, hits), *at_boot]


def _units(printed: str, hits: Mapping[str, str]) -> Iterator[Replacer]:
    for paragraph in printed.split("\n\n"):
        values = dict(line.split("=", 1) for line in paragraph.splitlines() if "=" in line)
        unit = values.get("Id", "")
        if unit == _UFW:
            continue
        for argv in _EXEC.findall(paragraph):
            named = next((word for word in argv.split() if word in hits), None)
            if named is not None:
                yield Replacer(unit, f"`{hits[named]}` in {named}")
            elif re.search(_REPLACES, argv) and _counts(argv):
                yield Replacer(unit, f"`{argv}`")
            elif _KNOWN.fullmatch(unit):
                yield Replacer(unit, "with its own ones")
            else:
                continue
            break


def _counts(line: str) -> bool:
    """Whether a line that names such a command runs it, and the command really replaces the rules."""
    return not line.lstrip().startswith("#") and not _KEEPS.search(line)
