"""Runs on a host, sent there as text: everything that the doctor wants to know about it, as JSON.

    python3 - '{"manager": …}' < look.py

`look` says what is asked for. Missing values are null or empty; nothing is created or changed.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time
from typing import Any

PROPERTIES = "LoadState,ActiveState,SubState,ExecMainStatus,NRestarts,MainPID,InvocationID,FreezerState,Environment"
SEARCHED_LINES = 5000
VARIABLES = ("KASPA_NODE_", "LIBP2P_")
COMMAND_SECONDS = 15


def output(argv: list[str]) -> tuple[int, str, str]:
    """Exit code, output and error output of a command; 127 if it can't be run, 124 if it does not end."""
    values = {**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"}
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=values,
            timeout=COMMAND_SECONDS,
        )
    except OSError as error:
        return 127, "", f"{argv[0]}: {error.strerror}"
    except subprocess.TimeoutExpired:
        return 124, "", f"`{argv[0]}` did not end within {COMMAND_SECONDS} s"
    return done.returncode, done.stdout, done.stderr


def text_of(path: str) -> str | None:
    """A file's text, None if it can't be read."""
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def stamp(path: str) -> str | None:
    """Inode and time of change, as deploy records them; None if there is no such file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return f"{found.st_ino}-{int(found.st_mtime)}"


def process_state(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty for no such process."""
    return (text_of(f"/proc/{pid}/stat") or "").rpartition(")")[2].split()


def systemd_service(name: str) -> dict[str, Any]:
    """The unit's properties that are used; the state is `unknown` if systemd does not answer."""
    _, out, _ = output(["systemctl", "show", "--property", PROPERTIES, f"{name}.service"])
    found = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    pid = int(found.get("MainPID") or 0)
    missing = found.get("LoadState") == "not-found"
    return {
        "state": "not-found" if missing else found.get("ActiveState", "unknown"),
        "exit_status": int(found.get("ExecMainStatus") or 0),
        "restarts": int(found.get("NRestarts") or 0),
        "pid": pid,
        "invocation": found.get("InvocationID", ""),
        "stopped": process_state(pid)[:1] == ["T"] or found.get("FreezerState") in ("frozen", "freezing"),
        "environment": shlex.split(found.get("Environment", "")),
    }


def plain_process(name: str, directory: str) -> dict[str, Any]:
    """The process that deploy recorded in a file beside its log."""
    try:
        record = json.loads(text_of(f"{directory}/{name}.json") or "{}")
    except ValueError:
        record = {}
    pid = record.get("pid") if isinstance(record.get("pid"), int) else 0
    fields = process_state(pid) if pid else []
    # Field 22 of proc(5)'s stat, when the process started: another process may have its number now.
    alive = len(fields) > 19 and fields[0] not in "ZX" and int(fields[19]) == record.get("born")
    return {
        "state": "active" if alive else "inactive",
        "exit_status": 0,
        "restarts": 0,
        "pid": pid if alive else 0,
        "invocation": "",
        "stopped": alive and fields[0] == "T",
        "environment": [],
    }


def variables(service: dict[str, Any]) -> dict[str, str]:
    """The node's variables: those of its process, otherwise those of its unit."""
    running = text_of(f"/proc/{service['pid']}/environ") if service["pid"] else None
    entries = running.split("\0") if running else service["environment"]
    pairs = (entry.partition("=") for entry in entries)
    return {name: value for name, _, value in pairs if name.startswith(VARIABLES)}


def log_lines(wanted: dict[str, Any], service: dict[str, Any]) -> list[str]:
    """The lines since the service's last start; the last ones of all starts if it does not run steadily."""
    if wanted["manager"] == "process":
        text = text_of(f"{wanted['directory']}/{wanted['service']}.log") or ""
        lines = text.splitlines()[-SEARCHED_LINES:]
        return since_start(lines) if service["state"] == "active" else lines
    steady = service["state"] == "active" and service["invocation"] and not service["restarts"]
    chosen = f"_SYSTEMD_INVOCATION_ID={service['invocation']}"
    if not steady:
        chosen = f"_SYSTEMD_UNIT={wanted['service']}.service"
    _, out, _ = output(["journalctl", "-q", "-o", "cat", "-n", str(SEARCHED_LINES), chosen])
    return out.splitlines()


def since_start(lines: list[str]) -> list[str]:
    """The lines of the last start; all lines if none of them is a start."""
    starts = [number for number, line in enumerate(lines) if " milestone=node.started " in line]
    return lines[starts[-1] :] if starts else lines


