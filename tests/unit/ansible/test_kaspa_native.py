from __future__ import annotations

import itertools

from ansible_collections.kaspa.private_peers.plugins.module_utils import kaspa_native
from ansible_collections.kaspa.private_peers.plugins.module_utils.kaspa_native import Seen

CONN = "9f3a51c20b77d0e4"
PEER = "12D3KooWCz5QmVHpHqVdFSGAsLLPeXRSDLTyWhDzAPyDxM8QcEtP"
STAMP = "2026-11-23 10:15:00.000+00:00"
OPENED = (
    f"{STAMP} [INFO ] Stream opened successfully peer={PEER} milestone=stream.opened peer={PEER} session={CONN}.3 "
    f"conn={CONN} path=direct protocol=/kaspad/transport/1.0.0 caller=[::1]:40000\n"
)
INCOMING = f"{STAMP} [INFO ] P2P Connected to incoming peer [::1]:40000\n"
OUTGOING = f"{STAMP} [INFO ] P2P Connected to outgoing peer [::1]:50051\n"
ROW = {"conn": CONN, "state": "carried"}


def test_a_session_of_an_embedded_peer_stands_when_it_is_ready() -> None:
    assert kaspa_native.lacking(Seen([{"conn": CONN, "state": "ready"}], "", "", False, ""), CONN) == ""
    for rows in ([], [{"conn": CONN, "state": "handshake"}], [{"conn": "other", "state": "ready"}]):
        assert kaspa_native.lacking(Seen(rows, "", "", False, ""), CONN) == f"there is no session on connection {CONN}"


def test_a_native_program_has_to_say_that_it_is_connected() -> None:
    unit = "kaspa-native-server"
    assert kaspa_native.lacking(Seen([ROW], OPENED, unit, True, INCOMING), CONN) == ""
    assert kaspa_native.lacking(Seen([ROW], "", unit, True, OUTGOING), CONN) == ""
    for journal, log in ((OPENED, ""), ("", INCOMING), (OPENED.replace(CONN, "0" * 16), INCOMING)):
        said = kaspa_native.lacking(Seen([ROW], journal, unit, True, log), CONN)
        assert said == f"{unit} has not said that it is connected"


def test_waiting_ends_with_the_session() -> None:
    looks = iter([Seen([], "", "", False, ""), Seen([ROW], "", "", False, "")])
    pauses: list[None] = []
    assert kaspa_native.wait(lambda: next(looks), CONN, 60, lambda: 0.0, lambda: pauses.append(None)) == ""
    assert len(pauses) == 1


def test_waiting_ends_with_the_program() -> None:
    gone = Seen([], "", "kaspa-native-client", False, "")
    said = kaspa_native.wait(lambda: gone, CONN, 60, lambda: 0.0, lambda: None)
    assert said == f"kaspa-native-client does not run; there is no session on connection {CONN}"


def test_waiting_ends_in_time() -> None:
    clock = itertools.count(0.0, 20.0)
    nothing = Seen([], "", "kaspa-native-client", True, "")
    said = kaspa_native.wait(lambda: nothing, CONN, 60, lambda: next(clock), lambda: None)
    assert said == f"there is no session on connection {CONN} after 60 s"
