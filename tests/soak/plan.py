"""What happens in a soak, and when: a function of the seed, so that the same seed gives the same soak again.

In the first half programs end, too. In the second half everything else goes on, but the peers and the first relay live:
what they lose at each event adds up until it is measured.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from kaspa_node.constants import PATH_POLICIES
from lab.nat import MODES

RELAYS = ("relay-a", "relay-b")
PEERS = ("client", "server", "third")
REMOTES = {"client": ("server", "third"), "server": (), "third": ("client", "server")}
"""Whom each peer dials. The client and the third peer dial each other."""

ROUTERS = ("nat-client", "nat-server")
LINKS = (*ROUTERS, "relay")
RELAY_LISTS = ("relay-a", "relay-b", "relay-b,relay-a")

SECONDS_APART = 5.0


@dataclass(frozen=True)
class Happening:
    """what happens to whom. more: to what it changes. lasts: after so many further happenings it is undone; 0: never.

    at: seconds since the begin.
    """

    at: float
    what: str
    who: str
    more: str = ""
    lasts: int = 0

    def __str__(self) -> str:
        lasts = f" for {self.lasts} events" if self.lasts else ""
        return " ".join(filter(None, (f"{self.at:6.1f} s", self.what, self.who, self.more))) + lasts


Draw = Callable[[random.Random, float], Happening]


def _restart(chance: random.Random, at: float) -> Happening:
    return Happening(at, "restart", chance.choice((*RELAYS, *PEERS)))


def _kill(chance: random.Random, at: float) -> Happening:
    return Happening(at, "kill", chance.choice((*RELAYS, *PEERS)))


def _relay_gone(chance: random.Random, at: float) -> Happening:
    return Happening(at, "gone", chance.choice(RELAYS), lasts=chance.randint(1, 4))


def _second_relay(chance: random.Random, at: float) -> Happening:
    what = chance.choice(("restart", "kill", "gone"))
    return Happening(at, what, RELAYS[1], lasts=chance.randint(1, 4) if what == "gone" else 0)


def _flush(chance: random.Random, at: float) -> Happening:
    return Happening(at, "flush", chance.choice(ROUTERS))


def _mode(chance: random.Random, at: float) -> Happening:
    return Happening(at, "mode", chance.choice(ROUTERS), chance.choice(MODES))


def _cut(chance: random.Random, at: float) -> Happening:
    return Happening(at, "cut", chance.choice(LINKS), lasts=chance.choice((1, 1, 2, 8)))


def _policy(chance: random.Random, at: float) -> Happening:
    return Happening(at, "policy", chance.choice(PEERS), chance.choice(PATH_POLICIES))


def _relays(chance: random.Random, at: float) -> Happening:
    who = chance.choice(PEERS)
    # A peer that dials others needs a relay.
    lists = RELAY_LISTS if REMOTES[who] else (*RELAY_LISTS, "none")
    return Happening(at, "relays", who, chance.choice(lists), lasts=chance.randint(1, 4))


def _remote(chance: random.Random, at: float) -> Happening:
    who = chance.choice([peer for peer in PEERS if REMOTES[peer]])
    return Happening(at, "forget", who, chance.choice(REMOTES[who]), lasts=chance.randint(1, 4))


def _fresh(chance: random.Random, at: float) -> Happening:
    who = chance.choice([peer for peer in PEERS if REMOTES[peer]])
    return Happening(at, "fresh", who, chance.choice(REMOTES[who]))


OTHERS: tuple[Draw, ...] = (_flush, _mode, _cut, _policy, _relays, _remote, _fresh)
FIRST_HALF: tuple[Draw, ...] = (_restart, _kill, _relay_gone, *OTHERS)
SECOND_HALF: tuple[Draw, ...] = (_second_relay, *OTHERS)


def plan(seed: int, seconds: float) -> list[Happening]:
    """Everything that happens in `seconds`."""
    chance = random.Random(seed)
    times = [SECONDS_APART * number for number in range(int(seconds // SECONDS_APART))]
    return [chance.choice(FIRST_HALF if at < seconds / 2 else SECOND_HALF)(chance, at) for at in times]
