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
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from jinja2 import TemplateError

ROLES = Path(__file__).resolve().parents[3] / "roles"
PORTS = ("kaspa_relay_port", "kaspa_peer_port", "kaspa_firewall_ports", "kaspa_firewall_ssh_ports")
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
    kind, choices = str(option.get("type")), option.get("choices")
    if kind not in KINDS and not choices:
        # Its value may not be known yet: it may be a template with facts of the play.
        return None
    try:
        value = variables[name]
        # Since ansible-core 2.19 a template is resolved when it is used.
        f"{value}"
    except (AnsibleError, TemplateError) as error:
        return f"{name} can't be resolved: {str(error).splitlines()[0]}"
    if kind in KINDS and (expected := KINDS[kind](value)):
        return f"{name} is {value!r}, {expected}"
    entries, element = (value, str(option.get("elements"))) if kind == "list" else ([value], kind)
    for entry in entries:
        if choices and entry not in choices:
            return f"{name} is {entry!r}; it can be {', '.join(map(str, choices))}"
        if kind == "list" and element in KINDS and (expected := KINDS[element](entry)):
            return f"{name} has the entry {entry!r}, {expected}"
        if element == "int" and int(entry) < 0:
            return f"{name} is {entry!r}, which is less than nothing; write a number from 0"
        if name in PORTS and not 1 <= int(entry) <= 0xFFFF:
            return f"{name} is {entry!r}, which is not a port; write a number from 1 to 65535"
    return None


def _whole(value: Any) -> str | None:
    whole = not isinstance(value, bool) and re.fullmatch(r"-?[0-9]{1,18}", str(value)) is not None
    return None if whole else "which is not a whole number; write one"


def _truth(value: Any) -> str | None:
    try:
        boolean(value)
    except TypeError:
        return "which is neither true nor false; write one of them"
    return None


def _list(value: Any) -> str | None:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return None
    return f"which is not a list; write {f'[{value}]' if isinstance(value, str | int) else '[], or [ENTRY]'}"


def _mapping(value: Any) -> str | None:
    return None if isinstance(value, Mapping) else "which maps nothing; write {NAME: VALUE}"


KINDS: Mapping[str, Callable[[Any], str | None]] = {"int": _whole, "bool": _truth, "list": _list, "dict": _mapping}
"""What is wrong with a value for each kind of variable that is checked, and what to write."""


class FilterModule:
    """The interface of Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name → filter."""
        return {"kaspa_variable_problems": kaspa_variable_problems, "kaspa_key_problems": kaspa_key_problems}
