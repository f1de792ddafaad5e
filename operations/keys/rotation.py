"""Makes a new key for one host and tells all others.

The state on the host decides what is still to be done (operations/keys/host_program.py). So an interrupted rotation
continues when it is started again.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kaspa_state_file import StateError, check

from operations import ask, deployment, services, state
from operations.fleet import on_all
from operations.inventory import Inventory, Node
from operations.keys import place
from operations.link import Link
from operations.overview import Seen, tables
from operations.problems import HostProblem, MissingFile, OperationProblem, UsageProblem
from operations.report import Report

HAND_WRITTEN = ("kaspa_relay_allow", "kaspa_peer_allow", "kaspa_peer_announce")
FACT = "kaspa_node.fact"


@dataclass(frozen=True)
class Scene:
    """The input of a rotation. sources: of the inventory, as they were typed. timeout: seconds for each host.

    run: the id of the run that holds the locks of the hosts.
    """

    inventory: Inventory
    sources: Sequence[str]
    report: Report
    timeout: float
    run: str


@dataclass(frozen=True)
class Survey:
    """The state of a rotation.

    old, new: peer ids; new is "" before the new key exists. naming: hosts whose files contain the old id.
    off: the other hosts that can't be asked, and why.
    """

    old: str
    new: str
    swapped: bool
    naming: tuple[str, ...]
    off: Mapping[str, OperationProblem] = field(default_factory=dict)

    @property
    def goes_on(self) -> bool:
        """Whether a rotation was begun before."""
        return bool(self.new)


def rotate(scene: Scene, node: Node) -> None:
    """Rotate the key, or say what would be done with a dry run. Raises OperationProblem."""
    survey = look(scene, node)
    refuse_hand_written(scene.inventory, survey.old)
    check_state(scene.inventory, survey.off)
    report = scene.report
    report.add("rotation", {"host": node.name, "old": survey.old, "new": survey.new or None})
    if survey.goes_on:
        report.say(f"{node.name}: goes on with the rotation from {survey.old} to {survey.new}")
    if not survey.swapped:
        new = survey.new or "a new one"
        if not scene.report.dry_run:
            new = on_one(scene, node, lambda one, link: _change(link, one, survey))
            report.add("rotation", {"host": node.name, "old": survey.old, "new": new})
        report.changed(f"the key of {survey.old} replaced by that of {new}, and destroyed", node.name)
    if scene.report.dry_run:
        report.changed(f"{node.service} stopped until it is deployed", node.name)
        report.changed(f"deploy.yml run, so that {_names(survey.naming)} no longer name {survey.old}")
        say_off(report, survey)
        return
    stop = on_one(scene, node, lambda one, link: _stop(link, one, survey.old, scene.timeout))
    if stop:
        report.changed(f"{stop} until it is deployed", node.name)
    deployed = deployment.play(report, "deploy.yml", scene.sources, run=scene.run, may_leave_out=bool(survey.off))
    for host, count in deployed.changed.items():
        if count and host in scene.inventory.nodes:
            report.changed(f"deployed ({count} tasks changed it)", host)
    _prove(scene, survey)
    on_one(scene, node, lambda one, link: place.end(link, one))
    where = "every host that is up" if survey.off else "every host"
    report.say(f"{survey.old} is gone from the configuration of {where}; its key is destroyed")
    say_off(report, survey)
    report.say(
        "Peers outside this inventory that allow it need the new id; backups of keys hold the old one: fab backup-keys"
    )


def look(scene: Scene, node: Node) -> Survey:
    """Find the peer ids in the files of all hosts. Only the host itself has to be up. Raises OperationProblem."""

    def work(one: Node, link: Link) -> tuple[str, place.Tracks, str]:
        named = _texts(link, one)
        if one.name != node.name:
            return named, place.Tracks(True, "", ""), ""
        tracks = place.look(link, one)
        if not tracks.key:
            raise HostProblem("there is no key to change; deploy it first: ansible-playbook deploy.yml", one.name)
        return named, tracks, ask.identity(link, one)

    answers = on_all(scene.inventory.nodes.values(), work, timeout=scene.timeout)
    off = {name: found for name, found in answers.items() if isinstance(found, OperationProblem) and name != node.name}
    found = settled(scene.report, {name: answer for name, answer in answers.items() if name not in off})
    _, tracks, present = found[node.name]
    old, new = (tracks.old, tracks.new) if tracks.new and present in (tracks.old, tracks.new) else (present, "")
    return Survey(old, new, present == new, tuple(name for name, (text, _, _) in found.items() if old in text), off)


def say_off(report: Report, survey: Survey) -> None:
    """Report what each host that is off does not know yet."""
    for name, why in survey.off.items():
        report.problem(
            HostProblem(
                f"is off ({why.text}): it still trusts the old id {survey.old}; run deploy.yml when it is back", name
            )
        )


def _texts(link: Link, node: Node) -> str:
    """All files on the host that contain peer ids."""
    texts = [link.read(node.paths.config).decode(errors="replace")]
    with contextlib.suppress(MissingFile):
        texts.append(link.read(f"{node.paths.facts_dir}/{FACT}").decode(errors="replace"))
    return "\n".join(texts)


def refuse_hand_written(inventory: Inventory, old: str) -> None:
    """A peer id that the inventory itself names would come back with every deploy."""
    for node in inventory.nodes.values():
        for name in HAND_WRITTEN:
            if old in json.dumps(node.variable(name, "")):
                raise UsageProblem(
                    f"{inventory.source} names {old} in {name}: remove it there first, or it comes back", node.name
                )


def check_state(inventory: Inventory, off: Mapping[str, OperationProblem]) -> None:
    """Check that the deploy of a rotation can read and write the state file. Changes nothing. Raises UsageProblem.

    Without it, and with a host off, deploy stops: then the others would know neither the old id nor the new one.
    """
    files = state.files(inventory)
    known: set[str] = set()
    for path in sorted({*files.values()} - {""}):
        try:
            known |= check(path).keys()
        except StateError as problem:
            raise UsageProblem(f"nothing was changed: {problem}") from None
    for name in off:
        if name not in known and (not known or "" in files.values()):
            raise UsageProblem(
                f"nothing was changed: it is off, and {files[name] or 'the controller'} does not know its peer id; "
                "run ansible-playbook deploy.yml once while all hosts are up",
                name,
            )


def _change(link: Link, node: Node, survey: Survey) -> str:
    new = survey.new or place.begin(link, node, survey.old)
    place.swap(link, node)
    if ask.identity(link, node) != new:
        raise OperationProblem(f"its key is not that of {new} though it was put there", node.name)
    return new


def _stop(link: Link, node: Node, old: str, timeout: float) -> str | None:
    """End the process that still uses the old key; deploy starts it again."""
    if services.state(link, node).active and ask.status(link, node).get("peer_id") == old:
        return services.act(link, node, "stop", timeout=timeout).text
    return None


def _prove(scene: Scene, survey: Survey) -> None:
    """Check on every host that is up that its node runs without the old id. Raises OperationProblem."""
    old = survey.old

    def work(one: Node, link: Link) -> Seen:
        if old in _texts(link, one):
            raise OperationProblem(f"its configuration still names {old}; run this again", one.name)
        status = ask.status(link, one)
        if holds(status, old):
            raise OperationProblem(f"its node still holds {old}; restart it: fab restart --host {one.name}", one.name)
        return Seen(one.name, one.role, one.address, tuple(services.states(link, one).values()), status, None)

    up = [one for one in scene.inventory.nodes.values() if one.name not in survey.off]
    found = settled(scene.report, on_all(up, work, timeout=scene.timeout))
    for name, seen in found.items():
        scene.report.host(name, seen.as_dict())
    for table in tables(list(found.values()), time.time()):
        scene.report.table(table.title, table.head, table.rows)


def holds(status: Mapping[str, Any], peer_id: str) -> bool:
    """Whether a node uses that peer id now. A relay's counters of earlier circuits (pairs) don't count."""
    return peer_id in json.dumps({name: value for name, value in status.items() if name != "pairs"})


def on_one(scene: Scene, node: Node, work: Any) -> Any:
    """`fleet.on_all` for one host; its problem is raised."""
    return settled(scene.report, on_all([node], work, timeout=scene.timeout))[node.name]


def settled(report: Report, found: Mapping[str, Any]) -> dict[str, Any]:
    """The results of the hosts. If there were problems, all but the last are reported, and the last is raised."""
    problems = [value for value in found.values() if isinstance(value, OperationProblem)]
    for problem in problems[:-1]:
        report.problem(problem)
    if problems:
        raise problems[-1]
    return dict(found)


def _names(hosts: tuple[str, ...]) -> str:
    return ", ".join(hosts) or "no host"
