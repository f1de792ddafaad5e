"""Filters of the roles and playbooks."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

DIALS = "kaspa_peer_dials"


def kaspa_toml(settings: Mapping[str, Any]) -> str:
    """A mapping as TOML: texts, whole numbers, booleans, lists of these, and lists of mappings as arrays of tables."""
    tables = {key: value for key, value in settings.items() if _is_table_list(value)}
    lines = [f"{key} = {_value(key, value)}" for key, value in settings.items() if key not in tables]
    for key, entries in tables.items():
        for entry in entries:
            lines += ["", f"[[{key}]]", *(f"{name} = {_value(name, value)}" for name, value in entry.items())]
    return "\n".join(lines) + "\n"


def _is_table_list(value: Any) -> bool:
    return _is_list(value) and bool(value) and all(isinstance(entry, Mapping) for entry in value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, str):
        # JSON's escapes are those of a basic string in TOML, except for surrogate pairs (hence no ASCII) and DEL.
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if _is_list(value):
        return "[" + ", ".join(_value(key, item) for item in value) + "]"
    raise AnsibleFilterError(f"{key}: {value!r} has no place in the configuration file")


def kaspa_multiaddr(address: str, port: int, peer_id: str = "") -> str:
    """`/ip4/203.0.113.10/tcp/4011`, with `/p2p/ID` if an id is given; a name becomes /dns, with the
    addresses of both families."""
    try:
        kind = f"ip{ipaddress.ip_address(address).version}"
    except ValueError:
        kind = "dns"
    return f"/{kind}/{address}/tcp/{int(port)}" + (f"/p2p/{peer_id}" if peer_id else "")


def kaspa_dialers(hosts: Sequence[str], hostvars: Mapping[str, Any], name: str) -> list[str]:
    """The hosts of `hosts` that dial the host `name`."""
    return [host for host in hosts if name in _dials(hostvars, host)]


def kaspa_generations(hosts: Sequence[str], hostvars: Mapping[str, Any]) -> list[list[str]]:
    """The hosts in batches, so that each comes after all hosts that it dials; a circle is one batch, the last."""
    known = set(hosts)
    waiting = {host: set(_dials(hostvars, host)) & known - {host} for host in hosts}
    batches: list[list[str]] = []
    while waiting:
        batch = [host for host in hosts if host in waiting and not waiting[host] & waiting.keys()]
        batch = batch or list(waiting)
        batches.append(batch)
        waiting = {host: dialed for host, dialed in waiting.items() if host not in batch}
    return batches


def _dials(hostvars: Mapping[str, Any], host: str) -> list[str]:
    return list(hostvars[host].get(DIALS) or [])


def kaspa_pair(groups: Mapping[str, Any], hostvars: Mapping[str, Any]) -> dict[str, str]:
    """The hosts of verify: the first peer that dials, the first peer that it dials, and the relay between them."""
    for client in groups.get("peers", []):
        for server in _dials(hostvars, client):
            relays = hostvars[client].get("kaspa_peer_relays") or groups.get("relays", [])
            if relays:
                return {"client": client, "server": server, "relay": relays[0]}
    raise AnsibleFilterError("no peer of the inventory dials another through a relay; give one `kaspa_peer_dials`")


def kaspa_remotes(peer_ids: Mapping[str, str], listens: Mapping[str, str]) -> list[dict[str, str]]:
    """The peers to dial as the configuration names them, from their peer ids by host.

    listens: the local forwards by host; only external backends have them.
    """
    return [
        {"name": name, "peer_id": peer_id} | ({"listen": listens[name]} if name in listens else {})
        for name, peer_id in peer_ids.items()
    ]


def kaspa_target(host: Mapping[str, Any]) -> str:
    """The kind of wheels for a host, such as `cp311-x86_64`, from its facts."""
    return f"{host['python_tag']}-{host['arch']}"


def kaspa_sources_digest(checkout: str) -> str:
    """A hash over the node's sources in a checkout, and over the packages that it pins: the same for all hosts."""
    pins = [path for path in [Path(checkout, "requirements", "runtime.txt")] if path.is_file()]
    files = [*sorted(Path(checkout, "kaspa_node").rglob("*.py")), *pins]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(checkout)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:12]


def kaspa_inventory_options(sources: Sequence[str], default: Sequence[str]) -> str:
    """The options with which the same command finds the same inventory, as ` -i ../fleet`; "" for the default one.

    sources: those of this run. default: those without options, by ansible.cfg or the variable ANSIBLE_INVENTORY.
    """
    if list(sources) == list(default):
        return ""
    here = Path.cwd()
    shown = (str(Path(each).relative_to(here)) if Path(each).is_relative_to(here) else str(each) for each in sources)
    return "".join(f" -i {shlex.quote(each)}" for each in shown)


class FilterModule:
    """The interface of Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name → filter."""
        return {
            "kaspa_toml": kaspa_toml,
            "kaspa_inventory_options": kaspa_inventory_options,
            "kaspa_multiaddr": kaspa_multiaddr,
            "kaspa_dialers": kaspa_dialers,
            "kaspa_generations": kaspa_generations,
            "kaspa_pair": kaspa_pair,
            "kaspa_remotes": kaspa_remotes,
            "kaspa_target": kaspa_target,
            "kaspa_sources_digest": kaspa_sources_digest,
        }
