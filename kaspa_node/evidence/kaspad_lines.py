"""Milestones in the logs of kaspad and of p2p-lib's programs, which have only sentences (p2p-lib, version 0.15.0).

Their lines have the same time and level as ours, but no fields. A sentence names a peer by its address, which is one
end of a local socket. The `stream.accepted` or `stream.opened` of the peer beside the program has the same address as
`caller`, and so the line belongs to a session. Such a line never has a path, because the program knows none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

from kaspa_node import milestones
from kaspa_node.evidence.journal_lines import Journal, Line, parse_plain, read_lines
from kaspa_node.milestones import Milestone

Fields = dict[str, str]

# A text as Rust's Debug prints it: quotes in it are escaped, so a peer's name can't end it early.
_TEXT = r'"((?:[^"\\]|\\.)*)"'
_ADDR = r"((?:\[[0-9a-f:.]+\]|[0-9.]+):[0-9]+)"
_VERSION = rf"VersionMessage \{{ protocol_version: ([0-9]+),[^\"]* user_agent: {_TEXT},[^\"]* network: {_TEXT} \}}"

_BOUND = {"outgoing": "outbound", "incoming": "inbound"}


def _connected(match: re.Match[str]) -> Fields:
    fields = {"direction": match[1], "addr": match[2], "bound": _BOUND[match[1]]}
    return fields if match[3] is None else fields | {"count": match[3]}


def _none(match: re.Match[str]) -> Fields:
    return {}


def _rule(pattern: str, milestone: Milestone, fields: Callable[[re.Match[str]], Fields]) -> _Rule:
    return re.compile(pattern), milestone, fields


_Rule = tuple[re.Pattern[str], Milestone, Callable[[re.Match[str]], Fields]]

# The files are those of p2p-lib; kaspad itself adds the counts in brackets.
_RULES: tuple[_Rule, ...] = (
    # handshake.rs
    _rule(
        f"sending version message: {_VERSION}",
        milestones.VERSION_SENT,
        lambda match: {"protocol": match[1], "network": match[3]},
    ),
    _rule(
        f"accepted version message: {_VERSION}",
        milestones.VERSION_RECEIVED,
        lambda match: {"protocol": match[1], "network": match[3], "user_agent": match[2]},
    ),
    _rule("accepted verack_message: VerackMessage", milestones.VERACK_RECEIVED, _none),
    _rule("accepted ready message: ReadyMessage", milestones.READY_RECEIVED, _none),
    # core/hub.rs
    _rule(
        rf"P2P Connected to (outgoing|incoming) peer {_ADDR}(?: \((?:outbound|inbound): ([0-9]+)\))?",
        milestones.PEER_CONNECTED,
        _connected,
    ),
    # core/adaptor.rs, core/connection_handler.rs
    _rule(
        rf"P2P, handshake failed for (inbound|outbound) peer {_ADDR}: (.*)",
        milestones.HANDSHAKE_FAILED,
        lambda match: {"bound": match[1], "addr": match[2], "reason": match[3]},
    ),
    # core/router.rs: its "incoming stream" is that of the peer's messages, on connections of either direction.
    _rule(
        rf"P2P, incoming stream ended from peer {_ADDR}",
        milestones.PEER_DISCONNECTED,
        lambda match: {"addr": match[1], "reason": "stream ended"},
    ),
    _rule(
        rf"P2P, network error: (.*) from peer {_ADDR}",
        milestones.PEER_DISCONNECTED,
        lambda match: {"addr": match[2], "reason": match[1]},
    ),
    _rule(
        rf"P2P, got reject message: (.*) from peer: {_ADDR}",
        milestones.REJECT_RECEIVED,
        lambda match: {"reason": match[1], "addr": match[2]},
    ),
    # flows: v5/ping.rs
    _rule(
        rf"Successful ping with peer {_ADDR} \(nonce: ([0-9]+)\)",
        milestones.PING_ANSWERED,
        lambda match: {"addr": match[1], "nonce": match[2]},
    ),
)


MILESTONES = tuple(dict.fromkeys(milestone for _, milestone, _ in _RULES))
"""The milestones that such a log can have."""


def read_kaspad_journal(stream: BinaryIO) -> Journal:
    """Read a whole log of kaspad or p2p-lib; memory is bounded per line, and no content raises."""
    return read_lines(stream, parse_kaspad_line)


def parse_kaspad_line(number: int, raw: bytes) -> Line:
    """Read one line; a ` milestone=` in it has no meaning. LineError if it is not in kaspad's format."""
    line = parse_plain(number, raw)
    for pattern, milestone, fields in _RULES:
        match = pattern.fullmatch(line.sentence)
        if match is not None:
            return replace(line, milestone=milestone, fields=fields(match))
    return line
