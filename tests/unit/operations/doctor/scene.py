"""The lab as the doctor finds it when all is well, to be broken one thing at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kaspa_node import milestones as m
from kaspa_node.evidence.endpoints import Endpoint
from kaspa_node.evidence.journal_lines import Line
from kaspa_node.milestones import Milestone
from kaspa_node.settings import AllowList, Settings
from kaspa_node.settings.addresses import parse_listen, parse_relay
from kaspa_node.settings.values import Remote
from operations.doctor.facts import Facts, Firewall, Host, Reach, RelayLink, RemoteState, Service, Session, Status

RELAY_ID = "12D3KooWA42QvYZmDcRVQJnLKS4LxpridX2UK3NC7H7hvUycFwpg"
SERVER_ID = "12D3KooWT3gGR6dS5q63FpHQLACdtnqapDeL5warhbGcz7GRsopd"
CLIENT_ID = "12D3KooWP6SHE4XJwuKegf1p9D23tnnM31dyzkCZ9YQo6QrJ9bhX"
NEW_ID = "12D3KooWR2KSRQWyanR1dPvnZkXt296xgf3FFn8135szya3zYYwY"
IDS = {"relay": RELAY_ID, "server": SERVER_ID, "client": CLIENT_ID}
AT = "203.0.113.10:4011"
ADDR = f"/ip4/203.0.113.10/tcp/4011/p2p/{RELAY_ID}"
PUBLIC = {"server": "203.0.113.30", "client": "203.0.113.20"}
REASON = "timeout after 4 s (203.0.113.30:4012: no answer)"


def link(name: str, **changes: Any) -> RelayLink:
    """A peer's reservation as it is when all is well, but for the changes."""
    return replace(RelayLink(RELAY_ID, ADDR, "reserved", None, Endpoint(PUBLIC[name], 4012)), **changes)


def line(milestone: Milestone, **fields: str) -> Line:
    """A line of a journal."""
    return Line(1, 0.0, milestone.level, milestone.sentence, "", milestone, fields)


def punch_failed(other: str, attempt: int = 3, reason: str = REASON) -> Line:
    """The end of a punch with that host."""
    return line(m.PUNCH_FAILED, reason=reason, peer=IDS[other], attempt=str(attempt), relayed="b6aaf4d5217b8d1c")


def _settings(role: str, **values: Any) -> Settings:
    listen = (parse_listen(f"/ip4/0.0.0.0/tcp/{4011 if role == 'relay' else 4012}"),)
    return Settings(role=role, listen=listen, **values)


def _peer(name: str, other: str, settings: Settings, status: Status) -> Host:
    return Host(
        name=name,
        role="peer",
        port=4012,
        dials=("server",) if name == "client" else (),
        service=Service("kaspa-peer", "active"),
        key_id=IDS[name],
        recorded_id=IDS[name],
        status=status,
        settings=settings,
        firewall=Firewall(True),
        addresses=("10.1.0.2",) if name == "client" else ("10.2.0.2",),
        lines=(line(m.PEER_CONNECTED, peer=IDS[other], path="direct"),),
    )


def healthy() -> Facts:
    """client dials server through relay, and all three are as deploy leaves them."""
    relays = (parse_relay(ADDR),)
    remote = Remote("server", SERVER_ID, relays)
    relay = Host(
        name="relay",
        role="relay",
        port=4011,
        announced=AT,
        service=Service("kaspa-relay", "active"),
        key_id=RELAY_ID,
        recorded_id=RELAY_ID,
        status=Status(RELAY_ID, reserved=frozenset({SERVER_ID, CLIENT_ID})),
        settings=_settings("relay", allow=AllowList(peer_ids=frozenset({SERVER_ID, CLIENT_ID}))),
        firewall=Firewall(True),
        addresses=("203.0.113.10",),
    )
    server = _peer(
        "server",
        "client",
        _settings("peer", relays=relays, allow=AllowList(peer_ids=frozenset({CLIENT_ID}))),
        Status(SERVER_ID, "mainnet", (link("server"),), (), (Session(CLIENT_ID, "direct", "ready"),)),
    )
    client = _peer(
        "client",
        "server",
        _settings("peer", relays=relays, remotes=(remote,)),
        Status(
            CLIENT_ID,
            "mainnet",
            (link("client"),),
            (RemoteState("server", SERVER_ID, "direct", None),),
            (Session(SERVER_ID, "direct", "ready"),),
        ),
    )
    hosts = {host.name: host for host in (relay, server, client)}
    return Facts(hosts, (Reach("client", AT, "open"), Reach("server", AT, "open")))


def changed(facts: Facts, name: str, **values: Any) -> Facts:
    """The facts with other values for a host."""
    return replace(facts, hosts={**facts.hosts, name: replace(facts.hosts[name], **values)})


def with_settings(facts: Facts, name: str, **values: Any) -> Facts:
    """The facts with other settings on a host."""
    settings = facts.hosts[name].settings
    assert settings is not None
    return changed(facts, name, settings=replace(settings, **values))


def with_status(facts: Facts, name: str, **values: Any) -> Facts:
    """The facts with another status of a host."""
    status = facts.hosts[name].status
    assert status is not None
    return changed(facts, name, status=replace(status, **values))


def apart(facts: Facts, state: str = "backoff", reason: str | None = None) -> Facts:
    """The facts where the two have no session."""
    facts = with_status(facts, "server", sessions=())
    return with_status(facts, "client", sessions=(), remotes=(RemoteState("server", SERVER_ID, state, reason),))


def relayed(facts: Facts, *, punches: bool = True) -> Facts:
    """The facts where the session runs over the relay, after three punches that failed."""
    facts = with_status(facts, "server", sessions=(Session(CLIENT_ID, "relayed", "ready"),))
    facts = with_status(
        facts,
        "client",
        sessions=(Session(SERVER_ID, "relayed", "ready"),),
        remotes=(RemoteState("server", SERVER_ID, "relayed", REASON),),
    )
    if punches:
        facts = changed(facts, "client", lines=(punch_failed("server"),))
        facts = changed(facts, "server", lines=(punch_failed("client"),))
    return facts


def reached(facts: Facts, outcomes: Mapping[tuple[str, str], str]) -> Facts:
    """The facts with other outcomes of connections, by origin and address."""
    kept = tuple(each for each in facts.reached if (each.origin, each.address) not in outcomes)
    return replace(facts, reached=kept + tuple(Reach(*key, outcome) for key, outcome in outcomes.items()))
