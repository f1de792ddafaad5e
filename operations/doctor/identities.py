"""Compares every peer id in a configuration with the ids of the hosts."""

from __future__ import annotations

from collections.abc import Iterator

from operations.doctor.facts import Facts, Host
from operations.doctor.findings import Finding
from operations.doctor.pair import Pair, addresses, find

_DEPLOY = "Deploy again to all hosts, without --limit: ids and allow lists follow."


def examine(pair: Pair) -> Iterator[Finding]:
    """Hosts with a changed key, hosts with a wrong id in a configuration, hosts that are on no allow list."""
    hosts = (*pair.peers, *pair.relays)
    for host in hosts:
        yield from _key(pair.facts, host)
    yield from _shared(hosts)
    for host in pair.peers:
        yield from _relay_ids(pair.facts, host)
        yield from _listed(pair, host)
    yield from _remote_id(pair)
    yield from _let_in(pair)


def short(peer_id: str | None) -> str:
    """The end of a peer id, which is enough to distinguish a few ids."""
    return f"…{peer_id[-8:]}" if peer_id else "none"


def _key(facts: Facts, host: Host) -> Iterator[Finding]:
    about = frozenset({host.name})
    if host.status is not None and host.key_id not in (None, host.status.peer_id):
        yield Finding(
            "key-not-loaded",
            about,
            f"{host.name} runs with an earlier key than the one in its file",
            f"the node is {short(host.status.peer_id)}, the file's key {short(host.key_id)}",
            f"If the new key is wanted: fab restart --host {host.name}, then deploy again. Else: fab restore-keys.",
        )
    old = host.recorded_id
    if old is None or host.peer_id in (None, old):
        return
    namers = [other.name for other in facts.hosts.values() if other is not host and old in _named(other)]
    if namers:
        yield Finding(
            "key-changed",
            about,
            f"{host.name} has another key than when it was deployed, and {' and '.join(namers)} "
            f"still {'knows' if len(namers) == 1 else 'know'} the old one",
            f"{host.name} was {short(old)}, and is {short(host.peer_id)}",
            f"{_DEPLOY} If the old key is to stay: fab restore-keys.",
        )


def _named(host: Host) -> frozenset[str]:
    """Every peer id in a host's settings."""
    settings = host.settings
    if settings is None:
        return frozenset()
    remotes = {remote.peer_id for remote in settings.remotes}
    return settings.allow.peer_ids | remotes | {address.peer_id for address in addresses(host)}


def _shared(hosts: tuple[Host, ...]) -> Iterator[Finding]:
    for place, host in enumerate(hosts):
        for other in hosts[:place]:
            if host.peer_id is not None and host.peer_id == other.peer_id:
                yield Finding(
                    "key-shared",
                    frozenset({host.name, other.name}),
                    f"{other.name} and {host.name} have one key, and can't be told apart",
                    f"both are {short(host.peer_id)}",
                    "Move identity.key away on one of them and deploy again: it makes its own.",
                )


def _relay_ids(facts: Facts, host: Host) -> Iterator[Finding]:
    for address in addresses(host):
        relay = find(facts, address)
        if relay is not None and relay.peer_id not in (None, address.peer_id):
            yield _wrong(host, relay, f"its `relays` has {short(address.peer_id)}")


def _remote_id(pair: Pair) -> Iterator[Finding]:
    settings, dialed = pair.dialer.settings, pair.dialed
    if settings is None or dialed.peer_id is None:
        return
    remote = settings.remote(dialed.peer_id) or settings.remote(dialed.name)
    if remote is not None and remote.peer_id != dialed.peer_id:
        yield _wrong(pair.dialer, dialed, f"its `remotes` has {short(remote.peer_id)}")
    if remote is None and dialed.name in pair.dialer.dials:
        ids = ", ".join(f"{each.name} {short(each.peer_id)}" for each in settings.remotes) or "nobody"
        yield _wrong(pair.dialer, dialed, f"its `remotes` has {ids}")


def _wrong(host: Host, other: Host, evidence: str) -> Finding:
    return Finding(
        "id-wrong",
        frozenset({host.name, other.name}),
        f"{host.name} does not know {other.name} by its peer id",
        f"{evidence}, {other.name} is {short(other.peer_id)}",
        _DEPLOY,
    )


def _listed(pair: Pair, host: Host) -> Iterator[Finding]:
    for relay in pair.relays:
        if relay.settings is None or host.peer_id is None or relay.settings.allow.permits(host.peer_id):
            continue
        if any(find(pair.facts, address) is relay for address in addresses(host)):
            yield _not_allowed(relay, host, "may neither reserve nor open circuits there")


def _let_in(pair: Pair) -> Iterator[Finding]:
    settings, dialer = pair.dialed.settings, pair.dialer
    if settings is not None and dialer.peer_id is not None and not settings.allow.permits(dialer.peer_id):
        # A peer that dials allows the other peer for hole punches, but the other opens no Kaspa stream to it.
        yield _not_allowed(pair.dialed, dialer, "may open no Kaspa stream there")


def _not_allowed(host: Host, other: Host, so: str) -> Finding:
    assert host.settings is not None
    allowed = host.settings.allow
    listed = ", ".join(short(each) for each in sorted(allowed.peer_ids)) or "nobody"
    return Finding(
        "not-allowed",
        frozenset({host.name, other.name}),
        f"{other.name} is not on the allow list of {host.name}, so it {so}",
        f"the list has {listed}; {other.name} is {short(other.peer_id)}",
        _DEPLOY,
    )
