"""Finds what is wrong with the variables of an inventory, before any host is changed.

The roles check their own variables too, but later, when other hosts have been changed already. And a variable with a
typing error in its name is read by no role.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[3] / "roles"
PORTS = ("kaspa_relay_port", "kaspa_peer_port")
# Facts that the roles set for each other, and for plays that run twice.
OWN_FACTS = (
    *("kaspa_node_peer_id", "kaspa_firewall_problems", "kaspa_relay_multiaddr"),
    *("kaspa_peer_smoke", "kaspa_peer_lacks", "rust_build_provenance"),
    *(f"kaspa_fleet_{name}" for name in ("hosts", "inventory", "known", "left_out", "lock", "playbook", "remembered")),
)


def kaspa_variable_problems(hostvars: Mapping[str, Any], hosts: Sequence[str]) -> list[str]:
    """The problems of the variables of these hosts: `problem; remedy`, each once."""
    known = _options()
    found = {problem: None for host in hosts for problem in _of_host(host, hostvars[host], known)}
    return list(found)


def kaspa_key_problems(hostvars: Mapping[str, Any], hosts: Sequence[str]) -> list[str]:
    """Hosts with the same key, as far as their peer ids are known: `problem; remedy`."""
    owners: dict[str, list[str]] = {}
    for host in hosts:
        peer_id = _peer_id(hostvars[host])
        if peer_id:
            owners.setdefault(peer_id, []).append(host)
    return [
        f"{' and '.join(names)} have the same key, that of {peer_id}: other hosts can't distinguish "
        "them; on all of them except one, move identity.key away from the node's state directory and deploy again"
        for peer_id, names in owners.items()
        if len(names) > 1
    ]


def _peer_id(variables: Mapping[str, Any]) -> str:
    if variables.get("kaspa_node_peer_id"):
        return str(variables["kaspa_node_peer_id"])
    facts = variables.get("ansible_facts") or {}
    recorded = (facts.get("kaspa_host") or {}).get("recorded") or {}
    return str((recorded.get("kaspa_node") or {}).get("peer_id") or "")


def _options() -> dict[str, Mapping[str, Any]]:
    """Name → definition of every variable that the roles have."""
    found: dict[str, Mapping[str, Any]] = {}
    for file in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"].values():
            found |= entry.get("options", {})
    return found


def _of_host(host: str, variables: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    prefixes = tuple({"_".join(name.split("_")[:2]) + "_" for name in known})
    for name in variables:
        if name in known:
            problem = _of_value(name, known[name], variables)
            if problem is not None:
                yield f"{host}: {problem}"
        elif name.startswith(prefixes) and name not in OWN_FACTS:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            remedy = f"did you mean {close[0]}?" if close else "the roles' README files list them"
            yield f"{host}: {name} is not a variable of any role; {remedy}"


def _of_value(name: str, option: Mapping[str, Any], variables: Mapping[str, Any]) -> str | None:
    kind, choices = option.get("type"), option.get("choices")
    if kind not in ("int", "list", "dict", "bool") and not choices and name not in PORTS:
        # Its value may not be known yet: it may be a template with facts of the play.
        return None
    value = variables[name]
    if kind == "list" and not (isinstance(value, Sequence) and not isinstance(value, str | bytes)):
        written = f"[{value}]" if isinstance(value, str | int) else "[], or [ENTRY]"
        return f"{name} is {value!r}, which is not a list; write {written}"
    if kind == "dict" and not isinstance(value, Mapping):
        return f"{name} is {value!r}, which maps nothing; write {{NAME: VALUE}}"
    for each in (value if kind == "list" else [value]) if choices else ():
        if each not in choices:
            return f"{name} is {each!r}; it can be {', '.join(map(str, choices))}"
    if kind == "int":
        whole = not isinstance(value, bool) and re.fullmatch(r"-?[0-9]{1,18}", str(value)) is not None
        if not whole:
            return f"{name} is {value!r}, which is not a whole number; write one"
        if name in PORTS and not 1 <= int(value) <= 0xFFFF:
            return f"{name} is {value!r}, which is not a port; write a number from 1 to 65535"
    return None


class FilterModule:
    """The interface of Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name → filter."""
        return {"kaspa_variable_problems": kaspa_variable_problems, "kaspa_key_problems": kaspa_key_problems}
