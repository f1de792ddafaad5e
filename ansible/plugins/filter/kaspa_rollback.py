"""Filters of upgrade and rollback: the order of hosts, the peers to wait for, and the previous release of each host."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_release_fact import sources_of

# Peer ids and addresses: these don't depend on the release, and may have changed since the previous one ran.
TODAYS = ("relays", "remotes", "allow", "announce", "listen")


def kaspa_rollback_plan(hostvars: Mapping[str, Any], hosts: Sequence[str]) -> dict[str, dict[str, str]]:
    """The previous release of each of these hosts: host → {to: release or "", why: if it is empty, from: in use}.

    Only hosts with the newest release of all go back, so that a host which an upgrade did not reach stays.
    """
    recorded = {host: _recorded(hostvars[host]) for host in hosts}
    used = {host: str(_facts(hostvars[host]).get("venv") or "") for host in hosts}
    newest = max((entry for entry in recorded.values() if entry), key=lambda entry: entry["installed"], default=None)
    plan = {}
    for host in hosts:
        entry, to, why = recorded[host], "", ""
        if newest is None or not entry:
            why = "has no release of its own"
        elif entry["sources"] != newest["sources"]:
            why = "does not run the release that is rolled back"
        elif used[host] != entry["release"]:
            why = "runs the release before already"
        elif not entry["before"]:
            why = "has had no release before this one"
        else:
            to = entry["before"]
        plan[host] = {"from": used[host], "to": to, "why": why}
    return plan


def _facts(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (variables.get("ansible_facts") or {}).get("kaspa_host") or {}
    return found


def _recorded(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The fact of kaspa_release; empty if there is none, or an incomplete one."""
    found = (_facts(variables).get("recorded") or {}).get("kaspa_release") or {}
    return dict(found) if {"release", "sources", "installed", "before"} <= set(found) else {}


def kaspa_upgraded(hosts: Sequence[Mapping[str, Any]], sources: str) -> list[str]:
    """The hosts (their variables) that did not run the release of these sources before the play."""
    return [host["inventory_hostname"] for host in hosts if not _runs(host, sources)]


def _runs(variables: Mapping[str, Any], sources: str) -> bool:
    used = str(_facts(variables).get("venv") or "")
    return bool(used) and sources_of(used, _recorded(variables)) == sources


def kaspa_settings_back(kept: str, present: str) -> dict[str, Any]:
    """The settings for a rollback: those of the previous release, with today's peers and addresses.

    kept, present: configuration files as text. A replaced key or an old address must not come
    back.
    """
    try:
        then, today = tomllib.loads(kept), tomllib.loads(present)
    except tomllib.TOMLDecodeError as error:
        raise AnsibleFilterError(f"a configuration file is not TOML: {error}") from error
    return {name: today.get(name, value) if name in TODAYS else value for name, value in then.items()}


def kaspa_served(status: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    """The known peer ids that a node serves: a relay's reservations, a peer's ready sessions."""
    if status.get("role") == "relay":
        found = {str(each["peer_id"]) for each in status.get("reservations", [])}
    elif status.get("backend"):
        found = set()  # sessions there are those of other programs, which come and go
    else:
        found = {str(each["peer_id"]) for each in status.get("sessions", []) if each["state"] == "ready"}
    return sorted(found & set(known))


class FilterModule:
    """The interface of Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name → filter."""
        return {
            "kaspa_rollback_plan": kaspa_rollback_plan,
            "kaspa_upgraded": kaspa_upgraded,
            "kaspa_settings_back": kaspa_settings_back,
            "kaspa_served": kaspa_served,
        }
