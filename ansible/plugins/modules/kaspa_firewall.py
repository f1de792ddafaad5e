#!/usr/bin/python
"""Changes ufw's rules for a node: only differences, only rules of its own, and so that SSH stays open."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kaspa.private_peers.plugins.module_utils import (
    kaspa_firewall_check,
    kaspa_firewall_plan,
    kaspa_firewall_undo,
    kaspa_ssh_server,
    kaspa_ufw,
    kaspa_ufw_host,
    kaspa_uplinks,
)
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_filters import Filters
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_firewall_plan import Plan, Wanted
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_service import command
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_ufw import EVERYWHERE, Filter

DOCUMENTATION = r"""
module: kaspa_firewall
short_description: Let a node's ports in by ufw
description:
  - Adds a rule for each port that no rule lets in, before a wider rule that would win. It fails if a rule for exactly
    that port refuses or limits it, because that is the owner's word.
  - Switches the filter on. If it was off, SSH gets rules for the ports that its server listens on, as far as no rule is
    there already.
  - Before a change, a timer of the host is set that restores the old rules. C(state=proven) stops it.
options:
  state:
    type: str
    choices: [present, proven, absent]
    default: present
    description: >-
      C(absent) removes what C(present) added, and restores whether the filter is on and its default policy.
      C(proven) stops the timer.
  record: {type: path, required: true, description: The file that holds what was added and how it was before.}
  ports: {type: list, elements: int, default: [], description: TCP ports of the node.}
  ssh: {type: bool, default: true, description: Whether this host is reached by SSH.}
  ssh_ports: {type: list, elements: int, default: [], description: "Ports of SSH, if they can't be found."}
  keep: {type: list, elements: str, default: [], description: "What else gets in, as C(443/tcp), or C(forwarding)."}
  undo_after: {type: int, default: 60, description: Seconds until the old rules come back.}
"""

EXAMPLES = r"""
- name: Let the node in
  kaspa_firewall:
    record: /etc/ansible/facts.d/kaspa_firewall.fact
    ports: "{{ kaspa_firewall_ports }}"
  register: firewall

- name: Keep the new rules
  kaspa_firewall:
    state: proven
    record: /etc/ansible/facts.d/kaspa_firewall.fact
  when: firewall.armed
