#!/usr/bin/python
"""Finds out what switching the firewall on would cut, and which other filters are in the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kaspa.private_peers.plugins.module_utils import (
    kaspa_listeners,
    kaspa_rulesets,
    kaspa_ssh_server,
    kaspa_ufw_host,
    kaspa_uplinks,
)
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_filters import Filters
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_firewall_check import Host, Wanted, problems
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import output

DOCUMENTATION = r"""
module: kaspa_firewall_check
short_description: List what the firewall would cut, and which other filters are in the way
description: Changes nothing. Needs root.
options:
  ports: {type: list, elements: int, required: true, description: TCP ports of the node.}
  ssh: {type: bool, default: true, description: "Whether this host is reached by SSH, so deploy lets SSH in."}
  ssh_ports: {type: list, elements: int, default: [], description: Ports of SSH besides those that are found.}
  keep: {type: list, elements: str, default: [], description: "What has to stay, as C(443/tcp) or C(forwarding)."}
  cut: {type: bool, default: false, description: Whether everything else may be cut.}
  listening: {type: list, elements: str, default: [], description: The addresses that the node listens on.}
  enabled: {type: bool, default: true, description: Whether deploy configures ufw.}
  public: {type: bool, default: false, description: Whether strangers must be able to reach the node's ports.}
"""

EXAMPLES = r"""
- name: See what would be cut
  kaspa_firewall_check:
    ports: "{{ kaspa_firewall_ports }}"
    public: true
"""

RETURN = r"""
problems: {type: list, elements: str, returned: always, description: "What stands against it, each with its remedy."}
"""

PERSISTENT = ("iptables-persistent", "netfilter-persistent")


def installed(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the Debian packages that are installed."""
    printed = output(
        ["sh", "-c", "dpkg-query -W -f='${db:Status-Status} ${Package}\\n' \"$@\" 2>/dev/null || true", "sh", *names]
    )
    present = {line.split()[1] for line in printed.splitlines() if line.startswith("installed ")}
    return tuple(name for name in names if name in present)


def forwarding() -> list[str]:
    """The interfaces between which the host forwards packets, none if it does not.

    A bridge counts also if nothing is on it now, and stands for its ports.
    """
    files = ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding")
    if not any(Path(file).exists() and Path(file).read_text(encoding="ascii").strip() == "1" for file in files):
        return []
    return sorted(each.name for each in Path("/sys/class/net").iterdir() if forwards(each))


def forwards(interface: Path) -> bool:
    """Whether packets may be forwarded to an interface, by its directory in /sys/class/net."""
    if interface.name == "lo" or (interface / "master").exists() or not interface.is_dir():
        return False
    up = (interface / "operstate").read_text(encoding="ascii").strip() != "down"
    return up or (interface / "bridge").exists()


def chosen() -> range:
    """The ports from which the kernel chooses one if a program asks for any."""
    first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()
    return range(int(first), int(last) + 1)


def gather() -> Host:
    """The host as it is."""
    filters = Filters(
        iptables={4: output(["iptables-save", "-t", "filter"]), 6: output(["ip6tables-save", "-t", "filter"])},
        nft=output(["nft", "-j", "list", "ruleset"]),
        firewalld=output(["systemctl", "is-active", "firewalld"]).strip() == "active",
        persistent=installed(PERSISTENT),
        addresses=kaspa_uplinks.addresses(),
        routes=kaspa_uplinks.routes(),
    )
    listeners = kaspa_listeners.parse(output(list(kaspa_listeners.COMMAND)))
    replacers = kaspa_rulesets.parse(output(list(kaspa_rulesets.COMMAND)))
    return Host(kaspa_ufw_host.read(), filters, listeners, forwarding(), chosen(), replacers)


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "ports": {"type": "list", "elements": "int", "required": True},
            "ssh": {"type": "bool", "default": True},
            "ssh_ports": {"type": "list", "elements": "int", "default": []},
            "keep": {"type": "list", "elements": "str", "default": []},
            "cut": {"type": "bool", "default": False},
            "listening": {"type": "list", "elements": "str", "default": []},
            "enabled": {"type": "bool", "default": True},
            "public": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    wanted: dict[str, Any] = module.params
    found = kaspa_ssh_server.gather()[0] if wanted.pop("ssh") else ()
    ssh = {*wanted.pop("ssh_ports"), *found}
    module.exit_json(changed=False, problems=problems(gather(), Wanted(ssh=ssh, **wanted)))


if __name__ == "__main__":
    main()
