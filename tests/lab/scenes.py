"""Breaking one thing of the deployed lab at a time, having verify judge it, and mending it again."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import booted, nat, ssh
from lab.command import run
from lab.namespaces import NamedNamespaces
from lab.paths import Paths
from lab.topology import PREFIX, ROUTERS, host, router
from lab.waiting import until
from tests.playbooks import ROOT, play, report

PATHS = Paths()
UNITS = {"relay": "kaspa-relay", "server": "kaspa-peer", "client": "kaspa-peer"}
PEERS = ("server", "client")
CALLBACKS = "tests/lab/callbacks"
BEFORE_SESSION = "Ask for a fresh session"
BEFORE_EXERCISE = "Send pings over the session"
BEFORE_JUDGEMENT = "Take snapshots after the exercise and collect the logs"
PATIENCE = 30.0
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


@dataclass(frozen=True)
class Outcome:
    """What a run of verify came to.

    exit_code: the judge's; passed: whether the command that was run ended well; text: report.md.
    """

    verdict: str
    path: str
    exit_code: int
    passed: bool
    reason: str
    report: dict[str, Any]
    text: str

    @property
    def told(self) -> tuple[str, str, int, bool]:
        """All but the reason."""
        return self.verdict, self.path, self.exit_code, self.passed


NO_SESSION = ("FAIL", "none", 1, False)
UNPROVEN = ("FAIL", "unproven", 1, False)
DIRECT = ("PASS", "direct", 0, True)
ALLOWED_RELAYED = ("RELAYED", "relayed", 0, True)
UNWANTED_RELAYED = ("FAIL", "relayed", 3, False)


def command(name: str, script: str) -> list[str]:
    """The command line that runs a shell script on a host as root."""
    return ssh.command(PATHS, host(name), ["bash", "-ec", shlex.quote(script)])


def on(name: str, script: str) -> str:
    """What the script prints. Raises LabError where it fails."""
    return run(command(name, script), timeout=60).strip()


def in_place(place: str, *texts: str) -> list[str]:
    """Command lines of the processes in a host's or router's network that hold one of the texts."""
    found = []
    for pid in run(["ip", "netns", "pids", f"{PREFIX}{place}"]).split():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if any(text in line for text in texts):
                found.append(line)
    return found


def verify(*words: str, meddling: dict[str, list[str]] | None = None) -> Outcome:
    """Run verify.yml as a user does; meddling: the task before which a command is to run, and the command."""
    environ = {}
    if meddling:
        environ = {
            "ANSIBLE_CALLBACK_PLUGINS": f"{ROOT}/{CALLBACKS}",
            "ANSIBLE_CALLBACKS_ENABLED": "kaspa.private_peers.kaspa_progress,meddle",
            "MEDDLE": json.dumps(meddling),
        }
    earlier = (ROOT / "evidence" / "latest").resolve()
    played = play("verify.yml", "lab", *(word for extra in words for word in ("-e", extra)), environ=environ)
    assert (ROOT / "evidence" / "latest").resolve() != earlier, played.output[-4000:]
    assert played.output.count("meddled: ") == len(meddling or {}), played.output[-4000:]
    # What the owner reads: the sentence in the table, and with a failure once more, with what to do.
    found = report("raw/report.json")
    read = " ".join(played.output.split())
    assert f"reason {found['reason']} " in read, played.output[-4000:]
    assert (f"FAIL: {found['reason']}. {found['hint']}" in read) == (played.exit_code != 0), played.output[-4000:]
    print(f"{found['verdict']} {found['path']} ({found['exit_code']}): {found['reason']} [{played.seconds:.0f} s]")
    return _outcome(played.exit_code == 0)


def judge_again(expect: str) -> Outcome:
    """Judge the newest run's evidence for another expectation, as a user can do."""
    words = [sys.executable, "-m", "kaspa_node.evidence", "judge", "evidence/latest", "--expect", expect]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    found = _outcome(done.returncode == 0)
    assert found.exit_code == done.returncode
    assert f"reason {report('raw/report.json')['reason']} " in " ".join(done.stdout.split())
    return found


def _outcome(passed: bool) -> Outcome:
    found, text = report(), (ROOT / "evidence" / "latest" / "report.md").read_text(encoding="utf-8")
    return Outcome(found["verdict"], found["path"], found["exit_code"], passed, found["reason"], found, text)


def since_start(name: str) -> str:
    """The journal of the service's present start."""
    unit = UNITS[name]
    return on(name, f"journalctl -q -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show --value -p InvocationID {unit})")


def peer_id(name: str) -> str:
    """What deploy wrote down on the host."""
    found: str = json.loads(on(name, "cat /etc/ansible/facts.d/kaspa_node.fact"))["peer_id"]
    return found


def normal() -> None:
    """Until the client has its session again, where everything runs that it takes.

    To be waited for before something is broken, and when it is mended: a punch that is broken off leaves something in
    the routers, and for two minutes the first attempt of every punch fails.
    """
    node = "/opt/kaspa-node/bin/kaspa-node"

    def has_session() -> bool:
        said = on("client", f"{node} status --json || true")
        return any(session["state"] == "ready" for session in json.loads(said or "{}").get("sessions", []))

    if all(on(name, f"systemctl is-active {unit} || true") == "active" for name, unit in UNITS.items()):
        until(has_session, timeout=PATIENCE, pause=0.1)


