"""Filters for a run on part of a fleet: what is known of the other hosts, and which hosts a run left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_state_file import path_for

OWN = {"peer_id": "kaspa_node_peer_id", "multiaddr": "kaspa_relay_multiaddr"}
"""The facts of a run, by the field of the state file that they become."""

LEFT_OUT = "kaspa_fleet_left_out"
UNINSTALL = "playbooks/uninstall.yml"
LONGEST = 300
_FRAMES = ("Task failed: ", "Action failed: ", "Module failed: ")

Hostvars = Mapping[str, Mapping[str, Any]]
Known = Mapping[str, Mapping[str, str]]


def kaspa_known(hosts: Sequence[str], hostvars: Hostvars, known: Known, field: str = "peer_id") -> dict[str, str]:
    """The peer id (or multiaddr) of each host: by this run, else by the state file. Hosts without one are left out."""
    found = {}
    for host in hosts:
        variables = hostvars[host]
        value = variables.get(OWN[field]) or _recorded(variables).get(field) or known.get(host, {}).get(field)
        if value:
            found[host] = str(value)
    return found


def _recorded(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fact of an earlier deploy, if this run has read it."""
    host = (variables.get("ansible_facts") or {}).get("kaspa_host") or {}
    fact: Mapping[str, Any] = (host.get("recorded") or {}).get("kaspa_node") or {}
    return fact


def kaspa_state_files(hosts: Sequence[str], hostvars: Hostvars) -> dict[str, str]:
    """Of each host the file that has its entry: `.kaspa/NAME.json` beside the inventory's file NAME, or the one set.

    "" for a host that no file defines.
    """
    named = ((host, hostvars[host]) for host in hosts)
    return {host: path_for(each.get("kaspa_fleet_state_file"), each.get("inventory_file")) for host, each in named}


def kaspa_found(hosts: Sequence[str], hostvars: Hostvars, relays: Sequence[str]) -> dict[str, dict[str, str]]:
    """What this run found out, as the state file has it. Hosts without a peer id are left out."""
    ids = {host: hostvars[host].get(OWN["peer_id"]) for host in hosts}
    entries = {}
    for host, peer_id in ids.items():
        if peer_id:
            entries[host] = {"role": "relay" if host in relays else "peer", "peer_id": str(peer_id)}
            if host in relays:
                entries[host]["multiaddr"] = str(hostvars[host].get(OWN["multiaddr"]) or "")
    return entries


def kaspa_taking_part(hosts: Sequence[str], hostvars: Hostvars) -> list[str]:
    """The hosts that the run has not left out."""
    return [host for host in hosts if not hostvars[host].get(LEFT_OUT)]


def kaspa_absent(hosts: Sequence[str], hostvars: Hostvars, run: Sequence[str], lost: Sequence[str]) -> list[str]:
    """The hosts for which nobody needs to wait: left out, lost on the way, or not in this run because of --limit.

    run: the hosts that the run began with.
    """
    return [host for host in hosts if host not in run or host in lost or hostvars[host].get(LEFT_OUT)]


def kaspa_deployed(hosts: Sequence[str], hostvars: Hostvars) -> list[str]:
    """The hosts on which an earlier deploy has left its fact."""
    return [host for host in hosts if _recorded(hostvars[host])]


def kaspa_reason(result: Mapping[str, Any]) -> str:
    """Why a task failed, in one line."""
    for each in result.get("results") or ():
        if isinstance(each, Mapping) and (each.get("failed") or each.get("unreachable")):
            return kaspa_reason(each)
    said = [result.get(name) for name in ("msg", "module_stderr", "stderr")]
    # What a program has against a file that it was asked to check.
    said = said[1:] if said[0] == "failed to validate" and said[2] else said
    text = str(next(filter(None, said), "it failed"))
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it failed"]
    # Of several problems the first stands for all; of a traceback the last line says what happened.
    if result.get("unreachable"):
        line = lines[-1].rpartition("ssh: ")[2]
    else:
        line = lines[-1] if lines[0].startswith("Traceback") else lines[0]
    for frame in _FRAMES:
        line = line.removeprefix(frame)
    line = line.rstrip(".")
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def kaspa_left_out(
    hosts: Sequence[str], hostvars: Hostvars, present: Sequence[str], known: Known, playbook: str
) -> list[str]:
    """One line for each host that the run left out, and why. Hosts with the same reason share a line.

    hosts: those that the run began with; present: those that Ansible has not given up.
    """
    reasons: dict[str, list[str]] = {}
    for host in hosts:
        left_out = hostvars[host].get(LEFT_OUT)
        if left_out:
            until = left_out.get("until") or f"it is {'back' if left_out.get('down') else 'mended'}"
            again = f"run {playbook} again when {until}"
            why = f"{left_out['why']}; {_remains(host, known, hostvars, playbook)}; {again}"
        elif host not in present:
            why = f"the connection was lost on the way; run {playbook} again when it is back"
        else:
            continue
        reasons.setdefault(why, []).append(host)
    return [f"left out: {', '.join(names)}: {why}" for why, names in reasons.items()]


def _remains(host: str, known: Known, hostvars: Hostvars, playbook: str) -> str:
    down = hostvars[host][LEFT_OUT].get("down")
    if playbook == UNINSTALL:
        return "nothing was removed there" if down else "some of it may still be there"
    if host not in known and not _recorded(hostvars[host]):
        return "nothing is known of it yet, so the others are set up without it"
    return f"{'it keeps what it has, and ' if down else ''}the others keep it on their lists"


class FilterModule:
    """The interface of Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name → filter."""
        return {
            "kaspa_known": kaspa_known,
            "kaspa_state_files": kaspa_state_files,
            "kaspa_found": kaspa_found,
            "kaspa_taking_part": kaspa_taking_part,
            "kaspa_absent": kaspa_absent,
            "kaspa_deployed": kaspa_deployed,
            "kaspa_reason": kaspa_reason,
            "kaspa_left_out": kaspa_left_out,
        }
