"""Writes the evidence of verify into the directory that the judge reads."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

DOCUMENTATION = r"""
module: kaspa_bundle
short_description: Write a run's evidence for the judge
description:
  - Takes the results that verify registered on each host, whatever became of them, and writes C(raw/) of the run.
  - Nobody but the owner can read it; the judge writes the redacted report beside it.
options:
  directory: {type: path, required: true, description: "The run's directory."}
  run: {type: dict, required: true, description: "run_id, started, expect_path, inventory, network_mode, pair."}
"""

REGISTERED = {name: f"_kaspa_verify_{name}" for name in ("mark", "session", "before", "during", "exercise", "after")}

LOOKS = ("after", "during", "before", "mark")
"""The steps that examine a host, the newest first."""

T = TypeVar("T")
Result = Mapping[str, Any]
Steps = Mapping[str, Result]


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action behind a `kaspa_bundle` task."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"directory", "run"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the bundle; always a change."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        run, directory = dict(self._task.args["run"]), Path(self._task.args["directory"])
        hostvars = (task_vars or {})["hostvars"]
        collected = {
            host: {name: hostvars[host].get(variable) or {} for name, variable in REGISTERED.items()}
            for host in run["pair"].values()
        }
        native = {
            host: unit(part, hostvars[host].get("kaspa_native_programs") or []) for part, host in run["pair"].items()
        }
        try:
            for path, text in files(run, collected, native, time.time()).items():
                _write(directory / "raw" / path, text)
        except OSError as error:
            raise AnsibleActionFail(f"the evidence can't be written: {error.filename}: {error.strerror}") from error
        return {**result, "changed": True}


def unit(part: str, programs: Sequence[str]) -> str | None:
    """The unit of the host's native program in the session; None if its peer speaks Kaspa itself.

    programs: those that the inventory names for the host.
    """
    return f"kaspa-native-{part}" if part in programs else None


def files(
    run: dict[str, Any], collected: Mapping[str, Steps], native: Mapping[str, str | None], now: float
) -> dict[str, str]:
    """Path below raw/ → its text.

    collected: host → the results of its steps by name; a failed or missing step is evidence too.
    native: host → the unit of its native program, or None.
    """
    client = collected[run["pair"]["client"]]
    native_client = native[run["pair"]["client"]] is not None
    public = observed(collected)
    content: dict[str, Any] = {
        **run,
        # Before ansible-core 2.19 the result of an expression is text.
        "started": float(run["started"]),
        "ended": now,
        "hosts": {
            name: described(part, collected[name], public) | {"native": native[name]}
            for part, name in run["pair"].items()
        },
        "session": session(client["session"], native_client),
        "exercise": reply(client["exercise"]),
    }
    texts = {"run.json": _json(content)}
    for host, steps in collected.items():
        watched = native_client and host != run["pair"]["relay"]
        for label in ("before", "during", "after") if watched else ("before", "after"):
            snapshot = steps[label].get("snapshot") or failed_snapshot(host, label, steps[label], now)
            texts[f"{host}/snapshot-{label}.json"] = _json(snapshot)
        if "log" in steps["after"]:
            texts[f"{host}/journal.log"] = steps["after"]["log"]
        log = steps["during" if native_client else "after"].get("native_log")
        if log is not None and native[host] is not None:
            texts[f"{host}/native.log"] = log
    return texts


def session(result: Result, native_client: bool) -> dict[str, Any]:
    """The reply to `session`; without a stream there is a session only if a native program opens one."""
    answer = reply(result)
    if native_client or answer.get("session") or "error" in answer:
        return answer
    return {"error": "its backend is external, and kaspa_native_programs names no program that verify could start"}


def failed_snapshot(host: str, label: str, result: Result, now: float) -> dict[str, Any]:
    """The replacement of a snapshot that could not be taken, with the reason."""
    nothing = dict.fromkeys(("service", "sockets", "status"))
    error = why(result) or "it was not taken"
    return {"host": host, "label": label, "time": now, "controller_time": now, **nothing, "error": error}


def reply(result: Result) -> dict[str, Any]:
    """The JSON output of a kaspa-node command, or {"error": why there is none}."""
    if result.get("rc") == 0:
        try:
            answer = json.loads(result.get("stdout", ""))
        except ValueError:
            return {"error": "its answer is not JSON"}
        return answer if isinstance(answer, dict) else {"error": "its answer is no object"}
    return {"error": why(result) or "it was not asked for"}


def why(result: Result) -> str:
    """The message of a failed step, on one line; "" if there is none."""
    for text in (result.get("stderr"), result.get("msg")):
        lines = [line.strip() for line in str(text or "").splitlines() if line.strip()]
        if lines:
            return _without_frame(lines[-1])
    return ""


def _without_frame(line: str) -> str:
    """The line without the node's name before it, or Ansible's words around ssh's message."""
    for words in ("can be reached over ssh: ", "connect to the host via ssh: "):
        line = line.rpartition(words)[2]
    return line.removeprefix("Task failed: ").removeprefix("kaspa-node: ")


def described(part: str, steps: Steps, public: Mapping[str, str]) -> dict[str, Any]:
    """A host's entry in run.json; unknown values are null."""
    looks = [steps[step] for step in LOOKS]
    facts = _first(look.get("facts") for look in looks) or {}
    status = _first((look.get("snapshot") or {}).get("status") for look in looks) or {}
    # Not from the status, because the judge compares it with the status.
    peer_id = facts.get("peer_id") or None
    role = "relay" if part == "relay" else "peer"
    addresses = facts.get("addresses", [])
    seen_at = public.get(peer_id) if peer_id else None
    if role == "relay" and seen_at in addresses:
        seen_at = None
    return {
        "role": role,
        "peer_id": peer_id,
        "service": f"kaspa-{role}",
        "addresses": addresses,
        "public": seen_at,
        "unreachable": _first(why(look) for look in looks if look.get("unreachable")),
        "os": facts.get("os") or None,
        "version": status.get("version"),
    }


def _first(values: Iterable[T]) -> T | None:
    return next((value for value in values if value), None)


def observed(collected: Mapping[str, Steps]) -> dict[str, str]:
    """Peer id → the address at which others see it: a peer as a relay sees it, a relay as a peer has dialed it."""
    found: dict[str, str] = {}
    for steps in collected.values():
        for step in reversed(LOOKS):
            status = (steps[step].get("snapshot") or {}).get("status") or {}
            seen = [(each["peer_id"], each.get("observed")) for each in status.get("reservations", [])]
            seen += [(each["peer_id"], each.get("connected")) for each in status.get("relays", [])]
            found |= {peer: address.rpartition(":")[0].strip("[]") for peer, address in seen if address}
    return found


def _json(value: Any) -> str:
    return json.dumps(value, indent=1) + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
