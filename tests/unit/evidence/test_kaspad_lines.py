"""Logs of kaspad and p2p-lib, which have sentences only, read as milestones."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaspa_node import milestones
from kaspa_node.evidence.journal_lines import LineError
from kaspa_node.evidence.kaspad_lines import parse_kaspad_line, read_kaspad_journal
from kaspa_node.milestones import Milestone

STAMP = "2026-11-23 05:45:59.702+00:00"

# As the seed's client prints it (p2p-lib 0.15.0), but for the frames of HTTP/2 between the lines.
CLIENT = f"""\
{STAMP} [DEBUG] connecting to [::1]:50051
{STAMP} [DEBUG] starting send version flow
{STAMP} [DEBUG] sending version message: VersionMessage {{ protocol_version: 5, services: 0, timestamp: 1795412759701, \
address: None, id: [3, 116, 62, 59, 240, 225, 65, 37, 155, 161], user_agent: "", \
disable_relay_tx: false, subnetwork_id: None, network: "kaspa-mainnet" }}
{STAMP} [DEBUG] accepted version message: VersionMessage {{ protocol_version: 10, services: 0, \
timestamp: 1795412759701, address: None, id: [209, 42], \
user_agent: "/kaspa-node:0.1.0/", disable_relay_tx: false, subnetwork_id: None, network: "kaspa-simnet" }}
{STAMP} [DEBUG] accepted verack_message: VerackMessage
{STAMP} [DEBUG] protocol versions - self: 5, peer: 5
{STAMP} [DEBUG] accepted ready message: ReadyMessage
{STAMP} [INFO ] P2P Connected to outgoing peer [::1]:50051
"""


def parsed(sentence: str, level: str = "INFO ") -> tuple[Milestone | None, dict[str, str]]:
    line = parse_kaspad_line(1, f"{STAMP} [{level}] {sentence}".encode())
    return line.milestone, line.fields


def test_the_handshake_of_the_seeds_client() -> None:
    journal = read_kaspad_journal(io.BytesIO(CLIENT.encode()))
    assert journal.malformed == {}
    assert [(line.number, str(line.milestone)) for line in journal.lines if line.milestone] == [
        (3, "kaspa.version.sent"),
        (4, "kaspa.version.received"),
        (5, "kaspa.verack.received"),
        (7, "kaspa.ready.received"),
        (8, "peer.connected"),
    ]
    assert journal.lines[2].fields == {"protocol": "5", "network": "kaspa-mainnet"}
    received = {"protocol": "10", "network": "kaspa-simnet", "user_agent": "/kaspa-node:0.1.0/"}
    assert journal.lines[3].fields == received
    assert journal.lines[7].is_a(milestones.PEER_CONNECTED, direction="outgoing", addr="[::1]:50051")
    assert "path" not in journal.lines[7].fields


@pytest.mark.parametrize(
    ("sentence", "milestone", "fields"),
    [
        (
            "P2P Connected to incoming peer 127.0.0.1:36768 (inbound: 3)",
            milestones.PEER_CONNECTED,
            {"direction": "incoming", "addr": "127.0.0.1:36768", "bound": "inbound", "count": "3"},
        ),
        (
            "P2P, handshake failed for outbound peer [::1]:1: timeout expired after 4s",
            milestones.HANDSHAKE_FAILED,
            {"bound": "outbound", "addr": "[::1]:1", "reason": "timeout expired after 4s"},
        ),
        (
            "P2P, incoming stream ended from peer [::1]:38058",
            milestones.PEER_DISCONNECTED,
            {"addr": "[::1]:38058", "reason": "stream ended"},
        ),
        (
            "P2P, network error: status: Unknown from peer 127.0.0.1:1",
            milestones.PEER_DISCONNECTED,
            {"addr": "127.0.0.1:1", "reason": "status: Unknown"},
        ),
        (
            "P2P, got reject message: DUPLICATE_CONNECTION from peer: 127.0.0.1:1",
            milestones.REJECT_RECEIVED,
            {"addr": "127.0.0.1:1", "reason": "DUPLICATE_CONNECTION"},
        ),
        (
            "Successful ping with peer 127.0.0.1:1 (nonce: 7)",
            milestones.PING_ANSWERED,
            {"addr": "127.0.0.1:1", "nonce": "7"},
        ),
    ],
)
def test_a_sentence_is_a_milestone(sentence: str, milestone: Milestone, fields: dict[str, str]) -> None:
    assert parsed(sentence) == (milestone, fields)
    assert set(fields) <= set(milestone.fields)


@pytest.mark.parametrize(
    "sentence",
    [
        'P2P, Client connected, peer: "[::1]:50051"',
        "P2P Connected to outgoing peer nobody",
        "P2P Connected to outgoing peer [::1]:50051 and more",
        "said: P2P Connected to outgoing peer [::1]:50051",
        "P2P Connected to outgoing peer [::1]:50051 milestone=peer.connected path=direct",
        "Successful ping milestone=kaspa.ping",
        "",
    ],
)
def test_another_sentence_is_none(sentence: str) -> None:
    assert parsed(sentence) == (None, {})


@pytest.mark.parametrize("name", [r"x\", network: \"kaspa-simnet", " milestone=kaspa.ping", r"a\\"])
def test_what_a_peer_calls_itself_stays_its_name(name: str) -> None:
    message = f'protocol_version: 6, services: 0, id: [1], user_agent: "{name}", subnetwork_id: None, network: "n"'
    milestone, fields = parsed(f"accepted version message: VersionMessage {{ {message} }}", "DEBUG")
    assert milestone is milestones.VERSION_RECEIVED
    assert fields == {"protocol": "6", "network": "n", "user_agent": name}


@given(st.binary())
def test_any_bytes_are_a_line_or_refused_by_name(raw: bytes) -> None:
    try:
        line = parse_kaspad_line(1, raw)
    except LineError:
        return
    assert line.milestone is None


@given(st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" ")))
def test_any_sentence_is_taken(sentence: str) -> None:
    assert read_kaspad_journal(io.BytesIO(f"{STAMP} [DEBUG] {sentence}\n".encode())).malformed == {}