def worth_sending(lines: list[str], milestones: list[str], count: int) -> list[str]:
    """The last `count` of the lines with one of the milestones."""
    names = "|".join(re.escape(name) for name in milestones)
    pattern = re.compile(rf" milestone=(?:{names})(?: |$)")
    return [line for line in lines if pattern.search(line)][-count:]


def last_words(lines: list[str]) -> str:
    """The last line that is a warning, an error, or not from the log: an error at the start, a crash."""
    for line in reversed(lines[-50:]):
        if line.strip() and not re.match(r"[0-9-]{10} [0-9:.]+\+[0-9:]+ \[(?:INFO |DEBUG)\]", line):
            return line.strip()[:500]
    return ""


def node_status(wanted: dict[str, Any]) -> tuple[Any, str | None]:
    """The node's answer, or why there is none."""
    code, out, complaint = output(wanted["status"])
    try:
        return (json.loads(out), None) if code == 0 else (None, last_line(complaint))
    except ValueError:
        return None, "its answer is not JSON"


def last_line(text: str) -> str:
    """The last line, without the name of the program that wrote it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("kaspa-node: ") if lines else "no reason given"


def key_id(wanted: dict[str, Any]) -> str | None:
    """The peer id of the key file. Only if there is a key file, because the command would make one."""
    if stamp(wanted["key"]) is None:
        return None
    code, out, _ = output(wanted["identity"])
    try:
        found = json.loads(out).get("peer_id") if code == 0 else None
    except ValueError:
        return None
    return found if isinstance(found, str) else None


def recorded(path: str) -> dict[str, Any]:
    """What deploy recorded about the node."""
    try:
        found = json.loads(text_of(f"{path}/kaspa_node.fact") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def addresses() -> list[str]:
    """The host's own addresses."""
    _, out, _ = output(["ip", "-o", "addr", "show", "scope", "global"])
    return sorted({line.split()[3].partition("/")[0] for line in out.splitlines() if len(line.split()) > 3})


def filters(rulesets: list[str]) -> dict[str, Any]:
    """What the host's filters are, as text; `ufw` is null if ufw is not installed."""
    code, state, _ = output(["ufw", "status"])
    files = {"boot": "/etc/ufw/ufw.conf", "defaults": "/etc/default/ufw"}
    files |= {"rules4": "/etc/ufw/user.rules", "rules6": "/etc/ufw/user6.rules"}
    texts = {name: text_of(path) for name, path in files.items()}
    return {
        "ufw": {"active": state.startswith("Status: active"), **texts} if code == 0 else None,
        "iptables": output(["iptables-save", "-t", "filter"])[1],
        "ip6tables": output(["ip6tables-save", "-t", "filter"])[1],
        "nft": output(["nft", "-j", "list", "ruleset"])[1],
        "firewalld": output(["systemctl", "is-active", "firewalld"])[1].strip() == "active",
        "routes4": output(["ip", "-4", "route", "show", "default"])[1],
        "rulesets": output(rulesets)[1],
        "addresses": output(["ip", "-o", "address", "show", "scope", "global"])[1],
        "routes6": output(["ip", "-6", "route", "show", "default"])[1],
    }


def look(wanted: dict[str, Any]) -> dict[str, Any]:
    """All of it. wanted: manager, service, directory, config, key, facts, milestones.

    status, identity: the command lines of the node that print the one and the other. rulesets: the one that prints what
    replaces all rules of the host. count: how many lines with one of the milestones to send.
    """
    began = time.time()
    process = wanted["manager"] == "process"
    service = plain_process(wanted["service"], wanted["directory"]) if process else systemd_service(wanted["service"])
    status, silence = node_status(wanted)
    fact = recorded(wanted["facts"])
    lines = log_lines(wanted, service)
    known = status is not None and fact.get("key") == stamp(wanted["key"])
    return {
        "time": began,
        "service": {name: service[name] for name in ("state", "exit_status", "restarts", "stopped", "pid")},
        "last": last_words(lines),
        "config": text_of(wanted["config"]),
        "variables": variables(service),
        "recorded_id": fact.get("peer_id"),
        "key_id": status["peer_id"] if known else key_id(wanted),
        "status": status,
        "silence": silence,
        "filters": filters(wanted["rulesets"]) if not process and os.geteuid() == 0 else None,
        "addresses": addresses(),
        "lines": worth_sending(lines, wanted["milestones"], wanted["count"]),
    }


if __name__ == "__main__":
    json.dump(look(json.loads(sys.argv[1])), sys.stdout)
