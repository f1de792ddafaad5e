"""`fab capture`: the packets of a session, from every place that sees them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from kaspa_node.cli import render
from operations import ask
from operations.capture import plan, store
from operations.capture.plan import DIRECT, Place, Session
from operations.capture.store import Taken
from operations.capture.take import Limits, Pings, Target, lacking, take
from operations.capture.targets import Surroundings, surroundings
from operations.fleet import on_all
from operations.inventory import CHECKOUT, Inventory
from operations.operation import Call, number, operation
from operations.problems import OperationProblem, UsageProblem

CAPTURES = CHECKOUT / "captures"
SECONDS, LONGEST = "10", 3600.0
MEGABYTES, LARGEST = "16", 512.0
MOST_PINGS = 100_000
LISTED = 5


@operation(
    changes=True,
    words=("other",),
    help={
        "session": "its id as `fab status` shows it, or the beginning of it; or the peer at one end",
        "other": "the peer at its other end",
        "seconds": f"how long (default: {SECONDS})",
        "megabytes": f"how much at each place at most (default: {MEGABYTES})",
        "pings": "send this many Kaspa pings over it in each direction",
    },
)
def capture(
    call: Call,
    session: str,
    other: str = "",
    seconds: str = SECONDS,
    megabytes: str = MEGABYTES,
    pings: str | None = None,
) -> None:
    """A session's packets, captured at both ends, on the relays and on a lab's routers; saved in captures/."""
    limits = Limits(
        number(seconds, "--seconds", least=1, most=LONGEST),
        int(1_000_000 * number(megabytes, "--megabytes", least=0.01, most=LARGEST)),
    )
    count = None if pings is None else int(number(pings, "--pings", least=1, most=MOST_PINGS, whole=True))
    chosen = _choose(call, session, other)
    if chosen is None:
        return
    around = surroundings(call.inventory, chosen.hosts)
    relays = [relay.name for relay in call.inventory.relays]
    routers = [router.name for router in around.routers]
    places = {each.name: each for each in plan.places(chosen, relays, routers, loopback=around.loopback)}
    targets = _targets(call.inventory, around, places)
    missing = lacking(targets, call.timeout)
    call.report.problems_of(missing)
    call.report.say(f"session {chosen.told}")
    if call.dry_run or missing:
        _show_places(call, places)
        return
    what = f"for {limits.seconds:g} s, up to {limits.bytes / 1e6:g} MB each"
    call.report.say(f"capturing at {', '.join(places)} {what}; Ctrl-C ends it and keeps nothing")
    pinging = Pings(call.inventory.node(chosen.ends[0].host), chosen.id, count) if count else None
    started = time.time()
    found = take(places, targets, limits, one_user=around.one_user, pings=pinging, timeout=call.timeout)
    call.report.problems_of(found)
    _keep(call, chosen, [each for each in found.values() if isinstance(each, Taken)], started, limits)


def _choose(call: Call, session: str, other: str) -> Session | None:
    """The session, from the peers' status; None if a peer that can't be asked may have it.

    Raises UsageProblem.
    """
    asked = call.inventory.pair(session, other) if other else call.inventory.peers
    statuses = on_all(asked, lambda node, link: ask.status(link, node), timeout=call.timeout)
    told: dict[str, dict[str, Any]] = {
        name: status for name, status in statuses.items() if not isinstance(status, OperationProblem)
    }
    sessions = plan.sessions(told)
    found = plan.between(sessions, session, other) if other else plan.named(sessions, session)
    if len(found) == 1 or (other and found):
        return found[0]
    if len(told) < len(statuses):
        call.report.problems_of(statuses)
        return None
    known = "; ".join(each.told for each in sessions[:LISTED]) or "none"
    if other:
        raise UsageProblem(f"there is no session between {session} and {other}; fab dial makes one; sessions: {known}")
    if session in call.inventory.nodes:
        raise UsageProblem(f"{session} is a host: name the peer at the other end too, or a session; sessions: {known}")
    problem = f"{len(found)} sessions begin with" if found else "no session"
    raise UsageProblem(f"{problem} {session!r}; sessions: {known}")


def _targets(inventory: Inventory, around: Surroundings, places: dict[str, Place]) -> list[Target]:
    routers = {router.name: router for router in around.routers}
    return [routers[place.name] if place.router else inventory.node(place.name) for place in places.values()]


def _show_places(call: Call, places: dict[str, Place]) -> None:
    call.report.add("places", [asdict(place) for place in places.values()])
    rows = [(place.name, place.interface, place.filter) for place in places.values()]
    call.report.table("places", ("place", "interface", "filter"), rows)


def _keep(call: Call, session: Session, taken: Sequence[Taken], started: float, limits: Limits) -> None:
    if not taken:
        return
    words = {"seconds": limits.seconds, "megabytes": limits.bytes / 1e6}
    try:
        directory = store.write(CAPTURES, session, started, taken, words)
    except OSError as error:
        raise OperationProblem(f"the capture can't be written to {CAPTURES}: {error.strerror}") from None
    shown = directory.relative_to(CHECKOUT)
    call.report.add("directory", str(directory))
    for each in taken:
        call.report.host(each.place.name, each.entry())
    rows = [
        (
            each.place.name,
            each.place.interface,
            each.capture.packets,
            each.dropped,
            render.size(len(each.capture.content)),
        )
        for each in taken
    ]
    call.report.table("packets", ("place", "interface", "packets", "dropped", "file size"), rows)
    relays = {relay.name for relay in call.inventory.relays}
    for each in taken:
        if session.path == DIRECT and each.place.name in relays and not each.capture.packets:
            call.report.say(f"{each.place.name} saw nothing of the session, as it should be with a direct one")
        if each.full:
            call.report.say(f"{each.place.name}: the limit of {limits.bytes / 1e6:g} MB ended it early")
    if not any(each.capture.packets for each in taken):
        call.report.say("nothing was sent over it meanwhile; with --pings 20 something is")
    call.report.changed(f"{shown} is new: a file for each place, and {store.INDEX}")
