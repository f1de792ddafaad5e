"""What a person reads of a run: each case is a line, or the lack of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kaspa_node import milestones as m
from tests.unit.evidence.builder import CIRCUIT, CLIENT, DIRECT, RELAY, RUN, SERVER, Evidence, Log, complete
from tests.unit.evidence.conftest import Judge

Change = Callable[[Evidence], None]


def relayed() -> Evidence:
    return complete("relayed", expect="any", attempt=3)


def no_session() -> Evidence:
    """The dial went to the relay, and no further."""
    evidence = complete()
    log = Log()
    for offset in (0.1, 0.8):
        log.at(offset, m.DIAL_STARTED, addr="/ip4/203.0.113.10/tcp/4011", peer=SERVER, run=RUN)
        log.at(offset + 0.1, m.DIAL_WAITING, peer=SERVER, relay=RELAY, delay=0.5, run=RUN)
    evidence.journals |= {"client": log.lines, "server": [], "relay": []}
    evidence.run |= {"session": {"error": "no session within 10 s"}, "exercise": {"error": "it was not asked for"}}
    return evidence


def test_a_direct_run_is_told_in_about_a_dozen_lines(judged: Judge) -> None:
    story = judged(complete())["story"]
    assert 8 <= len(story) <= 14
    assert story[0] == (
        "client was to open a Kaspa session with server. Both are behind NATs, routers that accept only answers, so "
        "neither can simply dial the other. relay is a third host that both can reach: the relay."
    )
    assert story[-1] == (
        "So the verdict is PASS, path direct. The Kaspa handshake ran over a direct connection, punched at the first "
        "attempt."
    )
    assert story[-2].startswith("All 21 pieces of proof that a direct session needs were found: both journals name")
    words = " ".join(story)
    for part in (
        "reservations on relay",
        "relay saw server come from 203.0.113.30:4012",
        "dialed server through relay",
    ):
        assert part in words
    assert "Attempt 1 worked: after 0.21 s server had a direct connection to the other, 10.2.0.2:4012 to" in words
    assert "Kaspa's handshake (Version, Verack, Ready) went over the direct connection in 0.30 s" in words
    assert "200 pings went over it, each answered. Meanwhile the hosts counted 80,000 bytes on the direct" in words


def public_client(evidence: Evidence) -> None:
    evidence.run["hosts"]["client"]["addresses"] = ["203.0.113.20"]


def in_namespaces(evidence: Evidence) -> None:
    evidence.run["network_mode"] = "namespaces"


def on_loopback(evidence: Evidence) -> None:
    evidence.run["network_mode"] = "loopback"


def unreachable(evidence: Evidence) -> None:
    evidence.run["hosts"]["client"]["unreachable"] = "no route"
    evidence.run["session"] = {"error": "no route"}
    evidence.journals["client"] = []


def stopped(evidence: Evidence) -> None:
    evidence.after("server")["service"]["active"] = False


def backing_off(evidence: Evidence) -> None:
    evidence.before("server")["status"]["relays"][0] |= {"state": "backoff", "reason": "connection refused"}


def refused(evidence: Evidence) -> None:
    evidence.before("server")["status"]["relays"][0] |= {"state": "refused"}


def silent_server(evidence: Evidence) -> None:
    evidence.before("server")["status"] = None


def another_relay(evidence: Evidence) -> None:
    for host in ("server", "client"):
        evidence.before(host)["status"]["relays"][0]["peer_id"] = "12D3KooWother"


def relay_says_nothing(evidence: Evidence) -> None:
    evidence.before("relay")["status"] = None


def nobody_seen(evidence: Evidence) -> None:
    relay_says_nothing(evidence)
    for host in ("server", "client"):
        evidence.before(host)["status"]["relays"][0]["observed"] = None


def not_punched(evidence: Evidence) -> None:
    for kind in (m.PUNCH_STARTED, m.PUNCH_SUCCEEDED):
        evidence.drop("server", kind)


def unfinished_punch(evidence: Evidence) -> None:
    evidence.drop("server", m.PUNCH_SUCCEEDED)


def unnumbered_punch(evidence: Evidence) -> None:
    evidence.replace("server", m.PUNCH_STARTED, "attempt=1", "attempt=x")


def many_punches(evidence: Evidence) -> None:
    log = Log()
    for number in (2, 3, 4, 5):
        log.at(0.4, m.PUNCH_FAILED, reason="no answer", peer=CLIENT, attempt=number, relayed=CIRCUIT)
    evidence.journals["server"] += log.lines


def endless_punch(evidence: Evidence) -> None:
    evidence.replace("server", m.PUNCH_SUCCEEDED, " local=10.2.0.2:4012 remote=203.0.113.20:4012", "")
    del evidence.run["session"]["timings"]


def session_ended(evidence: Evidence) -> None:
    log = Log()
    log.at(2.0, m.CONNECTION_CLOSED, peer=SERVER, conn=DIRECT, path="direct", reason="reset by peer")
    evidence.journals["client"] += log.lines


def half_a_handshake(evidence: Evidence) -> None:
    evidence.drop("server", m.READY_RECEIVED)


def not_exercised(evidence: Evidence) -> None:
    evidence.run["exercise"] = {"error": "no answer to ping 3"}


def one_ping(evidence: Evidence) -> None:
    evidence.run["exercise"]["pings"] = 1


def uncounted(evidence: Evidence) -> None:
    for host in ("client", "relay"):
        evidence.after(host)["sockets"] = None


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (public_client, "server is behind a NAT, a router that accepts only answers. relay is a third host"),
        (public_client, "client come from 203.0.113.20:4012, its own address."),
        (in_namespaces, "session with server (all on one machine, in network namespaces). Both are behind NATs"),
        (on_loopback, "All three run on one machine without any NAT, so this run says nothing about NATs."),
        (unreachable, "client could not be reached for evidence: no route."),
        (unreachable, "There was no Kaspa session."),
        (stopped, "The program on server (kaspa-peer) was not running."),
        (backing_off, "server had no reservation on relay (backoff, connection refused)."),
        (refused, "server had no reservation on relay (refused)."),
        (refused, "client had a reservation on relay: a connection that stays open"),
        (silent_server, "Whether server had a reservation on relay is not known: its status does not say so."),
        (another_relay, "Whether client had a reservation on relay is not known: its status does not say so."),
        (relay_says_nothing, "relay saw server come from 203.0.113.30:4012 and client come from 203.0.113.20:4012."),
        (not_punched, "No hole punch was tried, so there was no direct connection (the journals don't say why)."),
        (unfinished_punch, "Attempt 1 began, and no journal says how it ended."),
        (unnumbered_punch, "An attempt without a number began, and no journal says how it ended."),
        (many_punches, "2 further attempts are in the journals."),
        (endless_punch, "Attempt 1 worked: server had a direct connection to the other, an unknown address to an un"),
        (endless_punch, "went over the direct connection; client and server were connected."),
        (session_ended, "client then ended the session before it could be judged: reset by peer."),
        (half_a_handshake, "client says that it had a session over the direct connection, but the journals don't show"),
        (half_a_handshake, "Of 21 pieces of proof that a direct session needs, 20 were found; not: handshake.server."),
        (half_a_handshake, "So the verdict is FAIL, path unproven. The proof of the direct path is incomplete, handsh"),
        (half_a_handshake, "What to do: Run verify again; docs/verdicts.md says what this piece of proof needs."),
        (not_exercised, "No pings went over it to be counted: no answer to ping 3."),
        (one_ping, "1 ping went over it, each answered."),
        (uncounted, "No host counted their bytes."),
    ],
)
def test_what_is_different_is_told(change: Change, line: str, judged: Judge) -> None:
    evidence = complete()
    change(evidence)
    assert [told for told in judged(evidence)["story"] if line in told] != []


def test_of_a_host_that_was_not_reached_no_more_is_asked(judged: Judge) -> None:
    evidence = complete()
    silent_server(evidence)
    evidence.run["hosts"]["server"]["unreachable"] = "no route"
    assert [told for told in judged(evidence)["story"] if told.startswith("Whether server")] == []


def test_what_nobody_saw_is_not_told(judged: Judge) -> None:
    evidence = complete()
    nobody_seen(evidence)
    assert [told for told in judged(evidence)["story"] if "saw" in told] == []


def test_a_lost_journal_is_told(judged: Judge, tmp_path: Any) -> None:
    judged(complete())
    evidence = complete()
    del evidence.journals["server"]
    (tmp_path / "run" / "raw" / "server" / "journal.log").unlink()
    assert "server gave no journal (journal.log: No such file or directory)." in judged(evidence)["story"]


def test_a_relayed_run_says_what_was_tried_first(judged: Judge) -> None:
    evidence = relayed()
    log = Log()
    log.at(0.65, m.PATH_FALLBACK, peer=SERVER, reason="timed out", run=RUN)
    evidence.journals["client"] += log.lines
    story = judged(evidence)["story"]
    assert [line for line in story if line.startswith("Attempt")] == [
        f"Attempt {number} failed (server: timed out)." for number in (1, 2, 3)
    ]
    assert "So client stayed on the relayed connection." in story
    assert any("80,000 bytes from peer to peer in the relay's books" in line for line in story)
    assert story[-2].startswith("All 13 pieces of proof that a relayed session needs were found: ")
    assert "So the verdict is RELAYED, path relayed. The handshake works over the relay: 3 hole punches" in story[-1]


def test_a_policy_that_tries_no_punch_is_named(judged: Judge) -> None:
    evidence = complete("relayed", expect="any", attempt=0)
    evidence.run["session"]["punch"] |= {"attempts": 0, "reason": "the policy is relay-only"}
    line = "No hole punch was tried, so there was no direct connection (the policy is relay-only)."
    assert line in judged(evidence)["story"]


def test_a_run_without_a_session_says_how_far_it_came(judged: Judge) -> None:
    story = judged(no_session())["story"]
    assert "client dialed server through relay, 2 times, but got no connection." in story
    assert "relay answered that it has no reservation of server, 2 times." in story
    assert "There was no Kaspa session. client said: no session within 10 s." in story
    assert story[-1].startswith("What to do: ")


def test_a_dial_that_nobody_answered(judged: Judge) -> None:
    evidence = no_session()
    evidence.drop("client", m.DIAL_WAITING)
    assert not any("answered that it has no reservation" in line for line in judged(evidence)["story"])
    evidence.journals["client"] = []
    assert "The journal of client has no dial of this run." in judged(evidence)["story"]
