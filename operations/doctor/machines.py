"""Problems of one host alone: it can't be reached, or its clock, settings or service are wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from operations.doctor.facts import OPEN, OPEN_SESSIONS, Facts, Host, Service, Status
from operations.doctor.findings import Finding

CLOCK_SECONDS = 5.0
"""A greater difference of clocks is reported."""

_RESTARTS = 2
_BAD_SETTINGS = 2


def examine(facts: Facts, hosts: Iterable[Host]) -> Iterator[Finding]:
    """Everything that is wrong with these hosts."""
    off = _clocks(facts)
    for host in hosts:
        if host.unreachable is not None:
            yield _unreachable(facts, host, host.unreachable)
            continue
        if host.name in off:
            yield off[host.name]
        yield from _settings(host)
        yield from _service(host)
        yield from _filter(host)


def _unreachable(facts: Facts, host: Host, why: str) -> Finding:
    about = frozenset({host.name})
    alive = [
        sign for other in facts.hosts.values() if other.status for sign in _signs(facts, other.name, other.status, host)
    ]
    if alive:
        return Finding(
            "login-fails",
            about,
            f"{host.name} can't be logged into, but its node is alive",
            "; ".join([*alive, why]),
            f"Look at the SSH server of {host.name} and at the filters before it, with the provider's console.",
        )
    return Finding(
        "host-unreachable",
        about,
        f"{host.name} can't be reached",
        why,
        f"See that {host.name} is up, and how to log in: ansible {host.name} -m ansible.builtin.ping.",
    )


def _signs(facts: Facts, name: str, status: Status, host: Host) -> Iterator[str]:
    """What a host has of the other's node at this moment: sessions, and reservations in either direction."""
    if host.remembered_id is None:
        return
    for session in status.sessions:
        if session.peer_id == host.remembered_id and session.state in OPEN_SESSIONS:
            since = f" since {_time(session.since)}" if session.since is not None else ""
            yield f"{name} has a {session.path} session with it{since}"
    if host.remembered_id in status.reserved:
        yield f"{name} holds its reservation"
    # A reservation on a relay that is gone is noticed a minute later; a new connection to it fails at once.
    lost = facts.outcome(name, host.announced) not in (None, OPEN)
    if not lost and any(link.peer_id == host.remembered_id and link.state == "reserved" for link in status.relays):
        yield f"{name} has a reservation on it"


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%d %H:%M:%S} UTC"


def _clocks(facts: Facts) -> dict[str, Finding]:
    there = [host for host in facts.hosts.values() if host.unreachable is None]
    off = [host for host in there if abs(host.clock_ahead) > CLOCK_SECONDS]
    ahead = [host.clock_ahead for host in off]
    if len(off) == len(there) > 1 and max(ahead) - min(ahead) < CLOCK_SECONDS:
        text = "the controller's clock is off: all hosts differ from it alike"
        remedy = "Set the clock of the machine that fab runs on: timedatectl set-ntp true."
        return {
            host.name: Finding("clock-off", frozenset({"controller"}), text, _hours(ahead[0]), remedy) for host in off
        }
    return {
        host.name: Finding(
            "clock-off",
            frozenset({host.name}),
            f"the clock of {host.name} is off",
            _hours(host.clock_ahead),
            f"Set it: timedatectl set-ntp true on {host.name}. Until then its log has other times than the others.",
        )
        for host in off
    }


def _hours(ahead: float) -> str:
    return f"{abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the controller's"


def _settings(host: Host) -> Iterator[Finding]:
    if host.wrong is None:
        return
    running = host.service is not None and host.service.running
    yield Finding(
        "configuration-wrong",
        frozenset({host.name}),
        f"the settings of {host.name} can't be used"
        + ("; its node still runs with earlier ones, and would not start again" if running else ""),
        host.wrong,
        "Correct the setting in the inventory and deploy again; docs/troubleshooting.md explains the line.",
    )


def _service(host: Host) -> Iterator[Finding]:
    service = host.service
    if service is None:
        return
    about = frozenset({host.name})
    last = f"; last line: {service.last}" if service.last else ""
    silence = host.silence or ""
    logs = f"fab logs --host {host.name}"
    if service.running and host.status is None:
        if service.stopped:
            why, remedy = (
                "is stopped by a signal (SIGSTOP)",
                f"Let it go on, or start it afresh: fab restart --host {host.name}",
            )
        else:
            why, remedy = (
                "runs, but does not answer",
                f"Look why ({logs}); fab restart --host {host.name} helps in any case.",
            )
        yield Finding("service-silent", about, f"{service.name} on {host.name} {why}", silence, remedy)
    elif service.restarts >= _RESTARTS and not (service.running and host.status is not None):
        text = f"{service.name} on {host.name} ends again and again"
        evidence = f"started again {service.restarts} times by itself, exit code {service.exit_status}{last}"
        yield Finding("service-crashing", about, text, evidence, f"Solve the problem in its last lines: {logs}.")
    elif service.state == "unknown":
        if host.status is None:
            remedy = f"Look why: systemctl status {service.name} on {host.name}."
            yield Finding("service-silent", about, f"nobody answers for {service.name} on {host.name}", silence, remedy)
    elif not service.running:
        yield _down(host, service, about, last)


def _filter(host: Host) -> Iterator[Finding]:
    if host.firewall is None or not host.firewall.replaced:
        return
    text = f"{host.name} throws ufw's rules away at boot or at a reload"
    remedy = f"On {host.name}, put its rules into ufw and {host.firewall.remedy}."
    yield Finding("firewall-replaced", frozenset({host.name}), text, host.firewall.replaced, remedy)


def _down(host: Host, service: Service, about: frozenset[str], last: str) -> Finding:
    if service.state == "not-found":
        text, remedy = f"{service.name} is not installed on {host.name}", "Deploy: ansible-playbook deploy.yml"
        return Finding("service-down", about, text, "systemd knows no such unit", remedy)
    text = f"{service.name} on {host.name} {'has failed' if service.state == 'failed' else 'is not running'}"
    # The log of a node that was stopped by hand does not say why.
    ended = f", exit code {service.exit_status}{last}" if service.exit_status else ""
    remedy = f"Start it: fab start --host {host.name}"
    if service.exit_status == _BAD_SETTINGS:
        remedy = f"Solve the problem in its last line, then start it: fab start --host {host.name}"
    return Finding("service-down", about, text, f"{service.state}{ended}", remedy)
