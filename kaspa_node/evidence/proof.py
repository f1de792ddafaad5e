"""The table of the pieces of proof, and the search for each in the evidence of a run."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

from kaspa_node.evidence import handshake_proof as handshake
from kaspa_node.evidence import native_proof as native
from kaspa_node.evidence import path_proof as path
from kaspa_node.evidence import session_proof as session
from kaspa_node.evidence.correlate import Case
from kaspa_node.evidence.findings import Contradiction, Finding, Lacking, Missing, Proven, Refuted

DIRECT, RELAYED = "direct", "relayed"
_BOTH = (DIRECT, RELAYED)
ANY, EMBEDDED_CLIENT = "any", "embedded client"
NATIVE_CLIENT, NATIVE_SERVER, NATIVE_BOTH = "native client", "native server", "both native"
_SIDES: dict[str, Callable[[Set[str]], bool]] = {
    ANY: lambda native: True,
    EMBEDDED_CLIENT: lambda native: "client" not in native,
    NATIVE_CLIENT: lambda native: "client" in native,
    NATIVE_SERVER: lambda native: "server" in native,
    NATIVE_BOTH: lambda native: native >= {"client", "server"},
}


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of proof.

    key: its name in reports. paths: the paths that require it. source: where the evidence comes from.
    check: looks for it; its docstring is what the piece proves.
    programs: the Kaspa programs at the two ends that require it.
    """

    key: str
    paths: tuple[str, ...]
    source: str
    check: Callable[[Case], str]
    programs: str = ANY

    @property
    def proves(self) -> str:
        """What is true if the piece is proven."""
        return " ".join((self.check.__doc__ or "").split())


_LOGS, _KERNEL = "journals of the two peers", "kernels' socket lists (ss)"

PIECES: tuple[Piece, ...] = (
    Piece("hosts", _BOTH, "the collector", session.hosts),
    Piece("clocks", _BOTH, "controller and hosts", session.clocks),
    Piece("services", _BOTH, "service managers", session.services),
    Piece("identity", _BOTH, "inventory and status", session.identity),
    Piece("session", _BOTH, "the client's reply", session.reported),
    Piece("circuit", _BOTH, _LOGS, path.circuit),
    Piece("stream", _BOTH, _LOGS, session.stream),
    Piece("handshake.client", _BOTH, "log of the client's Kaspa program", handshake.of_client),
    Piece("handshake.server", _BOTH, "log of the server's Kaspa program", handshake.of_server),
    Piece("alive", _BOTH, "journals and status of the two peers", session.alive),
    Piece("exercise", _BOTH, "the client's reply", session.exercised, EMBEDDED_CLIENT),
    Piece("native.client", _BOTH, "kernel and journal of the client", native.of_client, NATIVE_CLIENT),
    Piece("native.server", _BOTH, "kernel and journal of the server", native.of_server, NATIVE_SERVER),
    Piece("native.versions", _BOTH, "logs of the two native programs", handshake.versions, NATIVE_BOTH),
    Piece("native.bytes", _BOTH, "kernels and status of the two peers", native.counted, NATIVE_CLIENT),
    Piece("punch", (DIRECT,), _LOGS, path.punched),
    Piece("connection", (DIRECT,), _LOGS, path.logged),
    Piece("socket.client", (DIRECT,), "kernel of the client", path.socket_of_client),
    Piece("socket.server", (DIRECT,), "kernel of the server", path.socket_of_server),
    Piece("mirror.client", (DIRECT,), "kernels of the client and the relay", path.mirror_of_client),
    Piece("mirror.server", (DIRECT,), "kernels of the server and the relay", path.mirror_of_server),
    Piece("bytes.session", (DIRECT,), _KERNEL, path.session_bytes),
    Piece("bytes.conserved", (DIRECT,), _KERNEL, path.conserved),
    Piece("bytes.relay", (DIRECT,), "kernels of all three hosts", path.relay_bytes),
    Piece("relay.still", (DIRECT,), "the relay's counter of the pair", path.pair_still),
    Piece("relay.carried", (RELAYED,), "the relay's counter of the pair", path.pair_carried),
    Piece("bytes.carried", (RELAYED,), "kernels of all three hosts", path.relay_carried),
)


def required(claimed: str, native_sides: Set[str] = frozenset()) -> tuple[Piece, ...]:
    """The pieces that a session on that path requires, in the order of the reports.

    native_sides: which of `client` and `server` speak Kaspa by a native program.
    """
    return tuple(piece for piece in PIECES if claimed in piece.paths and _SIDES[piece.programs](native_sides))


def look(piece: Piece, case: Case) -> Finding:
    """Look for one piece."""
    try:
        return Proven(piece.check(case))
    except Lacking as lacking:
        return Missing(str(lacking))
    except Contradiction as contradiction:
        return Refuted(str(contradiction))


def look_for_all(case: Case, claimed: str) -> dict[str, Finding]:
    """Look for every piece that the claimed path requires; by key."""
    return {piece.key: look(piece, case) for piece in required(claimed, case.run.native)}