def restart(*names: str, until_reserved: bool = True) -> None:
    """Stop services, the last first, and start them; peers are waited for until they have their reservations."""
    stop(*names)
    start(*names, until_reserved=until_reserved)


def stop(*names: str) -> None:
    """Stop services, the last first."""
    for name in reversed(names):
        on(name, f"systemctl stop {UNITS[name]}")


def start(*names: str, until_reserved: bool = True) -> None:
    """Start services; peers are waited for until the relay has accepted their reservations."""
    for name in names:
        on(name, f"systemctl reset-failed {UNITS[name]}; systemctl start {UNITS[name]}")
    for name in names:
        wait_for(name, "reservation.accepted" if name in PEERS and until_reserved else "node.started")


def wait_for(name: str, milestone: str) -> None:
    """Until the present start of the service has written that milestone."""
    assert until(lambda: milestone in since_start(name), timeout=PATIENCE, pause=0.1), since_start(name)


@contextmanager
def settings(environment: dict[str, dict[str, str]], *, until_reserved: bool = True) -> Iterator[None]:
    """Services with further environment variables, by host; without them again at the end."""
    normal()
    for name, variables in environment.items():
        lines = "".join(f'Environment="{key}={value}"\n' for key, value in variables.items())
        place = f"/run/systemd/system/{UNITS[name]}.service.d"
        on(name, f"mkdir -p {place}; printf %s {shlex.quote('[Service]' + chr(10) + lines)} > {place}/scene.conf")
        on(name, "systemctl daemon-reload")
    try:
        restart(*environment, until_reserved=until_reserved)
        yield
    finally:
        for name in environment:
            on(name, f"rm -r /run/systemd/system/{UNITS[name]}.service.d; systemctl daemon-reload")
        restart(*environment)
        normal()


@contextmanager
def stopped(*names: str) -> Iterator[None]:
    """Services that do not run; they are started in the order of the names at the end, and the peers wait for it."""
    normal()
    stop(*names)
    try:
        yield
    finally:
        restart(*names, *(PEERS if "relay" in names else ()))
        normal()


@contextmanager
def nats(**modes: str) -> Iterator[None]:
    """Routers, by the host behind them, in another mode; plain again at the end.

    The relay starts afresh, too: it would hold the connections that a router forgot, and end them in some run.
    """
    normal()
    behind(modes)
    try:
        yield
    finally:
        behind(dict.fromkeys(modes, "plain"))
        normal()


def behind(modes: Mapping[str, str]) -> None:
    """Routers in these modes, without any mapping, and services that start behind them.

    Nothing runs while they change: what is under way in that moment, a router would take for something else. The hosts'
    own firewalls forget what they have seen, too.
    """
    stop(*UNITS)
    for name, mode in modes.items():
        booted.set_nat(PATHS, router(name), mode)
        run([*NamedNamespaces().enter(name), "conntrack", "-F"], check=False)
    start(*UNITS)


def cut(verdict: str) -> list[str]:
    """The command line that cuts the way between the two NATs, and nothing else; verdict: nft's for the packets."""
    script = "\n".join(
        shlex.join(
            [
                *NamedNamespaces().enter(each.name),
                "nft",
                f"insert rule ip filter through ip protocol tcp ip {side} {other.public} {verdict}",
            ]
        )
        for each in ROUTERS
        for other in ROUTERS
        if other is not each
        for side in ("saddr", "daddr")
    )
    return ["sh", "-ec", script]


def uncut() -> None:
    """The routers' own rules again; connections through them stay."""
    for each in ROUTERS:
        run([*NamedNamespaces().enter(each.name), "nft", "-f", "-"], stdin=nat.rules(each, "plain"))


def mend() -> None:
    """Routers with nothing but their own rules again, and services that start afresh."""
    behind(dict.fromkeys(PEERS, "plain"))
    normal()


@contextmanager
def no_ssh(name: str) -> Iterator[None]:
    """A host that nobody can log in to; nothing else of it is cut off."""
    enter = NamedNamespaces().enter(name)
    run([*enter, "nft", "-f", "-"], stdin=NO_SSH)
    try:
        yield
    finally:
        run([*enter, "nft", "delete", "table", "inet", "scene"])


NO_SSH = """
table inet scene {
  chain input { type filter hook input priority -10; tcp dport 22 reject with tcp reset; }
}
"""


@contextmanager
def clock_ahead(name: str, seconds: int) -> Iterator[None]:
    """A host whose node, and whatever is started there over SSH, sees a clock that is ahead.

    All hosts of the lab share the kernel's clock, and a time namespace leaves CLOCK_REALTIME alone: so by libfaketime.
    """
    on(name, "apt-get update -qq && apt-get install -qq libfaketime > /dev/null")
    ahead = {"LD_PRELOAD": FAKETIME, "FAKETIME": f"+{seconds}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    lines = "".join(f"{key}={value}\n" for key, value in ahead.items())
    with settings({name: ahead}):
        on(name, f"cp /etc/environment /run/environment; printf %s '{lines}' >> /etc/environment")
        # A login reads it; verify must not go on with the connections that are there.
        ssh.close_shared()
        try:
            yield
        finally:
            on(name, "cp /run/environment /etc/environment; rm /run/environment")
            ssh.close_shared()
    on(name, "apt-get purge -qq libfaketime > /dev/null")
