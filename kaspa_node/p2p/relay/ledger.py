"""What a relay has granted: reservations, circuits, their limits and their bytes. No socket, no clock."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from kaspa_node.p2p.relay.messages import NO_RESERVATION, RESERVATION_REFUSED, RESOURCE_LIMIT_EXCEEDED

# Pairs whose totals are kept; the least recently used one without a circuit is forgotten first.
MAX_PAIRS = 10_000


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """What a relay gives. Seconds and bytes of a circuit may be 0: no limit.

    circuit_bytes is for each direction by itself, as the specification's Limit.data.
    """

    max_reservations: int = 128
    reservation_ttl: float = 3600.0
    max_circuits: int = 64
    max_circuits_per_peer: int = 8
    circuit_duration: float = 0.0
    circuit_bytes: int = 0

    @property
    def max_circuits_per_pair(self) -> int:
        """Half of what one peer may have: so one peer alone never takes all the places of another."""
        return (self.max_circuits_per_peer + 1) // 2


@dataclass(slots=True)
class Reservation:
    """A peer that may be reached through this relay. expires: on the monotonic clock; observed: `ip:port` or None."""

    peer: str
    observed: str | None
    expires: float


@dataclass(slots=True)
class Circuit:
    """Two peers joined. bytes_forward: from `src`, who asked for it, to `dst`; bytes_backward: the other way."""

    id: str
    src: str
    dst: str
    since: float
    bytes_forward: int = 0
    bytes_backward: int = 0


@dataclass(slots=True)
class PairTotals:
    """All circuits from one peer to another since the relay started, including open ones."""

    circuits: int = 0
    open: int = 0
    bytes_forward: int = 0
    bytes_backward: int = 0


@dataclass(frozen=True, slots=True)
class Denied:
    """The request is refused. status: its name in the specification."""

    status: str


@dataclass(slots=True)
class Ledger:
    """The relay's books."""

    limits: RelayLimits
    reservations: dict[str, Reservation] = field(default_factory=dict)
    circuits: dict[str, Circuit] = field(default_factory=dict)
    pairs: OrderedDict[tuple[str, str], PairTotals] = field(default_factory=OrderedDict)

    def reserve(self, peer: str, observed: str | None, now: float) -> Reservation | Denied:
        """Make or renew a reservation."""
        self.expire(now)
        known = self.reservations.get(peer)
        if known is None and len(self.reservations) >= self.limits.max_reservations:
            return Denied(RESERVATION_REFUSED)
        reservation = Reservation(peer, observed, now + self.limits.reservation_ttl)
        self.reservations[peer] = reservation
        return reservation

    def release(self, peer: str) -> bool:
        """Remove a reservation; False if there was none."""
        return self.reservations.pop(peer, None) is not None

    def expire(self, now: float) -> list[str]:
        """Forget the reservations that have ended; returns their peers."""
        over = [peer for peer, reservation in self.reservations.items() if reservation.expires <= now]
        for peer in over:
            del self.reservations[peer]
        return over

    def open(self, circuit_id: str, src: str, dst: str, now: float) -> Circuit | Denied:
        """A circuit from `src` to `dst`."""
        self.expire(now)
        if dst not in self.reservations:
            return Denied(NO_RESERVATION)
        mine = sum(1 for c in self.circuits.values() if src in (c.src, c.dst))
        theirs = sum(1 for c in self.circuits.values() if dst in (c.src, c.dst))
        per_peer = self.limits.max_circuits_per_peer
        between = sum(1 for c in self.circuits.values() if {src, dst} == {c.src, c.dst})
        full = len(self.circuits) >= self.limits.max_circuits
        if full or mine >= per_peer or theirs >= per_peer or between >= self.limits.max_circuits_per_pair:
            return Denied(RESOURCE_LIMIT_EXCEEDED)
        circuit = Circuit(circuit_id, src, dst, now)
        self.circuits[circuit_id] = circuit
        totals = self._totals(circuit)
        totals.circuits += 1
        totals.open += 1
        return circuit

    def count(self, circuit: Circuit, wanted: int, *, forward: bool) -> int:
        """Count up to `wanted` bytes; returns how many of them the relay may still forward."""
        limit = self.limits.circuit_bytes
        so_far = circuit.bytes_forward if forward else circuit.bytes_backward
        # What was forwarded so far may exceed a limit that was lowered meanwhile.
        allowed = min(wanted, max(0, limit - so_far)) if limit else wanted
        totals = self._totals(circuit)
        if forward:
            circuit.bytes_forward += allowed
            totals.bytes_forward += allowed
        else:
            circuit.bytes_backward += allowed
            totals.bytes_backward += allowed
        return allowed

    def close(self, circuit: Circuit) -> None:
        """The circuit is over; its bytes stay in the totals of the pair."""
        if self.circuits.pop(circuit.id, None) is not None:
            self._totals(circuit).open -= 1

    def _totals(self, circuit: Circuit) -> PairTotals:
        key = (circuit.src, circuit.dst)
        totals = self.pairs.get(key)
        if totals is None:
            totals = self.pairs[key] = PairTotals()
            self._forget_old_pairs()
        self.pairs.move_to_end(key)
        return totals

    def _forget_old_pairs(self) -> None:
        if len(self.pairs) > MAX_PAIRS:
            oldest = next((key for key, totals in self.pairs.items() if not totals.open), None)
            if oldest is not None:
                del self.pairs[oldest]