"""

RETURN = r"""
commands: {type: list, elements: str, returned: always, description: The commands of ufw that were run.}
armed: {type: bool, returned: always, description: Whether the old rules come back without C(state=proven).}
notes: {type: list, elements: str, returned: always, description: What the host's owner should know.}
"""

RECORDED = {"family", "port", "for"}
"""What the record says of each rule."""


def read_record(path: Path) -> dict[str, Any]:
    """What an earlier deploy recorded; empty if there was none. Raises OSError if it can't be understood."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        found = None
    rules = found.get("rules", []) if isinstance(found, dict) else None
    if not isinstance(rules, list) or not all(isinstance(each, dict) and each.keys() >= RECORDED for each in rules):
        raise OSError(
            f"{path} does not say what deploy added here and how ufw was before; restore it from a backup, or "
            "remove it: then uninstall leaves ufw as it is now"
        )
    return dict(found)


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write it, or remove it if it is empty."""
    if not record:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(json.dumps(record) + "\n", encoding="utf-8")
    new.chmod(0o644)
    os.replace(new, path)


def uplinks() -> dict[int, tuple[str, str]]:
    """By family, the interface by which strangers come, and the address that they come to."""
    filters = Filters(routes=kaspa_uplinks.routes(), addresses=kaspa_uplinks.addresses())
    return {family: filters.uplink(family) for family in kaspa_ufw.FAMILIES}


def planned(found: Filter, record: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """The plan for the module's parameters. Raises OSError."""
    plan = kaspa_firewall_plan.absent(found, record) if wanted["state"] == "absent" else present(found, record, wanted)
    if plan.commands and not plan.problems:
        plan.problems += kaspa_ufw_host.not_in_force(found)
    return plan


def present(found: Filter, record: dict[str, Any], wanted: dict[str, Any]) -> Plan:
    """The plan that lets the ports in. Raises OSError."""
    ports, came = kaspa_ssh_server.gather() if wanted["ssh"] else (set(), None)
    return kaspa_firewall_plan.present(
        found,
        record,
        Wanted(
            node=wanted["ports"],
            ssh=sorted(ports or (wanted["ssh_ports"] if wanted["ssh"] else ())),
            source=came.source if came else "",
            came=came.port if came else 0,
            interface=kaspa_uplinks.towards(came.source) if came else "",
            to=came.to if came else "",
            uplinks=uplinks(),
            kept=kaspa_firewall_check.ports_of(wanted["keep"]),
            forwarding=kaspa_firewall_check.FORWARDING in wanted["keep"],
        ),
    )


def shown(found: Filter) -> str:
    """A filter as text, for a difference."""
    lines = [f"ufw is {'on' if found.active else 'off'}, incoming: {found.incoming}"]
    lines += [f"IPv{rule.family} [{rule.number}] {rule.text()} # {rule.comment}".rstrip("# ") for rule in found.rules]
    return "\n".join(lines) + "\n"


def apply(plan: Plan, guarded: bool) -> None:
    """Run the commands; raises OSError if one fails, or if the timer has been faster."""
    for words in plan.commands:
        if guarded and not kaspa_firewall_undo.armed():
            raise OSError("the timer restored the old rules before the new ones were complete")
        command(["ufw", *words])


def main() -> None:
    """The module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "proven", "absent"], "default": "present"},
            "record": {"type": "path", "required": True},
            "ports": {"type": "list", "elements": "int", "default": []},
            "ssh": {"type": "bool", "default": True},
            "ssh_ports": {"type": "list", "elements": "int", "default": []},
            "keep": {"type": "list", "elements": "str", "default": []},
            "undo_after": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module.params, module.check_mode)
    except OSError as error:
        module.fail_json(msg=str(error))
    problems = result.pop("problems")
    if problems:
        module.fail_json(msg="\n".join(problems))
    module.exit_json(**result)


def run(wanted: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do it; problems: why nothing was changed. Raises OSError."""
    result: dict[str, Any] = {"changed": False, "commands": [], "armed": False, "notes": [], "problems": []}
    if wanted["state"] == "proven":
        if not check_mode and not kaspa_firewall_undo.disarm():
            result["problems"] = ["the old rules of the firewall are back: the new ones were not proven in time"]
        return result
    if kaspa_firewall_undo.unfinished() and not check_mode:
        kaspa_firewall_undo.resolve()
    record = Path(wanted["record"])
    recorded = read_record(record)
    found = kaspa_ufw_host.read()
    if found is None:
        # In check mode deploy has not installed it yet; after an uninstall it may be gone.
        return {**result, "changed": wanted["state"] == "present" or bool(recorded)}
    plan = planned(found, recorded, wanted)
    result["problems"] = plan.problems
    if plan.problems:
        return result
    commands = [f"ufw {' '.join(words)}" for words in plan.commands]
    result |= {
        "changed": bool(commands) or plan.record != recorded,
        "commands": commands,
        "notes": plan.notes,
        "diff": {"before": shown(found), "after": shown(plan.filter)},
    }
    if check_mode or not result["changed"]:
        return result
    if commands and wanted["ssh"]:
        kaspa_firewall_undo.arm(wanted["undo_after"], found.active, [str(record)])
        result["armed"] = True
    write_record(record, plan.record)
    apply(plan, result["armed"])
    check_read_back(plan, wanted["ports"] if wanted["state"] == "present" else [])
    return result


def check_read_back(plan: Plan, ports: list[int]) -> None:
    """Compare the rules as ufw has them now with the plan. Raises OSError."""
    now = kaspa_ufw_host.read()
    if now is None or now.active != plan.filter.active or now.rules != plan.filter.rules:
        differ = set(shown(plan.filter).splitlines()) ^ set(shown(now).splitlines() if now else [])
        raise OSError(f"ufw did not do what it was told; planned and found differ in: {', '.join(sorted(differ))}")
    ways = uplinks()
    for port, family in itertools.product(ports, kaspa_ufw.FAMILIES if now.ipv6 else kaspa_ufw.FAMILIES[:1]):
        access = kaspa_firewall_plan.strangers(now, port, family, ways)
        if access.origin != EVERYWHERE:
            raise OSError(f"ufw does not let {port}/tcp in by IPv{family} from everywhere, because of {access.reason}")


if __name__ == "__main__":
    main()
