"""Which lines of which journals belong to the run and to its session.

Only the dialing peer's lines have the run id. All other lines are found by values that no journal can invent alone: the
dialer's session id begins with a hash of the handshake of the libp2p connection, and the other peer's journal must have
the same value. Clocks are not used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kaspa_node import milestones as m
from kaspa_node.constants import PEER_PORT, RELAY_PORT
from kaspa_node.evidence.bundle import Bundle, Failure, Host, Run, Session
from kaspa_node.evidence.journal_lines import Journal, Line
from kaspa_node.evidence.snapshot import Snapshot
from kaspa_node.milestones import Milestone

CLOCK_SLACK = 5.0
"""Seconds by which a host's time may differ from the run's: a clock that is read over SSH is not known better."""

LABELS = ("before", "during", "after")
"""The names of snapshots, in the order in which they are taken."""


@dataclass(frozen=True, slots=True)
class Case:
    """A bundle with the questions that the pieces of proof ask of it."""

    bundle: Bundle

    @property
    def run(self) -> Run:
        """What was asked for."""
        return self.bundle.run

    @property
    def session(self) -> Session | None:
        """The session that the dialing peer reported, None if it reported a failure.

        A native program opens its stream after that report. Then the session is the last stream that the peer opened
        for the run. There is no session if the program's own log can be read and has no connection.
        """
        reported = self.run.session
        if isinstance(reported, Failure) or self.run.client.native is None or reported.session:
            return None if isinstance(reported, Failure) else reported
        log = self.bundle.native[self.run.client.name]
        if isinstance(log, Journal) and not any(line.milestone is m.PEER_CONNECTED for line in log.lines):
            return None
        opened = self.find(self.run.client, m.STREAM_OPENED, run=self.run.run_id)
        return replace(reported, session=opened[-1].fields.get("session", "") if opened else "")

    def lines(self, host: Host) -> tuple[Line, ...]:
        """The good lines of the host's journal; none if there is no journal."""
        journal = self.bundle.journals[host.name]
        return journal.lines if isinstance(journal, Journal) else ()

    def native_lines(self, host: Host) -> tuple[Line, ...]:
        """The good lines of the host's native program; none if there is no such program or log."""
        log = self.bundle.native.get(host.name)
        return log.lines if isinstance(log, Journal) else ()

    def find(self, host: Host, milestone: Milestone, **values: str) -> list[Line]:
        """Lines of that kind with exactly these values, in the order of the journal."""
        return [line for line in self.lines(host) if line.is_a(milestone, **values)]

    def snapshots(self, host: Host) -> Iterator[tuple[str, Snapshot | Failure]]:
        """The host's snapshots with their labels, before first."""
        yield "before", self.snapshot(host, "before")
        yield "after", self.snapshot(host, "after")

    def snapshot(self, host: Host, label: str) -> Snapshot | Failure:
        """The host's snapshot of that label; a Failure if it was not taken."""
        taken = self.bundle.snapshots.get(label, {})
        return taken.get(host.name, Failure(f"snapshot-{label}.json: it was not taken"))

    @property
    def session_labels(self) -> tuple[str, ...]:
        """The labels of the snapshots in which the session must be up."""
        return ("before", "after") if self.run.client.native is None else ("during",)

    def labels(self, host: Host) -> list[str]:
        """The labels of all snapshots of the host, in order."""
        during = () if host is self.run.relay else self.session_labels
        return sorted({"before", *during, "after"}, key=LABELS.index)

    def when(self, label: str) -> str:
        """The moment of a snapshot, in words."""
        return f"{label} the {'exercise' if self.run.client.native is None else 'session'}"

    def ports(self, *hosts: Host) -> str:
        """The TCP ports that these hosts listen on, as `4012/tcp`; the default port for a host that does not say."""
        found: dict[int, None] = {}
        for host in hosts:
            told = [
                s.status.listen for _, s in self.snapshots(host) if isinstance(s, Snapshot) and s.status is not None
            ]
            default = RELAY_PORT if host is self.run.relay else PEER_PORT
            found |= dict.fromkeys(next((ports for ports in told if ports), (default,)))
        return " or ".join(f"{port}/tcp" for port in found)

    def skew(self, host: Host) -> float | None:
        """Seconds by which the host's clock is ahead of the controller's; None without a snapshot."""
        skews = [s.time - s.controller_time for _, s in self.snapshots(host) if isinstance(s, Snapshot)]
        return sum(skews) / len(skews) if skews else None

    def other(self, host: Host) -> Host:
        """The other peer of the pair."""
        return self.run.client if host is self.run.server else self.run.server

    def circuit_conns(self) -> list[str]:
        """The relayed connections that the dialer opened to the server in this run, oldest first."""
        peer, run = self.run.server.peer_id or "", self.run.run_id
        found = self.find(self.run.client, m.CIRCUIT_OUTBOUND, run=run, peer=peer)
        return [line.fields["conn"] for line in found if "conn" in line.fields]

    def punch_lines(self, host: Host) -> list[Line]:
        """The host's lines about hole punches on the relayed connections of this run."""
        conns = set(self.circuit_conns())
        kinds = (m.PUNCH_STARTED, m.PUNCH_FAILED, m.PUNCH_SUCCEEDED)
        return [x for x in self.lines(host) if x.milestone in kinds and x.fields.get("relayed") in conns]

    def punches(self, conn: str) -> list[tuple[Host, Line]]:
        """The lines, with their hosts, that a hole punch of this run made the direct connection `conn`."""
        return [
            (host, line)
            for host in (self.run.server, self.run.client)
            for line in self.punch_lines(host)
            if line.is_a(m.PUNCH_SUCCEEDED, conn=conn, peer=self.other(host).peer_id or "")
        ]

    def attempts(self) -> int | None:
        """The attempt that made the session's connection; None if no journal has it, or if one is unclear.

        The highest number of all sources counts. So a journal with a lower number than the others, or than its own
        failures, can't turn a late attempt into a first one.
        """
        session = self.session
        if session is None:
            return None
        found = [line.count("attempt") for _, line in self.punches(session.conn)]
        numbers = [number for number in found if number]
        if not numbers or len(numbers) < len(found):
            return None
        for host in (self.run.server, self.run.client):
            lines = self.punch_lines(host)
            numbers += [line.count("attempt") or 0 for line in lines]
            numbers.append(1 + sum(line.milestone is m.PUNCH_FAILED for line in lines))
        return max(*numbers, session.punch_attempts or 0)

    def ends_of(self, session: Session, host: Host) -> list[Line]:
        """The host's lines that end the session or its connection; the first one has the reason.

        A native program ends by itself after some seconds: lines after the snapshot `during` don't count.
        """
        closed = self.find(host, m.CONNECTION_CLOSED, conn=session.conn)
        for kind in (m.PEER_DISCONNECTED, m.STREAM_CLOSED):
            closed += self.find(host, kind, session=session.session)
        if self.run.client.native is not None:
            seen = self.snapshot(host, "during")
            closed = [line for line in closed if isinstance(seen, Failure) or line.time <= seen.time]
        return sorted(closed, key=lambda line: line.number)

    def recent(self, host: Host) -> list[Line]:
        """The host's lines since the run's start, with its clock corrected; all lines if its clock is not known."""
        skew = self.skew(host)
        return [line for line in self.lines(host) if skew is None or line.time - skew >= self.run.started - CLOCK_SLACK]

    def of_run(self, host: Host) -> list[Line]:
        """The host's milestones that belong to the run: by its id, sessions and connections, or the relay's pair."""
        marked = [x for x in self.lines(self.run.client) if x.fields.get("run") == self.run.run_id]
        session = self.session
        ids = {x.fields[name] for x in marked for name in ("session", "conn") if name in x.fields}
        ids |= {session.session, session.conn} if session else set()
        pair = {self.run.client.peer_id, self.run.server.peer_id}
        return [line for line in self.lines(host) if self._belongs(line, ids, pair)]

    def _belongs(self, line: Line, ids: set[str], pair: set[str | None]) -> bool:
        fields = line.fields
        return line.milestone is not None and (
            fields.get("run") == self.run.run_id
            or not ids.isdisjoint({fields.get(name, "") for name in ("session", "conn", "relayed")})
            or (None not in pair and {fields.get("src"), fields.get("dst")} == pair)
        )
