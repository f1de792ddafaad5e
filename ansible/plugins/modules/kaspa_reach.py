#!/usr/bin/python
"""Tries a TCP port of another host from this one, and says what most likely blocks it."""

from __future__ import annotations

import errno
import socket
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: kaspa_reach
short_description: Try a TCP port of another host from this one
description: Connects and hangs up; changes nothing. A name is tried at all of its addresses.
options:
  name: {type: str, required: true, description: The host in the inventory.}
  address: {type: str, required: true, description: Its address or name.}
  port: {type: int, required: true, description: Its TCP port.}
  opened: {type: bool, default: true, description: Whether its ufw is known to let the port in.}
  timeout: {type: int, default: 10, description: Seconds to try again and again.}
"""

EXAMPLES = r"""
- name: Try the relay's port from here
  kaspa_reach:
    name: relay
    address: "{{ hostvars.relay.ansible_host }}"
    port: "{{ kaspa_relay_port }}"
"""

RETURN = r"""
outcome: {type: str, returned: always, description: "C(open), C(silent), C(refused), C(rejected) or C(unknown)."}
"""

OPEN, SILENT, REFUSED, REJECTED, UNKNOWN = "open", "silent", "refused", "rejected", "unknown"
# What a filter's ICMP answer, or a missing route, becomes at the socket.
_REJECTIONS = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM, errno.ENOPROTOOPT)
_CAUSES = {
    SILENT: "no answer: a filter drops the packets",
    REFUSED: "connection refused",
    REJECTED: "rejected: a filter answers for it, or there is no route",
    UNKNOWN: "the name has no address here",
}


def outcome(error: OSError | None) -> str:
    """What the end of a try means."""
    if error is None:
        return OPEN
    if isinstance(error, socket.gaierror):
        return UNKNOWN
    if isinstance(error, ConnectionRefusedError):
        return REFUSED
    return REJECTED if error.errno in _REJECTIONS else SILENT


def problem(found: str, name: str, address: str, port: int, opened: bool) -> str:
    """What happened, what most likely blocks, and what to do."""
    what = f"{name} can't be reached from here at {address}:{port} ({_CAUSES[found]})"
    if found == UNKNOWN:
        return f"{what}; correct its kaspa_relay_address"
    host = f"another filter of {name} itself, before ufw's rules: see `iptables -S INPUT` and `nft list ruleset` there"
    if not opened:
        return f"{what}; open {port}/tcp in the firewall of {name} and in that of its provider, or correct its address"
    if found == SILENT:
        remedy = f"open {port}/tcp inbound at the provider of {name}, whose firewall most likely blocks it"
        return f"{what}; ufw there lets it in, so {remedy}. Otherwise it is {host}, or the address is wrong"
    if found == REJECTED:
        return f"{what}; ufw there lets it in, so most likely it is {host}"
    return f"{what}; ufw there lets it in, so either the node does not listen there, or it is {host}"


def attempt(address: str, port: int, seconds: float) -> OSError | None:
    """Connect once; None if that works."""
    try:
        socket.create_connection((address, port), timeout=seconds).close()
    except OSError as error:
        return error
    return None


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "opened": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 10},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    end = time.monotonic() + wanted["timeout"]
    while True:
        error = attempt(wanted["address"], wanted["port"], max(0.1, end - time.monotonic()))
        if error is None or time.monotonic() + 1 > end:
            break
        time.sleep(1)
    found = outcome(error)
    if found != OPEN:
        message = problem(found, wanted["name"], wanted["address"], wanted["port"], wanted["opened"])
        module.fail_json(msg=message, outcome=found)
    module.exit_json(changed=False, outcome=found)


if __name__ == "__main__":
    main()
